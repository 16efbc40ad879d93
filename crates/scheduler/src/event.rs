//! What goes into the scheduler, and what comes out of it.

use std::sync::Arc;

use api_types::apps::v1::{ReplicaSet, StatefulSet};
use api_types::core::v1::{Namespace, Node, Pod, ReplicationController, Service};
use api_types::policy::v1::PodDisruptionBudget;
use base::time::Time;

use crate::cluster::pod::PodRef;
use crate::diagnosis;
use crate::reason::Plugin;
use crate::selectors::OwnerKind;

/// Something that happened, or a request to go on.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A node is new, or as it is now.
    Node(&'a Node),
    /// The node of this name has gone.
    NodeGone(&'a str),
    /// A pod is new, or as it is now, bound or not.
    Pod(&'a Pod),
    /// The pod of this uid has gone.
    PodGone(&'a str),
    /// A namespace is new, or as it is now.
    Namespace(&'a Namespace),
    /// The namespace of this name has gone.
    NamespaceGone(&'a str),
    /// A service is new, or as it is now.
    Service(&'a Service),
    /// A service has gone.
    ServiceGone {
        /// Its namespace.
        namespace: &'a str,
        /// Its name.
        name: &'a str,
    },
    /// A replication controller is new, or as it is now.
    ReplicationController(&'a ReplicationController),
    /// A replica set is new, or as it is now.
    ReplicaSet(&'a ReplicaSet),
    /// A stateful set is new, or as it is now.
    StatefulSet(&'a StatefulSet),
    /// A controller of one of these kinds has gone.
    OwnerGone {
        /// Its kind.
        kind: OwnerKind,
        /// Its namespace.
        namespace: &'a str,
        /// Its name.
        name: &'a str,
    },
    /// A disruption budget is new, or as it is now.
    Budget(&'a PodDisruptionBudget),
    /// A disruption budget has gone.
    BudgetGone {
        /// Its namespace.
        namespace: &'a str,
        /// Its name.
        name: &'a str,
    },
    /// What came of a [`Action::Bind`].
    BindDone {
        /// The pod's uid.
        uid: &'a str,
        /// The error's text, if it failed.
        result: Result<(), &'a str>,
    },
    /// A victim of [`Action::Preempt`] could not be evicted.
    EvictionFailed {
        /// The victim's uid.
        uid: &'a str,
    },
    /// Find nodes for pods that are ready.
    Run {
        /// Try no more than this many.
        attempts: usize,
    },
}

/// Something to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Bind the pod, then tell what came of it with [`Event::BindDone`]. Asked for once until that, or the pod's end.
    Bind {
        /// The pod.
        pod: PodRef,
        /// The node.
        node: Arc<str>,
    },
    /// The pod has been bound: record the event `Scheduled` (Normal, action `Binding`).
    Scheduled {
        /// The pod.
        pod: PodRef,
        /// The node.
        node: Arc<str>,
    },
    /// Record the event `FailedScheduling` (Warning, action `Scheduling`) and the condition `PodScheduled=False`.
    Failed(Failure),
    /// Evict these pods to make room: set the condition `DisruptionTarget` of each (reason `PreemptionByScheduler`), delete
    /// it by its uid, and record the event `Preempted` (Normal, action `Preempting`) of it. Until a victim has gone, or
    /// [`Event::EvictionFailed`] says that it will not, no more are evicted for the same pod.
    Preempt {
        /// The pod that room is made for; it is nominated to the node.
        preemptor: PodRef,
        /// The node.
        node: Arc<str>,
        /// The pods that have to go.
        victims: Vec<PodRef>,
    },
    /// Clear the pod's `status.nominatedNodeName`: a pod of higher priority gets that node.
    Unnominate {
        /// The pod.
        pod: PodRef,
    },
}

impl Action {
    /// The note of the event `Preempted` of each victim.
    pub fn preempted_note(preemptor: &PodRef, node: &str) -> String {
        format!("Preempted by pod {} on node {node}", preemptor.uid)
    }
}

/// Why a pod could not be scheduled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The pod.
    pub pod: PodRef,
    /// The condition's reason.
    pub reason: FailureReason,
    /// The condition's message.
    pub message: String,
    /// The plugins that rejected it, in upstream's order.
    pub plugins: Vec<Plugin>,
    /// What is to become of `status.nominatedNodeName`.
    pub nomination: Nomination,
}

impl Failure {
    /// The event's note: the message, cut to what an event may hold.
    pub fn note(&self) -> String {
        diagnosis::note(&self.message)
    }
}

/// The reason of `PodScheduled=False`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureReason {
    /// No node suits it.
    Unschedulable,
    /// Something went wrong; it is tried again soon.
    SchedulerError,
}

impl FailureReason {
    /// As the condition has it.
    pub fn as_str(self) -> &'static str {
        match self {
            FailureReason::Unschedulable => "Unschedulable",
            FailureReason::SchedulerError => "SchedulerError",
        }
    }
}

/// What is to become of `status.nominatedNodeName`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Nomination {
    /// It stays as it is.
    Keep,
    /// It is cleared.
    Clear,
    /// It becomes this node.
    Node(Arc<str>),
}

/// What came of a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outputs {
    /// To be carried out in order.
    pub actions: Vec<Action>,
    /// How many pods could be tried now.
    pub ready: usize,
    /// When to run next even if nothing happens and nothing is ready.
    pub wake_at: Option<Time>,
}

/// The note of the event `Scheduled`.
pub fn scheduled_note(pod: &PodRef, node: &str) -> String {
    format!("Successfully assigned {}/{} to {node}", pod.namespace, pod.name)
}
