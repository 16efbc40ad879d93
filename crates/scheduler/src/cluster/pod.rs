//! What is remembered of each pod.

use std::sync::Arc;

use base::time::Time;

use super::cohort::CohortId;
use super::node::NodeIx;
use super::peers::{PeersId, PeersKey};
use crate::demand::Demand;
use crate::devices::claims::PodClaims;
use crate::queue::Ticket;
use crate::selectors::Owner;
use crate::verdicts::ShapeId;
use crate::volumes::claims::Claims;
use scheduler_arena::Id;
use scheduler_filters::node_ports::HostPort;

/// A pod's slot.
pub(crate) type PodId = Id<Pod>;

/// Which pod, in words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodRef {
    /// `metadata.uid`.
    pub uid: Arc<str>,
    /// `metadata.namespace`.
    pub namespace: Arc<str>,
    /// `metadata.name`.
    pub name: Arc<str>,
    /// `spec.schedulerName`, in whose name events tell of it.
    pub scheduler_name: Arc<str>,
}

/// Where a pod is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// On no node.
    Nowhere,
    /// On the way: the binding has been asked for but not seen.
    Assumed(NodeIx),
    /// Bound.
    Bound(NodeIx),
}

impl Place {
    pub(crate) fn node(self) -> Option<NodeIx> {
        match self {
            Place::Nowhere => None,
            Place::Assumed(node) | Place::Bound(node) => Some(node),
        }
    }
}

/// What is remembered of a pod.
pub(crate) struct Pod {
    pub(crate) of: PodRef,
    pub(crate) priority: i32,
    /// When it started; preemption spares those that did so earlier, and takes those first that have not started yet.
    pub(crate) since: Time,
    pub(crate) terminating: bool,
    /// Whether it is on its way out because it was preempted.
    pub(crate) preempted: bool,
    pub(crate) may_preempt: bool,
    pub(crate) demand: Arc<Demand>,
    pub(crate) ports: Arc<[HostPort]>,
    /// There if its volumes matter for where it can run.
    pub(crate) claims: Option<Arc<Claims>>,
    /// There if it uses devices.
    pub(crate) devices: Option<Arc<PodClaims>>,
    pub(crate) cohort: CohortId,
    pub(crate) peers: Option<PeersId>,
    pub(crate) place: Place,
    pub(crate) nominated: Option<NodeIx>,
    /// There while the pod is to be scheduled here.
    pub(crate) pending: Option<Pending>,
}

/// What is remembered of a pod that is to be scheduled.
pub(crate) struct Pending {
    pub(crate) shape: ShapeId,
    pub(crate) ticket: Ticket,
    /// Whether somebody has said that it is not to be scheduled yet.
    pub(crate) has_gates: bool,
    /// For pods that name no spread constraints.
    pub(crate) default_spread: Option<DefaultSpread>,
    /// Whether the API says to which node it is nominated.
    pub(crate) nominated_by_api: bool,
}

/// How a pod spreads that does not say so.
pub(crate) struct DefaultSpread {
    /// Its demands of other pods without the default constraints.
    pub(crate) own: PeersKey,
    /// Its controller.
    pub(crate) owner: Option<Owner>,
    /// The state of its namespace's selectors that its constraints were made from.
    pub(crate) selectors: u64,
}
