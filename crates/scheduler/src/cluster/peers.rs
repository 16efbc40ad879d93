//! What a pod demands of the places of other pods: spread constraints, affinity, anti-affinity.
//!
//! Equal demands are interned. What a pod carries to others (terms that existing pods hold against newcomers) is counted
//! from its first pod on; what it seeks itself is counted from the first attempt to schedule such a pod on, so that pods
//! that came bound cost nothing here.

use std::collections::BTreeSet;

use api_meta::labels::Selector;
use api_types::core::v1::{Pod, PodAffinityTerm, TopologySpreadConstraint, WeightedPodAffinityTerm};
use api_types::meta::v1::LabelSelector;

use super::matcher::{MatcherKey, Term};
use super::tally::TallyId;
use super::topology::ColumnId;
use crate::profile::Spreading;
use crate::shape::Labels;
use scheduler_arena::SharedId;
use scheduler_filters::node_affinity::Required;
use scheduler_filters::taint_toleration::Toleration;

/// The label that names a node's host.
pub(crate) const HOSTNAME: &str = "kubernetes.io/hostname";
const ZONE: &str = "topology.kubernetes.io/zone";

/// The place of a pod's demands of others.
pub(crate) type PeersId = SharedId<PeersKey, Peers>;

/// A topology spread constraint.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Spread {
    pub(crate) namespace: String,
    pub(crate) selector: Selector,
    pub(crate) key: String,
    pub(crate) max_skew: i32,
    pub(crate) min_domains: i32,
    pub(crate) honor_affinity: bool,
    pub(crate) honor_taints: bool,
}

/// What a pod demands of the places of other pods.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct PeersKey {
    /// `DoNotSchedule`.
    pub(crate) hard: Vec<Spread>,
    /// `ScheduleAnyway`.
    pub(crate) soft: Vec<Spread>,
    /// Whether nodes without all keys of the soft constraints are left out; the defaults do without.
    pub(crate) soft_needs_all_keys: bool,
    /// What the inclusion policies of constraints may honour; only there with constraints.
    pub(crate) required: Required,
    pub(crate) tolerations: Vec<Toleration>,
    pub(crate) affinity: Vec<(Term, String)>,
    pub(crate) anti_affinity: Vec<(Term, String)>,
    /// Weights of preferred anti-affinity are negative.
    pub(crate) preferred: Vec<(i32, Term, String)>,
}

impl PeersKey {
    /// What `pod` demands by itself.
    pub(crate) fn of(pod: &Pod) -> PeersKey {
        let mut key = PeersKey::default();
        for constraint in &pod.spec.topology_spread_constraints {
            key.push(constraint, &pod.metadata.namespace, own_selector(pod, constraint));
        }
        key.soft_needs_all_keys = !key.soft.is_empty();
        if !key.hard.is_empty() || !key.soft.is_empty() {
            key.required = Required::of(&pod.spec);
        }
        if key.hard.iter().chain(&key.soft).any(|spread| spread.honor_taints) {
            key.tolerations = pod.spec.tolerations.iter().map(Toleration::of).collect();
        }
        let namespace = &pod.metadata.namespace;
        let terms = |of: &[PodAffinityTerm]| {
            of.iter().map(|of| (term(of, namespace), of.topology_key.clone())).collect()
        };
        let weighted = |of: &[WeightedPodAffinityTerm], sign: i32| -> Vec<_> {
            let weigh = |of: &WeightedPodAffinityTerm| {
                let inner = &of.pod_affinity_term;
                (sign * of.weight, term(inner, namespace), inner.topology_key.clone())
            };
            of.iter().map(weigh).collect()
        };
        let affinity = pod.spec.affinity.as_deref();
        if let Some(affinity) = affinity.and_then(|affinity| affinity.pod_affinity.as_deref()) {
            key.affinity = terms(&affinity.required_during_scheduling_ignored_during_execution);
            key.preferred.extend(weighted(&affinity.preferred_during_scheduling_ignored_during_execution, 1));
        }
        if let Some(affinity) = affinity.and_then(|affinity| affinity.pod_anti_affinity.as_deref()) {
            key.anti_affinity = terms(&affinity.required_during_scheduling_ignored_during_execution);
            key.preferred
                .extend(weighted(&affinity.preferred_during_scheduling_ignored_during_execution, -1));
        }
        key
    }

    /// The same for a pod without constraints of its own, spread by those of its profile over its like.
    #[must_use]
    pub(crate) fn spread_by_default(&self, alike: &Alike<'_>) -> PeersKey {
        let mut key = self.clone();
        match alike.spreading {
            Spreading::System => key.soft = default_constraints(alike.namespace, &alike.selector),
            Spreading::List(constraints) => {
                for constraint in constraints {
                    key.push(constraint, alike.namespace, alike.selector.clone());
                }
                key.soft_needs_all_keys = !key.soft.is_empty();
            }
        }
        if !key.hard.is_empty() || !key.soft.is_empty() {
            key.required = alike.required.clone();
        }
        if key.hard.iter().chain(&key.soft).any(|spread| spread.honor_taints) {
            key.tolerations = alike.tolerations.to_vec();
        }
        key
    }

    fn push(&mut self, constraint: &TopologySpreadConstraint, namespace: &str, selector: Selector) {
        let spread = spread(constraint, namespace, selector);
        match constraint.when_unsatisfiable.as_str() {
            "DoNotSchedule" => self.hard.push(spread),
            "ScheduleAnyway" => self.soft.push(spread),
            _ => {}
        }
    }

    /// What others have to know of it once it is placed.
    #[must_use]
    pub(crate) fn carried_only(self) -> PeersKey {
        PeersKey {
            affinity: self.affinity,
            anti_affinity: self.anti_affinity,
            preferred: self.preferred,
            ..PeersKey::default()
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.hard.is_empty()
            && self.soft.is_empty()
            && self.affinity.is_empty()
            && self.anti_affinity.is_empty()
            && self.preferred.is_empty()
    }

    /// The pods that all terms of the required affinity match.
    pub(crate) fn affinity_matcher(&self) -> MatcherKey {
        MatcherKey { terms: self.affinity.iter().map(|(term, _)| term.clone()).collect(), living_only: false }
    }
}

/// What constraints that a pod does not name itself are made of.
pub(crate) struct Alike<'a> {
    pub(crate) namespace: &'a str,
    /// Selects its like.
    pub(crate) selector: Selector,
    pub(crate) required: &'a Required,
    pub(crate) tolerations: &'a [Toleration],
    pub(crate) spreading: &'a Spreading,
}

impl Spread {
    /// The pods that are counted: an empty selector counts none, though it selects the pod itself.
    pub(crate) fn matcher(&self) -> Option<MatcherKey> {
        self.selected().filter(|_| !self.selector.is_everything())
    }

    /// The pods that are selected: of those that are nominated to nodes, an empty selector counts all, as upstream's does.
    pub(crate) fn selected(&self) -> Option<MatcherKey> {
        if self.selector.is_nothing() {
            return None;
        }
        let term = Term {
            namespaces: BTreeSet::from([self.namespace.clone()]),
            namespace_selector: Selector::nothing(),
            selector: self.selector.clone(),
        };
        Some(MatcherKey { terms: vec![term], living_only: true })
    }
}

fn selector(of: Option<&LabelSelector>) -> Selector {
    Selector::from_api(of).unwrap_or(Selector::nothing())
}

/// What a constraint of a pod selects.
fn own_selector(pod: &Pod, of: &TopologySpreadConstraint) -> Selector {
    let own = of.match_label_keys.iter().filter_map(|key| pod.metadata.labels.get_key_value(key));
    let own: Labels = own.map(|(key, value)| (key.clone(), value.clone())).collect();
    let selector = selector(of.label_selector.as_deref());
    if own.is_empty() {
        return selector;
    }
    selector.and(Selector::from_labels(&own).requirements().unwrap_or_default().iter().cloned())
}

fn spread(of: &TopologySpreadConstraint, namespace: &str, selector: Selector) -> Spread {
    Spread {
        namespace: namespace.to_owned(),
        selector,
        key: of.topology_key.clone(),
        max_skew: of.max_skew,
        min_domains: of.min_domains.unwrap_or(1),
        honor_affinity: of.node_affinity_policy.as_deref() != Some("Ignore"),
        honor_taints: of.node_taints_policy.as_deref() == Some("Honor"),
    }
}

fn default_constraints(namespace: &str, selector: &Selector) -> Vec<Spread> {
    let constraint = |key: &str, max_skew| Spread {
        namespace: namespace.to_owned(),
        selector: selector.clone(),
        key: key.to_owned(),
        max_skew,
        min_domains: 1,
        honor_affinity: true,
        honor_taints: false,
    };
    vec![constraint(HOSTNAME, 3), constraint(ZONE, 5)]
}

fn term(of: &PodAffinityTerm, namespace: &str) -> Term {
    let mut namespaces: BTreeSet<String> = of.namespaces.iter().cloned().collect();
    if namespaces.is_empty() && of.namespace_selector.is_none() {
        namespaces.insert(namespace.to_owned());
    }
    Term {
        namespaces,
        namespace_selector: selector(of.namespace_selector.as_deref()),
        selector: selector(of.label_selector.as_deref()),
    }
}

/// What is kept for the pods of equal demands.
#[derive(Default)]
pub(crate) struct Peers {
    /// The tallies that count the pods which carry these terms.
    pub(crate) carried: Vec<TallyId>,
    /// The tallies that decide where such a pod may go, once one has been tried.
    pub(crate) seek: Option<Seek>,
}

/// The tallies to be read for a pod.
#[derive(Default)]
pub(crate) struct Seek {
    /// One for each hard constraint: its column, and its tally if it counts any pods at all.
    pub(crate) hard: Vec<(ColumnId, TallyId)>,
    /// The same for the soft constraints; hosts are counted node by node.
    pub(crate) soft: Vec<(ColumnId, Option<TallyId>)>,
    pub(crate) affinity: Vec<(ColumnId, TallyId)>,
    pub(crate) anti_affinity: Vec<(ColumnId, TallyId)>,
    pub(crate) preferred: Vec<(ColumnId, TallyId, i64)>,
}
