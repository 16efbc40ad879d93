//! The versions that objects are served in: policies and webhooks look at objects as clients see them.

use api_codec::json;
use api_record::Record;
use client::Resource;
use serde_json::Value;

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
        let served = self.catalog().of_kind(&kind.group, &kind.version, &kind.kind)?;
        Some((served.name(), served.resource.namespaced))
    }

    fn equivalents(&self, resource: &Resource) -> Vec<Resource> {
        let Some(own) = self.find(resource) else { return Vec::new() };
        let custom = self.catalog().custom();
        let all = self.catalog().iter().chain(custom.iter());
        let others = all.filter(|other| other.prefix == own.prefix && other.gvk() != own.gvk());
        others.map(|other| other.name()).collect()
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
