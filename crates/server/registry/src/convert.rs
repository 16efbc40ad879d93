//! Objects of definitions whose versions differ: what is kept is of the version that was stored, what the verbs work on is of the version that
//! is served.
//!
//! So conversion stands at the two ends, where objects are read from the store and where they are written to it, and nothing between
//! knows of it. What was converted is remembered as what was decoded is. A page of a list, or a batch of a watch, is asked for at once.
//! Upstream converts in the same places (`apiextensions-apiserver/pkg/apiserver/customresource_handler.go`), object by object.
//!
//! Failure: a read that cannot be converted fails; with one object a whole list does, and a watch ends with the error. A write that cannot be
//! converted is not made. What is to be deleted has to be converted as well, as its answer and the policies of deletion need it.

use std::sync::Arc;

use api_codec::json;
use api_codec::limits::Limits;
use api_custom::CustomObject;
use api_meta::Status;
use api_record::Record;
use api_types::apiextensions::v1::CustomResourceDefinition;
use api_types::{GroupVersionKind, object_meta_mut};
use bytes::Bytes;
use client::BoxFuture;
use store::Entry;

use crate::limits::{CONVERTED_BYTES, CONVERTED_OBJECTS};
use crate::{Owners, Registry, Served, managed, stored};

/// Objects that are to be of another version.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// The definition of their kind.
    pub definition: &'a CustomResourceDefinition,
    /// Their kind, and the version of the first of them.
    pub from: GroupVersionKind<'a>,
    /// The version that is wanted, with its group.
    pub to: &'a str,
    /// The objects, as JSON and as records.
    pub objects: &'a [(&'a [u8], &'a CustomObject)],
}

/// Whoever asks the webhooks of definitions.
pub trait Convert: Send + Sync {
    /// The objects in the version that is wanted, in their order.
    fn convert<'a>(&'a self, question: Question<'a>) -> BoxFuture<'a, Result<Vec<CustomObject>, Status>>;
}

/// Asks nobody.
pub(crate) struct Unable;

impl Convert for Unable {
    fn convert<'a>(&'a self, question: Question<'a>) -> BoxFuture<'a, Result<Vec<CustomObject>, Status>> {
        let name = &question.definition.metadata.name;
        let why = format!("nobody is there to ask the conversion webhook of {name}");
        Box::pin(std::future::ready(Err(Status::internal_error(why))))
    }
}

/// An entry that is to be converted, and its place in the answer.
struct Waiting {
    place: usize,
    object: CustomObject,
    version: String,
}

impl Registry {
    /// The object of an entry, in the form that a resource's verbs work on.
    pub(crate) async fn decode(&self, served: &Served, entry: &Entry) -> Result<Arc<dyn Record>, Status> {
        if !served.converts() {
            return self.decoded.of(served, entry);
        }
        let mut decoded = self.convert_all(served, &[entry]).await?;
        decoded.pop().ok_or_else(|| Status::internal_error("an object was lost when it was converted"))
    }

    /// The same of many, in their order.
    pub(crate) async fn decode_all(
        &self,
        served: &Served,
        entries: &[&Entry],
    ) -> Result<Vec<Arc<dyn Record>>, Status> {
        if served.converts() {
            return self.convert_all(served, entries).await;
        }
        entries.iter().map(|entry| self.decoded.of(served, entry)).collect()
    }

    async fn convert_all(&self, served: &Served, entries: &[&Entry]) -> Result<Vec<Arc<dyn Record>>, Status> {
        let wanted = served.object.kind.gvk();
        let own_version = wanted.api_version();
        let mut made: Vec<Option<Arc<dyn Record>>> = Vec::with_capacity(entries.len());
        let mut waiting: Vec<Waiting> = Vec::new();
        for (place, entry) in entries.iter().enumerate() {
            let moment = (entry.modified, served.converted_key(&entry.key));
            if let Some(known) = self.decoded.get(&moment) {
                made.push(Some(known));
                continue;
            }
            let version = stored_version(entry)?;
            if version == own_version {
                made.push(Some(self.decoded.of_key(served, entry, moment)?));
                continue;
            }
            let object = stored::decode(served, entry)?;
            let object = object.downcast_ref::<CustomObject>().cloned().unwrap_or_default();
            waiting.push(Waiting { place, object, version });
            made.push(None);
        }
        let mut rest = waiting.as_slice();
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(chunk(rest, entries));
            rest = after;
            let objects: Vec<(&[u8], &CustomObject)> =
                chunk.iter().map(|own| (&entries[own.place].value[..], &own.object)).collect();
            let version = chunk[0].version.split_once('/').map_or("", |(_, version)| version);
            let from = GroupVersionKind { version, ..wanted };
            for (own, converted) in chunk.iter().zip(self.ask(served, from, &own_version, &objects).await?) {
                let entry = entries[own.place];
                let object: Arc<dyn Record> = Arc::new(converted);
                self.decoded.remember((entry.modified, served.converted_key(&entry.key)), &object);
                made[own.place] = Some(object);
            }
        }
        let lost = || Status::internal_error("an object was lost when it was converted");
        made.into_iter().map(|made| made.ok_or_else(lost)).collect()
    }

    async fn ask(
        &self,
        served: &Served,
        from: GroupVersionKind<'_>,
        to: &str,
        objects: &[(&[u8], &CustomObject)],
    ) -> Result<Vec<CustomObject>, Status> {
        let definition = served.definition();
        let definition = definition.as_deref().and_then(|own| own.downcast_ref::<CustomResourceDefinition>());
        let Some(definition) = definition else {
            return Err(Status::internal_error("only resources of definitions are converted"));
        };
        self.conversion.convert(Question { definition, from, to, objects }).await
    }

    /// The value to keep for an object. Where that would be too large, its owners go first.
    pub(crate) async fn encode(
        &self,
        served: &Served,
        object: &mut dyn Record,
        owners: Owners,
    ) -> Result<Bytes, Status> {
        if !served.is_translated() {
            return Ok(managed::encode(served, object, owners));
        }
        let mut bare = object.downcast_ref::<CustomObject>().cloned().unwrap_or_default();
        bare.metadata.resource_version.clear();
        let from = served.object.kind.gvk();
        let text = api_custom::conversion::written(&bare, &from);
        let to = served.hub.kind.gvk().api_version();
        let converted = self.ask(served, from, &to, &[(&text, &bare)]).await?.pop();
        let mut converted =
            converted.ok_or_else(|| Status::internal_error("an object was lost when it was converted"))?;
        served.prune_stored(&mut converted)?;
        let value = managed::encode(served, &mut converted, owners);
        if converted.metadata.managed_fields.is_empty()
            && let Some(meta) = object_meta_mut(object)
        {
            meta.managed_fields.clear();
        }
        Ok(value)
    }

    /// Whether a new object is what an entry holds, of which `before` was made.
    pub(crate) fn is_unchanged(
        &self,
        served: &Served,
        new: &dyn Record,
        before: &dyn Record,
        entry: &Entry,
    ) -> bool {
        if !served.is_translated() {
            return stored::encode(served, new) == entry.value;
        }
        // Kept in an older version it is written anew, whatever is in it.
        let is_current = stored_version(entry).is_ok_and(|own| own == served.hub.kind.gvk().api_version());
        is_current && stored::encode(served, new) == stored::encode(served, before)
    }
}

/// How many objects are asked for at once: as many as fit into a question.
fn chunk(waiting: &[Waiting], entries: &[&Entry]) -> usize {
    let mut bytes = 0;
    let fitting = waiting.iter().take(CONVERTED_OBJECTS).take_while(|own| {
        bytes += entries[own.place].value.len();
        bytes <= CONVERTED_BYTES
    });
    fitting.count().max(1)
}

/// The version that an entry was stored in, with its group.
fn stored_version(entry: &Entry) -> Result<String, Status> {
    let read = json::type_meta(&entry.value, Limits::RESPONSE);
    read.map(|meta| meta.api_version).map_err(|error| stored::damaged(entry, &error))
}
