//! What has to be read to answer: decided here, done by whoever asks.

use api_types::apps::v1::{ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet};
use api_types::batch::v1::Job;
use api_types::coordination::v1::Lease;
use api_types::core::v1::{Event, Node, PersistentVolume, PersistentVolumeClaim, Pod};
use api_types::discovery::v1::EndpointSlice;
use api_types::storage::v1::StorageClass;
use client::Resource;
use client::reconcile::resource_of;

use crate::evidence::{Evidence, Subject};
use crate::pod;

/// Objects that have to be listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// Of which resource.
    pub resource: &'static Resource,
    /// In which namespace; empty for all, and for those that have none.
    pub namespace: String,
}

/// What is read for an object of a kind.
pub fn first(subject: &Subject) -> Vec<Need> {
    let namespace = subject.named.namespace.as_str();
    let events = if namespace.is_empty() { "default" } else { namespace };
    let mut needs = vec![Need { resource: resource_of::<Event>(), namespace: events.to_owned() }];
    let (near, everywhere) = about(subject);
    needs.extend(near.into_iter().map(|resource| Need { resource, namespace: namespace.to_owned() }));
    needs.extend(everywhere.into_iter().map(|resource| Need { resource, namespace: String::new() }));
    if (subject.named.group(), subject.named.kind.as_str()) == ("", "Node") {
        needs.push(Need { resource: resource_of::<Lease>(), namespace: "kube-node-lease".to_owned() });
    }
    needs
}

/// What is read of the object's namespace, and what of the cluster.
fn about(subject: &Subject) -> (Vec<&'static Resource>, Vec<&'static Resource>) {
    let pods = resource_of::<Pod>();
    let nodes = resource_of::<Node>();
    let claims = resource_of::<PersistentVolumeClaim>();
    let revisions = resource_of::<ControllerRevision>();
    let storage = || vec![resource_of::<PersistentVolume>(), resource_of::<StorageClass>()];
    match (subject.named.group(), subject.named.kind.as_str()) {
        ("", "Pod") => {
            let mut all = storage();
            all.push(nodes);
            (vec![pods, claims], all)
        }
        ("", "Service") => (vec![pods, resource_of::<EndpointSlice>()], vec![nodes]),
        ("", "PersistentVolumeClaim") => (vec![claims, pods], storage()),
        ("", "PersistentVolume") => (Vec::new(), vec![claims]),
        ("", "Node" | "Namespace" | "Event") => (Vec::new(), Vec::new()),
        ("apps", "Deployment") => (vec![resource_of::<ReplicaSet>(), pods], vec![nodes]),
        ("apps", "StatefulSet") => (vec![revisions, claims, pods], vec![nodes]),
        ("apps", "DaemonSet") => (vec![revisions, pods], vec![nodes]),
        ("batch", "CronJob") => (vec![resource_of::<Job>(), pods], vec![nodes]),
        ("apps", "ReplicaSet")
        | ("batch", "Job")
        | ("", "ReplicationController")
        | ("policy", "PodDisruptionBudget") => (vec![pods], vec![nodes]),
        ("autoscaling", _) => (Vec::new(), Vec::new()),
        // What it may own, if it is of somebody's own making.
        _ if !subject.named.namespace.is_empty() => (
            vec![
                resource_of::<Deployment>(),
                resource_of::<ReplicaSet>(),
                resource_of::<StatefulSet>(),
                resource_of::<DaemonSet>(),
                resource_of::<Job>(),
                pods,
            ],
            Vec::new(),
        ),
        _ => (Vec::new(), Vec::new()),
    }
}

/// What is read besides, once that is known: all that the scheduler looks at, where a pod of the object's waits for a node.
pub fn then(subject: &Subject, evidence: &Evidence) -> Vec<Need> {
    let (namespace, name) = (&subject.named.namespace, &subject.named.name);
    let waits = match (subject.named.group(), subject.named.kind.as_str()) {
        ("", "Pod") => evidence.world.get::<Pod>(namespace, name).is_some_and(asks_for_node),
        ("apps" | "batch" | "policy", _) | ("", "ReplicationController" | "Service") => {
            evidence.world.in_namespace::<Pod>(namespace).any(asks_for_node)
        }
        _ => false,
    };
    if !waits {
        return Vec::new();
    }
    let all = scheduler_shell::resources().into_iter();
    all.map(|resource| Need { resource, namespace: String::new() }).collect()
}

fn asks_for_node(own: &Pod) -> bool {
    pod::waits_for_node(own) && own.spec.scheduling_gates.is_empty()
}
