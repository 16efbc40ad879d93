//! Prints how many pods a second one core schedules, onto 5,000 nodes unless told otherwise:
//! `cargo run --release -p scheduler --example throughput -- [nodes] [pods]`.
//!
//! Counted is everything from a pod's arrival over its attempt to its binding seen in the cluster.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "it measures time")]
#![allow(clippy::unwrap_used, reason = "a program to be read and run by hand")]

use std::collections::BTreeMap;
use std::time::Instant;

use api_types::core::v1::{
    Affinity, Container, Node, Pod, PodAffinity, PodAffinityTerm, PodAntiAffinity, TopologySpreadConstraint,
};
use api_types::meta::v1::LabelSelector;
use base::time::Time;
use scheduler::{Action, Config, Event, Scheduler};

type Shape = fn(&mut Pod);

const ZONES: usize = 3;
const BATCH: usize = 1000;

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<usize>().unwrap());
    let nodes = arguments.next().unwrap_or(5_000);
    let pods = arguments.next().unwrap_or(50_000);
    let few = (nodes - nodes / 10).min(pods);
    let cases: [(&str, usize, Shape); 8] = [
        ("plain pods", pods, |_| {}),
        ("pods of one service (default spreading)", pods, |pod| label(pod, "app", "web")),
        ("spread over zones, DoNotSchedule", pods, |pod| spread(pod, "topology.kubernetes.io/zone")),
        ("spread over hosts, DoNotSchedule", pods, |pod| spread(pod, "kubernetes.io/hostname")),
        ("required affinity, one zone", pods / 5, |pod| affinity(pod, "topology.kubernetes.io/zone", false)),
        ("required anti-affinity, each on its own host", few, |pod| anti_affinity(pod, false)),
        ("the same with a namespace selector", few, |pod| anti_affinity(pod, true)),
        ("preferred affinity, hosts", pods, |pod| affinity(pod, "kubernetes.io/hostname", true)),
    ];
    for (what, pods, shape) in cases {
        let rate = measure(nodes, pods, shape);
        println!("{what}: {pods} pods on {nodes} nodes, {rate:.0} pods/s");
    }
    println!("preemption: {:.0} pods/s", preemption(nodes, (nodes / 5).min(1_000)));
}

fn measure(nodes: usize, pods: usize, shape: Shape) -> f64 {
    let mut scheduler = cluster(nodes);
    let mut made: Vec<Pod> = (0..pods).map(|index| pod(index, shape)).collect();
    let start = Instant::now();
    let now = Time::from_unix_seconds(1);
    let mut bound = 0;
    for batch in made.chunks_mut(BATCH) {
        let first = bound;
        for pod in batch.iter() {
            scheduler.step(Event::Pod(pod), now);
        }
        let outputs = scheduler.step(Event::Run { attempts: BATCH }, now);
        for action in outputs.actions {
            let Action::Bind { pod, node } = action else { panic!("{action:?}") };
            scheduler.step(Event::BindDone { uid: &pod.uid, result: Ok(()) }, now);
            let index: usize = pod.uid.parse().unwrap();
            let seen = &mut batch[index - first];
            seen.spec.node_name = node.to_string();
            scheduler.step(Event::Pod(seen), now);
            bound += 1;
        }
    }
    assert_eq!(bound, pods);
    pods as f64 / start.elapsed().as_secs_f64()
}

/// Every node is full of four pods of low priority; each new pod needs the room of one.
fn preemption(nodes: usize, pods: usize) -> f64 {
    let mut scheduler = cluster(nodes);
    let now = Time::from_unix_seconds(1);
    let sized = |index: usize, cpu: &str| {
        let mut pod = pod(index, |_| {});
        let requests = [("cpu", cpu), ("memory", "500Mi")];
        let container = Container {
            resources: api_types::core::v1::ResourceRequirements {
                requests: requests.map(|(name, amount)| (name.into(), amount.parse().unwrap())).into(),
                ..Default::default()
            },
            ..Container::default()
        };
        pod.spec.containers = vec![container].into();
        pod
    };
    for index in 0..nodes * 4 {
        let mut pod = sized(index, "8");
        pod.spec.node_name = format!("node-{:05}", index % nodes);
        scheduler.step(Event::Pod(&pod), now);
    }
    let high: Vec<Pod> = (0..pods)
        .map(|index| {
            let mut pod = sized(nodes * 4 + index, "8");
            pod.spec.priority = Some(1000);
            pod
        })
        .collect();
    let start = Instant::now();
    let mut bound = 0;
    for pod in &high {
        scheduler.step(Event::Pod(pod), now);
        let mut outputs = scheduler.step(Event::Run { attempts: 1 }, now);
        while let Some(action) = (!outputs.actions.is_empty()).then(|| outputs.actions.remove(0)) {
            match action {
                Action::Preempt { victims, .. } => {
                    for victim in victims {
                        scheduler.step(Event::PodGone(&victim.uid), now);
                    }
                    let more = scheduler.step(Event::Run { attempts: 1 }, now);
                    outputs.actions.extend(more.actions);
                }
                Action::Bind { pod, .. } => {
                    scheduler.step(Event::BindDone { uid: &pod.uid, result: Ok(()) }, now);
                    bound += 1;
                }
                _ => {}
            }
        }
    }
    assert_eq!(bound, pods);
    pods as f64 / start.elapsed().as_secs_f64()
}

fn cluster(nodes: usize) -> Scheduler {
    let mut scheduler = Scheduler::new(Config { seed: 42, ..Config::default() });
    let now = Time::EPOCH;
    let mut namespace = api_types::core::v1::Namespace::default();
    namespace.metadata.name = "default".into();
    namespace.metadata.labels = [("team".to_owned(), "devops".to_owned())].into();
    scheduler.step(Event::Namespace(&namespace), now);
    let mut service = api_types::core::v1::Service::default();
    (service.metadata.namespace, service.metadata.name) = ("default".into(), "web".into());
    service.spec.selector = [("app".to_owned(), "web".to_owned())].into();
    scheduler.step(Event::Service(&service), now);
    for index in 0..nodes {
        let mut node = Node::default();
        node.metadata.name = format!("node-{index:05}");
        node.metadata.labels = BTreeMap::from([
            ("kubernetes.io/hostname".into(), node.metadata.name.clone()),
            ("topology.kubernetes.io/zone".into(), format!("zone-{}", index % ZONES)),
        ]);
        let amounts = [("cpu", "32"), ("memory", "256Gi"), ("pods", "110")];
        node.status.allocatable = amounts.map(|(name, amount)| (name.into(), amount.parse().unwrap())).into();
        scheduler.step(Event::Node(&node), now);
    }
    scheduler
}

fn pod(index: usize, shape: Shape) -> Pod {
    let mut pod = Pod::default();
    pod.metadata.uid = index.to_string();
    pod.metadata.name = format!("pod-{index}");
    pod.metadata.namespace = "default".into();
    pod.spec.scheduler_name = "default-scheduler".into();
    let requests = [("cpu", "100m"), ("memory", "500Mi")];
    let mut container = Container { name: "main".into(), image: "pause:3.10".into(), ..Container::default() };
    container.resources.requests =
        requests.map(|(name, amount)| (name.into(), amount.parse().unwrap())).into();
    pod.spec.containers = vec![container].into();
    shape(&mut pod);
    pod
}

fn label(pod: &mut Pod, key: &str, value: &str) {
    pod.metadata.labels.insert(key.into(), value.into());
}

fn selector(key: &str, value: &str) -> Option<Box<LabelSelector>> {
    let match_labels = [(key.to_owned(), value.to_owned())].into();
    Some(Box::new(LabelSelector { match_labels, ..LabelSelector::default() }))
}

fn spread(pod: &mut Pod, key: &str) {
    label(pod, "color", "blue");
    pod.spec.topology_spread_constraints = vec![TopologySpreadConstraint {
        max_skew: 5,
        topology_key: key.into(),
        when_unsatisfiable: "DoNotSchedule".into(),
        label_selector: selector("color", "blue"),
        ..TopologySpreadConstraint::default()
    }];
}

fn affinity(pod: &mut Pod, key: &str, preferred: bool) {
    label(pod, "color", "blue");
    let term = PodAffinityTerm {
        label_selector: selector("color", "blue"),
        topology_key: key.into(),
        ..PodAffinityTerm::default()
    };
    let mut pod_affinity = PodAffinity::default();
    if preferred {
        let weighted = api_types::core::v1::WeightedPodAffinityTerm { weight: 1, pod_affinity_term: term };
        pod_affinity.preferred_during_scheduling_ignored_during_execution = vec![weighted];
    } else {
        pod_affinity.required_during_scheduling_ignored_during_execution = vec![term];
    }
    pod.spec.affinity =
        Some(Box::new(Affinity { pod_affinity: Some(Box::new(pod_affinity)), ..Affinity::default() }));
}

fn anti_affinity(pod: &mut Pod, by_namespace: bool) {
    label(pod, "color", "green");
    let term = PodAffinityTerm {
        label_selector: selector("color", "green"),
        topology_key: "kubernetes.io/hostname".into(),
        namespace_selector: by_namespace.then(|| selector("team", "devops").unwrap()),
        ..PodAffinityTerm::default()
    };
    let anti_affinity = PodAntiAffinity {
        required_during_scheduling_ignored_during_execution: vec![term],
        ..PodAntiAffinity::default()
    };
    pod.spec.affinity =
        Some(Box::new(Affinity { pod_anti_affinity: Some(Box::new(anti_affinity)), ..Affinity::default() }));
}
