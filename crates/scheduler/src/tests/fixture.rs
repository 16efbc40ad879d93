//! Objects in few words, and a scheduler that is driven by them.

use api_types::core::v1::{
    Affinity, Container, ContainerPort, Namespace, Node, Pod, PodAffinity, PodAffinityTerm, PodAntiAffinity,
    Taint, Toleration, TopologySpreadConstraint,
};
use api_types::meta::v1::LabelSelector;
use base::time::Time;

use crate::shape::Labels;
use crate::{Action, Config, Event, Extenders, Failure, Outputs, Scheduler};

pub(crate) const HOST: &str = "kubernetes.io/hostname";
pub(crate) const ZONE: &str = "topology.kubernetes.io/zone";

pub(crate) fn labels(of: &[(&str, &str)]) -> Labels {
    of.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
}

pub(crate) fn selector(of: &[(&str, &str)]) -> Option<Box<LabelSelector>> {
    Some(Box::new(LabelSelector { match_labels: labels(of), ..LabelSelector::default() }))
}

pub(crate) fn node(name: &str, zone: &str, cpu: &str, pods: &str) -> Node {
    let mut node = Node::default();
    node.metadata.name = name.into();
    node.metadata.labels = labels(&[(HOST, name), (ZONE, zone)]);
    let amounts = [("cpu", cpu), ("memory", "64Gi"), ("pods", pods)];
    node.status.allocatable = amounts.map(|(name, amount)| (name.into(), amount.parse().unwrap())).into();
    node
}

pub(crate) fn tainted(mut node: Node, key: &str, effect: &str) -> Node {
    node.spec.taints.push(Taint { key: key.into(), effect: effect.into(), ..Taint::default() });
    node
}

pub(crate) fn pod(name: &str, cpu: &str) -> Pod {
    let mut pod = Pod::default();
    pod.metadata.name = name.into();
    pod.metadata.uid = format!("uid-{name}");
    pod.metadata.namespace = "default".into();
    pod.spec.scheduler_name = "default-scheduler".into();
    let mut container = Container { name: "main".into(), image: "app".into(), ..Container::default() };
    container.resources.requests = [("cpu".to_owned(), cpu.parse().unwrap())].into();
    pod.spec.containers = vec![container].into();
    pod
}

pub(crate) fn labelled(mut pod: Pod, key: &str, value: &str) -> Pod {
    pod.metadata.labels.insert(key.into(), value.into());
    pod
}

pub(crate) fn on(mut pod: Pod, node: &str) -> Pod {
    pod.spec.node_name = node.into();
    pod
}

pub(crate) fn with_priority(mut pod: Pod, priority: i32) -> Pod {
    pod.spec.priority = Some(priority);
    pod
}

pub(crate) fn tolerating(mut pod: Pod, key: &str) -> Pod {
    pod.spec.tolerations.push(Toleration {
        key: key.into(),
        operator: "Exists".into(),
        ..Toleration::default()
    });
    pod
}

pub(crate) fn with_host_port(pod: Pod, port: i32) -> Pod {
    let mut pod = pod;
    let mut containers: Vec<Container> = pod.spec.containers.iter().cloned().collect();
    containers[0].ports.push(ContainerPort {
        host_port: port,
        container_port: port,
        ..ContainerPort::default()
    });
    pod.spec.containers = containers.into();
    pod
}

pub(crate) fn term(key: &str, of: &[(&str, &str)]) -> PodAffinityTerm {
    PodAffinityTerm { label_selector: selector(of), topology_key: key.into(), ..PodAffinityTerm::default() }
}

pub(crate) fn near(mut pod: Pod, term: PodAffinityTerm) -> Pod {
    let affinity = pod.spec.affinity.get_or_insert_with(|| Box::new(Affinity::default()));
    let pod_affinity = affinity.pod_affinity.get_or_insert_with(|| Box::new(PodAffinity::default()));
    pod_affinity.required_during_scheduling_ignored_during_execution.push(term);
    pod
}

pub(crate) fn apart(mut pod: Pod, term: PodAffinityTerm) -> Pod {
    let affinity = pod.spec.affinity.get_or_insert_with(|| Box::new(Affinity::default()));
    let anti_affinity =
        affinity.pod_anti_affinity.get_or_insert_with(|| Box::new(PodAntiAffinity::default()));
    anti_affinity.required_during_scheduling_ignored_during_execution.push(term);
    pod
}

pub(crate) fn spread(mut pod: Pod, key: &str, max_skew: i32, of: &[(&str, &str)]) -> Pod {
    pod.spec.topology_spread_constraints.push(TopologySpreadConstraint {
        max_skew,
        topology_key: key.into(),
        when_unsatisfiable: "DoNotSchedule".into(),
        label_selector: selector(of),
        ..TopologySpreadConstraint::default()
    });
    pod
}

/// A scheduler at a time.
pub(crate) struct Rig {
    pub(crate) scheduler: Scheduler,
    pub(crate) now: Time,
}

impl Rig {
    pub(crate) fn new(nodes: &[Node]) -> Rig {
        Rig::asking(nodes, Extenders::default())
    }

    pub(crate) fn asking(nodes: &[Node], extenders: Extenders) -> Rig {
        let scheduler = Scheduler::new(Config { extenders, ..Config::default() });
        let mut rig = Rig { scheduler, now: Time::from_unix_seconds(100) };
        for node in nodes {
            rig.step(Event::Node(node));
        }
        rig
    }

    pub(crate) fn step(&mut self, event: Event<'_>) -> Outputs {
        let outputs = self.scheduler.step(event, self.now);
        self.scheduler.audit();
        outputs
    }

    pub(crate) fn namespace(&mut self, name: &str, of: &[(&str, &str)]) {
        let mut namespace = Namespace::default();
        namespace.metadata.name = name.into();
        namespace.metadata.labels = labels(of);
        self.step(Event::Namespace(&namespace));
    }

    pub(crate) fn run(&mut self) -> Vec<Action> {
        self.step(Event::Run { attempts: 1000 }).actions
    }

    /// Takes a pod in and tries it.
    pub(crate) fn try_pod(&mut self, pod: &Pod) -> Vec<Action> {
        self.step(Event::Pod(pod));
        self.run()
    }

    /// Where a pod is bound to; the binding is seen at once.
    pub(crate) fn bind(&mut self, pod: &Pod) -> Option<String> {
        let actions = self.try_pod(pod);
        let node = bound(&actions)?;
        self.step(Event::BindDone { uid: &pod.metadata.uid, result: Ok(()) });
        self.step(Event::Pod(&on(pod.clone(), &node)));
        Some(node)
    }

    /// What is said of a pod that does not fit.
    pub(crate) fn refused(&mut self, pod: &Pod) -> Failure {
        let actions = self.try_pod(pod);
        let failure = actions.iter().find_map(|action| match action {
            Action::Failed(failure) => Some(failure.clone()),
            _ => None,
        });
        failure.unwrap_or_else(|| panic!("{actions:?}"))
    }
}

pub(crate) fn bound(actions: &[Action]) -> Option<String> {
    actions.iter().find_map(|action| match action {
        Action::Bind { node, .. } => Some(node.to_string()),
        _ => None,
    })
}
