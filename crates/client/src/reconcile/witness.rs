//! Proof that the views show what a key has written, without which it would be planned on the past.

use api_record::{Record, Value};
use api_types::object_meta;

use super::World;
use crate::{Resource, Revision};

/// What the views must show before a key is planned again. What no view shows, nobody waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Witness {
    /// The view of the resource has come to this revision.
    Revision(Resource, Revision),
    /// The object of this uid is gone or going.
    Going(Object),
    /// The pod of this uid has a node, or is gone.
    Bound(Object),
    /// Nobody knows what was written: the view of the resource is to be listed anew.
    Unsure(Resource),
    /// The view of the resource rests on a list that was begun after this request for one.
    Listed(Resource, u64),
}

/// An object as a witness names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// The resource.
    pub resource: Resource,
    /// The namespace, empty for none.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// The uid, empty for whichever has the name.
    pub uid: String,
}

impl Object {
    fn find<'a>(&self, world: &'a World) -> Option<&'a dyn Record> {
        let object = world.snapshot(&self.resource)?.get(&self.namespace, &self.name)?;
        let meta = object_meta(&**object)?;
        (self.uid.is_empty() || meta.uid == self.uid).then_some(&**object)
    }
}

impl Witness {
    /// The resource whose view is to show it.
    pub fn resource(&self) -> &Resource {
        match self {
            Witness::Revision(resource, _) | Witness::Unsure(resource) | Witness::Listed(resource, _) => {
                resource
            }
            Witness::Going(object) | Witness::Bound(object) => &object.resource,
        }
    }

    /// Whether the views show it.
    pub fn is_shown(&self, world: &World) -> bool {
        match self {
            Witness::Revision(resource, revision) => {
                world.snapshot(resource).is_none_or(|snapshot| snapshot.revision() >= *revision)
            }
            Witness::Unsure(resource) => world.snapshot(resource).is_none(),
            Witness::Listed(resource, request) => {
                world.snapshot(resource).is_none_or(|snapshot| snapshot.relisted() >= *request)
            }
            Witness::Going(object) => {
                object.find(world).and_then(object_meta).is_none_or(|meta| meta.deletion_timestamp.is_some())
            }
            Witness::Bound(object) => object.find(world).is_none_or(|pod| match pod.field("spec") {
                Value::Record(spec) => !spec.field("nodeName").is_empty(),
                _ => true,
            }),
        }
    }
}
