//! How good a feasible node is for a pod: a module for each plugin that scores, with upstream's formulas and default weights.
//!
//! Layer: below `scheduler`, which gathers what the formulas reckon with: numbers go in, numbers come out. Entry points: [`Score`], and the
//! functions of the modules.
//!
//! The first three are judged with the filters, once for a shape and a state of the node; taints and preferred node
//! affinity keep their raw values there and are normalised over the feasible nodes; those of other pods read counts; those of volumes and devices ask what was
//! found for the pod.
//!
//! Invariants: a score that is not raw lies between 0 and [`MAX`]. State: none. Failure: none. Limits: none.
//!
//! Upstream behaviour answered to: `pkg/scheduler/framework/plugins` of k8s.io/kubernetes v1.37.1.
//!
//! How to test: `cargo test -p scheduler-scores`: tables beside the formulas.

pub mod allocation;
pub mod balanced_allocation;
pub mod image_locality;
pub mod inter_pod_affinity;
pub mod node_affinity;
pub mod pod_topology_spread;
pub mod taint_toleration;
pub mod volume_binding;

/// The best that a score can give.
pub const MAX: i64 = 100;

/// The plugins that score; the names are upstream's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Score {
    /// Soft taints.
    TaintToleration,
    /// Preferred node affinity.
    NodeAffinity,
    /// How much is free.
    NodeResourcesFit,
    /// Soft topology spread constraints.
    PodTopologySpread,
    /// Preferred affinity and anti-affinity between pods.
    InterPodAffinity,
    /// How evenly CPU and memory are used.
    NodeResourcesBalancedAllocation,
    /// Images that are there already.
    ImageLocality,
    /// Room for volumes.
    VolumeBinding,
    /// Alternatives of claims that come early.
    DynamicResources,
}

impl Score {
    /// All of them.
    pub const ALL: &[Score] = &[
        Score::TaintToleration,
        Score::NodeAffinity,
        Score::NodeResourcesFit,
        Score::PodTopologySpread,
        Score::InterPodAffinity,
        Score::NodeResourcesBalancedAllocation,
        Score::ImageLocality,
        Score::VolumeBinding,
        Score::DynamicResources,
    ];

    /// As configurations name it.
    pub fn name(self) -> &'static str {
        match self {
            Score::TaintToleration => "TaintToleration",
            Score::NodeAffinity => "NodeAffinity",
            Score::NodeResourcesFit => "NodeResourcesFit",
            Score::PodTopologySpread => "PodTopologySpread",
            Score::InterPodAffinity => "InterPodAffinity",
            Score::NodeResourcesBalancedAllocation => "NodeResourcesBalancedAllocation",
            Score::ImageLocality => "ImageLocality",
            Score::VolumeBinding => "VolumeBinding",
            Score::DynamicResources => "DynamicResources",
        }
    }

    /// The weight that upstream's default profile gives it.
    pub fn weight(self) -> i64 {
        match self {
            Score::TaintToleration => 3,
            Score::NodeAffinity
            | Score::PodTopologySpread
            | Score::InterPodAffinity
            | Score::DynamicResources => 2,
            Score::NodeResourcesFit
            | Score::NodeResourcesBalancedAllocation
            | Score::ImageLocality
            | Score::VolumeBinding => 1,
        }
    }
}
