//! What several extenders' answers make together: pure rules, upstream's.
//!
//! Stricter than upstream in one thing: whoever is given nodes in full may only answer with those, as upstream demands of whoever is
//! given names. Upstream would place the pod on any node that is named, whatever the plugins say of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api_meta::quote;
use api_types::core::v1::{Container, Pod};
use scheduler::{Eviction, PodRef, Rejected};
use scheduler_config::Extender;

use crate::wire::{FilterResult, MetaVictims};

/// What a priority is multiplied by beside the weight: nodes are rated up to 100, and extenders rate up to 10.
const SCALE: i64 = 10;

/// Whether a pod is an extender's business: upstream's `IsInterested`.
pub(crate) fn is_interested(extender: &Extender, pod: &Pod) -> bool {
    let managed = &extender.managed_resources;
    let asks = |container: &Container| {
        let resources = &container.resources;
        resources.requests.keys().chain(resources.limits.keys()).any(|name| managed.contains(name.as_str()))
    };
    managed.is_empty() || pod.spec.containers.iter().any(asks) || pod.spec.init_containers.iter().any(asks)
}

/// Nodes on their way through the extenders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filtering {
    /// Those that none has rejected yet.
    pub(crate) nodes: Vec<Arc<str>>,
    /// Why others were; who is asked later says it last.
    pub(crate) rejected: BTreeMap<String, Rejected>,
}

impl Filtering {
    /// Takes in what an extender says of the nodes.
    ///
    /// # Errors
    /// What it says is wrong, or what is wrong with what it says; then nothing is taken in.
    pub(crate) fn take(&mut self, extender: &Extender, result: FilterResult) -> Result<(), String> {
        if !result.error.is_empty() {
            return Err(result.error);
        }
        let by_name = result.node_names.filter(|_| extender.is_node_cache_capable);
        let passed = by_name.or(result.nodes).unwrap_or_default();
        if let Some(name) = passed.iter().find(|name| !self.nodes.iter().any(|node| **node == ***name)) {
            return Err(format!(
                "extender {} claims a filtered node {} which is not found in the input node list",
                quote::go(&extender.url_prefix),
                quote::go(name)
            ));
        }
        let passed: BTreeSet<String> = passed.into_iter().collect();
        self.nodes.retain(|node| passed.contains(&**node));
        let (finally, for_now) = (result.failed_for_good, result.failed);
        let for_now = for_now.into_iter().filter(|(name, _)| !finally.contains_key(name));
        let for_now: Vec<_> = for_now.map(|(name, why)| (name, Rejected { why, is_final: false })).collect();
        let finally = finally.into_iter().map(|(name, why)| (name, Rejected { why, is_final: true }));
        self.rejected.extend(finally.chain(for_now));
        Ok(())
    }
}

/// Adds what an extender gives to nodes.
pub(crate) fn add(totals: &mut BTreeMap<String, i64>, extender: &Extender, priorities: Vec<(String, i64)>) {
    for (node, priority) in priorities {
        let given = priority.saturating_mul(extender.weight).saturating_mul(SCALE);
        let total = totals.entry(node).or_default();
        *total = total.saturating_add(given);
    }
}

/// What an extender leaves of the evictions that it was asked about.
///
/// # Errors
/// If it wants to evict pods that are not there. One without victims is an error too, unless the extender may be ignored.
pub(crate) fn evictions(
    extender: &Extender,
    asked: &[Eviction],
    there: &[(Arc<str>, Vec<PodRef>)],
    result: BTreeMap<String, MetaVictims>,
) -> Result<Vec<Eviction>, String> {
    let mut chosen: BTreeMap<String, Eviction> = BTreeMap::new();
    for (name, (uids, violations)) in result {
        let Some((node, pods)) = there.iter().find(|(node, _)| **node == *name) else {
            return Err(format!("nodeinfo not found for node name {}", quote::go(&name)));
        };
        let victim = |uid: &String| {
            let found = pods.iter().find(|pod| *pod.uid == **uid).cloned();
            found.ok_or_else(|| {
                format!(
                    "extender: {} claims to preempt pod (UID: &{{{uid}}}) on node: {name}, but the pod is not found on that node",
                    extender.url_prefix
                )
            })
        };
        let victims = uids.iter().map(victim).collect::<Result<Vec<_>, _>>()?;
        let node = Arc::clone(node);
        chosen.insert(name, Eviction { node, victims, violations });
    }
    if let Some(empty) = chosen.values().find(|eviction| eviction.victims.is_empty())
        && !extender.is_ignorable
    {
        return Err(format!("expected at least one victim pod on node {}", quote::go(&empty.node)));
    }
    // In the order in which they were asked about: the first of equals is taken.
    let chosen = asked.iter().filter_map(|eviction| chosen.remove(&*eviction.node));
    Ok(chosen.filter(|eviction| !eviction.victims.is_empty()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extender() -> Extender {
        Extender { url_prefix: "http://e".into(), weight: 3, ..Extender::default() }
    }

    fn map(of: &[(&str, &str)]) -> BTreeMap<String, String> {
        of.iter().map(|(name, why)| ((*name).into(), (*why).into())).collect()
    }

    fn names(of: &[&str]) -> Option<Vec<String>> {
        Some(of.iter().map(|name| (*name).into()).collect())
    }

    #[test]
    fn a_pod_is_the_business_of_who_manages_what_it_asks_for() {
        let asks = |requests: &str, limits: &str| {
            let mut container = Container::default();
            container.resources.requests.insert(requests.into(), "0".parse().unwrap());
            container.resources.limits.insert(limits.into(), "1".parse().unwrap());
            container
        };
        let of = |containers: Vec<Container>, init: Vec<Container>| {
            let mut pod = Pod::default();
            pod.spec.containers = containers.into();
            pod.spec.init_containers = init;
            pod
        };
        let managing = Extender { managed_resources: ["a.b/gpu".into()].into(), ..extender() };
        for (pod, expected) in [
            (of(vec![asks("cpu", "cpu")], vec![]), false),
            (of(vec![asks("cpu", "cpu"), asks("a.b/gpu", "cpu")], vec![]), true),
            (of(vec![asks("cpu", "a.b/gpu")], vec![]), true),
            (of(vec![], vec![asks("cpu", "a.b/gpu")]), true),
        ] {
            assert_eq!(is_interested(&managing, &pod), expected);
            assert!(is_interested(&extender(), &pod), "without resources all are");
        }
    }

    #[test]
    fn nodes_pass_one_extender_after_another() {
        let (full, cached) = (extender(), Extender { is_node_cache_capable: true, ..extender() });
        let mut filtering =
            Filtering { nodes: ["a", "b", "c", "d"].map(Arc::from).into(), ..Filtering::default() };
        let first = FilterResult {
            nodes: names(&["c", "a", "b", "a"]),
            node_names: names(&["d"]),
            failed: map(&[("d", "full")]),
            ..FilterResult::default()
        };
        assert_eq!(filtering.take(&full, first), Ok(()));
        assert_eq!(filtering.nodes, ["a", "b", "c"].map(Arc::from), "names are for who asks for them");
        let second = FilterResult {
            nodes: names(&["d"]),
            node_names: names(&["b"]),
            failed: map(&[("a", "slow"), ("c", "slow")]),
            failed_for_good: map(&[("c", "never"), ("d", "never")]),
            ..FilterResult::default()
        };
        assert_eq!(filtering.take(&cached, second), Ok(()));
        assert_eq!(filtering.nodes, ["b"].map(Arc::from));
        let told = filtering.rejected.iter().map(|(name, own)| (&**name, &*own.why, own.is_final));
        let told: Vec<_> = told.collect();
        assert_eq!(told, [("a", "slow", false), ("c", "never", true), ("d", "never", true)]);
        let before = filtering.clone();
        let wrong = FilterResult { error: "no".into(), nodes: names(&["b"]), ..FilterResult::default() };
        assert_eq!(filtering.take(&full, wrong), Err("no".into()));
        for (extender, result) in [
            (&full, FilterResult { nodes: names(&["a"]), ..FilterResult::default() }),
            (&cached, FilterResult { node_names: names(&["a"]), ..FilterResult::default() }),
        ] {
            let why = "extender \"http://e\" claims a filtered node \"a\" which is not found in the input node list";
            assert_eq!(filtering.take(extender, result), Err(why.into()));
        }
        assert_eq!(filtering, before);
        assert_eq!(filtering.take(&full, FilterResult::default()), Ok(()));
        assert!(filtering.nodes.is_empty(), "who says nothing passes nothing");
    }

    #[test]
    fn priorities_are_weighed_and_summed() {
        let mut totals = BTreeMap::new();
        add(&mut totals, &extender(), vec![("a".into(), 10), ("b".into(), 1)]);
        add(
            &mut totals,
            &Extender { weight: 1, ..extender() },
            vec![("a".into(), -2), ("c".into(), i64::MAX)],
        );
        assert_eq!(totals, [("a".into(), 280), ("b".into(), 30), ("c".into(), i64::MAX)].into());
    }

    #[test]
    fn evictions_are_of_pods_that_are_there() {
        let pod = |name: &str| PodRef {
            uid: format!("uid-{name}").into(),
            namespace: "d".into(),
            name: name.into(),
            scheduler_name: "s".into(),
        };
        let there: Vec<(Arc<str>, Vec<PodRef>)> =
            vec![("n2".into(), vec![pod("c")]), ("n1".into(), vec![pod("a"), pod("b")])];
        let eviction = |node: &str, victims: &[&str], violations| Eviction {
            node: node.into(),
            victims: victims.iter().map(|name| pod(name)).collect(),
            violations,
        };
        let asked = [eviction("n2", &["c"], 0), eviction("n1", &["a"], 0)];
        let said = |of: &[(&str, &[&str], i64)]| -> BTreeMap<String, MetaVictims> {
            let one = |(node, uids, violations): &(&str, &[&str], i64)| {
                ((*node).to_owned(), (uids.iter().map(|uid| format!("uid-{uid}")).collect(), *violations))
            };
            of.iter().map(one).collect()
        };
        let may_fail = Extender { is_ignorable: true, ..extender() };
        let left =
            |extender: &Extender, of: &[(&str, &[&str], i64)]| evictions(extender, &asked, &there, said(of));
        let both: &[(&str, &[&str], i64)] = &[("n1", &["b"], 1), ("n2", &["c"], 0)];
        assert_eq!(
            left(&extender(), both),
            Ok(vec![eviction("n2", &["c"], 0), eviction("n1", &["b"], 1)]),
            "others on the node can be chosen"
        );
        assert_eq!(left(&extender(), &[]), Ok(Vec::new()));
        let empty: &[(&str, &[&str], i64)] = &[("n1", &[], 0), ("n2", &["c"], 0)];
        assert_eq!(left(&may_fail, empty), Ok(vec![eviction("n2", &["c"], 0)]));
        for (of, why) in [
            (empty, "expected at least one victim pod on node \"n1\""),
            (&[("n3", &["a"][..], 0)][..], "nodeinfo not found for node name \"n3\""),
            (
                &[("n1", &["c"][..], 0)][..],
                "extender: http://e claims to preempt pod (UID: &{uid-c}) on node: n1, but the pod is not found on that node",
            ),
        ] {
            assert_eq!(left(&extender(), of), Err(why.into()));
        }
    }
}
