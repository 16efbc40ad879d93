//! Which resources are served, and where they are kept.

mod custom;
mod offered;

use std::sync::Arc;

use api_kind::{AnyKind, Version};
use api_meta::gvk::{GroupKind, GroupResource};
use api_record::{Record, Ref, Schema};
use api_types::{GroupVersionKind, ObjectType, Resource, Subresource, object_type};
use arc_swap::ArcSwap;

use custom::Custom;
pub use offered::Offered;

/// A kind in one version, by names that may be made at run time.
#[derive(Clone)]
pub struct KindName {
    /// The group, empty for the core.
    pub group: Ref<str>,
    /// The version.
    pub version: Ref<str>,
    /// The kind.
    pub kind: Ref<str>,
}

impl KindName {
    /// The same, borrowed.
    pub fn gvk(&self) -> GroupVersionKind<'_> {
        GroupVersionKind { group: &self.group, version: &self.version, kind: &self.kind }
    }
}

impl From<GroupVersionKind<'static>> for KindName {
    fn from(kind: GroupVersionKind<'static>) -> KindName {
        let [group, version, kind] = [kind.group, kind.version, kind.kind].map(Ref::Static);
        KindName { group, version, kind }
    }
}

/// What clients are told of a resource.
pub struct Offer {
    /// The name in paths, such as `pods`.
    pub plural: Ref<str>,
    /// What `kubectl` calls one of its objects.
    pub singular: Ref<str>,
    /// What its objects are.
    pub kind: KindName,
    /// What lists of them are.
    pub list_kind: Ref<str>,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// What can be done with it.
    pub verbs: &'static [&'static str],
    /// Its subresources.
    pub subresources: &'static [Subresource],
    /// What `kubectl` also calls it.
    pub short_names: Vec<Ref<str>>,
    /// The groups of resources that it belongs to, such as `all`.
    pub categories: Vec<Ref<str>>,
}

impl Offer {
    /// The subresource of a name.
    pub fn subresource(&self, name: &str) -> Option<&'static Subresource> {
        self.subresources.iter().find(|subresource| subresource.name == name)
    }
}

impl From<&'static Resource> for Offer {
    fn from(resource: &'static Resource) -> Offer {
        let names = |names: &'static [&'static str]| names.iter().copied().map(Ref::Static).collect();
        Offer {
            plural: Ref::Static(resource.plural),
            singular: Ref::Shared(resource.singular().into()),
            kind: resource.kind.into(),
            list_kind: Ref::Shared(format!("{}List", resource.kind.kind).into()),
            namespaced: resource.namespaced,
            verbs: resource.verbs,
            subresources: resource.subresources,
            short_names: names(resource.short_names),
            categories: names(resource.categories),
        }
    }
}

/// What objects of one version are made of.
pub struct Form {
    /// Their kind.
    pub kind: KindName,
    /// Their fields.
    pub schema: &'static Schema,
    /// Makes an empty one.
    pub new: fn() -> Box<dyn Record>,
}

impl From<&'static ObjectType> for Form {
    fn from(of: &'static ObjectType) -> Form {
        Form { kind: of.kind.into(), schema: of.schema, new: of.new }
    }
}

/// A resource in one version, as it is served.
pub struct Served {
    /// What clients are told of it.
    pub resource: Offer,
    /// Its row.
    pub kind: Ref<dyn AnyKind>,
    /// What is kept.
    pub hub: Form,
    /// What this version is made of.
    pub object: Form,
    /// How this version becomes the hub's and back; `None` for the hub's own, and where both are made of the same.
    pub version: Option<&'static Version>,
    /// What the keys of its objects begin with.
    pub prefix: String,
    custom: Option<Custom>,
}

impl Served {
    /// The resource as messages name it.
    pub fn group_resource(&self) -> GroupResource<'_> {
        GroupResource { group: &self.resource.kind.group, resource: &self.resource.plural }
    }

    /// The kind as messages name it.
    pub fn group_kind(&self) -> GroupKind<'_> {
        GroupKind { group: &self.resource.kind.group, kind: &self.resource.kind.kind }
    }

    /// The kind of this version.
    pub fn gvk(&self) -> GroupVersionKind<'_> {
        self.resource.kind.gvk()
    }

    /// The resource as requests name it.
    pub fn name(&self) -> client::Resource {
        let cow = |text: &Ref<str>| match text {
            Ref::Static(text) => (*text).into(),
            Ref::Shared(text) => text.to_string().into(),
        };
        let KindName { group, version, .. } = &self.resource.kind;
        client::Resource { group: cow(group), version: cow(version), plural: cow(&self.resource.plural) }
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

/// All resources that are served and kept. The built-in ones stay as they are; those of definitions come and go, as one snapshot
/// after another.
pub struct Catalog {
    offered: Offered,
    /// In the order of group, version and name.
    served: Vec<Arc<Served>>,
    /// In the same order.
    custom: ArcSwap<Vec<Arc<Served>>>,
}

impl Catalog {
    /// The resources that upstream serves by default.
    pub fn new() -> Catalog {
        Catalog::of(Offered::default())
    }

    /// These built-in resources.
    pub fn of(offered: Offered) -> Catalog {
        let mut served: Vec<Arc<Served>> = offered.iter().filter_map(built_in).map(Arc::new).collect();
        served.sort_by(|a, b| path(a).cmp(&path(b)));
        Catalog { offered, served, custom: ArcSwap::default() }
    }

    /// Which built-in resources are served, also those that are kept nowhere.
    pub fn offered(&self) -> &Offered {
        &self.offered
    }

    /// A built-in resource by its path.
    pub fn find(&self, group: &str, version: &str, plural: &str) -> Option<&Arc<Served>> {
        find(&self.served, (group, version, plural))
    }

    /// A resource by its path, built-in or not.
    pub fn resolve(&self, group: &str, version: &str, plural: &str) -> Option<Arc<Served>> {
        self.find(group, version, plural).cloned().or_else(|| self.find_custom(group, version, plural))
    }

    /// A resource of a definition by its path.
    pub fn find_custom(&self, group: &str, version: &str, plural: &str) -> Option<Arc<Served>> {
        find(&self.custom.load(), (group, version, plural)).cloned()
    }

    /// The resources of definitions, in the order of group, version and name.
    pub fn custom(&self) -> Arc<Vec<Arc<Served>>> {
        self.custom.load_full()
    }

    /// Serves these resources of definitions from now on, and no others.
    pub fn extend(&self, mut served: Vec<Arc<Served>>) {
        served.sort_by(|a, b| path(a).cmp(&path(b)));
        self.custom.store(Arc::new(served));
    }

    /// A resource by its kind, built-in or not.
    pub fn of_kind(&self, group: &str, version: &str, kind: &str) -> Option<Arc<Served>> {
        let custom = self.custom.load();
        let mut all = self.served.iter().chain(custom.iter());
        all.find(|served| served.gvk() == GroupVersionKind { group, version, kind }).cloned()
    }

    /// The built-in ones.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Served>> {
        self.served.iter()
    }
}

impl Default for Catalog {
    fn default() -> Self {
        Catalog::new()
    }
}

/// The entry of a built-in resource that is kept, if there is a row of it in its version.
fn built_in(resource: &'static api_types::Resource) -> Option<Served> {
    if !resource.verbs.contains(&"list") {
        return None;
    }
    let gvk = resource.kind;
    let row = api_kinds_all::row(gvk.group, resource.plural)?;
    let (group, version, plural) = row.resource();
    let is_hub = (gvk.group, gvk.version) == (group, version);
    let of_row = || row.versions().iter().find(|own| (own.group, own.version) == (gvk.group, gvk.version));
    Some(Served {
        resource: resource.into(),
        kind: Ref::Static(row),
        hub: hub(row)?.into(),
        object: object_type(gvk.group, gvk.version, gvk.kind)?.into(),
        version: if is_hub { None } else { Some(of_row()?) },
        prefix: prefix(group, plural),
        custom: None,
    })
}

fn path(served: &Served) -> (&str, &str, &str) {
    let KindName { group, version, .. } = &served.resource.kind;
    (group, version, &served.resource.plural)
}

fn find<'a>(all: &'a [Arc<Served>], wanted: (&str, &str, &str)) -> Option<&'a Arc<Served>> {
    all.binary_search_by(|entry| path(entry).cmp(&wanted)).ok().map(|index| &all[index])
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
        // What is used is kept nowhere; its names are those of what uses it.
        ("apiextensions.k8s.io" | "apiregistration.k8s.io" | "metrics.k8s.io", _) => {
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
