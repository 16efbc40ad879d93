//! What goes into the scheduler, and what comes out of it.

use std::fmt;
use std::sync::Arc;

use api_record::Record;
use api_types::apps::v1::{ReplicaSet, StatefulSet};
use api_types::core::v1::{
    Namespace, Node, PersistentVolume, PersistentVolumeClaim, Pod, ReplicationController, Service,
};
use api_types::policy::v1::PodDisruptionBudget;
use api_types::resource::v1::{DeviceClass, DeviceTaintRule, ResourceClaim, ResourceSlice};
use api_types::storage::v1::{CSIDriver, CSINode, CSIStorageCapacity, StorageClass, VolumeAttachment};
use base::time::Time;

use crate::asking::{Answer, Question};
use crate::cluster::pod::PodRef;
use crate::devices::binding::Bindings;
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
    /// A claim is new, or as it is now.
    Claim(&'a PersistentVolumeClaim),
    /// A claim has gone.
    ClaimGone {
        /// Its namespace.
        namespace: &'a str,
        /// Its name.
        name: &'a str,
    },
    /// A volume is new, or as it is now.
    Volume(&'a PersistentVolume),
    /// The volume of this name has gone.
    VolumeGone(&'a str),
    /// A storage class is new, or as it is now.
    Class(&'a StorageClass),
    /// The storage class of this name has gone.
    ClassGone(&'a str),
    /// The drivers of a node are new, or as they are now.
    CsiNode(&'a CSINode),
    /// The drivers of the node of this name have gone.
    CsiNodeGone(&'a str),
    /// A driver is new, or says something else of itself.
    Driver(&'a CSIDriver),
    /// The driver of this name has gone.
    DriverGone(&'a str),
    /// How much room there is for volumes is new, or as it is now.
    Room(&'a CSIStorageCapacity),
    /// Nobody says any more how much room there is.
    RoomGone {
        /// Its namespace.
        namespace: &'a str,
        /// Its name.
        name: &'a str,
    },
    /// A volume is, or is to be, attached to a node.
    Attachment(&'a VolumeAttachment),
    /// The attachment of this name has gone.
    AttachmentGone(&'a str),
    /// What came of an [`Action::BindVolumes`].
    VolumesWritten {
        /// The pod's uid.
        uid: &'a str,
        /// The error's text, if it failed.
        result: Result<(), &'a str>,
    },
    /// A claim of devices is new, or as it is now.
    DeviceClaim(&'a ResourceClaim),
    /// A claim of devices has gone.
    DeviceClaimGone {
        /// Its namespace.
        namespace: &'a str,
        /// Its name.
        name: &'a str,
    },
    /// A class of devices is new, or as it is now.
    DeviceClass(&'a DeviceClass),
    /// The class of devices of this name has gone.
    DeviceClassGone(&'a str),
    /// A slice of devices is new, or as it is now.
    Slice(&'a ResourceSlice),
    /// The slice of this name has gone.
    SliceGone(&'a str),
    /// A rule that taints devices is new, or as it is now.
    TaintRule(&'a DeviceTaintRule),
    /// The rule of this name has gone.
    TaintRuleGone(&'a str),
    /// What came of an [`Action::BindDevices`].
    DevicesWritten {
        /// The pod's uid.
        uid: &'a str,
        /// The claims as they have been written, also if not all could be.
        claims: &'a [ResourceClaim],
        /// The error's text, if it failed.
        result: Result<(), &'a str>,
    },
    /// What came of a [`Action::Bind`].
    BindDone {
        /// The pod's uid.
        uid: &'a str,
        /// The error's text with who says so, if it failed.
        result: Result<(), &'a str>,
    },
    /// What came of an [`Action::Ask`].
    Answered {
        /// The question's number.
        number: u64,
        /// The answer, or the error's text if there is none.
        answer: Result<&'a Answer, &'a str>,
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

impl<'a> Event<'a> {
    /// That an object is new, or as it is now; `None` if it is of a kind that the scheduler does not look at.
    pub fn of(object: &'a dyn Record) -> Option<Event<'a>> {
        let cluster = as_is(object, Event::Pod)
            .or_else(|| as_is(object, Event::Node))
            .or_else(|| as_is(object, Event::Namespace))
            .or_else(|| as_is(object, Event::Budget));
        let owners = || {
            as_is(object, Event::Service)
                .or_else(|| as_is(object, Event::ReplicaSet))
                .or_else(|| as_is(object, Event::StatefulSet))
                .or_else(|| as_is(object, Event::ReplicationController))
        };
        let storage = || {
            as_is(object, Event::Claim)
                .or_else(|| as_is(object, Event::Volume))
                .or_else(|| as_is(object, Event::Class))
                .or_else(|| as_is(object, Event::CsiNode))
                .or_else(|| as_is(object, Event::Driver))
                .or_else(|| as_is(object, Event::Room))
                .or_else(|| as_is(object, Event::Attachment))
        };
        let devices = || {
            as_is(object, Event::DeviceClaim)
                .or_else(|| as_is(object, Event::Slice))
                .or_else(|| as_is(object, Event::DeviceClass))
                .or_else(|| as_is(object, Event::TaintRule))
        };
        cluster.or_else(owners).or_else(storage).or_else(devices)
    }
}

fn as_is<'a, T: Record>(object: &'a dyn Record, event: impl Fn(&'a T) -> Event<'a>) -> Option<Event<'a>> {
    object.downcast_ref::<T>().map(event)
}

/// Something to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ask the extenders, then tell their answer with [`Event::Answered`]. No pod is tried until then.
    Ask(Question),
    /// Bind the pod, then tell what came of it with [`Event::BindDone`]. Asked for once until that, or the pod's end.
    Bind {
        /// The pod.
        pod: PodRef,
        /// The node.
        node: Arc<str>,
    },
    /// Write what was decided about the pod's volumes, then tell what came of it with [`Event::VolumesWritten`]. The pod is bound once
    /// they are.
    BindVolumes {
        /// The pod.
        pod: PodRef,
        /// The node.
        node: Arc<str>,
        /// What to write.
        decided: Arc<Decided>,
    },
    /// Write what was decided about the pod's devices: the finalizer, the allocation, and that the claims are the pod's. Then tell what came
    /// of it with [`Event::DevicesWritten`]. The pod is bound once they are, and the devices are ready.
    BindDevices {
        /// The pod.
        pod: PodRef,
        /// The node.
        node: Arc<str>,
        /// What to write.
        bindings: Arc<Bindings>,
    },
    /// Take the pod off those that these claims are reserved for.
    Unreserve {
        /// The pod.
        pod: PodRef,
        /// The claims.
        claims: Vec<ClaimRef>,
    },
    /// Give the devices of a claim back, which are where the pod cannot run.
    Deallocate {
        /// The pod.
        pod: PodRef,
        /// The claim.
        claim: Deallocated,
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

/// Which claim of devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimRef {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.uid`.
    pub uid: String,
}

/// A claim without its devices. It only replaces what it was made from.
#[derive(Clone)]
pub struct Deallocated(pub Box<ResourceClaim>);

impl Deallocated {
    fn name(&self) -> (&str, &str) {
        (&self.0.metadata.namespace, &self.0.metadata.name)
    }
}

impl fmt::Debug for Deallocated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Deallocated").field(&self.name()).finish()
    }
}

impl PartialEq for Deallocated {
    fn eq(&self, other: &Deallocated) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Deallocated {}

/// What is to be written about volumes so that a pod can run on a node. Each object only replaces what it was made from.
#[derive(Clone, Default)]
pub struct Decided {
    /// Volumes that name their claims now.
    pub volumes: Vec<PersistentVolume>,
    /// Those claims, by namespace and name.
    pub claims_of: Vec<(String, String)>,
    /// Claims whose volumes are to be made for the node.
    pub provisions: Vec<PersistentVolumeClaim>,
}

impl Decided {
    /// Whether there is nothing to be written.
    pub fn is_empty(&self) -> bool {
        self.volumes.is_empty() && self.provisions.is_empty()
    }

    fn names(&self) -> (Vec<&str>, &[(String, String)], Vec<&str>) {
        let volumes = self.volumes.iter().map(|volume| volume.metadata.name.as_str()).collect();
        let provisions = self.provisions.iter().map(|claim| claim.metadata.name.as_str()).collect();
        (volumes, &self.claims_of, provisions)
    }
}

impl fmt::Debug for Decided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Decided").field(&self.names()).finish()
    }
}

impl PartialEq for Decided {
    fn eq(&self, other: &Decided) -> bool {
        self.names() == other.names()
    }
}

impl Eq for Decided {}

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
