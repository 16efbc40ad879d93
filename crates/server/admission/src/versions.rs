//! The versions that objects are served in: policies and webhooks look at objects as clients see them.

use std::sync::Arc;

use api_codec::json;
use api_record::Record;
use client::Resource;
use serde_json::Value;
use server_registry::Served;

use crate::Stored;

/// A kind in a version, as requests name it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kind {
    /// Its group, empty for the core.
    pub group: String,
    /// Its version.
    pub version: String,
    /// Its name.
    pub kind: String,
}

/// What is served in which versions.
pub trait Versions: Send + Sync {
    /// The kind of a resource's objects, if it is served.
    fn kind(&self, resource: &Resource) -> Option<Kind>;

    /// The resource of a kind, and whether its objects are in namespaces.
    fn resource(&self, kind: &Kind) -> Option<(Resource, bool)>;

    /// Other versions and groups of the same objects.
    fn equivalents(&self, resource: &Resource) -> Vec<Resource>;

    /// An object of the hub's type as JSON of a version.
    fn shown(&self, resource: &Resource, object: &dyn Record) -> Option<Value>;
}

impl Versions for Stored {
    fn kind(&self, resource: &Resource) -> Option<Kind> {
        let served = self.find(resource)?;
        let gvk = served.gvk();
        Some(Kind { group: gvk.group.to_owned(), version: gvk.version.to_owned(), kind: gvk.kind.to_owned() })
    }

    fn resource(&self, kind: &Kind) -> Option<(Resource, bool)> {
        let wanted = |served: &&Arc<Served>| {
            let gvk = served.gvk();
            (gvk.group, gvk.version, gvk.kind) == (&*kind.group, &*kind.version, &*kind.kind)
        };
        let custom = self.catalog().custom();
        let served = self.catalog().iter().find(wanted).or_else(|| custom.iter().find(wanted))?;
        Some((resource_of(served), served.resource.namespaced))
    }

    fn equivalents(&self, resource: &Resource) -> Vec<Resource> {
        let Some(own) = self.find(resource) else { return Vec::new() };
        let custom = self.catalog().custom();
        let all = self.catalog().iter().chain(custom.iter());
        let others = all.filter(|other| other.prefix == own.prefix && other.gvk() != own.gvk());
        others.map(resource_of).collect()
    }

    fn shown(&self, resource: &Resource, object: &dyn Record) -> Option<Value> {
        let served = self.find(resource)?;
        let mut text = Vec::new();
        match served.version {
            Some(version) => json::encode(&*(version.from_hub)(object), Some(&served.gvk()), &mut text),
            None => json::encode(object, Some(&served.gvk()), &mut text),
        }
        serde_json::from_slice(&text).ok()
    }
}

fn resource_of(served: &Arc<Served>) -> Resource {
    let gvk = served.gvk();
    let [group, version, plural] =
        [gvk.group, gvk.version, &served.resource.plural].map(|name| name.to_owned().into());
    Resource { group, version, plural }
}
