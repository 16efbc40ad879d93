//! Profiles: which plugins a pod meets and how they are set, by the name of the scheduler that the pod asks for.
//!
//! Upstream's `KubeSchedulerProfile` as far as decisions go; who reads configurations makes them. A plugin that is enabled for
//! filtering alone, or for scoring alone, is only that here too.

use std::collections::BTreeMap;
use std::sync::Arc;

use api_types::core::v1::{NodeAffinity, TopologySpreadConstraint};
use scheduler_scores::Score;
use scheduler_scores::allocation::Strategy;

use crate::limits::{MIN_PREEMPTION_CANDIDATES, PREEMPTION_CANDIDATE_PERCENTAGE};
use crate::reason::{Plugin, Plugins};
use scheduler_filters::node_affinity::{Added, Preferred};

/// How pods of one scheduler's name are scheduled.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The value of `spec.schedulerName` that it is for; events are told in its name.
    pub scheduler_name: String,
    /// The plugins that may reject nodes.
    pub filters: Plugins,
    /// What each score weighs; one that is not there is not asked.
    pub weights: Weights,
    /// How many nodes preemption looks at; `None` evicts no pod.
    pub preemption: Option<Preempting>,
    /// How free resources are rated, and which of them are not looked at.
    pub fit: Fit,
    /// The resources whose use is to be even.
    pub balanced: Vec<Resource>,
    /// How pods spread that do not say so.
    pub spreading: Spreading,
    /// What affinity between pods weighs.
    pub pod_affinity: PodAffinity,
    /// How room for volumes is rated: a broken line through these points, the use in percent and its score of 100. There is at least one, and
    /// they rise.
    pub room: Vec<(i64, i64)>,
    /// What is required and preferred of nodes beyond what pods say.
    pub(crate) added: Added,
    /// The share of nodes to look for, in place of the configuration's own.
    pub percentage_of_nodes_to_score: Option<usize>,
}

impl Profile {
    /// Upstream's default profile, for pods that ask for this scheduler.
    pub fn named(scheduler_name: &str) -> Profile {
        Profile {
            scheduler_name: scheduler_name.to_owned(),
            filters: Plugins::all(),
            weights: Weights::default(),
            preemption: Some(Preempting::default()),
            fit: Fit::default(),
            balanced: vec![Resource::Cpu, Resource::Memory],
            spreading: Spreading::System,
            pod_affinity: PodAffinity::default(),
            room: vec![(0, 100), (100, 0)],
            added: Added::default(),
            percentage_of_nodes_to_score: None,
        }
    }

    /// Requires and prefers this of nodes, beyond what pods say.
    pub fn add_affinity(&mut self, affinity: &NodeAffinity) {
        self.added = Added {
            required: affinity
                .required_during_scheduling_ignored_during_execution
                .as_deref()
                .map(Added::terms),
            preferred: Preferred::terms(&affinity.preferred_during_scheduling_ignored_during_execution),
        };
    }

    pub(crate) fn filters(&self, plugin: Plugin) -> bool {
        self.filters.has(plugin)
    }

    pub(crate) fn scores(&self, score: Score) -> bool {
        self.weights.of(score) > 0
    }
}

/// What scores weigh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weights([i64; Score::ALL.len()]);

impl Default for Weights {
    fn default() -> Self {
        let mut weights = Weights::none();
        for score in Score::ALL {
            weights.set(*score, score.weight());
        }
        weights
    }
}

impl Weights {
    /// No score is asked.
    pub fn none() -> Weights {
        Weights([0; Score::ALL.len()])
    }

    /// Lets a score weigh so much; nothing, and it is not asked.
    pub fn set(&mut self, score: Score, weight: i64) {
        self.0[score as usize] = weight;
    }

    /// What a score weighs.
    pub fn of(&self, score: Score) -> i64 {
        self.0[score as usize]
    }

    pub(crate) fn is_none(&self) -> bool {
        self.0.iter().all(|weight| *weight == 0)
    }
}

/// How many of the nodes that eviction could help on are looked at: at least the larger of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preempting {
    /// In percent of those nodes.
    pub percentage: usize,
    /// So many.
    pub absolute: usize,
}

impl Default for Preempting {
    fn default() -> Self {
        Preempting { percentage: PREEMPTION_CANDIDATE_PERCENTAGE, absolute: MIN_PREEMPTION_CANDIDATES }
    }
}

/// A resource that scores look at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Resource {
    /// `cpu`.
    Cpu,
    /// `memory`.
    Memory,
    /// `ephemeral-storage`.
    EphemeralStorage,
    /// Any other.
    Other(Arc<str>),
}

impl Resource {
    /// By its name.
    pub fn named(name: &str) -> Resource {
        match name {
            "cpu" => Resource::Cpu,
            "memory" => Resource::Memory,
            "ephemeral-storage" => Resource::EphemeralStorage,
            other => Resource::Other(other.into()),
        }
    }
}

/// How the plugin `NodeResourcesFit` is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fit {
    /// How use is rated.
    pub strategy: Strategy,
    /// The resources that are rated, with their weights.
    pub resources: Vec<(Resource, i64)>,
    /// Extended resources that nodes need not have.
    pub ignored: Vec<String>,
    /// The same for all of a prefix, the part before the slash.
    pub ignored_groups: Vec<String>,
}

impl Default for Fit {
    fn default() -> Self {
        Fit {
            strategy: Strategy::LeastAllocated,
            resources: vec![(Resource::Cpu, 1), (Resource::Memory, 1)],
            ignored: Vec::new(),
            ignored_groups: Vec::new(),
        }
    }
}

impl Fit {
    pub(crate) fn ignores(&self, name: &str) -> bool {
        let Some((group, _)) = name.split_once('/') else { return false };
        self.ignored.iter().any(|ignored| ignored == name)
            || self.ignored_groups.iter().any(|ignored| ignored == group)
    }
}

/// How pods spread that have no constraints of their own.
#[derive(Clone, Debug, PartialEq)]
pub enum Spreading {
    /// Softly, over hosts and zones.
    System,
    /// By these constraints, whose selectors are those of a pod's services and controller.
    List(Vec<TopologySpreadConstraint>),
}

/// How the plugin `InterPodAffinity` is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PodAffinity {
    /// What a pod's required affinity to the one that is scheduled weighs.
    pub hard_weight: i64,
    /// Whether what pods prefer that are there is not looked at for a pod that prefers nothing itself.
    pub ignore_preferred_of_existing: bool,
}

impl Default for PodAffinity {
    fn default() -> Self {
        PodAffinity { hard_weight: 1, ignore_preferred_of_existing: false }
    }
}

/// A profile's place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct ProfileIx(u16);

/// All profiles of a scheduler: one at least.
#[derive(Clone, Debug)]
pub(crate) struct Profiles {
    all: Arc<[Profile]>,
    by_name: BTreeMap<String, ProfileIx>,
}

impl Default for Profiles {
    fn default() -> Self {
        Profiles::new(Vec::new())
    }
}

impl Profiles {
    /// Of two with one name the first counts; without any there is the default one.
    pub(crate) fn new(mut all: Vec<Profile>) -> Profiles {
        if all.is_empty() {
            all.push(Profile::named(DEFAULT_NAME));
        }
        let mut by_name = BTreeMap::new();
        for (at, profile) in (0u16..).zip(&all) {
            by_name.entry(profile.scheduler_name.clone()).or_insert(ProfileIx(at));
        }
        Profiles { all: all.into(), by_name }
    }

    pub(crate) fn find(&self, scheduler_name: &str) -> Option<ProfileIx> {
        self.by_name.get(scheduler_name).copied()
    }

    pub(crate) fn of(&self, at: ProfileIx) -> &Profile {
        &self.all[usize::from(at.0)]
    }
}

/// The scheduler that pods ask for which do not say.
pub const DEFAULT_NAME: &str = "default-scheduler";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_ignored_by_name_or_by_prefix() {
        let fit = Fit {
            ignored: vec!["example.com/gpu".into()],
            ignored_groups: vec!["vendor.io".into()],
            ..Fit::default()
        };
        for (name, ignored) in [
            ("example.com/gpu", true),
            ("example.com/nic", false),
            ("vendor.io/a", true),
            ("hugepages-2Mi", false),
        ] {
            assert_eq!(fit.ignores(name), ignored, "{name}");
        }
    }

    #[test]
    fn a_pod_meets_the_profile_of_its_schedulers_name() {
        let profiles = Profiles::new(vec![Profile::named("a"), Profile::named("b")]);
        assert_eq!(profiles.find("b").map(|at| profiles.of(at).scheduler_name.as_str()), Some("b"));
        assert_eq!(profiles.find(DEFAULT_NAME), None);
        assert!(Profiles::default().find(DEFAULT_NAME).is_some());
    }
}
