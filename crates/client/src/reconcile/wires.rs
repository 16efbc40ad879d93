//! What a controller looks at, and which keys a change there is about.

use api_meta::owners;
use api_record::{Record, Typed};
use api_types::object_meta;

use super::kinds::resource_of;
use super::{Name, World};
use crate::{Resource, Scope};

type Mapping<K> = Box<dyn Fn(&dyn Record, &World) -> Vec<K> + Send + Sync>;
type Comparison = Box<dyn Fn(&dyn Record, &dyn Record) -> bool + Send + Sync>;

/// A view that a controller reads.
pub struct Source<K> {
    /// What it shows.
    pub scope: Scope,
    keys: Mapping<K>,
    /// Whether a change from the one to the other is any; every change is if there is none.
    matters: Option<Comparison>,
}

impl<K> Source<K> {
    /// Whether it matters that an object became another.
    pub fn matters(&self, old: &dyn Record, new: &dyn Record) -> bool {
        self.matters.as_ref().is_none_or(|matters| matters(old, new))
    }

    /// The keys that an object, as it was or as it is, is about.
    pub fn keys(&self, object: &dyn Record, world: &World) -> Vec<K> {
        (self.keys)(object, world)
    }
}

/// All that a controller looks at.
pub struct Wires<K> {
    sources: Vec<Source<K>>,
}

impl<K> Default for Wires<K> {
    fn default() -> Self {
        Wires { sources: Vec::new() }
    }
}

impl<K: 'static> Wires<K> {
    /// Looks at all objects of a type; each is about the keys that `keys` names.
    pub fn maps<T: Typed>(&mut self, keys: impl Fn(&T, &World) -> Vec<K> + Send + Sync + 'static) {
        self.scoped(Scope::all(resource_of::<T>().clone()), move |object, world| {
            object.downcast_ref().map(|object| keys(object, world)).unwrap_or_default()
        });
    }

    /// The same, but changes of an object that make no difference are about nothing.
    pub fn maps_changed<T: Typed>(
        &mut self,
        matters: impl Fn(&T, &T) -> bool + Send + Sync + 'static,
        keys: impl Fn(&T, &World) -> Vec<K> + Send + Sync + 'static,
    ) {
        self.maps::<T>(keys);
        if let Some(source) = self.sources.last_mut() {
            source.matters = Some(Box::new(move |old, new| {
                old.downcast_ref().zip(new.downcast_ref()).is_none_or(|(old, new)| matters(old, new))
            }));
        }
    }

    /// Looks at all objects of a type without being woken by them.
    pub fn reads<T: Typed>(&mut self) {
        self.maps::<T>(|_, _| Vec::new());
    }

    /// Looks at the objects of a scope, whatever they are.
    pub fn scoped(
        &mut self,
        scope: Scope,
        keys: impl Fn(&dyn Record, &World) -> Vec<K> + Send + Sync + 'static,
    ) {
        self.sources.push(Source { scope, keys: Box::new(keys), matters: None });
    }

    /// The views in the order in which they were named.
    pub fn into_sources(self) -> Vec<Source<K>> {
        self.sources
    }
}

impl Wires<Name> {
    /// Looks at all objects of a type; each is its own key.
    pub fn primary<T: Typed>(&mut self) {
        self.maps::<T>(|object, _| {
            object_meta(object).map(|meta| name(&meta.namespace, &meta.name)).into_iter().collect()
        });
    }

    /// Looks at all objects of a type; each is about its controller, if that is of a kind. Others are about what `orphan`
    /// names.
    pub fn owned<T: Typed>(
        &mut self,
        group: &'static str,
        kind: &'static str,
        orphan: impl Fn(&T, &World) -> Vec<Name> + Send + Sync + 'static,
    ) {
        self.maps::<T>(move |object, world| {
            let Some(meta) = object_meta(object) else { return Vec::new() };
            match owners::controller_of(meta) {
                Some(reference) => {
                    let named = owners::kind_of(reference);
                    let own = named.is_some_and(|named| named.group == group && named.kind == kind);
                    if own { vec![name(&meta.namespace, &reference.name)] } else { Vec::new() }
                }
                None => orphan(object, world),
            }
        });
    }
}

/// The usual key of a namespace and a name.
pub fn name(namespace: &str, name: &str) -> Name {
    (namespace.to_owned(), name.to_owned())
}

/// Whether a source shows objects of a resource.
impl<K> Source<K> {
    /// The resource that it shows.
    pub fn resource(&self) -> &Resource {
        &self.scope.resource
    }
}
