//! The services and controllers whose selectors say which pods are each other's like, for spreading by default.

use std::collections::{BTreeMap, HashMap};

use api_meta::labels::Selector;
use api_types::core::v1::Pod;

use crate::shape::Labels;

/// The kinds of controllers whose selectors count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OwnerKind {
    /// `v1`.
    ReplicationController,
    /// `apps/v1`.
    ReplicaSet,
    /// `apps/v1`.
    StatefulSet,
}

/// A controller, within its namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Owner {
    kind: OwnerKind,
    name: String,
}

impl Owner {
    pub(crate) fn new(kind: OwnerKind, name: &str) -> Owner {
        Owner { kind, name: name.to_owned() }
    }

    /// The controller of a pod, if it is of a kind that counts.
    pub(crate) fn of(pod: &Pod) -> Option<Owner> {
        let owner = pod.metadata.owner_references.iter().find(|owner| owner.controller == Some(true))?;
        let kind = match (owner.api_version.as_str(), owner.kind.as_str()) {
            ("v1", "ReplicationController") => OwnerKind::ReplicationController,
            ("apps/v1", "ReplicaSet") => OwnerKind::ReplicaSet,
            ("apps/v1", "StatefulSet") => OwnerKind::StatefulSet,
            _ => return None,
        };
        Some(Owner::new(kind, &owner.name))
    }
}

#[derive(Default)]
struct InNamespace {
    changes: u64,
    services: BTreeMap<String, Labels>,
    owners: BTreeMap<Owner, Selector>,
}

/// All selectors, by namespace.
#[derive(Default)]
pub(crate) struct Selectors {
    namespaces: HashMap<String, InNamespace>,
}

impl Selectors {
    /// A service as it is now; `None` when it has gone or selects nothing.
    pub(crate) fn set_service(&mut self, namespace: &str, name: &str, selector: Option<&Labels>) {
        let there = self.namespaces.entry(namespace.to_owned()).or_default();
        let before = match selector {
            Some(selector) => there.services.insert(name.to_owned(), selector.clone()),
            None => there.services.remove(name),
        };
        there.changes += u64::from(before.as_ref() != selector);
    }

    /// A controller as it is now; `None` when it has gone.
    pub(crate) fn set_owner(&mut self, namespace: &str, owner: Owner, selector: Option<&Selector>) {
        let there = self.namespaces.entry(namespace.to_owned()).or_default();
        let before = match selector {
            Some(selector) => there.owners.insert(owner, selector.clone()),
            None => there.owners.remove(&owner),
        };
        there.changes += u64::from(before.as_ref() != selector);
    }

    /// A number that changes whenever the selectors of a namespace do.
    pub(crate) fn state(&self, namespace: &str) -> u64 {
        self.namespaces.get(namespace).map_or(0, |there| there.changes)
    }

    /// What selects the like of a pod; `None` if nothing does.
    pub(crate) fn alike(&self, namespace: &str, labels: &Labels, owner: Option<&Owner>) -> Option<Selector> {
        let there = self.namespaces.get(namespace)?;
        let mut merged = Labels::new();
        for service in there.services.values() {
            if service.iter().all(|(key, value)| labels.get(key) == Some(value)) {
                merged.extend(service.clone());
            }
        }
        let mut selector = Selector::from_labels(&merged);
        if let Some(more) = owner.and_then(|owner| there.owners.get(owner)) {
            selector = selector.and(more.requirements().unwrap_or_default().iter().cloned());
        }
        (!selector.is_everything()).then_some(selector)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(of: &[(&str, &str)]) -> Labels {
        of.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
    }

    #[test]
    fn services_and_the_controller_select_together() {
        let mut selectors = Selectors::default();
        let owner = Owner::new(OwnerKind::ReplicaSet, "web-1");
        let pod = labels(&[("app", "web"), ("hash", "1")]);
        assert_eq!(selectors.alike("n", &pod, Some(&owner)), None);
        selectors.set_service("n", "web", Some(&labels(&[("app", "web")])));
        selectors.set_service("n", "db", Some(&labels(&[("app", "db")])));
        selectors.set_owner("n", owner.clone(), Some(&Selector::from_labels(&labels(&[("hash", "1")]))));
        let selector = selectors.alike("n", &pod, Some(&owner)).expect("something selects it");
        assert!(selector.matches(&pod));
        assert!(!selector.matches(&labels(&[("app", "web"), ("hash", "2")])));
        assert_eq!(selectors.alike("other", &pod, Some(&owner)), None);
        let before = selectors.state("n");
        selectors.set_service("n", "web", None);
        assert_ne!(selectors.state("n"), before);
    }
}
