//! Which pods count, and what they ask for.
//!
//! Upstream: `groupPods` and `calculateRequests` of `replica_calculator.go`.

use std::collections::{BTreeMap, BTreeSet};

use api_meta::conditions;
use api_meta::pod_resources::{self, Count, is_pod_level};
use api_types::core::v1::{Container, Pod};
use base::time::Time;
use control_base::pod;

use crate::limits::{CPU_INITIALIZATION, INITIAL_READINESS};
use crate::reading::{Metric, Metrics};

/// Pods by how far they count.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Groups<'a> {
    /// How many count as they are.
    pub(crate) ready: usize,
    /// Those that have not begun to work.
    pub(crate) unready: BTreeSet<&'a str>,
    /// Those of which nothing was measured.
    pub(crate) missing: BTreeSet<&'a str>,
    /// Those that are going or have failed.
    pub(crate) ignored: BTreeSet<&'a str>,
}

/// Groups pods by what was measured of a resource; of something else, if `resource` is empty.
pub(crate) fn group<'a>(pods: &[&'a Pod], metrics: &Metrics, resource: &str, now: Time) -> Groups<'a> {
    let mut groups = Groups::default();
    for pod in pods {
        let name = pod.metadata.name.as_str();
        if pod.metadata.deletion_timestamp.is_some() || pod.status.phase == "Failed" {
            groups.ignored.insert(name);
        } else if pod.status.phase == "Pending" {
            groups.unready.insert(name);
        } else {
            match metrics.get(name) {
                None => drop(groups.missing.insert(name)),
                Some(metric) if resource == "cpu" && !works(pod, metric, now) => {
                    groups.unready.insert(name);
                }
                Some(_) => groups.ready += 1,
            }
        }
    }
    groups
}

/// Whether a pod's CPU says something about its work, and not about its start.
fn works(pod: &Pod, metric: &Metric, now: Time) -> bool {
    let (Some(condition), Some(start)) = (pod::ready_condition(pod), pod.status.start_time) else {
        return false;
    };
    let start = Time::from(start);
    let unready = condition.status == conditions::FALSE;
    let changed = condition.last_transition_time.map(Time::from).unwrap_or_default();
    if start + CPU_INITIALIZATION > now {
        // All of what was measured must lie after the pod became ready.
        !unready && metric.at >= changed + metric.window
    } else {
        !(unready && start + INITIAL_READINESS > changed)
    }
}

/// What each pod asks for of a resource, in thousandths; its container of that name, unless that is empty.
///
/// # Errors
/// Who says nothing.
pub(crate) fn requests<'a>(
    pods: &[&'a Pod],
    container: &str,
    resource: &str,
) -> Result<BTreeMap<&'a str, i64>, String> {
    let one = |pod: &&'a Pod| {
        let whole = pod.spec.resources.as_deref().map(|own| &own.requests);
        let said = whole.is_some_and(|own| own.keys().any(|name| is_pod_level(name)));
        let millis = if said && container.is_empty() {
            let all = pod_resources::requests(pod, Count::Wished);
            let missing = || format!("missing pod-level request for {resource} in Pod {}", pod.metadata.name);
            all.get(resource).map(|amount| amount.millis()).ok_or_else(missing)
        } else {
            of_containers(pod, container, resource)
        };
        millis.map(|millis| (pod.metadata.name.as_str(), millis))
    };
    pods.iter().map(one).collect()
}

fn of_containers(pod: &Pod, container: &str, resource: &str) -> Result<i64, String> {
    let name = &pod.metadata.name;
    let stays = |own: &&Container| own.restart_policy.as_deref() == Some("Always");
    let all = pod.spec.containers.iter().chain(pod.spec.init_containers.iter().filter(stays));
    let mut wanted = all.filter(|own| container.is_empty() || own.name == container).peekable();
    if !container.is_empty() && wanted.peek().is_none() {
        return Err(format!("container {container} not found in Pod {name}"));
    }
    wanted.try_fold(0i64, |sum, own| {
        let missing = || format!("missing request for {resource} in container {} of Pod {name}", own.name);
        let request = own.resources.requests.get(resource).ok_or_else(missing)?;
        Ok(sum.saturating_add(request.millis()))
    })
}
