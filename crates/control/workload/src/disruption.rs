//! How many pods a PodDisruptionBudget can do without, and pods that were to be disrupted and were not.
//!
//! Upstream: `pkg/controller/disruption`. The eviction subresource decides by what is written here, and writes into the same status
//! which pods it has let go. A status that cannot be worked out allows nothing (`SyncFailed`). Differently from upstream, a budget of
//! which that is so is looked at again when a workload changes, since views of different kinds do not come in order, and a
//! workload of a custom kind is read from a view instead of its scale subresource.

mod expected;
mod status;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use api_meta::conditions;
use api_meta::labels::Selector;
use api_types::apps::v1::{Deployment, ReplicaSet, StatefulSet};
use api_types::core::v1::{Pod, PodCondition, ReplicationController};
use api_types::object_meta;
use api_types::policy::v1::PodDisruptionBudget;
use base::time::Time;
use client::Scope;
use client::reconcile::{Controller, Note, Plan, Wires, World, Write};

use control_base::pod::{self, DISRUPTION_TARGET};
use control_base::resources::{Scaled, Served};

/// How long a pod that was let go may take to be deleted before it counts again (`DeletionTimeout`).
const DELETION: Duration = Duration::from_mins(2);
/// How long a pod may say that it is being disrupted without being deleted (`stalePodDisruptionTimeout`).
const STALE: Duration = Duration::from_mins(2);

/// The controller of disruptions.
pub struct Disruptions {
    served: Vec<Served>,
}

/// What it thinks about at once, by namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// A budget.
    Budget(String, String),
    /// A pod that says that it is being disrupted.
    Pod(String, String),
}

impl Disruptions {
    /// One that knows these resources, of which those that say how many they want can be owners of pods.
    pub fn new(served: &[Served]) -> Disruptions {
        Disruptions { served: served.to_vec() }
    }
}

impl Controller for Disruptions {
    const NAME: &'static str = "disruption-controller";
    const SOURCE: &'static str = "controllermanager";
    type Key = Key;

    fn wire(&self, wires: &mut Wires<Key>) {
        wires.maps::<PodDisruptionBudget>(|budget, _| vec![key(budget)]);
        wires.maps::<Pod>(|pod, world| {
            let budgets = world.in_namespace::<PodDisruptionBudget>(&pod.metadata.namespace);
            let mut keys: Vec<Key> = budgets.filter(|budget| picks(budget, pod)).map(key).collect();
            if is_disrupted(pod).is_some() {
                keys.push(Key::Pod(pod.metadata.namespace.clone(), pod.metadata.name.clone()));
            }
            keys
        });
        wires.maps::<ReplicationController>(|own, world| failing(world, &own.metadata.namespace));
        wires.maps::<Deployment>(|own, world| failing(world, &own.metadata.namespace));
        wires.maps::<ReplicaSet>(|own, world| failing(world, &own.metadata.namespace));
        wires.maps::<StatefulSet>(|own, world| failing(world, &own.metadata.namespace));
        for custom in self.served.iter().filter(|row| matches!(row.scale, Some(Scaled::Path(_)))) {
            wires.scoped(Scope::all(custom.resource.clone()), |own, world| {
                object_meta(own).map(|meta| failing(world, &meta.namespace)).unwrap_or_default()
            });
        }
    }

    fn plan(&self, key: &Key, world: &World, now: Time) -> Plan {
        match key {
            Key::Budget(namespace, name) => {
                let budget = world.get::<PodDisruptionBudget>(namespace, name);
                budget.map(|budget| self.budget(budget, world, now)).unwrap_or_default()
            }
            Key::Pod(namespace, name) => {
                let pod = world.get::<Pod>(namespace, name);
                pod.map(|pod| stale(pod, now)).unwrap_or_default()
            }
        }
    }
}

fn key(budget: &PodDisruptionBudget) -> Key {
    Key::Budget(budget.metadata.namespace.clone(), budget.metadata.name.clone())
}

fn picks(budget: &PodDisruptionBudget, pod: &Pod) -> bool {
    let selector = Selector::from_api(budget.spec.selector.as_deref());
    selector.is_ok_and(|selector| selector.matches(&pod.metadata.labels))
}

/// The budgets of a namespace that could not be worked out.
fn failing(world: &World, namespace: &str) -> Vec<Key> {
    let failed = |budget: &&PodDisruptionBudget| status::is_failed(budget);
    world.in_namespace::<PodDisruptionBudget>(namespace).filter(failed).map(key).collect()
}

impl Disruptions {
    fn budget(&self, budget: &PodDisruptionBudget, world: &World, now: Time) -> Plan {
        let mut plan = Plan::default();
        let selector = match Selector::from_api(budget.spec.selector.as_deref()) {
            Ok(selector) => selector,
            Err(why) => {
                let message = format!("Failed to get pods: {why}");
                plan.events.push(Note::warning(budget, "NoPods", message));
                plan.stage(status::failed(budget, &why.to_string(), now));
                return plan;
            }
        };
        let namespace = &budget.metadata.namespace;
        let pods: Vec<&Pod> = world.picked(namespace, &selector).collect();
        if pods.is_empty() {
            plan.events.push(Note::normal(budget, "NoPods", "No matching pods found"));
        }
        plan.events.extend(pods.iter().filter_map(|pod| torn(budget, pod, world)));
        let expected = match expected::expected(budget, &pods, world, &self.served) {
            Ok(expected) => expected,
            Err(why) => {
                let message = format!("Failed to calculate the number of expected pods: {why}");
                plan.events.push(Note::warning(budget, "CalculateExpectedPodCountFailed", message));
                plan.stage(status::failed(budget, &why, now));
                return plan;
            }
        };
        if expected.unmanaged {
            plan.events.push(Note::warning(budget, "UnmanagedPods", expected::unmanaged(budget)));
        }
        let disrupted = disrupted(&mut plan, budget, &pods, now);
        let healthy = pods.iter().filter(|pod| {
            let leaving =
                pod.metadata.deletion_timestamp.is_some() || disrupted.contains_key(&pod.metadata.name);
            !leaving && pod::is_ready(pod)
        });
        let healthy = i32::try_from(healthy.count()).unwrap_or(i32::MAX);
        plan.stage(status::counted(budget, healthy, &expected, disrupted, now));
        plan
    }
}

/// What is said of a pod that several budgets pick, of which this one is the first.
fn torn(budget: &PodDisruptionBudget, pod: &Pod, world: &World) -> Option<Note> {
    let all = world.in_namespace::<PodDisruptionBudget>(&pod.metadata.namespace);
    let mut picking = all.filter(|budget| picks(budget, pod));
    let first = picking.next().filter(|first| first.metadata.name == budget.metadata.name)?;
    picking.next()?;
    let (namespace, name) = (&pod.metadata.namespace, &pod.metadata.name);
    let message = format!(
        "Pod {namespace:?}/{name:?} matches multiple PodDisruptionBudgets.  Chose {:?} arbitrarily.",
        first.metadata.name
    );
    Some(Note::warning(pod, "MultiplePodDisruptionBudgets", message))
}

/// The pods that were let go and can still be expected to be deleted.
fn disrupted(
    plan: &mut Plan,
    budget: &PodDisruptionBudget,
    pods: &[&Pod],
    now: Time,
) -> BTreeMap<String, Option<api_record::scalar::Time>> {
    let mut left = BTreeMap::new();
    for pod in pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()) {
        let name = &pod.metadata.name;
        let Some(since) = budget.status.disrupted_pods.get(name) else { continue };
        let end = since.map(Time::from).unwrap_or_default() + DELETION;
        if end > now {
            plan.again_in(end.since(now));
            left.insert(name.clone(), *since);
        } else {
            let namespace = &budget.metadata.namespace;
            // Upstream names the namespace twice.
            let message =
                format!("Pod was expected by PDB {namespace}/{namespace} to be deleted but it wasn't");
            plan.events.push(Note::warning(*pod, "NotDeleted", message));
        }
    }
    left
}

/// The condition of a pod that says that it is being disrupted and is not being deleted. What kubelet says of it can take any time.
fn is_disrupted(pod: &Pod) -> Option<&PodCondition> {
    if pod.metadata.deletion_timestamp.is_some() || pod::is_terminal(pod) {
        return None;
    }
    let condition = conditions::find(&pod.status.conditions, DISRUPTION_TARGET)?;
    let standing = condition.status == conditions::TRUE && condition.reason != "TerminationByKubelet";
    standing.then_some(condition)
}

fn stale(pod: &Pod, now: Time) -> Plan {
    let mut plan = Plan::default();
    let Some(condition) = is_disrupted(pod) else { return plan };
    let end = condition.last_transition_time.map(Time::from).unwrap_or_default() + STALE;
    if end > now {
        plan.again_in(end.since(now));
        return plan;
    }
    let mut pod = pod.clone();
    let over = PodCondition {
        type_: DISRUPTION_TARGET.into(),
        observed_generation: pod.metadata.generation,
        status: conditions::FALSE.into(),
        ..PodCondition::default()
    };
    conditions::set(&mut pod.status.conditions, over, now.into());
    plan.stage([Write::status(pod)]);
    plan
}
