//! How objects are kept: the hub's type in stock Kubernetes' protobuf envelope, those of definitions as JSON; without their
//! resource version.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use api_codec::limits::Limits;
use api_codec::{json, proto};
use api_meta::Status;
use api_record::Record;
use api_types::{object_meta, object_meta_mut};
use bytes::Bytes;
use store::{Entry, Revision, Store};

use crate::Served;
use crate::limits::{DECODED_OBJECTS, SUPERSEDED_OBJECTS};

/// The value to keep for an object of the hub's type.
pub(crate) fn encode(served: &Served, object: &dyn Record) -> Bytes {
    if object_meta(object).is_some_and(|meta| !meta.resource_version.is_empty()) {
        let mut bare = object.boxed_clone();
        if let Some(meta) = object_meta_mut(&mut *bare) {
            meta.resource_version.clear();
        }
        return written(served, &*bare);
    }
    written(served, object)
}

impl Served {
    /// What is kept of an object of the hub's type, under [`Served::key`]: for whoever fills a store with objects that were kept elsewhere.
    pub fn value(&self, object: &dyn Record) -> Bytes {
        encode(self, object)
    }
}

/// The message in an entry, without its resource version; it is not copied.
fn message(entry: &Entry) -> Option<Bytes> {
    let envelope = proto::open(&entry.value, Limits::RESPONSE).ok()?;
    Some(entry.value.slice_ref(envelope.raw))
}

/// The messages of a resource's objects, as the store has them in memory, for the views in its process.
pub(crate) struct Messages {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) served: Arc<Served>,
}

impl client::view::Messages for Messages {
    fn message(&self, object: &dyn Record) -> Option<Bytes> {
        let meta = object_meta(object)?;
        let entry = self.store.peek(self.served.key(&meta.namespace, &meta.name).as_bytes())?;
        message(&entry).filter(|_| meta.resource_version == entry.modified.to_string())
    }
}

fn written(served: &Served, object: &dyn Record) -> Bytes {
    let kind = served.hub.kind.gvk();
    let mut value = Vec::new();
    if served.is_custom() {
        json::encode(object, Some(&kind), &mut value);
    } else {
        value = proto::encode(object, &kind);
    }
    // It stays in memory: the room that it was written in would, too.
    value.shrink_to_fit();
    value.into()
}

/// Decoded objects by the revision and key they were kept at, so that watchers and readers of an object share one.
#[derive(Default)]
pub(crate) struct Decoded {
    objects: Mutex<Remembered>,
}

/// A revision, and a key that was written at it.
pub(crate) type Moment = (Revision, Bytes);

#[derive(Default)]
struct Remembered {
    by_moment: HashMap<Moment, Arc<dyn Record>>,
    /// The revision of the newest object of each key that is remembered.
    newest: HashMap<Bytes, Revision>,
    /// The oldest first; some may be forgotten already.
    order: VecDeque<Moment>,
    /// Those that are not the newest of their key, the first to become so first.
    superseded: VecDeque<Moment>,
}

impl Remembered {
    fn insert(&mut self, moment: Moment, object: &Arc<dyn Record>) {
        if self.by_moment.insert(moment.clone(), Arc::clone(object)).is_some() {
            return;
        }
        let (revision, key) = moment.clone();
        match self.newest.get(&key) {
            Some(newest) if *newest > revision => self.superseded.push_back(moment.clone()),
            before => {
                self.superseded.extend(before.map(|before| (*before, key.clone())));
                self.newest.insert(key, revision);
            }
        }
        self.order.push_back(moment);
        while self.superseded.len() > SUPERSEDED_OBJECTS {
            if let Some(oldest) = self.superseded.pop_front() {
                self.by_moment.remove(&oldest);
            }
        }
        while self.order.len() > DECODED_OBJECTS {
            if let Some(oldest) = self.order.pop_front() {
                self.by_moment.remove(&oldest);
                if self.newest.get(&oldest.1) == Some(&oldest.0) {
                    self.newest.remove(&oldest.1);
                }
            }
        }
    }
}

impl Decoded {
    /// The object of an entry as it was kept, in the hub's type.
    pub(crate) fn of(&self, served: &Served, entry: &Entry) -> Result<Arc<dyn Record>, Status> {
        self.of_key(served, entry, (entry.modified, entry.key.clone()))
    }

    /// The same, remembered under a key of its own.
    pub(crate) fn of_key(
        &self,
        served: &Served,
        entry: &Entry,
        moment: Moment,
    ) -> Result<Arc<dyn Record>, Status> {
        if let Some(object) = self.get(&moment) {
            return Ok(object);
        }
        let object: Arc<dyn Record> = Arc::from(decode(served, entry)?);
        self.remember(moment, &object);
        Ok(object)
    }

    /// The same without remembering it: whoever reads all there is would have everything else forgotten.
    pub(crate) fn once(&self, served: &Served, entry: &Entry) -> Result<Arc<dyn Record>, Status> {
        match self.get(&(entry.modified, entry.key.clone())) {
            Some(object) => Ok(object),
            None => decode(served, entry).map(Arc::from),
        }
    }

    /// A deleted object as it was last, at the revision of its deletion.
    pub(crate) fn gone(&self, key: &Bytes, last: &Arc<dyn Record>, deleted: Revision) -> Arc<dyn Record> {
        let moment = (deleted, key.clone());
        self.get(&moment).unwrap_or_else(|| {
            let object = seen_at(&**last, deleted);
            self.remember(moment, &object);
            object
        })
    }

    /// An object that is remembered.
    pub(crate) fn get(&self, moment: &Moment) -> Option<Arc<dyn Record>> {
        let objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        objects.by_moment.get(moment).map(Arc::clone)
    }

    /// Remembers an object.
    pub(crate) fn remember(&self, moment: Moment, object: &Arc<dyn Record>) {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner).insert(moment, object);
    }
}

/// The same object as seen at another revision: that of its deletion, or of its leaving a watcher's scope.
pub(crate) fn seen_at(object: &dyn Record, revision: Revision) -> Arc<dyn Record> {
    let mut object = object.boxed_clone();
    if let Some(meta) = object_meta_mut(&mut *object) {
        meta.resource_version = revision.to_string();
    }
    Arc::from(object)
}

/// What is said of a value that cannot be read.
pub(crate) fn damaged(entry: &Entry, error: &dyn std::fmt::Display) -> Status {
    let key = String::from_utf8_lossy(&entry.key);
    Status::internal_error(format!("the stored value of {key} cannot be read: {error}"))
}

/// The object of an entry as it was kept.
pub(crate) fn decode(served: &Served, entry: &Entry) -> Result<Box<dyn Record>, Status> {
    let mut object = (served.hub.new)();
    let read = if served.is_custom() {
        json::decode(&entry.value, &mut *object, None, Limits::RESPONSE)
    } else {
        proto::open(&entry.value, Limits::RESPONSE)
            .and_then(|envelope| proto::decode(envelope.raw, &mut *object))
    };
    read.map_err(|error| damaged(entry, &error))?;
    if let Some(meta) = object_meta_mut(&mut *object) {
        meta.resource_version = entry.modified.to_string();
    }
    Ok(object)
}

#[cfg(test)]
mod tests {
    use api_types::core::v1::Pod;

    use super::*;

    fn written(remembered: &mut Remembered, key: &str, revision: u64) {
        let object: Arc<dyn Record> = Arc::new(Pod::default());
        remembered.insert((Revision(revision), Bytes::copy_from_slice(key.as_bytes())), &object);
    }

    fn knows(remembered: &Remembered, key: &str, revision: u64) -> bool {
        remembered.by_moment.contains_key(&(Revision(revision), Bytes::copy_from_slice(key.as_bytes())))
    }

    #[test]
    fn the_newest_of_each_key_outlive_what_they_superseded() {
        let mut remembered = Remembered::default();
        let writes = (SUPERSEDED_OBJECTS + 10) as u64;
        written(&mut remembered, "still", 1);
        for revision in 2..writes + 2 {
            written(&mut remembered, "busy", revision);
        }
        assert!(knows(&remembered, "still", 1) && knows(&remembered, "busy", writes + 1));
        assert!(knows(&remembered, "busy", writes), "what was superseded last is still known");
        assert!(!knows(&remembered, "busy", 2));
        assert_eq!(remembered.by_moment.len(), SUPERSEDED_OBJECTS + 2);
    }

    #[test]
    fn an_old_object_that_is_read_late_counts_as_superseded() {
        let mut remembered = Remembered::default();
        written(&mut remembered, "a", 5);
        written(&mut remembered, "a", 3);
        assert_eq!(remembered.newest.values().collect::<Vec<_>>(), [&Revision(5)]);
        assert_eq!(remembered.superseded, [(Revision(3), Bytes::from_static(b"a"))]);
    }

    #[test]
    fn no_more_is_remembered_than_the_bound() {
        let mut remembered = Remembered::default();
        for number in 0..DECODED_OBJECTS as u64 + 5 {
            written(&mut remembered, &number.to_string(), number + 1);
        }
        assert_eq!(remembered.by_moment.len(), DECODED_OBJECTS);
        assert_eq!((remembered.newest.len(), remembered.superseded.len()), (DECODED_OBJECTS, 0));
        assert!(!knows(&remembered, "4", 5) && knows(&remembered, "5", 6));
    }
}
