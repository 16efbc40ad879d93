//! From the definitions to the registry's catalog.

use std::collections::BTreeMap;
use std::sync::Arc;

use api_kinds_more::apiextensions::custom_resource_definition::is_true;
use api_record::Record;
use api_types::apiextensions::v1::CustomResourceDefinition;
use client::{Resource, Revision, Scope, Snapshot};
use server_local::Local;
use server_registry::{Catalog, Served};

/// What definitions are called.
pub(crate) const DEFINITIONS: Resource =
    Resource::of("apiextensions.k8s.io", "v1", "customresourcedefinitions");

/// What a definition is served by, and what that depends on.
struct Entry {
    mark: Mark,
    served: Vec<Arc<Served>>,
}

/// What an entry depends on: as long as that stays, so does the entry, and whoever watches its objects.
#[derive(PartialEq)]
struct Mark {
    uid: String,
    generation: i64,
    /// The names, as they are accepted.
    names: api_types::apiextensions::v1::CustomResourceDefinitionNames,
}

impl Mark {
    /// `None` for a definition that is not served.
    fn of(definition: &CustomResourceDefinition) -> Option<Mark> {
        let accepted = is_true(definition, "NamesAccepted") || is_true(definition, "Established");
        accepted.then(|| Mark {
            uid: definition.metadata.uid.clone(),
            generation: definition.metadata.generation,
            names: definition.status.accepted_names.clone(),
        })
    }
}

#[derive(Default)]
struct Entries(BTreeMap<String, Entry>);

impl Entries {
    /// Brings the catalog to what the definitions say now. Answers the resources that are served no more.
    fn update(&mut self, snapshot: &Snapshot, catalog: &Catalog) -> Vec<Resource> {
        let mut next = BTreeMap::new();
        let mut changed = false;
        for object in snapshot.iter() {
            let Some(definition) = object.downcast_ref::<CustomResourceDefinition>() else { continue };
            let Some(mark) = Mark::of(definition) else { continue };
            let name = definition.metadata.name.clone();
            let entry = match self.0.remove(&name) {
                Some(entry) if entry.mark == mark => entry,
                before => {
                    changed = true;
                    if let Some(before) = before {
                        // Put back, to be retired once the new one is served.
                        self.0.insert(name.clone(), before);
                    }
                    make(object, mark)
                }
            };
            if definition.metadata.deletion_timestamp.is_some() {
                entry.served.iter().for_each(|served| served.terminate());
            }
            next.insert(name, entry);
        }
        changed |= !self.0.is_empty();
        if changed {
            catalog.extend(next.values().flat_map(|entry| entry.served.iter().cloned()).collect());
        }
        let gone = std::mem::replace(&mut self.0, next);
        let gone = gone.values().flat_map(|entry| &entry.served);
        let mut lost = Vec::new();
        for served in gone {
            served.retire();
            let name = served.name();
            if catalog.find_custom(&name.group, &name.version, &name.plural).is_none() {
                lost.push(name);
            }
        }
        lost
    }
}

fn make(definition: &Arc<dyn Record>, mark: Mark) -> Entry {
    let served = Served::of_definition(definition).into_iter().map(Arc::new).collect();
    Entry { mark, served }
}

/// Starts keeping the catalog as the definitions say, and completes when it first does.
pub async fn follow(local: &Local) {
    let view = local.shared_view(Scope::all(DEFINITIONS));
    view.reached(Revision(0)).await;
    let local = local.clone();
    let mut entries = Entries::default();
    let mut changed = view.changed();
    changed.mark_unchanged();
    entries.update(&view.snapshot(), local.direct().registry().catalog());
    tokio::spawn(async move {
        while changed.changed().await.is_ok() {
            for resource in entries.update(&view.snapshot(), local.direct().registry().catalog()) {
                local.forget_views(&resource);
            }
        }
    });
}
