//! Why a node, or the whole cluster, is no place for a pod: closed, with upstream's wording.

use std::fmt;
use std::sync::Arc;

/// The plugin that rejects; what wakes a pod again depends on it. The names are upstream's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Plugin {
    /// Cordoned nodes.
    NodeUnschedulable,
    /// Taints.
    TaintToleration,
    /// Node selectors and node affinity.
    NodeAffinity,
    /// Host ports.
    NodePorts,
    /// Resources.
    NodeResourcesFit,
    /// Topology spread constraints.
    PodTopologySpread,
    /// Affinity and anti-affinity between pods.
    InterPodAffinity,
    /// Disks and claims that others use already.
    VolumeRestrictions,
    /// How many volumes a node can have.
    NodeVolumeLimits,
    /// Volumes that claims have, or get.
    VolumeBinding,
    /// Where volumes say that they are.
    VolumeZone,
    /// Resource claims.
    DynamicResources,
    /// No plugin, but those beside the scheduler who have a say (upstream's `framework.ExtenderName`).
    Extender,
}

impl Plugin {
    /// All that a profile can have, in the order in which they are asked.
    pub const ALL: &[Plugin] = &[
        Plugin::NodeUnschedulable,
        Plugin::TaintToleration,
        Plugin::NodeAffinity,
        Plugin::NodePorts,
        Plugin::NodeResourcesFit,
        Plugin::VolumeRestrictions,
        Plugin::NodeVolumeLimits,
        Plugin::VolumeBinding,
        Plugin::VolumeZone,
        Plugin::PodTopologySpread,
        Plugin::InterPodAffinity,
        Plugin::DynamicResources,
    ];

    /// As configurations name it.
    pub fn name(self) -> &'static str {
        match self {
            Plugin::NodeUnschedulable => "NodeUnschedulable",
            Plugin::TaintToleration => "TaintToleration",
            Plugin::NodeAffinity => "NodeAffinity",
            Plugin::NodePorts => "NodePorts",
            Plugin::NodeResourcesFit => "NodeResourcesFit",
            Plugin::PodTopologySpread => "PodTopologySpread",
            Plugin::InterPodAffinity => "InterPodAffinity",
            Plugin::VolumeRestrictions => "VolumeRestrictions",
            Plugin::NodeVolumeLimits => "NodeVolumeLimits",
            Plugin::VolumeBinding => "VolumeBinding",
            Plugin::VolumeZone => "VolumeZone",
            Plugin::DynamicResources => "DynamicResources",
            Plugin::Extender => "Extender",
        }
    }
}

/// A set of plugins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Plugins(u16);

impl Plugins {
    /// All of them.
    pub fn all() -> Plugins {
        let mut all = Plugins::default();
        for plugin in Plugin::ALL {
            all.insert(*plugin);
        }
        all
    }

    /// Adds one.
    pub fn insert(&mut self, plugin: Plugin) {
        self.0 |= 1 << plugin as u8;
    }

    /// Whether one is in it.
    pub fn has(self, plugin: Plugin) -> bool {
        self.0 & (1 << plugin as u8) != 0
    }

    /// Whether one of them is in the other, too.
    pub(crate) fn meets(self, other: Plugins) -> bool {
        self.0 & other.0 != 0
    }

    /// Adds those of the other.
    pub(crate) fn join(&mut self, other: Plugins) {
        self.0 |= other.0;
    }
}

/// Why one node is rejected.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Reason {
    Unschedulable,
    Taint,
    /// What the profile adds.
    EnforcedAffinity,
    NodeAffinity,
    /// It is none of those that the pod names.
    NodeAffinityNames {
        also: Option<Plugin>,
    },
    Ports,
    TooManyPods,
    Cpu {
        never: bool,
    },
    Memory {
        never: bool,
    },
    EphemeralStorage {
        never: bool,
    },
    Extended {
        name: Arc<str>,
        never: bool,
    },
    DiskConflict,
    ClaimInUse,
    TooManyVolumes,
    /// The driver of a volume does not run there.
    NoDriver {
        driver: Arc<str>,
    },
    VolumeAffinity,
    NoVolume,
    TooLittleStorage,
    VolumeGone,
    VolumeZone,
    Spread,
    SpreadLabel,
    Affinity,
    AntiAffinity,
    ExistingAntiAffinity,
    /// Of devices.
    ClaimElsewhere,
    CannotAllocate,
    InvalidPools,
}

impl Reason {
    pub(crate) fn plugin(&self) -> Plugin {
        match self {
            Reason::Unschedulable => Plugin::NodeUnschedulable,
            Reason::Taint => Plugin::TaintToleration,
            Reason::EnforcedAffinity | Reason::NodeAffinity | Reason::NodeAffinityNames { .. } => {
                Plugin::NodeAffinity
            }
            Reason::Ports => Plugin::NodePorts,
            Reason::TooManyPods
            | Reason::Cpu { .. }
            | Reason::Memory { .. }
            | Reason::EphemeralStorage { .. }
            | Reason::Extended { .. } => Plugin::NodeResourcesFit,
            Reason::DiskConflict | Reason::ClaimInUse => Plugin::VolumeRestrictions,
            Reason::TooManyVolumes | Reason::NoDriver { .. } => Plugin::NodeVolumeLimits,
            Reason::VolumeAffinity | Reason::NoVolume | Reason::TooLittleStorage | Reason::VolumeGone => {
                Plugin::VolumeBinding
            }
            Reason::VolumeZone => Plugin::VolumeZone,
            Reason::Spread | Reason::SpreadLabel => Plugin::PodTopologySpread,
            Reason::Affinity | Reason::AntiAffinity | Reason::ExistingAntiAffinity => {
                Plugin::InterPodAffinity
            }
            Reason::ClaimElsewhere | Reason::CannotAllocate | Reason::InvalidPools => {
                Plugin::DynamicResources
            }
        }
    }

    /// Whether evicting pods could not change it (upstream's `UnschedulableAndUnresolvable`).
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Reason::Unschedulable
            | Reason::Taint
            | Reason::EnforcedAffinity
            | Reason::NodeAffinity
            | Reason::NodeAffinityNames { .. }
            | Reason::VolumeAffinity
            | Reason::NoVolume
            | Reason::TooLittleStorage
            | Reason::VolumeGone
            | Reason::VolumeZone
            | Reason::SpreadLabel
            | Reason::Affinity
            | Reason::ClaimElsewhere
            | Reason::CannotAllocate
            | Reason::InvalidPools => true,
            Reason::Cpu { never }
            | Reason::Memory { never }
            | Reason::EphemeralStorage { never }
            | Reason::Extended { never, .. } => *never,
            Reason::Ports
            | Reason::TooManyPods
            | Reason::DiskConflict
            | Reason::ClaimInUse
            | Reason::TooManyVolumes
            | Reason::NoDriver { .. }
            | Reason::Spread
            | Reason::AntiAffinity
            | Reason::ExistingAntiAffinity => false,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::Unschedulable => "node(s) were unschedulable",
            Reason::Taint => "node(s) had untolerated taint(s)",
            Reason::EnforcedAffinity => "node(s) didn't match scheduler-enforced node affinity",
            Reason::NodeAffinity => "node(s) didn't match Pod's node affinity/selector",
            Reason::NodeAffinityNames { also } => {
                let mut plugins = vec![Plugin::NodeAffinity.name()];
                plugins.extend(also.filter(|also| *also != Plugin::NodeAffinity).map(Plugin::name));
                plugins.sort_unstable();
                return write!(f, "node(s) didn't satisfy plugin(s) [{}]", plugins.join(" "));
            }
            Reason::Ports => "node(s) didn't have free ports for the requested pod ports",
            Reason::TooManyPods => "Too many pods",
            Reason::Cpu { .. } => "Insufficient cpu",
            Reason::Memory { .. } => "Insufficient memory",
            Reason::EphemeralStorage { .. } => "Insufficient ephemeral-storage",
            Reason::Extended { name, .. } => return write!(f, "Insufficient {name}"),
            Reason::DiskConflict => "node(s) had no available disk",
            Reason::ClaimInUse => "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod",
            Reason::TooManyVolumes => "node(s) exceed max volume count",
            Reason::NoDriver { driver } => {
                return write!(f, "{driver} CSI driver is not installed on the node");
            }
            Reason::VolumeAffinity => "node(s) didn't match PersistentVolume's node affinity",
            Reason::NoVolume => "node(s) didn't find available persistent volumes to bind",
            Reason::TooLittleStorage => "node(s) did not have enough free storage",
            Reason::VolumeGone => "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)",
            Reason::VolumeZone => "node(s) had no available volume zone",
            Reason::Spread => "node(s) didn't match pod topology spread constraints",
            Reason::SpreadLabel => {
                "node(s) didn't match pod topology spread constraints (missing required label)"
            }
            Reason::Affinity => "node(s) didn't match pod affinity rules",
            Reason::AntiAffinity => "node(s) didn't match pod anti-affinity rules",
            Reason::ExistingAntiAffinity => "node(s) didn't satisfy existing pods anti-affinity rules",
            Reason::ClaimElsewhere => "resourceclaim not available on the node",
            Reason::CannotAllocate => "cannot allocate all claims",
            Reason::InvalidPools => "invalid resource pools were encountered",
        })
    }
}

/// Why a pod is rejected before any node is looked at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// Its required node affinity names nodes, but no node can have all the names of any term.
    AffinityConflict,
    /// Its claims, of volumes or of devices, are not as any node would need them.
    Claims {
        /// Who says so.
        plugin: Plugin,
        /// Why, in upstream's words.
        why: Arc<str>,
    },
}

impl Refusal {
    /// The plugin that speaks for it.
    pub fn plugin(&self) -> Plugin {
        match self {
            Refusal::AffinityConflict => Plugin::NodeAffinity,
            Refusal::Claims { plugin, .. } => *plugin,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::AffinityConflict => "pod affinity terms conflict",
            Refusal::Claims { why, .. } => why,
        })
    }
}
