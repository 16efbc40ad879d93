//! Everything is, in the end, as it was asked for.

mod daemons;
mod jobs;

use std::collections::BTreeSet;

use api_meta::conditions;
use api_meta::owners::controller_of;
use api_types::apps::v1::{Deployment, ReplicaSet, StatefulSet};
use api_types::core::v1::{Node, Pod, Service};
use api_types::discovery::v1::EndpointSlice;

use super::{garbage, quotas};
use crate::actors::node::{NOWHERE, WORK};
use crate::history::History;

/// Looks whether everything is as it was asked for.
///
/// # Errors
/// What is not.
pub fn check(history: &History) -> Result<(), String> {
    if let Some(meta) = history.metas().find(|meta| meta.deletion_timestamp.is_some()) {
        return Err(format!("{}/{} is still being deleted", meta.namespace, meta.name));
    }
    garbage::orphans(history)?;
    quotas::exact(history)?;
    for node in history.all::<Node>() {
        if !conditions::is_true(&node.status.conditions, "Ready") || !node.spec.taints.is_empty() {
            return Err(format!("node {} is not ready, or tainted", node.metadata.name));
        }
    }
    for set in history.all::<ReplicaSet>() {
        replica_set(history, set)?;
    }
    for deployment in history.all::<Deployment>() {
        rolled_out(history, deployment)?;
    }
    for set in history.all::<StatefulSet>() {
        stateful_set(history, set)?;
    }
    history.all().try_for_each(|set| daemons::daemon_set(history, set))?;
    history.all().try_for_each(|job| jobs::job(history, job))?;
    history.all().try_for_each(|cron| jobs::cron_job(history, cron))?;
    for pod in history.all::<Pod>() {
        jobs::counted(pod)?;
        let over = matches!(pod.status.phase.as_str(), "Succeeded" | "Failed");
        if !over && !is_left(pod) && !is_ready(pod) {
            return Err(format!("pod {} is {}, and not ready", pod.metadata.name, pod.status.phase));
        }
    }
    for service in history.all::<Service>() {
        endpoints(history, service)?;
    }
    Ok(())
}

fn is_ready(pod: &Pod) -> bool {
    conditions::is_true(&pod.status.conditions, "Ready")
}

/// Whether a pod is nobody's any more that never will be ready for good: it ends by itself, perhaps again and again, or its image is
/// nowhere.
fn is_left(pod: &Pod) -> bool {
    controller_of(&pod.metadata).is_none()
        && pod.spec.containers.iter().any(|container| {
            container.image.ends_with(NOWHERE) || container.command.first().is_some_and(|word| word == WORK)
        })
}

fn active_of<'a>(history: &'a History, uid: &'a str) -> impl Iterator<Item = &'a Pod> {
    history.all::<Pod>().filter(move |pod| {
        !matches!(pod.status.phase.as_str(), "Succeeded" | "Failed")
            && controller_of(&pod.metadata).is_some_and(|owner| owner.uid == uid)
    })
}

fn replica_set(history: &History, set: &ReplicaSet) -> Result<(), String> {
    let wanted = set.spec.replicas.unwrap_or(1);
    let count = i32::try_from(active_of(history, &set.metadata.uid).count()).unwrap_or(i32::MAX);
    let status = &set.status;
    let told = (status.replicas, status.ready_replicas, status.available_replicas);
    if count != wanted || told != (wanted, wanted, wanted) {
        return Err(format!("set {} wants {wanted} pods, has {count}, and says {told:?}", set.metadata.name));
    }
    if status.observed_generation != set.metadata.generation {
        return Err(format!("set {} has not been looked at since it changed", set.metadata.name));
    }
    Ok(())
}

fn rolled_out(history: &History, deployment: &Deployment) -> Result<(), String> {
    let (meta, status) = (&deployment.metadata, &deployment.status);
    let wanted = deployment.spec.replicas.unwrap_or(1);
    let told = (status.replicas, status.updated_replicas, status.ready_replicas, status.available_replicas);
    if told != (wanted, wanted, wanted, wanted) {
        return Err(format!("deployment {} wants {wanted} pods and says {told:?}", meta.name));
    }
    if status.observed_generation != meta.generation {
        return Err(format!("deployment {} has not been looked at since it changed", meta.name));
    }
    let image = |spec: &api_types::core::v1::PodSpec| spec.containers.first().map(|it| it.image.clone());
    let sets = history.all::<ReplicaSet>();
    let own = sets.filter(|set| controller_of(&set.metadata).is_some_and(|owner| owner.uid == meta.uid));
    for set in own.filter(|set| set.spec.replicas != Some(0)) {
        if image(&set.spec.template.spec) != image(&deployment.spec.template.spec) {
            return Err(format!("deployment {} still runs set {}", meta.name, set.metadata.name));
        }
    }
    Ok(())
}

fn stateful_set(history: &History, set: &StatefulSet) -> Result<(), String> {
    let (meta, status) = (&set.metadata, &set.status);
    let wanted = set.spec.replicas.unwrap_or(1);
    let told = [
        status.replicas,
        status.ready_replicas,
        status.available_replicas,
        status.current_replicas,
        status.updated_replicas,
    ];
    if told != [wanted; 5] || status.current_revision != status.update_revision {
        let revisions = (&status.current_revision, &status.update_revision);
        return Err(format!(
            "stateful set {} wants {wanted} pods and says {told:?} of {revisions:?}",
            meta.name
        ));
    }
    if status.observed_generation != meta.generation {
        return Err(format!("stateful set {} has not been looked at since it changed", meta.name));
    }
    let names: BTreeSet<String> = (0..wanted).map(|ordinal| format!("{}-{ordinal}", meta.name)).collect();
    let pods: Vec<&Pod> = active_of(history, &meta.uid).collect();
    let own: BTreeSet<String> = pods.iter().map(|pod| pod.metadata.name.clone()).collect();
    if own != names {
        return Err(format!("stateful set {} has the pods {own:?}", meta.name));
    }
    let image = |spec: &api_types::core::v1::PodSpec| spec.containers.first().map(|it| it.image.clone());
    match pods.iter().find(|pod| image(&pod.spec) != image(&set.spec.template.spec)) {
        Some(pod) => Err(format!("pod {} has not been replaced", pod.metadata.name)),
        None => Ok(()),
    }
}

fn endpoints(history: &History, service: &Service) -> Result<(), String> {
    let meta = &service.metadata;
    if service.spec.selector.is_empty() {
        return Ok(());
    }
    let picked = history.all::<Pod>().filter(|pod| {
        pod.metadata.namespace == meta.namespace
            && is_ready(pod)
            && service.spec.selector.iter().all(|(key, value)| pod.metadata.labels.get(key) == Some(value))
    });
    let wanted: BTreeSet<&str> = picked.map(|pod| pod.status.pod_ip.as_str()).collect();
    let own = history.all::<EndpointSlice>().filter(|slice| {
        slice.metadata.namespace == meta.namespace
            && slice.metadata.labels.get("kubernetes.io/service-name") == Some(&meta.name)
    });
    let endpoints = own.flat_map(|slice| &slice.endpoints);
    let ready = endpoints.filter(|endpoint| endpoint.conditions.ready == Some(true));
    let shown: BTreeSet<&str> = ready.flat_map(|endpoint| &endpoint.addresses).map(String::as_str).collect();
    if wanted != shown {
        return Err(format!("service {} has the endpoints {shown:?}, where {wanted:?} are ready", meta.name));
    }
    Ok(())
}
