//! Disruption budgets: preemption goes against them only if there is no other way.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use api_meta::labels::Selector;
use api_types::policy::v1::PodDisruptionBudget;

use crate::cluster::Cluster;
use crate::cluster::pod::PodId;

struct Budget {
    selector: Selector,
    allowed: i32,
    /// Names of pods whose eviction has been granted already.
    disrupted: BTreeSet<String>,
}

/// All budgets, by namespace and name.
#[derive(Default)]
pub(crate) struct Budgets {
    namespaces: HashMap<String, BTreeMap<String, Budget>>,
}

impl Budgets {
    pub(crate) fn set(&mut self, budget: &PodDisruptionBudget) {
        let selector = Selector::from_api(budget.spec.selector.as_deref()).unwrap_or(Selector::nothing());
        // One that selects everything counts for nothing in preemption.
        let selector = if selector.is_everything() { Selector::nothing() } else { selector };
        let there = self.namespaces.entry(budget.metadata.namespace.clone()).or_default();
        let budget_of = Budget {
            selector,
            allowed: budget.status.disruptions_allowed,
            disrupted: budget.status.disrupted_pods.keys().cloned().collect(),
        };
        there.insert(budget.metadata.name.clone(), budget_of);
    }

    pub(crate) fn remove(&mut self, namespace: &str, name: &str) {
        if let Some(there) = self.namespaces.get_mut(namespace) {
            there.remove(name);
            if there.is_empty() {
                self.namespaces.remove(namespace);
            }
        }
    }

    /// The pods, of those that are to go in this order, for which a budget has nothing left.
    pub(crate) fn violated_by(&self, cluster: &Cluster, pods: &[PodId]) -> BTreeSet<PodId> {
        let mut violating = BTreeSet::new();
        if self.namespaces.is_empty() {
            return violating;
        }
        let mut used: BTreeMap<(&str, &str), i32> = BTreeMap::new();
        for id in pods {
            let pod = &cluster.pods[*id];
            let cohort = &cluster.cohorts[pod.cohort].key;
            let Some((namespace, there)) = self.namespaces.get_key_value(&cohort.namespace) else { continue };
            for (name, budget) in there {
                let counts = !cohort.labels.is_empty()
                    && budget.selector.matches(&cohort.labels)
                    && !budget.disrupted.contains(&*pod.of.name);
                if counts {
                    let used = used.entry((namespace, name)).or_insert(0);
                    *used += 1;
                    if *used > budget.allowed {
                        violating.insert(*id);
                        break;
                    }
                }
            }
        }
        violating
    }
}
