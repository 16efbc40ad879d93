//! Which resources are served, and where they are kept.

use std::sync::Arc;

use api_kind::{AnyKind, Version};
use api_meta::gvk::{GroupKind, GroupResource};
use api_record::Record;
use api_types::{GroupVersionKind, ObjectType, Resource, object_type};

/// A resource in one version, as it is served.
pub struct Served {
    /// What is known of it.
    pub resource: &'static Resource,
    /// Its row.
    pub kind: &'static dyn AnyKind,
    /// The hub's kind, which it is kept as.
    pub hub: &'static ObjectType,
    /// The type of this version.
    pub object: &'static ObjectType,
    /// How this version becomes the hub's and back; `None` for the hub's own.
    pub version: Option<&'static Version>,
    /// What the keys of its objects begin with.
    pub prefix: String,
}

impl Served {
    /// The resource as messages name it.
    pub fn group_resource(&self) -> GroupResource<'static> {
        GroupResource { group: self.resource.kind.group, resource: self.resource.plural }
    }

    /// The kind as messages name it.
    pub fn group_kind(&self) -> GroupKind<'static> {
        GroupKind { group: self.resource.kind.group, kind: self.resource.kind.kind }
    }

    /// The kind of this version.
    pub fn gvk(&self) -> GroupVersionKind<'static> {
        self.resource.kind
    }

    /// Turns an object of this version into the hub's.
    pub fn to_hub(&self, object: Box<dyn Record>) -> Box<dyn Record> {
        match self.version {
            None => object,
            Some(version) => (version.to_hub)(object),
        }
    }

    /// The key of an object.
    pub fn key(&self, namespace: &str, name: &str) -> String {
        if self.resource.namespaced {
            format!("{}{namespace}/{name}", self.prefix)
        } else {
            format!("{}{name}", self.prefix)
        }
    }
}

/// All resources that are served and kept.
pub struct Catalog {
    /// In the order of group, version and name.
    served: Vec<Arc<Served>>,
}

impl Catalog {
    /// The resources that upstream serves by default.
    pub fn new() -> Catalog {
        let mut served = Vec::new();
        for resource in api_types::resources().iter().filter(|resource| resource.served_by_default) {
            if !resource.verbs.contains(&"list") {
                continue;
            }
            let gvk = resource.kind;
            let Some(row) = api_kinds_all::row(gvk.group, resource.plural) else { continue };
            let (group, version, plural) = row.resource();
            let version = (gvk.group, gvk.version) != (group, version);
            let version = version
                .then(|| row.versions().iter().find(|v| (v.group, v.version) == (gvk.group, gvk.version)));
            let hub = hub(row);
            let (Some(hub), Some(object)) = (hub, object_type(gvk.group, gvk.version, gvk.kind)) else {
                continue;
            };
            if let Some(None) = version {
                continue;
            }
            let entry = Served {
                resource,
                kind: row,
                hub,
                object,
                version: version.flatten(),
                prefix: prefix(group, plural),
            };
            served.push(Arc::new(entry));
        }
        served.sort_by_key(|entry| path(entry));
        Catalog { served }
    }

    /// A resource by its path.
    pub fn find(&self, group: &str, version: &str, plural: &str) -> Option<&Arc<Served>> {
        let index = self.served.binary_search_by(|entry| path(entry).cmp(&(group, version, plural))).ok()?;
        Some(&self.served[index])
    }

    /// A resource by its kind.
    pub fn of_kind(&self, group: &str, version: &str, kind: &str) -> Option<&Arc<Served>> {
        self.iter().find(|served| served.gvk() == GroupVersionKind { group, version, kind })
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Served>> {
        self.served.iter()
    }
}

impl Default for Catalog {
    fn default() -> Self {
        Catalog::new()
    }
}

fn path(served: &Served) -> (&'static str, &'static str, &'static str) {
    (served.resource.kind.group, served.resource.kind.version, served.resource.plural)
}

fn hub(row: &dyn AnyKind) -> Option<&'static ObjectType> {
    let (group, version, _) = row.resource();
    object_type(group, version, &row.schema().name)
}

/// Where stock Kubernetes keeps a resource (`pkg/registry/*/rest` and `pkg/kubeapiserver/default_storage_factory_builder.go`).
fn prefix(group: &str, plural: &str) -> String {
    let path = match (group, plural) {
        ("", "replicationcontrollers") => "controllers",
        ("", "endpoints") => "services/endpoints",
        ("", "nodes") => "minions",
        ("", "services") => "services/specs",
        ("networking.k8s.io", "ingresses") => "ingress",
        ("apiextensions.k8s.io" | "apiregistration.k8s.io", _) => {
            return format!("/registry/{group}/{plural}/");
        }
        (_, plural) => plural,
    };
    format!("/registry/{path}/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stable_resources_are_served_where_stock_kubernetes_keeps_them() {
        let catalog = Catalog::new();
        let find = |group: &str, version: &str, plural: &str| catalog.find(group, version, plural);
        let pods = find("", "v1", "pods").expect("pods are served");
        assert_eq!(pods.key("default", "web"), "/registry/pods/default/web");
        let nodes = find("", "v1", "nodes").expect("nodes are served");
        assert_eq!(nodes.key("", "one"), "/registry/minions/one");
        assert!(find("apps", "v1beta1", "deployments").is_none());
        let wanted = api_types::resources()
            .iter()
            .filter(|resource| resource.served_by_default && resource.verbs.contains(&"list"));
        let missing: Vec<_> = wanted
            .filter(|r| find(r.kind.group, r.kind.version, r.plural).is_none())
            .map(|r| (r.kind, r.plural))
            .collect();
        assert!(missing.is_empty(), "not served: {missing:?}");
    }
}
