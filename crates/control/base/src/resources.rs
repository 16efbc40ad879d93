//! Which resources the cluster serves, for the controllers that deal with objects of all kinds.

use api_custom::read_scale;
use api_record::{Record, Value};
use api_types::apiextensions::v1::{CustomResourceDefinition, CustomResourceSubresourceScale};
use client::Resource;

/// A resource that is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// What it is called.
    pub resource: Resource,
    /// What its objects are.
    pub kind: String,
    /// Whether they live in namespaces.
    pub namespaced: bool,
    /// Whether they can be listed and watched, deleted one by one, and deleted all at once.
    pub verbs: Verbs,
    /// Where its objects say how many of something they want, if they do.
    pub scale: Option<Scaled>,
}

/// Where objects say how many of something they want.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scaled {
    /// In `spec.replicas`, as built-in kinds do.
    Replicas,
    /// At this path, where the definition of a custom resource says so.
    Path(String),
}

impl Scaled {
    /// How many an object wants, in the words of the scale subresource if it cannot be told.
    ///
    /// # Errors
    /// If it says nothing, or no number.
    pub fn read(&self, object: &dyn Record) -> Result<i32, String> {
        match self {
            Scaled::Replicas => match object.field("spec") {
                Value::Record(spec) => match spec.field("replicas") {
                    Value::Int(replicas) => Ok(i32::try_from(replicas).unwrap_or(i32::MAX)),
                    _ => Ok(0),
                },
                _ => Ok(0),
            },
            Scaled::Path(path) => {
                let paths = CustomResourceSubresourceScale {
                    spec_replicas_path: path.clone(),
                    ..CustomResourceSubresourceScale::default()
                };
                let fields = object.rest().ok_or("the object is no custom resource")?;
                let scale = read_scale(fields, &paths).map_err(|error| error.to_string())?;
                scale.wanted.ok_or_else(|| {
                    format!("Internal error occurred: the spec replicas field {path:?} does not exist")
                })
            }
        }
    }
}

/// What can be done with a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verbs {
    /// They can be listed and watched.
    pub watch: bool,
    /// One can be deleted.
    pub delete: bool,
    /// All of a namespace can be deleted at once.
    pub delete_collection: bool,
}

/// The built-in resources that are served by default.
pub fn built_in() -> Vec<Served> {
    of_built_in(api_types::resources().iter().filter(|row| row.served_by_default))
}

/// These built-in resources, each in its most finished and newest version. What nodes and pods use has their names, and is nothing that is kept.
pub fn of_built_in(offered: impl Iterator<Item = &'static api_types::Resource>) -> Vec<Served> {
    let mut all: Vec<&api_types::Resource> = offered
        .filter(|row| row.verbs.contains(&"get"))
        .filter(|row| row.kind.group != "metrics.k8s.io")
        .collect();
    let rank = |row: &api_types::Resource| match row.stage {
        api_types::Stage::Stable => 0,
        api_types::Stage::Beta => 1,
        api_types::Stage::Alpha => 2,
    };
    all.sort_by(|a, b| {
        let name = |row: &api_types::Resource| (row.kind.group, row.plural);
        name(a).cmp(&name(b)).then(rank(a).cmp(&rank(b))).then(b.kind.version.cmp(a.kind.version))
    });
    all.dedup_by_key(|row| (row.kind.group, row.plural));
    all.into_iter().map(served).collect()
}

/// The resources that definitions bring, each in one of its served versions: the stored one if it is served.
pub fn of_definitions<'a>(definitions: impl Iterator<Item = &'a CustomResourceDefinition>) -> Vec<Served> {
    let established = |definition: &&CustomResourceDefinition| {
        definition.status.conditions.iter().any(|own| own.type_ == "Established" && own.status == "True")
    };
    let one = |definition: &CustomResourceDefinition| {
        let versions = &definition.spec.versions;
        let stored = versions.iter().find(|version| version.served && version.storage);
        let version = stored.or_else(|| versions.iter().find(|version| version.served))?;
        let subresources = version.subresources.as_deref();
        let scale = subresources.and_then(|all| all.scale.as_deref());
        Some(Served {
            resource: Resource {
                group: definition.spec.group.clone().into(),
                version: version.name.clone().into(),
                plural: definition.spec.names.plural.clone().into(),
            },
            kind: definition.status.accepted_names.kind.clone(),
            scale: scale.map(|scale| Scaled::Path(scale.spec_replicas_path.clone())),
            namespaced: definition.spec.scope == "Namespaced",
            verbs: Verbs { watch: true, delete: true, delete_collection: true },
        })
    };
    definitions.filter(established).filter_map(one).collect()
}

fn served(row: &api_types::Resource) -> Served {
    let can = |verb| row.verbs.contains(&verb);
    Served {
        resource: Resource::of(row.kind.group, row.kind.version, row.plural),
        kind: row.kind.kind.to_owned(),
        namespaced: row.namespaced,
        scale: row.subresource("scale").map(|_| Scaled::Replicas),
        verbs: Verbs {
            watch: can("list") && can("watch"),
            delete: can("delete"),
            delete_collection: can("deletecollection"),
        },
    }
}

impl Served {
    /// Events: too many and too short-lived to be followed.
    pub fn is_events(&self) -> bool {
        self.resource.plural == "events" && matches!(&*self.resource.group, "" | "events.k8s.io")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_resource_is_there_once() {
        let all = built_in();
        let versions = |plural: &str| {
            all.iter()
                .filter(|row| row.resource.plural == plural)
                .map(|row| &*row.resource.version)
                .collect::<Vec<_>>()
        };
        assert_eq!(versions("horizontalpodautoscalers"), ["v2"]);
        assert_eq!(versions("pods"), ["v1"]);
        assert!(versions("bindings").is_empty() && versions("tokenreviews").is_empty());
    }
}
