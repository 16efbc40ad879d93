//! Other pods that keep a pod away from a node: affinity, anti-affinity, and how pods are to spread.

use std::collections::BTreeMap;

use api_meta::labels::Selector;
use api_types::core::v1::{Namespace, Pod, PodAffinityTerm, TopologySpreadConstraint};
use api_types::meta::v1::LabelSelector;

use super::fit::Grounds;
use crate::finding::few;
use crate::limits::SHOWN;

/// Whether a selector, with keys whose values are to be the pod's own, picks another pod.
fn picks(
    of: &Pod,
    selector: Option<&LabelSelector>,
    same: &[String],
    different: &[String],
    other: &Pod,
) -> bool {
    let Ok(selector) = Selector::from_api(selector) else { return false };
    let (own, theirs) = (&of.metadata.labels, &other.metadata.labels);
    // A key that the pod itself does not have is passed over.
    let alike = |key: &&String| own.contains_key(*key);
    selector.matches(theirs)
        && same.iter().filter(alike).all(|key| own.get(key) == theirs.get(key))
        && different.iter().filter(alike).all(|key| own.get(key) != theirs.get(key))
}

/// Whether a pod's term is about another pod.
fn is_about(grounds: &Grounds<'_>, of: &Pod, term: &PodAffinityTerm, other: &Pod) -> bool {
    let namespace = &other.metadata.namespace;
    let by_label = term.namespace_selector.as_deref().is_some_and(|selector| {
        let labels =
            grounds.evidence.world.get::<Namespace>("", namespace).map(|found| &found.metadata.labels);
        let selector = Selector::from_api(Some(selector));
        labels.zip(selector.ok()).is_some_and(|(labels, selector)| selector.matches(labels))
    });
    let own = term.namespaces.is_empty()
        && term.namespace_selector.is_none()
        && of.metadata.namespace == *namespace;
    (own || by_label || term.namespaces.contains(namespace))
        && picks(of, term.label_selector.as_deref(), &term.match_label_keys, &term.mismatch_label_keys, other)
}

fn required(pod: &Pod, anti: bool) -> &[PodAffinityTerm] {
    let Some(affinity) = pod.spec.affinity.as_deref() else { return &[] };
    if anti {
        affinity
            .pod_anti_affinity
            .as_deref()
            .map_or(&[], |own| &own.required_during_scheduling_ignored_during_execution)
    } else {
        affinity
            .pod_affinity
            .as_deref()
            .map_or(&[], |own| &own.required_during_scheduling_ignored_during_execution)
    }
}

/// The domain of a node: the value of a label.
fn domain<'a>(grounds: &Grounds<'a>, node: &str, key: &str) -> Option<&'a str> {
    grounds.node(node)?.metadata.labels.get(key).map(String::as_str)
}

/// The pods of a node's domain.
fn neighbours<'a>(grounds: &'a Grounds<'a>, node: &str, key: &str) -> impl Iterator<Item = &'a Pod> {
    let wanted = domain(grounds, node, key);
    let all = grounds.evidence.world.all::<Pod>();
    all.filter(move |pod| {
        let on = &pod.spec.node_name;
        wanted.is_some() && !control_base::pod::is_terminal(pod) && domain(grounds, on, key) == wanted
    })
}

fn named(pod: &Pod) -> String {
    format!("{}/{}", pod.metadata.namespace, pod.metadata.name)
}

/// Which pods are there that may not be, or are not that should be.
pub(crate) fn others(grounds: &Grounds<'_>, node: &str) -> Option<String> {
    let pod = grounds.pod;
    for term in required(pod, false) {
        let key = &term.topology_key;
        let Some(domain) = domain(grounds, node, key) else {
            return Some(format!("wants to be near pods by {key}, a label that it has not"));
        };
        if !neighbours(grounds, node, key).any(|other| is_about(grounds, pod, term, other)) {
            let selector = selector(term.label_selector.as_deref());
            return Some(format!("wants to be near pods with {selector}, and none is in {key}={domain}"));
        }
    }
    for term in required(pod, true) {
        let key = &term.topology_key;
        let near: Vec<String> = neighbours(grounds, node, key)
            .filter(|other| is_about(grounds, pod, term, other))
            .map(named)
            .collect();
        if !near.is_empty() {
            let domain = domain(grounds, node, key).unwrap_or_default();
            return Some(format!("keeps away from {}, in {key}={domain}", few(near, SHOWN)));
        }
    }
    let all = grounds.evidence.world.all::<Pod>().filter(|other| !control_base::pod::is_terminal(other));
    let against = all.flat_map(|other| required(other, true).iter().map(move |term| (other, term)));
    let near = against.filter(|(other, term)| {
        let key = &term.topology_key;
        let theirs = domain(grounds, &other.spec.node_name, key);
        theirs.is_some() && theirs == domain(grounds, node, key) && is_about(grounds, other, term, pod)
    });
    let near: Vec<String> =
        near.map(|(other, term)| format!("{} (by {})", named(other), term.topology_key)).collect();
    (!near.is_empty()).then(|| format!("these keep away from it: {}", few(near, SHOWN)))
}

/// How the pods of each spread constraint are spread now.
pub(crate) fn spread(grounds: &Grounds<'_>, node: &str) -> Option<String> {
    let hard = |constraint: &&TopologySpreadConstraint| constraint.when_unsatisfiable == "DoNotSchedule";
    let constraints = grounds.pod.spec.topology_spread_constraints.iter().filter(hard);
    let said: Vec<String> = constraints.map(|constraint| constrained(grounds, node, constraint)).collect();
    (!said.is_empty()).then(|| said.join("; "))
}

fn constrained(grounds: &Grounds<'_>, node: &str, constraint: &TopologySpreadConstraint) -> String {
    let key = &constraint.topology_key;
    let Some(own) = domain(grounds, node, key) else {
        return format!("spreads by {key}, a label that it has not");
    };
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for other in grounds.evidence.world.all::<api_types::core::v1::Node>() {
        if let Some(domain) = other.metadata.labels.get(key) {
            counts.entry(domain).or_default();
        }
    }
    for other in grounds.evidence.world.in_namespace::<Pod>(&grounds.pod.metadata.namespace) {
        let selector = constraint.label_selector.as_deref();
        let counted = !control_base::pod::is_terminal(other)
            && other.metadata.deletion_timestamp.is_none()
            && picks(grounds.pod, selector, &constraint.match_label_keys, &[], other);
        if counted && let Some(domain) = domain(grounds, &other.spec.node_name, key) {
            *counts.entry(domain).or_default() += 1;
        }
    }
    let here = counts.get(own).copied().unwrap_or(0);
    let mut others: Vec<(&str, usize)> = counts.into_iter().collect();
    others.sort_by_key(|(domain, count)| (*count, *domain));
    let shown = few(others.into_iter().map(|(domain, count)| format!("{domain} {count}")), SHOWN);
    format!("{key}={own} has {here} such pods, with maxSkew {}; by domain: {shown}", constraint.max_skew)
}

fn selector(selector: Option<&LabelSelector>) -> String {
    Selector::from_api(selector)
        .map_or_else(|_| "a broken selector".to_owned(), |selector| selector.to_string())
}
