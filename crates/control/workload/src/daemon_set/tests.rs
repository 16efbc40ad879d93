//! Fleets and what becomes of them: each plan is carried out on a small world, whose pods are made ready or not.

use api_record::scalar::IntOrString;
use api_types::apps::v1::RollingUpdateDaemonSet;
use api_types::core::v1::{Container, PodCondition, Taint, Toleration};
use client::Revision;
use client::reconcile::Op;

use super::*;

fn at(seconds: i64) -> Time {
    Time::from_unix_seconds(seconds)
}

fn labels() -> BTreeMap<String, String> {
    [("app".to_owned(), "agent".to_owned())].into()
}

fn use_image(set: &mut DaemonSet, image: &str) {
    set.spec.template.spec.containers =
        vec![Container { name: "c".into(), image: image.into(), ..Container::default() }].into();
    set.metadata.generation += 1;
}

fn set() -> DaemonSet {
    let mut set = DaemonSet::default();
    set.metadata.name = "agent".into();
    set.metadata.namespace = "shop".into();
    set.metadata.uid = "set".into();
    set.spec.selector = Some(Box::new(LabelSelector { match_labels: labels(), ..Default::default() }));
    set.spec.template.metadata.labels = labels();
    set.spec.revision_history_limit = Some(10);
    set.spec.update_strategy.type_ = "RollingUpdate".into();
    use_image(&mut set, "a");
    bounded(set, IntOrString::Int(1), IntOrString::Int(0))
}

fn bounded(mut set: DaemonSet, unavailable: IntOrString, surge: IntOrString) -> DaemonSet {
    set.spec.update_strategy.rolling_update =
        Some(Box::new(RollingUpdateDaemonSet { max_unavailable: Some(unavailable), max_surge: Some(surge) }));
    set
}

fn surging() -> DaemonSet {
    bounded(set(), IntOrString::Int(0), IntOrString::Int(1))
}

fn node(name: &str) -> Node {
    let mut node = Node::default();
    node.metadata.name = name.into();
    node.metadata.labels = [("kubernetes.io/hostname".to_owned(), name.to_owned())].into();
    node
}

fn taint(key: &str, effect: &str) -> Taint {
    Taint { key: key.into(), effect: effect.into(), ..Taint::default() }
}

/// A world that carries plans out.
struct Cluster {
    controller: DaemonSets,
    set: DaemonSet,
    nodes: Vec<Node>,
    pods: Vec<Pod>,
    revisions: Vec<ControllerRevision>,
    now: i64,
    made: usize,
}

impl Cluster {
    fn new(set: DaemonSet, nodes: &[&str]) -> Cluster {
        Cluster {
            controller: DaemonSets::default(),
            set,
            nodes: nodes.iter().map(|name| node(name)).collect(),
            pods: Vec::new(),
            revisions: Vec::new(),
            now: 1000,
            made: 0,
        }
    }

    /// One whose pods all run and are ready.
    fn settled(set: DaemonSet, nodes: &[&str]) -> Cluster {
        let mut cluster = Cluster::new(set, nodes);
        cluster.step();
        cluster.run_pods();
        cluster.step();
        assert_eq!(cluster.step(), [""; 0]);
        cluster
    }

    fn world(&self) -> World {
        World::default()
            .with([self.set.clone()], Revision(1))
            .with(self.nodes.clone(), Revision(1))
            .with(self.pods.clone(), Revision(1))
            .with(self.revisions.clone(), Revision(1))
    }

    fn plan(&self) -> Plan {
        self.controller.plan(&name("shop", "agent"), &self.world(), at(self.now))
    }

    /// Plans once and carries it out; what was done to pods and revisions.
    fn step(&mut self) -> Vec<String> {
        let plan = self.plan();
        self.now += 1;
        let mut said = Vec::new();
        for write in plan.writes() {
            if let Some(set) = write.object::<DaemonSet>() {
                self.set = set.clone();
            } else if write.target.resource.plural == "pods" {
                said.push(self.write_pod(write));
            } else {
                self.write_revision(write);
            }
        }
        said
    }

    fn write_pod(&mut self, write: &Write) -> String {
        let name = write.target.name.as_str();
        match &write.op {
            Op::Delete { .. } => {
                let pod = self.pods.iter_mut().find(|pod| pod.metadata.name == name).expect("it is there");
                pod.metadata.deletion_timestamp = Some(at(self.now).into());
                format!("-{}", placement::node_of(pod).expect("it has a node"))
            }
            Op::Patch(_, patch) => {
                let hash = &patch["metadata"]["labels"][pods::HASH_LABEL];
                let pod = self.pods.iter_mut().find(|pod| pod.metadata.name == name).expect("it is there");
                if let Some(hash) = hash.as_str() {
                    pod.metadata.labels.insert(pods::HASH_LABEL.into(), hash.into());
                }
                format!("~{name}")
            }
            _ => {
                let mut pod: Pod = write.object::<Pod>().expect("a pod").clone();
                let node = placement::node_of(&pod).expect("it has a node").to_owned();
                self.made += 1;
                pod.metadata.name = format!("{node}-{}", self.made);
                pod.metadata.uid = pod.metadata.name.clone();
                pod.metadata.creation_timestamp = Some(at(self.now).into());
                self.pods.push(pod);
                format!("+{node}")
            }
        }
    }

    fn write_revision(&mut self, write: &Write) {
        self.revisions.retain(|own| own.metadata.name != write.target.name);
        if let Some(revision) = write.object::<ControllerRevision>() {
            let mut revision = revision.clone();
            revision.metadata.uid = revision.metadata.name.clone();
            self.revisions.push(revision);
        }
    }

    /// Binds and runs what is there, ends what is going.
    fn run_pods(&mut self) {
        self.pods.retain(|pod| !is_going(pod));
        for pod in &mut self.pods {
            let node = placement::node_of(pod).expect("it has a node").to_owned();
            if self.nodes.iter().any(|own| own.metadata.name == node) {
                pod.spec.node_name = node;
                if pod.status.phase.is_empty() {
                    pod.status.phase = "Running".into();
                    set_ready(pod, true, self.now);
                }
            }
        }
    }

    /// All that happens until nothing does any more, a step a line.
    fn run(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        for _ in 0..60 {
            let before = self.set.clone();
            let mut said = self.step();
            said.sort();
            if said.is_empty() && before == self.set {
                return lines;
            }
            if !said.is_empty() {
                lines.push(said.join(" "));
            }
            self.run_pods();
        }
        panic!("it does not end: {lines:?}");
    }

    fn pod(&mut self, node: &str) -> &mut Pod {
        self.pods.iter_mut().find(|pod| placement::node_of(pod) == Some(node)).expect("a pod is there")
    }

    fn node(&mut self, name: &str) -> &mut Node {
        self.nodes.iter_mut().find(|node| node.metadata.name == name).expect("a node is there")
    }

    /// Desired, current, misscheduled, ready, updated, available and unavailable.
    fn counts(&self) -> [i32; 7] {
        let status = &self.set.status;
        [
            status.desired_number_scheduled,
            status.current_number_scheduled,
            status.number_misscheduled,
            status.number_ready,
            status.updated_number_scheduled,
            status.number_available,
            status.number_unavailable,
        ]
    }

    fn numbers(&self) -> Vec<i64> {
        let mut numbers: Vec<i64> = self.revisions.iter().map(|revision| revision.revision).collect();
        numbers.sort_unstable();
        numbers
    }
}

fn set_ready(pod: &mut Pod, ready: bool, since: i64) {
    pod.status.conditions = vec![PodCondition {
        type_: "Ready".into(),
        status: if ready { "True" } else { "False" }.into(),
        last_transition_time: Some(at(since).into()),
        ..PodCondition::default()
    }];
}

#[test]
fn each_node_gets_a_pod_of_its_own() {
    let mut set = set();
    set.metadata.annotations.insert("deprecated.daemonset.template.generation".into(), "4".into());
    let mut cluster = Cluster::new(set, &["n1", "n2"]);
    let plan = cluster.plan();
    let telling = plan.writes().find_map(|write| write.object::<Pod>().and(write.telling.clone()));
    let done = telling.and_then(|telling| telling.done).expect("people hear of it");
    assert_eq!((done.reason, done.message.as_str()), ("SuccessfulCreate", "Created pod: {name}"));
    assert_eq!(cluster.step(), ["+n1", "+n2"]);
    let pod = cluster.pod("n1").clone();
    assert_eq!(pod.metadata.generate_name, "agent-");
    assert_eq!(owners::controller_of(&pod.metadata).map(|owner| owner.uid.as_str()), Some("set"));
    let hash = &cluster.revisions[0].metadata.labels["controller-revision-hash"];
    assert_eq!(cluster.revisions[0].metadata.name, format!("agent-{hash}"));
    assert_eq!(&pod.metadata.labels["controller-revision-hash"], hash);
    assert_eq!(pod.metadata.labels["pod-template-generation"], "4");
    assert!(pod.spec.node_name.is_empty(), "the scheduler binds it");
    assert_eq!(cluster.set.status.observed_generation, 1);
    cluster.step();
    assert_eq!(cluster.counts(), [2, 2, 0, 0, 2, 0, 2]);
    cluster.run_pods();
    assert_eq!(cluster.run(), [""; 0]);
    assert_eq!(cluster.counts(), [2, 2, 0, 2, 2, 2, 0]);
    assert_eq!(cluster.plan().describe(), [""; 0]);
}

#[test]
fn pods_tolerate_what_befalls_nodes() {
    let shown = |tolerations: Vec<Toleration>| {
        let lines = tolerations.iter().map(|own| {
            let seconds = own.toleration_seconds.map(|seconds| format!(" {seconds}")).unwrap_or_default();
            format!("{} {} {}{seconds}", own.key, own.operator, own.effect)
        });
        lines.collect::<Vec<_>>()
    };
    let mut spec = set().spec.template.spec;
    let own = |seconds| Toleration {
        key: "node.kubernetes.io/not-ready".into(),
        operator: "Exists".into(),
        effect: "NoExecute".into(),
        toleration_seconds: Some(seconds),
        ..Toleration::default()
    };
    spec.tolerations = vec![own(30)];
    spec.host_network = true;
    assert_eq!(
        shown(placement::tolerations(&spec)),
        [
            "node.kubernetes.io/not-ready Exists NoExecute",
            "node.kubernetes.io/unreachable Exists NoExecute",
            "node.kubernetes.io/disk-pressure Exists NoSchedule",
            "node.kubernetes.io/memory-pressure Exists NoSchedule",
            "node.kubernetes.io/pid-pressure Exists NoSchedule",
            "node.kubernetes.io/unschedulable Exists NoSchedule",
            "node.kubernetes.io/network-unavailable Exists NoSchedule",
        ]
    );
}

#[test]
fn a_node_that_suits_no_longer_keeps_its_pod_or_loses_it() {
    for (taints, label, done, counts) in [
        (vec![taint("k", "NoSchedule")], true, vec![], [1, 1, 1, 1, 1, 1, 0]),
        (vec![taint("k", "PreferNoSchedule")], true, vec![], [2, 2, 0, 2, 2, 2, 0]),
        (vec![taint("k", "NoExecute")], true, vec!["-n1"], [1, 1, 0, 1, 1, 1, 0]),
        (vec![taint("node.kubernetes.io/not-ready", "NoExecute")], true, vec![], [2, 2, 0, 2, 2, 2, 0]),
        (vec![taint("node.kubernetes.io/unschedulable", "NoSchedule")], true, vec![], [2, 2, 0, 2, 2, 2, 0]),
        (
            vec![taint("node.kubernetes.io/network-unavailable", "NoSchedule")],
            true,
            vec![],
            [1, 1, 1, 1, 1, 1, 0],
        ),
        (vec![], false, vec!["-n1"], [1, 1, 0, 1, 1, 1, 0]),
    ] {
        let mut set = set();
        set.spec.template.spec.node_selector = [("zone".to_owned(), "a".to_owned())].into();
        let mut cluster = Cluster::new(set, &["n1", "n2"]);
        for node in &mut cluster.nodes {
            node.metadata.labels.insert("zone".into(), "a".into());
        }
        cluster.run();
        cluster.node("n1").spec.taints.clone_from(&taints);
        if !label {
            cluster.node("n1").metadata.labels.clear();
        }
        assert_eq!(cluster.run(), done, "{taints:?}");
        assert_eq!(cluster.counts(), counts, "{taints:?}");
    }
}

#[test]
fn a_node_may_be_named() {
    let mut set = set();
    set.spec.template.spec.node_name = "n2".into();
    let mut cluster = Cluster::new(set, &["n1", "n2"]);
    assert_eq!(cluster.run(), ["+n2"]);
    let mut set = self::set();
    placement::pin(&mut set.spec.template.spec, "n1");
    let mut cluster = Cluster::new(set, &["n1", "n2"]);
    assert_eq!(cluster.run(), ["+n1"]);
}

#[test]
fn a_pod_for_a_node_that_is_gone_goes() {
    let mut cluster = Cluster::new(set(), &["n1", "n2"]);
    cluster.step();
    cluster.nodes.retain(|node| node.metadata.name == "n1");
    assert_eq!(cluster.step(), ["-n2"]);
    let mut cluster = Cluster::settled(set(), &["n1", "n2"]);
    cluster.nodes.retain(|node| node.metadata.name == "n1");
    assert_eq!(cluster.run(), [""; 0], "what was bound is collected elsewhere");
    assert_eq!(cluster.counts(), [1, 1, 0, 1, 1, 1, 0]);
}

#[test]
fn a_pod_that_ended_is_replaced() {
    let mut cluster = Cluster::settled(set(), &["n1"]);
    cluster.pod("n1").status.phase = "Failed".into();
    let told = &cluster.plan().events[0];
    assert_eq!(
        (told.reason, told.message.as_str()),
        ("FailedDaemonPod", "Found failed daemon pod shop/n1-1 on node n1, will try to kill it")
    );
    assert_eq!(cluster.step(), ["-n1"]);
    assert_eq!(cluster.step(), ["+n1"], "what has ended and is going takes no place");
    cluster.pods.remove(0);
    cluster.pod("n1").status.phase = "Failed".into();
    assert_eq!(cluster.step(), ["-n1"], "a second has passed");
    cluster.pods.clear();
    cluster.step();
    cluster.pod("n1").status.phase = "Failed".into();
    cluster.now -= 1;
    let plan = cluster.plan();
    assert_eq!((plan.events.len(), plan.again), (0, Some(std::time::Duration::from_secs(1))));
    cluster.pod("n1").status.phase = "Succeeded".into();
    let told = &cluster.plan().events[0];
    assert_eq!(
        (told.reason, told.message.as_str()),
        ("SucceededDaemonPod", "Found succeeded daemon pod shop/n1-3 on node n1, will try to delete it")
    );
    assert_eq!(cluster.step(), ["-n1"]);
}

#[test]
fn of_several_pods_the_oldest_stays() {
    let mut cluster = Cluster::settled(set(), &["n1"]);
    let mut second = cluster.pods[0].clone();
    second.metadata.name = "second".into();
    second.metadata.creation_timestamp = Some(at(5000).into());
    cluster.pods.push(second);
    cluster.step();
    let going: Vec<&str> =
        cluster.pods.iter().filter(|pod| is_going(pod)).map(|pod| pod.metadata.name.as_str()).collect();
    assert_eq!(going, ["second"]);
}

#[test]
fn orphans_are_adopted_and_strangers_released() {
    let mut cluster = Cluster::settled(set(), &["n1", "n2"]);
    cluster.pod("n1").metadata.owner_references.clear();
    cluster.pod("n2").metadata.labels.remove("app");
    cluster.revisions[0].metadata.owner_references.clear();
    let revision = cluster.revisions[0].metadata.name.clone();
    let plan = cluster.plan();
    let first: Vec<String> = plan.stages[0].iter().map(Write::describe).collect();
    assert_eq!(
        first,
        [
            format!("patch controllerrevisions.apps shop/{revision}"),
            "patch pods shop/n2-2".into(),
            "patch pods shop/n1-1".into()
        ]
    );
    assert!(plan.writes().any(|write| write.object::<Pod>().is_some()), "n2 gets another");
}

#[test]
fn a_set_that_is_being_deleted_or_selects_all_is_left_alone() {
    let mut going = set();
    going.metadata.deletion_timestamp = Some(at(1).into());
    assert_eq!(Cluster::new(going, &["n1"]).plan().describe(), [""; 0]);
    let mut all = set();
    all.spec.selector = Some(Box::default());
    let plan = Cluster::new(all, &["n1"]).plan();
    assert_eq!((plan.describe().len(), plan.events[0].reason), (0, "SelectingAll"));
}

#[test]
fn a_rollout_leaves_as_many_as_it_may_without_a_pod() {
    let mut cluster = Cluster::settled(set(), &["n1", "n2", "n3"]);
    use_image(&mut cluster.set, "b");
    assert_eq!(cluster.run(), ["-n1", "+n1", "-n2", "+n2", "-n3", "+n3"]);
    assert_eq!(cluster.counts(), [3, 3, 0, 3, 3, 3, 0]);
    assert_eq!(cluster.set.status.observed_generation, 2);
    let half = bounded(cluster.set.clone(), IntOrString::String("50%".into()), IntOrString::Int(0));
    cluster.set = half;
    use_image(&mut cluster.set, "c");
    assert_eq!(cluster.run(), ["-n1 -n2", "+n1 +n2", "-n3", "+n3"], "rounded up");
}

#[test]
fn a_rollout_goes_no_further_than_what_does_not_come_up() {
    let mut cluster = Cluster::settled(set(), &["n1", "n2", "n3"]);
    use_image(&mut cluster.set, "b");
    set_ready(cluster.pod("n2"), false, 0);
    assert_eq!(cluster.step(), ["-n2"], "what serves nobody goes first");
    cluster.pods.retain(|pod| !is_going(pod));
    assert_eq!(cluster.step(), ["+n2"]);
    assert_eq!(cluster.step(), [""; 0]);
    assert_eq!(cluster.counts(), [3, 3, 0, 2, 1, 2, 1]);
}

#[test]
fn a_rollout_waits_until_pods_have_been_ready_for_a_while() {
    let mut set = set();
    set.spec.min_ready_seconds = 30;
    let mut cluster = Cluster::new(set, &["n1"]);
    cluster.run();
    assert_eq!(cluster.counts(), [1, 1, 0, 1, 1, 0, 1]);
    assert!(cluster.plan().again.is_some_and(|wait| wait.as_secs() <= 30));
    cluster.now += 30;
    cluster.step();
    assert_eq!(cluster.counts(), [1, 1, 0, 1, 1, 1, 0]);
}

#[test]
fn on_delete_waits_for_people() {
    let mut set = set();
    set.spec.update_strategy.type_ = "OnDelete".into();
    let mut cluster = Cluster::settled(set, &["n1", "n2"]);
    use_image(&mut cluster.set, "b");
    assert_eq!(cluster.run(), [""; 0]);
    assert_eq!(cluster.counts(), [2, 2, 0, 2, 0, 2, 0]);
    cluster.pods.remove(0);
    assert_eq!(cluster.run(), ["+n1"]);
    assert_eq!(cluster.counts(), [2, 2, 0, 2, 1, 2, 0]);
}

#[test]
fn a_surge_brings_the_new_pod_before_the_old_one_goes() {
    let mut cluster = Cluster::settled(surging(), &["n1", "n2"]);
    use_image(&mut cluster.set, "b");
    assert_eq!(cluster.run(), ["+n1", "-n1", "+n2", "-n2"]);
    assert_eq!(cluster.counts(), [2, 2, 0, 2, 2, 2, 0]);
    use_image(&mut cluster.set, "c");
    set_ready(cluster.pod("n2"), false, 0);
    let mut said = cluster.step();
    said.sort();
    assert_eq!(said, ["+n1", "+n2"], "one that serves nobody costs no surge");
    assert_eq!(cluster.step(), ["-n2"], "its successor need not be ready");
}

#[test]
fn a_surge_keeps_what_it_leaves_until_there_is_enough_elsewhere() {
    let mut set = surging();
    set.spec.template.spec.node_selector = [("kubernetes.io/hostname".to_owned(), "n1".to_owned())].into();
    let mut cluster = Cluster::settled(set, &["n1", "n2"]);
    cluster.node("n1").spec.taints = vec![taint("k", "NoSchedule")];
    cluster.set.spec.template.spec.node_selector.clear();
    use_image(&mut cluster.set, "b");
    assert_eq!(cluster.run(), ["+n2", "-n1"]);
}

#[test]
fn an_undo_makes_an_earlier_revision_the_latest() {
    let mut cluster = Cluster::settled(set(), &["n1"]);
    use_image(&mut cluster.set, "b");
    cluster.run();
    assert_eq!(cluster.numbers(), [1, 2]);
    let first = cluster.revisions.iter().find(|revision| revision.revision == 1).expect("the first");
    let first = first.metadata.name.clone();
    use_image(&mut cluster.set, "a");
    assert_eq!(cluster.run(), ["-n1", "+n1"]);
    assert_eq!(cluster.numbers(), [2, 3]);
    let last = cluster.revisions.iter().find(|revision| revision.revision == 3).expect("the last");
    assert_eq!(last.metadata.name, first);
}

#[test]
fn old_revisions_go_except_for_those_that_pods_are_of() {
    let mut set = set();
    set.spec.revision_history_limit = Some(1);
    set.spec.update_strategy.type_ = "OnDelete".into();
    let mut cluster = Cluster::settled(set, &["n1"]);
    for image in ["b", "c", "d"] {
        use_image(&mut cluster.set, image);
        cluster.run();
    }
    assert_eq!(cluster.numbers(), [1, 4], "the pod is of the first");
    cluster.pods.clear();
    cluster.run();
    use_image(&mut cluster.set, "e");
    cluster.run();
    assert_eq!(cluster.numbers(), [4, 5]);
}

#[test]
fn doubles_of_the_present_revision_go_and_pods_change_over() {
    let mut cluster = Cluster::settled(set(), &["n1"]);
    let mut double = cluster.revisions[0].clone();
    double.metadata.name = "agent-double".into();
    double.metadata.labels.remove(pods::HASH_LABEL);
    double.revision = 5;
    cluster.revisions.push(double);
    assert_eq!(cluster.step(), ["~n1-1"]);
    assert_eq!(cluster.numbers(), [5]);
    assert_eq!(cluster.revisions[0].metadata.labels[pods::HASH_LABEL], "agent-double");
    assert_eq!(cluster.pods[0].metadata.labels[pods::HASH_LABEL], "agent-double");
    assert_eq!(cluster.run(), [""; 0]);
    assert_eq!(cluster.counts(), [1, 1, 0, 1, 1, 1, 0]);
}

#[test]
fn a_name_that_is_taken_is_avoided() {
    let mut cluster = Cluster::new(set(), &["n1"]);
    cluster.step();
    let mut taken = cluster.revisions.remove(0);
    taken.metadata.owner_references = vec![Default::default()];
    taken.metadata.owner_references[0].controller = Some(true);
    taken.data = Default::default();
    let name = taken.metadata.name.clone();
    cluster.revisions.push(taken);
    cluster.pods.clear();
    assert_eq!(cluster.step(), [""; 0]);
    assert_eq!(cluster.set.status.collision_count, Some(1));
    assert_eq!(cluster.step(), ["+n1"]);
    assert_eq!(cluster.revisions.iter().filter(|own| own.metadata.name != name).count(), 1);
}

#[test]
fn a_revision_that_is_made_for_a_set_wakes_nobody_but_one_that_changes_or_goes_does() {
    let mut cluster = Cluster::settled(set(), &["n1"]);
    let mut revision = cluster.revisions[0].clone();
    revision.metadata.resource_version = "7".into();
    cluster.revisions[0] = revision.clone();
    let woken = |cluster: &Cluster, revision: &ControllerRevision| {
        concerned(&revision.metadata, &cluster.world()).len()
    };
    assert_eq!(woken(&cluster, &revision), 0);
    cluster.revisions[0].metadata.resource_version = "8".into();
    assert_eq!(woken(&cluster, &revision), 1, "as it was before it changed");
    cluster.revisions.clear();
    assert_eq!(woken(&cluster, &revision), 1);
    revision.metadata.owner_references.clear();
    assert_eq!(woken(&cluster, &revision), 1, "somebody may adopt it");
}
