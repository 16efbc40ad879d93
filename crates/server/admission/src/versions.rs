//! The versions that objects are served in: policies and webhooks look at objects, and change them, as clients see them.

use api_codec::Strictness;
use api_codec::json;
use api_codec::limits::Limits;
use api_patch::apply;
use api_record::{Bytes, Record};
use api_types::object_type;
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

/// What is served in which versions. A subresource is empty for the object itself.
pub trait Versions: Send + Sync {
    /// The kind of what a resource or a part of it takes, if it is served.
    fn kind(&self, resource: &Resource, subresource: &str) -> Option<Kind>;

    /// The resource of a kind, and whether its objects are in namespaces.
    fn resource(&self, kind: &Kind) -> Option<(Resource, bool)>;

    /// Other versions and groups of the same objects.
    fn equivalents(&self, resource: &Resource) -> Vec<Resource>;

    /// An object of the hub's type, or what a part takes, as the JSON of a version.
    fn text(&self, resource: &Resource, subresource: &str, object: &dyn Record) -> Option<Bytes>;

    /// The same read.
    fn shown(&self, resource: &Resource, subresource: &str, object: &dyn Record) -> Option<Value> {
        serde_json::from_slice(&self.text(resource, subresource, object)?).ok()
    }

    /// What [`Versions::text`] wrote, and somebody changed; without defaults.
    ///
    /// # Errors
    /// When it is no object of that kind.
    fn read(&self, resource: &Resource, subresource: &str, text: &[u8]) -> Result<Box<dyn Record>, String>;

    /// The same, but that it may not hold anything that a built-in kind does not know.
    ///
    /// # Errors
    /// When it is no object of that kind.
    fn read_strictly(
        &self,
        resource: &Resource,
        subresource: &str,
        text: &[u8],
    ) -> Result<Box<dyn Record>, String>;

    /// What becomes of such an object, as a tree, when a configuration is merged into it; neither has a version or a kind.
    ///
    /// # Errors
    /// As [`api_patch::apply::merged`].
    fn merge(
        &self,
        resource: &Resource,
        subresource: &str,
        live: &Value,
        configuration: &Value,
    ) -> Result<Value, String>;

    /// Fills in what such an object leaves out.
    fn fill(&self, resource: &Resource, subresource: &str, object: &mut dyn Record);
}

/// The kinds of what parts of resources take that is no object of the resource: group, resource, part; group, version and kind.
const PARTS: [([&str; 3], [&str; 3]); 9] = [
    (["", "pods", "attach"], ["", "v1", "PodAttachOptions"]),
    (["", "pods", "binding"], ["", "v1", "Binding"]),
    (["", "pods", "exec"], ["", "v1", "PodExecOptions"]),
    (["", "pods", "portforward"], ["", "v1", "PodPortForwardOptions"]),
    (["", "pods", "proxy"], ["", "v1", "PodProxyOptions"]),
    (["", "services", "proxy"], ["", "v1", "ServiceProxyOptions"]),
    (["", "nodes", "proxy"], ["", "v1", "NodeProxyOptions"]),
    (["", "pods", "eviction"], ["policy", "v1", "Eviction"]),
    (["", "serviceaccounts", "token"], ["authentication.k8s.io", "v1", "TokenRequest"]),
];

fn part(resource: &Resource, subresource: &str) -> Option<[&'static str; 3]> {
    if subresource.is_empty() {
        return None;
    }
    if subresource == "scale" {
        return Some(["autoscaling", "v1", "Scale"]);
    }
    let wanted = [&*resource.group, &*resource.plural, subresource];
    PARTS.iter().find(|(part, _)| *part == wanted).map(|(_, kind)| *kind)
}

impl Versions for Stored {
    fn kind(&self, resource: &Resource, subresource: &str) -> Option<Kind> {
        let [group, version, kind] = match part(resource, subresource) {
            Some(kind) => kind.map(str::to_owned),
            None => {
                let served = self.find(resource)?;
                let gvk = served.gvk();
                [gvk.group, gvk.version, gvk.kind].map(str::to_owned)
            }
        };
        Some(Kind { group, version, kind })
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

    fn text(&self, resource: &Resource, subresource: &str, object: &dyn Record) -> Option<Bytes> {
        let mut text = Vec::new();
        if let Some([group, version, kind]) = part(resource, subresource) {
            json::encode(object, Some(&object_type(group, version, kind)?.kind), &mut text);
            return Some(text.into());
        }
        let served = self.find(resource)?;
        match served.version {
            Some(version) => json::show(&*(version.from_hub)(object), Some(&served.gvk()), &mut text),
            None => json::show(object, Some(&served.gvk()), &mut text),
        }
        Some(text.into())
    }

    fn read(&self, resource: &Resource, subresource: &str, text: &[u8]) -> Result<Box<dyn Record>, String> {
        self.decoded(resource, subresource, text, None)
    }

    fn read_strictly(
        &self,
        resource: &Resource,
        subresource: &str,
        text: &[u8],
    ) -> Result<Box<dyn Record>, String> {
        let mut strict = Strictness::default();
        let object = self.decoded(resource, subresource, text, Some(&mut strict))?;
        match strict.errors() {
            [] => Ok(object),
            found => Err(format!("strict decoding error: {}", found.join(", "))),
        }
    }

    fn merge(
        &self,
        resource: &Resource,
        subresource: &str,
        live: &Value,
        configuration: &Value,
    ) -> Result<Value, String> {
        let unknown = || format!("{resource} is not served");
        if let Some([group, version, kind]) = part(resource, subresource) {
            let schema = object_type(group, version, kind).ok_or_else(unknown)?.schema;
            return apply::merged(schema, None, live, configuration);
        }
        let served = self.find(resource).ok_or_else(unknown)?;
        let fields = served.fields(&served.gvk().api_version());
        apply::merged(served.object.schema, fields.as_deref(), live, configuration)
    }

    fn fill(&self, resource: &Resource, subresource: &str, object: &mut dyn Record) {
        if part(resource, subresource).is_some() {
            return;
        }
        if let Some(served) = self.find(resource) {
            self.registry().fill(&served, subresource, object);
        }
    }
}

impl Stored {
    fn decoded(
        &self,
        resource: &Resource,
        subresource: &str,
        text: &[u8],
        strict: Option<&mut Strictness>,
    ) -> Result<Box<dyn Record>, String> {
        let unknown = || format!("{resource} is not served");
        if let Some([group, version, kind]) = part(resource, subresource) {
            let mut object = (object_type(group, version, kind).ok_or_else(unknown)?.new)();
            json::decode(text, &mut *object, strict, Limits::RESPONSE).map_err(|error| error.to_string())?;
            return Ok(object);
        }
        let served = self.find(resource).ok_or_else(unknown)?;
        let mut object = (served.object.new)();
        json::decode(text, &mut *object, strict, Limits::RESPONSE).map_err(|error| error.to_string())?;
        // What the schema of a definition does not know is not kept.
        served.kind.prune(&mut *object).map_err(|error| error.to_string())?;
        Ok(served.to_hub(object))
    }
}
