//! How objects are kept: the hub's type in stock Kubernetes' protobuf envelope, without its resource version.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use api_codec::limits::Limits;
use api_codec::proto;
use api_meta::Status;
use api_record::Record;
use api_types::{object_meta, object_meta_mut};
use bytes::Bytes;
use store::{Entry, Revision};

use crate::Served;
use crate::limits::DECODED_OBJECTS;

/// The value to keep for an object of the hub's type.
pub(crate) fn encode(served: &Served, object: &dyn Record) -> Bytes {
    if object_meta(object).is_some_and(|meta| !meta.resource_version.is_empty()) {
        let mut bare = object.boxed_clone();
        if let Some(meta) = object_meta_mut(&mut *bare) {
            meta.resource_version.clear();
        }
        return proto::encode(&*bare, &served.hub.kind).into();
    }
    proto::encode(object, &served.hub.kind).into()
}

/// Decoded objects by the revision and key they were kept at, so that watchers and readers of an object share one.
#[derive(Default)]
pub(crate) struct Decoded {
    objects: Mutex<Remembered>,
}

/// A revision, and a key that was written at it.
type Moment = (Revision, Bytes);

#[derive(Default)]
struct Remembered {
    by_moment: HashMap<Moment, Arc<dyn Record>>,
    /// The oldest first.
    order: VecDeque<Moment>,
}

impl Decoded {
    /// The object of an entry as it was kept, in the hub's type.
    pub(crate) fn of(&self, served: &Served, entry: &Entry) -> Result<Arc<dyn Record>, Status> {
        let key = (entry.modified, entry.key.clone());
        if let Some(object) = self.objects.lock().unwrap_or_else(PoisonError::into_inner).by_moment.get(&key)
        {
            return Ok(Arc::clone(object));
        }
        let object: Arc<dyn Record> = Arc::from(decode(served, entry)?);
        self.remember(key, &object);
        Ok(object)
    }

    fn remember(&self, moment: Moment, object: &Arc<dyn Record>) {
        let mut objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        let Remembered { by_moment, order } = &mut *objects;
        if by_moment.insert(moment.clone(), Arc::clone(object)).is_none() {
            order.push_back(moment);
        }
        while order.len() > DECODED_OBJECTS {
            if let Some(oldest) = order.pop_front() {
                by_moment.remove(&oldest);
            }
        }
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

fn decode(served: &Served, entry: &Entry) -> Result<Box<dyn Record>, Status> {
    let damaged = |error: &dyn std::fmt::Display| {
        let key = String::from_utf8_lossy(&entry.key);
        Status::internal_error(format!("the stored value of {key} cannot be read: {error}"))
    };
    let envelope = proto::open(&entry.value, Limits::RESPONSE).map_err(|error| damaged(&error))?;
    let mut object = (served.hub.new)();
    proto::decode(envelope.raw, &mut *object).map_err(|error| damaged(&error))?;
    if let Some(meta) = object_meta_mut(&mut *object) {
        meta.resource_version = entry.modified.to_string();
    }
    Ok(object)
}
