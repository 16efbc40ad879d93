//! Figures 1, 2 and 3: how many pods a second one core schedules onto 5,000 simulated nodes.
//!
//! Counted is everything from a pod's arrival over its attempt to its binding seen in the cluster; no API and no store are part of it.
//! Times are the processor's, not the clock's: all is done by one thread that never waits.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use api_record::scalar::Quantity;
use api_types::core::v1::{
    Affinity, Container, Node, Pod, PodAffinity, PodAffinityTerm, PodAntiAffinity, TopologySpreadConstraint,
};
use api_types::meta::v1::LabelSelector;
use base::time::Time;
use scheduler::{Action, Config, Event, Scheduler};

use crate::machine::own_cpu;
use crate::report::{Figure, count};

type Shape = fn(&mut Pod);

const NODES: usize = 5_000;
const PODS: usize = 50_000;
const ZONES: usize = 3;
const ZONE: &str = "topology.kubernetes.io/zone";
const BATCH: usize = 1_000;

/// A case: the figure, what the pods are, how many, what makes them so, and the goal of the plan, if it has one.
struct Case(u8, &'static str, usize, Shape, Option<f64>);

/// Prints the figures.
pub fn run() -> Result<()> {
    println!(
        "  the scheduler's core alone, on one core; {} simulated nodes; nothing is written",
        count(NODES as f64)
    );
    let few = NODES - NODES / 10;
    let cases = [
        Case(1, "plain pods", PODS, |_| {}, Some(20_000.0)),
        Case(1, "pods of one service (default spreading)", PODS, |pod| label(pod, "app", "web"), None),
        Case(1, "spread over zones, must hold", PODS, |pod| spread(pod, ZONE), None),
        Case(2, "required affinity, one zone", PODS / 5, |pod| affinity(pod, ZONE), Some(2_000.0)),
        Case(2, "required anti-affinity, one a host", few, |pod| anti_affinity(pod, false), Some(2_000.0)),
        Case(2, "the same with a namespace selector", few, |pod| anti_affinity(pod, true), Some(2_000.0)),
    ];
    for Case(number, what, pods, shape, goal) in cases {
        let (rate, limit) = (measure(NODES, pods, shape)?, copies(pods, shape));
        let figure =
            Figure::new(number, format!("{what}, {}", count(pods as f64)), format!("{}/s", count(rate)));
        let figure = match goal {
            Some(goal) => figure.goal(format!("{}/s", count(goal)), rate >= goal),
            None => figure,
        };
        figure.limit(format!("copying such pods {}/s", count(limit))).print();
    }
    let rate = preemption(NODES, NODES / 5)?;
    Figure::new(3, "preemption, nodes full of low priority, 1,000", format!("{}/s", count(rate)))
        .goal("2,000/s", rate >= 2_000.0)
        .print();
    let (many, goal) = (100_000, 30.0);
    let seconds = many as f64 / measure(many, many, |_| {})?;
    Figure::new(4, "100,000 plain pods onto 100,000 nodes, the scheduler's share", format!("{seconds:.1} s"))
        .goal("30 s for the whole", seconds <= goal)
        .print();
    Ok(())
}

/// How many copies of such pods one core makes in a second: less than that nobody does who keeps them.
fn copies(pods: usize, shape: Shape) -> f64 {
    let original = pod(0, shape);
    let begun = own_cpu();
    let all: Vec<Pod> = (0..pods).map(|_| original.clone()).collect();
    let rate = all.len() as f64 / (own_cpu() - begun).as_secs_f64();
    drop(all);
    rate
}

fn measure(nodes: usize, pods: usize, shape: Shape) -> Result<f64> {
    let mut scheduler = cluster(nodes);
    let mut made: Vec<Pod> = (0..pods).map(|index| pod(index, shape)).collect();
    let start = own_cpu();
    let now = Time::from_unix_seconds(1);
    let mut bound = 0;
    for batch in made.chunks_mut(BATCH) {
        let first = bound;
        for pod in batch.iter() {
            scheduler.step(Event::Pod(pod), now);
        }
        let outputs = scheduler.step(Event::Run { attempts: BATCH }, now);
        for action in outputs.actions {
            let Action::Bind { pod, node } = action else { anyhow::bail!("not bound: {action:?}") };
            scheduler.step(Event::BindDone { uid: &pod.uid, result: Ok(()) }, now);
            let index: usize = pod.uid.parse()?;
            let seen = &mut batch[index - first];
            seen.spec.node_name = node.to_string();
            scheduler.step(Event::Pod(seen), now);
            bound += 1;
        }
    }
    let rate = pods as f64 / (own_cpu() - start).as_secs_f64();
    ensure!(bound == pods, "{bound} of {pods} pods were bound");
    Ok(rate)
}

/// Every node is full of four pods of low priority; each new pod needs the room of one.
fn preemption(nodes: usize, pods: usize) -> Result<f64> {
    let mut scheduler = cluster(nodes);
    let now = Time::from_unix_seconds(1);
    let sized = |index: usize, cpu: &str| {
        let mut pod = pod(index, |_| {});
        let requests = [("cpu", cpu), ("memory", "500Mi")];
        let container = Container {
            resources: api_types::core::v1::ResourceRequirements {
                requests: amounts(requests),
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
    let start = own_cpu();
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
    let rate = pods as f64 / (own_cpu() - start).as_secs_f64();
    ensure!(bound == pods, "{bound} of {pods} pods were bound");
    Ok(rate)
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
            (ZONE.into(), format!("zone-{}", index % ZONES)),
        ]);
        let room = [("cpu", "32"), ("memory", "256Gi"), ("pods", "110")];
        node.status.allocatable = amounts(room);
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
    container.resources.requests = amounts(requests);
    pod.spec.containers = vec![container].into();
    shape(&mut pod);
    pod
}

/// Amounts of resources that are known to be well written.
fn amounts<const N: usize>(amounts: [(&str, &str); N]) -> BTreeMap<String, Quantity> {
    let known = |amount: &str| amount.parse().expect("the amounts here are well written");
    amounts.map(|(name, amount)| (name.to_owned(), known(amount))).into()
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

fn affinity(pod: &mut Pod, key: &str) {
    label(pod, "color", "blue");
    let term = PodAffinityTerm {
        label_selector: selector("color", "blue"),
        topology_key: key.into(),
        ..PodAffinityTerm::default()
    };
    let pod_affinity = PodAffinity {
        required_during_scheduling_ignored_during_execution: vec![term],
        ..PodAffinity::default()
    };
    pod.spec.affinity =
        Some(Box::new(Affinity { pod_affinity: Some(Box::new(pod_affinity)), ..Affinity::default() }));
}

fn anti_affinity(pod: &mut Pod, by_namespace: bool) {
    label(pod, "color", "green");
    let term = PodAffinityTerm {
        label_selector: selector("color", "green"),
        topology_key: "kubernetes.io/hostname".into(),
        namespace_selector: if by_namespace { selector("team", "devops") } else { None },
        ..PodAffinityTerm::default()
    };
    let anti_affinity = PodAntiAffinity {
        required_during_scheduling_ignored_during_execution: vec![term],
        ..PodAntiAffinity::default()
    };
    pod.spec.affinity =
        Some(Box::new(Affinity { pod_anti_affinity: Some(Box::new(anti_affinity)), ..Affinity::default() }));
}
