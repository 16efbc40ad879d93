//! ReplicaSets and ReplicationControllers: so many pods of one template.

use api_meta::conditions;
use api_types::apps::v1::ReplicaSet;
use api_types::core::v1::{Pod, ReplicationController};
use api_types::meta::v1::ObjectMeta;
use control_workload::{ReplicaSets, ReplicationControllers};

use super::{failed_creations, key_of, next_step, ready_of, sick, unobserved};
use crate::evidence::Evidence;
use crate::finding::Finding;

/// How a set is, in a few words.
pub(crate) fn state(set: &ReplicaSet) -> String {
    ready_of(set.status.ready_replicas, wanted(set))
}

/// How a controller is, in a few words.
pub(crate) fn controllers_state(own: &ReplicationController) -> String {
    ready_of(own.status.ready_replicas, own.spec.replicas.unwrap_or(1))
}

pub(super) fn wanted(set: &ReplicaSet) -> i32 {
    set.spec.replicas.unwrap_or(1)
}

/// Why a set has not the pods that it wants.
pub(crate) fn explain(set: &ReplicaSet, evidence: &Evidence) -> Vec<Finding> {
    let failure =
        conditions::find(&set.status.conditions, "ReplicaFailure").filter(|said| said.status == "True");
    let failure =
        failure.map(|said| Finding::new(&said.reason, said.message.clone()).since(said.last_transition_time));
    let sizes = Sizes { wanted: wanted(set), has: set.status.replicas, ready: set.status.ready_replicas };
    let mut findings: Vec<Finding> =
        unobserved(set.status.observed_generation, &set.metadata).into_iter().collect();
    findings.extend(sizes.explain(&set.metadata, "ReplicaSet", failure, evidence));
    if evidence.knows::<Pod>() {
        findings.extend(next_step(&ReplicaSets, &key_of(&set.metadata), evidence));
    }
    findings
}

/// Why a controller has not the pods that it wants.
pub(crate) fn explain_controller(own: &ReplicationController, evidence: &Evidence) -> Vec<Finding> {
    let failure =
        conditions::find(&own.status.conditions, "ReplicaFailure").filter(|said| said.status == "True");
    let failure =
        failure.map(|said| Finding::new(&said.reason, said.message.clone()).since(said.last_transition_time));
    let wanted = own.spec.replicas.unwrap_or(1);
    let sizes = Sizes { wanted, has: own.status.replicas, ready: own.status.ready_replicas };
    let mut findings: Vec<Finding> =
        unobserved(own.status.observed_generation, &own.metadata).into_iter().collect();
    findings.extend(sizes.explain(&own.metadata, "ReplicationController", failure, evidence));
    if evidence.knows::<Pod>() {
        findings.extend(next_step(&ReplicationControllers, &key_of(&own.metadata), evidence));
    }
    findings
}

/// How many pods there are, and how many there should be.
struct Sizes {
    wanted: i32,
    has: i32,
    ready: i32,
}

impl Sizes {
    fn explain(
        &self,
        meta: &ObjectMeta,
        kind: &str,
        failure: Option<Finding>,
        evidence: &Evidence,
    ) -> Vec<Finding> {
        let Sizes { wanted, has, ready } = *self;
        let mut findings = Vec::new();
        if has < wanted {
            let why = failure.or_else(|| failed_creations(meta, kind, evidence));
            let message = format!("{} of {wanted} pods could not be made yet", wanted - has);
            findings.push(Finding::new("TooFewPods", message).because(why));
        }
        if has > wanted {
            findings.push(Finding::new("TooManyPods", format!("{} pods are about to go", has - wanted)));
        }
        if ready < has.min(wanted) {
            let message = format!("{} of {has} pods are not ready", has - ready);
            findings.push(Finding::new("PodsNotReady", message).because(sick(meta, evidence)));
        }
        findings
    }
}
