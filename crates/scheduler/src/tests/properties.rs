//! Random histories: no node is over-committed, no pod bound twice, constraints hold, and a pod is refused only if a naive
//! look at all objects finds no node either. After every step everything kept is counted anew (see `audit`).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use api_meta::labels::Selector;
use api_types::core::v1::{Node, Pod, PodAffinityTerm};
use proptest::prelude::*;

use super::fixture::*;
use crate::shape::Labels;
use crate::{Action, Event};

#[derive(Clone, Debug)]
enum Step {
    Node { index: usize, zone: usize, cpu: u8, tainted: bool },
    NodeGone { index: usize },
    Pod { kind: usize, app: usize, cpu: u8, elsewhere: bool },
    Relabel { which: usize, app: usize },
    Terminate { which: usize },
    PodGone { which: usize },
    Namespace { calm: bool },
    Run { attempts: usize },
    Answer { which: usize, ok: bool },
    Wait { seconds: u64 },
}

const APPS: [&str; 3] = ["web", "db", "cache"];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0..6usize, 0..4usize, 1..6u8, prop::bool::weighted(0.15))
            .prop_map(|(index, zone, cpu, tainted)| Step::Node { index, zone, cpu, tainted }),
        1 => (0..6usize).prop_map(|index| Step::NodeGone { index }),
        8 => (0..9usize, 0..3usize, 0..3u8, prop::bool::weighted(0.3))
            .prop_map(|(kind, app, cpu, elsewhere)| Step::Pod { kind, app, cpu, elsewhere }),
        1 => (any::<usize>(), 0..3usize).prop_map(|(which, app)| Step::Relabel { which, app }),
        1 => any::<usize>().prop_map(|which| Step::Terminate { which }),
        3 => any::<usize>().prop_map(|which| Step::PodGone { which }),
        1 => any::<bool>().prop_map(|calm| Step::Namespace { calm }),
        8 => (1..4usize).prop_map(|attempts| Step::Run { attempts }),
        6 => (any::<usize>(), prop::bool::weighted(0.85)).prop_map(|(which, ok)| Step::Answer { which, ok }),
        1 => (1..400u64).prop_map(|seconds| Step::Wait { seconds }),
    ];
    prop::collection::vec(step, 1..60)
}

fn kind(kind: usize, name: &str, app: &str, cpu: u8) -> Pod {
    let pod = labelled(pod(name, &cpu.to_string()), "app", app);
    let own = [("app", app)];
    match kind {
        1 => apart(pod, term(HOST, &own)),
        2 => apart(pod, term(ZONE, &[("app", "db")])),
        3 => near(pod, term(ZONE, &own)),
        4 => near(pod, term(HOST, &[("app", "web")])),
        5 => spread(pod, ZONE, 1, &own),
        6 => spread(spread(pod, HOST, 2, &own), ZONE, 1, &[("app", "web")]),
        7 => {
            let mut everywhere = term(HOST, &own);
            everywhere.namespace_selector = selector(&[("mood", "calm")]);
            apart(pod, everywhere)
        }
        8 => with_host_port(tolerating(pod, "k"), 80),
        _ => pod,
    }
}

/// What the API would hold.
struct World {
    rig: Rig,
    nodes: BTreeMap<String, Node>,
    pods: BTreeMap<String, Pod>,
    /// Bindings that have been asked for and not been answered.
    asked: BTreeMap<String, String>,
    ever_bound: BTreeSet<String>,
    calm: bool,
    made: usize,
}

impl World {
    fn new() -> World {
        World {
            rig: Rig::new(&[]),
            nodes: BTreeMap::new(),
            pods: BTreeMap::new(),
            asked: BTreeMap::new(),
            ever_bound: BTreeSet::new(),
            calm: false,
            made: 0,
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Node { index, zone, cpu, tainted: is_tainted } => {
                self.set_node(*index, *zone, *cpu, *is_tainted)
            }
            Step::NodeGone { index } => {
                let name = format!("n{index}");
                if self.nodes.remove(&name).is_some() {
                    self.rig.step(Event::NodeGone(&name));
                }
            }
            Step::Pod { kind: of, app, cpu, elsewhere } => {
                self.made += 1;
                let mut pod = kind(*of, &format!("p{}", self.made), APPS[*app], *cpu);
                if *elsewhere {
                    pod.metadata.namespace = "other".into();
                }
                self.rig.step(Event::Pod(&pod));
                self.pods.insert(pod.metadata.uid.clone(), pod);
            }
            Step::Relabel { which, app } => self.update(*which, |pod| {
                pod.metadata.labels.insert("app".into(), APPS[*app].into());
            }),
            Step::Terminate { which } => {
                let bound = self.pick(*which).is_some_and(|uid| !self.pods[&uid].spec.node_name.is_empty());
                if bound {
                    self.update(*which, |pod| {
                        pod.metadata.deletion_timestamp = Some(api_record::scalar::Time { seconds: 1 });
                    });
                }
            }
            Step::PodGone { which } => {
                if let Some(uid) = self.pick(*which) {
                    self.pods.remove(&uid);
                    self.asked.remove(&uid);
                    self.rig.step(Event::PodGone(&uid));
                }
            }
            Step::Namespace { calm } => {
                self.calm = *calm;
                self.rig.namespace("other", if *calm { &[("mood", "calm")] } else { &[] });
            }
            Step::Run { attempts } => {
                for _ in 0..*attempts {
                    let actions = self.rig.step(Event::Run { attempts: 1 }).actions;
                    self.check(&actions);
                }
            }
            Step::Answer { which, ok } => self.answer(*which, *ok),
            Step::Wait { seconds } => self.rig.now = self.rig.now + Duration::from_secs(*seconds),
        }
    }

    fn set_node(&mut self, index: usize, zone: usize, cpu: u8, is_tainted: bool) {
        let name = format!("n{index}");
        let mut node = node(&name, &format!("z{zone}"), &cpu.to_string(), "4");
        if zone == 3 {
            node.metadata.labels.remove(ZONE);
        }
        if is_tainted {
            node = tainted(node, "k", "NoSchedule");
        }
        self.rig.step(Event::Node(&node));
        self.nodes.insert(name, node);
    }

    fn pick(&self, which: usize) -> Option<String> {
        self.pods.keys().nth(which.checked_rem(self.pods.len())?).cloned()
    }

    fn update(&mut self, which: usize, change: impl Fn(&mut Pod)) {
        let Some(uid) = self.pick(which) else { return };
        if let Some(pod) = self.pods.get_mut(&uid) {
            change(pod);
            self.rig.step(Event::Pod(pod));
        }
    }

    fn answer(&mut self, which: usize, ok: bool) {
        let Some(at) = which.checked_rem(self.asked.len()) else { return };
        let Some((uid, node)) = self.asked.iter().nth(at).map(|(uid, node)| (uid.clone(), node.clone()))
        else {
            return;
        };
        self.asked.remove(&uid);
        if ok {
            let bound = on(self.pods[&uid].clone(), &node);
            self.rig.step(Event::BindDone { uid: &uid, result: Ok(()) });
            self.rig.step(Event::Pod(&bound));
            assert!(self.ever_bound.insert(uid.clone()), "{uid} is bound once");
            self.pods.insert(uid, bound);
        } else {
            let actions = self.rig.step(Event::BindDone { uid: &uid, result: Err("no") }).actions;
            assert!(matches!(actions.as_slice(), [Action::Failed(_)]), "{actions:?}");
        }
    }

    fn check(&mut self, actions: &[Action]) {
        for action in actions {
            match action {
                Action::Bind { pod, node } => {
                    let fault = self.fault(&self.pods[&*pod.uid], &self.nodes[&**node]);
                    assert_eq!(fault, None, "{} on {node}", pod.name);
                    let before = self.asked.insert(pod.uid.to_string(), node.to_string());
                    assert_eq!(before, None, "{} is asked for once", pod.name);
                }
                Action::Failed(failure) => {
                    let pod = &self.pods[&*failure.pod.uid];
                    for node in self.nodes.values() {
                        assert!(
                            self.fault(pod, node).is_some(),
                            "{} would do: {failure:?}",
                            node.metadata.name
                        );
                    }
                }
                Action::Ask(_)
                | Action::Scheduled { .. }
                | Action::Preempt { .. }
                | Action::Unnominate { .. }
                | Action::BindVolumes { .. }
                | Action::BindDevices { .. }
                | Action::Unreserve { .. }
                | Action::Deallocate { .. } => {
                    panic!("{action:?}")
                }
            }
        }
    }

    /// All pods that have a place, with it.
    fn placed(&self) -> impl Iterator<Item = (&Pod, &str)> {
        self.pods.iter().filter_map(|(uid, pod)| {
            let asked = self.asked.get(uid).map(String::as_str);
            let bound = Some(pod.spec.node_name.as_str()).filter(|name| !name.is_empty());
            Some((pod, bound.or(asked)?))
        })
    }

    /// Why a node is no place for a pod, by looking at everything.
    fn fault(&self, pod: &Pod, node: &Node) -> Option<&'static str> {
        let there: Vec<&Pod> =
            self.placed().filter(|(_, at)| *at == node.metadata.name).map(|(other, _)| other).collect();
        let tolerates = !pod.spec.tolerations.is_empty();
        if !node.spec.taints.is_empty() && !tolerates {
            return Some("taint");
        }
        let cpu = |pod: &Pod| pod.spec.containers[0].resources.requests["cpu"].units();
        let used: i64 = there.iter().map(|pod| cpu(pod)).sum();
        let free = node.status.allocatable["cpu"].units() - used;
        if there.len() >= 4 || (cpu(pod) > 0 && cpu(pod) > free) {
            return Some("resources");
        }
        let has_port = |pod: &Pod| !pod.spec.containers[0].ports.is_empty();
        if has_port(pod) && there.iter().any(|pod| has_port(pod)) {
            return Some("ports");
        }
        self.spread_fault(pod, node).or_else(|| self.affinity_fault(pod, node))
    }

    fn spread_fault(&self, pod: &Pod, node: &Node) -> Option<&'static str> {
        let constraints = &pod.spec.topology_spread_constraints;
        for constraint in constraints {
            let value = |node: &Node| node.metadata.labels.get(&constraint.topology_key).cloned();
            let Some(own) = value(node) else { return Some("spread label") };
            let selector = Selector::from_api(constraint.label_selector.as_deref()).unwrap();
            let has_all = |node: &&Node| {
                constraints.iter().all(|other| node.metadata.labels.contains_key(&other.topology_key))
            };
            let mut counts: BTreeMap<String, i64> = BTreeMap::new();
            for node in self.nodes.values().filter(has_all) {
                let count = counts.entry(value(node).unwrap()).or_insert(0);
                let counted = self.placed().filter(|(other, at)| {
                    *at == node.metadata.name
                        && other.metadata.namespace == pod.metadata.namespace
                        && other.metadata.deletion_timestamp.is_none()
                        && selector.matches(&other.metadata.labels)
                });
                *count += counted.count() as i64;
            }
            let least = counts.values().copied().min().unwrap_or(0);
            let own = counts.get(&own).copied().unwrap_or(0);
            let more = i64::from(selector.matches(&pod.metadata.labels));
            if own + more - least > i64::from(constraint.max_skew) {
                return Some("spread");
            }
        }
        None
    }

    fn matches(&self, term: &PodAffinityTerm, of: &Pod, other: &Pod) -> bool {
        let calm = labels(&[("mood", "calm")]);
        let none = Labels::new();
        let namespace = if self.calm && other.metadata.namespace == "other" { &calm } else { &none };
        let in_namespace = match &term.namespace_selector {
            None => of.metadata.namespace == other.metadata.namespace,
            Some(selector) => Selector::from_api(Some(selector)).unwrap().matches(namespace),
        };
        let selector = Selector::from_api(term.label_selector.as_deref()).unwrap();
        in_namespace && selector.matches(&other.metadata.labels)
    }

    fn affinity_fault(&self, pod: &Pod, node: &Node) -> Option<&'static str> {
        let together = |key: &str, at: &str| {
            let value = |node: &Node| node.metadata.labels.get(key).cloned();
            let other = self.nodes.get(at).and_then(value);
            other.is_some() && other == value(node)
        };
        let affinity = pod.spec.affinity.as_deref();
        let near = affinity.and_then(|affinity| affinity.pod_affinity.as_deref());
        for term in near.iter().flat_map(|near| &near.required_during_scheduling_ignored_during_execution) {
            let like: Vec<&str> =
                self.placed().filter(|(other, _)| self.matches(term, pod, other)).map(|(_, at)| at).collect();
            let key = &term.topology_key;
            let in_domains =
                |at: &&&str| self.nodes.get(**at).is_some_and(|node| node.metadata.labels.contains_key(key));
            let first = like.iter().filter(in_domains).count() == 0 && self.matches(term, pod, pod);
            if !node.metadata.labels.contains_key(key) || !(first || like.iter().any(|at| together(key, at)))
            {
                return Some("affinity");
            }
        }
        if self.apart(pod).any(|term| {
            self.placed()
                .any(|(other, at)| together(&term.topology_key, at) && self.matches(term, pod, other))
        }) {
            return Some("anti-affinity");
        }
        let rejected = self.placed().any(|(other, at)| {
            self.apart(other).any(|term| together(&term.topology_key, at) && self.matches(term, other, pod))
        });
        rejected.then_some("existing anti-affinity")
    }

    fn apart<'a>(&self, pod: &'a Pod) -> impl Iterator<Item = &'a PodAffinityTerm> {
        let affinity = pod.spec.affinity.as_deref();
        let apart = affinity.and_then(|affinity| affinity.pod_anti_affinity.as_deref());
        apart.into_iter().flat_map(|apart| &apart.required_during_scheduling_ignored_during_execution)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn decisions_are_sound_and_what_is_kept_is_right(steps in steps()) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
        }
        // All gone, nothing kept.
        for uid in world.pods.keys().cloned().collect::<Vec<_>>() {
            world.rig.step(Event::PodGone(&uid));
        }
        for name in world.nodes.keys().cloned().collect::<Vec<_>>() {
            world.rig.step(Event::NodeGone(&name));
        }
        let cluster = &world.rig.scheduler.cluster;
        prop_assert_eq!(cluster.pods.iter().count(), 0);
        prop_assert_eq!(cluster.cohorts.iter().count(), 0);
        prop_assert_eq!(cluster.peers.iter().count(), 0);
        prop_assert_eq!(cluster.tallies.iter().count(), 0);
        prop_assert_eq!(cluster.matchers.iter().count(), 0);
        prop_assert_eq!(cluster.gates.iter().count(), 0);
        prop_assert_eq!(cluster.columns.iter().count(), 0);
        prop_assert!(world.rig.scheduler.by_uid.is_empty());
    }
}
