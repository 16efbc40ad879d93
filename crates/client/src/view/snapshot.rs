//! What a view shows at one moment: an immutable map that costs nothing to take.

use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use api_meta::owners;
use api_record::Record;
use api_types::meta::v1::ObjectMeta;
use api_types::object_meta;
use rpds::{RedBlackTreeMapSync, RedBlackTreeSetSync};

use super::held::{Glance, Held};
use super::warm::Warm;
use crate::Revision;

/// An object's place in a scope: its namespace, empty for none, and its name, with a byte between them that sorts before all that
/// can be in either.
type Place = Arc<str>;

/// Stands for the owner of what nobody controls.
const NOBODY: &str = "";

/// The objects of a scope at one moment.
#[derive(Clone)]
pub struct Snapshot {
    pub(super) objects: RedBlackTreeMapSync<Place, Arc<Held>>,
    owned: RedBlackTreeMapSync<Arc<str>, RedBlackTreeSetSync<Place>>,
    pub(super) revision: Revision,
    synced: bool,
    relisted: u64,
    pub(super) warm: Arc<Warm>,
}

impl Default for Snapshot {
    fn default() -> Self {
        Snapshot {
            objects: RedBlackTreeMapSync::new_sync(),
            owned: RedBlackTreeMapSync::new_sync(),
            revision: Revision::default(),
            synced: false,
            relisted: 0,
            warm: Arc::default(),
        }
    }
}

/// The places of a namespace.
struct Within {
    start: String,
    end: String,
}

impl Within {
    fn of(namespace: &str) -> Within {
        Within { start: format!("{namespace}\0"), end: format!("{namespace}\x01") }
    }
}

impl RangeBounds<str> for Within {
    fn start_bound(&self) -> Bound<&str> {
        Bound::Included(&self.start)
    }

    fn end_bound(&self) -> Bound<&str> {
        Bound::Excluded(&self.end)
    }
}

impl Snapshot {
    /// A snapshot of these objects, as a view that has synced would show them at `revision`.
    pub fn of(objects: impl IntoIterator<Item = Arc<dyn Record>>, revision: Revision) -> Snapshot {
        let mut snapshot = Snapshot { revision, synced: true, ..Snapshot::default() };
        for object in objects {
            snapshot.insert(object);
        }
        snapshot
    }

    /// The revision that it shows.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Whether it shows the whole scope, which it does not before the first list has come.
    pub fn is_synced(&self) -> bool {
        self.synced
    }

    /// How many of the requests for a new list ([`RawView::relist`](super::RawView::relist)) had been made when the list was begun that
    /// this rests on.
    pub fn relisted(&self) -> u64 {
        self.relisted
    }

    /// The number of objects.
    pub fn len(&self) -> usize {
        self.objects.size()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// The number of objects of a namespace.
    pub fn count_in(&self, namespace: &str) -> usize {
        self.objects.range(Within::of(namespace)).count()
    }

    /// An object.
    pub fn get(&self, namespace: &str, name: &str) -> Option<&Arc<dyn Record>> {
        self.objects.get(&*place(namespace, name)).map(Held::object)
    }

    /// All objects in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Record>> {
        self.objects.values().map(Held::object)
    }

    /// The objects of a namespace in the order of their names.
    pub fn in_namespace(&self, namespace: &str) -> impl Iterator<Item = &Arc<dyn Record>> + use<'_> {
        self.objects.range(Within::of(namespace)).map(|(_, held)| held.object())
    }

    /// All objects, to be asked for single fields: who wants few of many does not have all of them decoded.
    pub fn glances(&self) -> impl Iterator<Item = Glance<'_>> {
        self.objects.values().map(Glance)
    }

    /// The same within a namespace.
    pub fn glances_in(&self, namespace: &str) -> impl Iterator<Item = Glance<'_>> + use<'_> {
        self.objects.range(Within::of(namespace)).map(|(_, held)| Glance(held))
    }

    /// All objects, or those of a namespace, each for one look: what has to be decoded for it does not stay so.
    pub fn glimpses(&self, namespace: Option<&str>) -> impl Iterator<Item = Arc<dyn Record>> + use<'_> {
        let within = namespace.map(|namespace| self.objects.range(Within::of(namespace)));
        let all = namespace.is_none().then(|| self.objects.iter());
        within.into_iter().flatten().chain(all.into_iter().flatten()).map(|(_, held)| held.glimpsed())
    }

    /// The objects that name an owner of this uid, in the order of their keys.
    pub fn dependents_of(&self, uid: &str) -> impl Iterator<Item = &Arc<dyn Record>> + use<'_> {
        let places = self.owned.get(uid).into_iter().flat_map(RedBlackTreeSetSync::iter);
        places.filter_map(|place| self.objects.get(&**place)).map(Held::object)
    }

    /// The objects whose controller has this uid, in the order of their keys.
    pub fn owned_by(&self, uid: &str) -> impl Iterator<Item = &Arc<dyn Record>> {
        self.dependents_of(uid).filter(move |object| {
            let controller = object_meta(&***object).and_then(owners::controller_of);
            controller.is_some_and(|reference| reference.uid == *uid)
        })
    }

    /// The objects of a namespace that no owner controls, in the order of their names.
    pub fn orphans(&self, namespace: &str) -> impl Iterator<Item = Glance<'_>> + use<'_> {
        let places = self.owned.get(NOBODY).map(|places| places.range(Within::of(namespace)));
        places.into_iter().flatten().filter_map(|place| self.objects.get(&**place)).map(Glance)
    }

    /// Shows an object, answering what it takes the place of, and what it is now; `None` if it is no object.
    pub(super) fn insert(&mut self, object: Arc<dyn Record>) -> Option<(Option<Arc<Held>>, Arc<Held>)> {
        let meta = object_meta(&*object)?;
        let owners = self.owners_of(meta);
        let place = place(&meta.namespace, &meta.name);
        let (place, old) = match self.objects.get_key_value(&*place) {
            Some((place, held)) => (Arc::clone(place), Some(Arc::clone(held))),
            None => (Place::from(place), None),
        };
        let new = Held::new(object, owners, &self.warm);
        new.stay_decoded();
        self.put(place, old.as_ref(), Arc::clone(&new));
        Some((old, new))
    }

    /// One that shows nothing.
    pub(super) fn empty(warm: Warm) -> Snapshot {
        Snapshot { warm: Arc::new(warm), ..Snapshot::default() }
    }

    /// One of the same view that shows nothing.
    pub(super) fn emptied(&self) -> Snapshot {
        Snapshot { warm: Arc::clone(&self.warm), ..Snapshot::default() }
    }

    /// The same as what a list has shown, once it has come to its end.
    pub(super) fn ended(self, revision: Revision, relisted: u64) -> Snapshot {
        Snapshot { revision, relisted, synced: true, ..self }
    }

    /// Shows an object of a new list: as the earlier snapshot held it, if it is the same.
    pub(super) fn take_over(&mut self, object: Arc<dyn Record>, earlier: &Snapshot) {
        let Some(meta) = object_meta(&*object) else { return };
        let place = place(&meta.namespace, &meta.name);
        let known = earlier.objects.get_key_value(&*place);
        if let Some((place, held)) = known.filter(|(_, held)| held.shows(&object)) {
            self.put(Arc::clone(place), None, Arc::clone(held));
        } else if self.warm.is_full() {
            let held = Held::new(Arc::clone(&object), self.owners_of(meta), &self.warm);
            self.put(Place::from(place), None, held.packed().unwrap_or(held));
        } else {
            self.insert(object);
        }
    }

    /// Shows an object as its message from now on, if it is still shown.
    pub(super) fn pack(&mut self, held: &Arc<Held>) {
        let object = held.object();
        let Some(meta) = object_meta(&**object) else { return };
        let shown = self.objects.get_key_value(&*place(&meta.namespace, &meta.name));
        let place = shown.filter(|(_, shown)| Arc::ptr_eq(shown, held)).map(|(place, _)| Arc::clone(place));
        if let Some((place, packed)) = place.zip(held.packed()) {
            self.objects.insert_mut(place, packed);
        }
    }

    /// Takes away the object of the same place, and answers it.
    pub(super) fn remove(&mut self, object: &dyn Record) -> Option<Arc<Held>> {
        let meta = object_meta(object)?;
        let (place, held) = self.objects.get_key_value(&*place(&meta.namespace, &meta.name))?;
        let (place, held) = (Arc::clone(place), Arc::clone(held));
        self.disown(&place, &held, &[]);
        self.objects.remove_mut(&*place);
        Some(held)
    }

    fn put(&mut self, place: Place, old: Option<&Arc<Held>>, new: Arc<Held>) {
        if let Some(old) = old {
            self.disown(&place, old, new.owners());
        }
        let had = old.map_or(&[][..], |old| old.owners());
        for owner in new.owners().iter().filter(|owner| !had.contains(owner)) {
            let mut places = self.owned.get(owner).cloned().unwrap_or_else(RedBlackTreeSetSync::new_sync);
            places.insert_mut(Arc::clone(&place));
            self.owned.insert_mut(Arc::clone(owner), places);
        }
        self.objects.insert_mut(place, new);
    }

    /// Finds an object no longer by the owners that it had and has not any more.
    fn disown(&mut self, place: &Place, held: &Held, kept: &[Arc<str>]) {
        for owner in held.owners().iter().filter(|owner| !kept.contains(owner)) {
            let Some(mut places) = self.owned.get(owner).cloned() else { continue };
            places.remove_mut(&**place);
            if places.is_empty() {
                self.owned.remove_mut(&**owner);
            } else {
                self.owned.insert_mut(Arc::clone(owner), places);
            }
        }
    }

    /// The uids that an object is found by, each shared with the others of the same owner.
    fn owners_of(&self, meta: &ObjectMeta) -> Box<[Arc<str>]> {
        let shared = |uid: &str| match self.owned.get_key_value(uid) {
            Some((uid, _)) => Arc::clone(uid),
            None => Arc::from(uid),
        };
        let named = meta.owner_references.iter().map(|reference| shared(&reference.uid));
        let nobody = owners::controller_of(meta).is_none().then(|| shared(NOBODY));
        named.chain(nobody).collect()
    }
}

fn place(namespace: &str, name: &str) -> String {
    [namespace, "\0", name].concat()
}
