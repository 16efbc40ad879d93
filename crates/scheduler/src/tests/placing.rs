//! What is bound where.

use api_types::apps::v1::ReplicaSet;
use api_types::core::v1::{ContainerImage, PreferredSchedulingTerm, Service};
use api_types::meta::v1::OwnerReference;

use super::fixture::*;
use crate::Event;

fn three_zones() -> Vec<api_types::core::v1::Node> {
    ["a", "b", "c"].map(|zone| node(&format!("node-{zone}"), zone, "4", "10")).to_vec()
}

#[test]
fn the_emptier_node_is_taken() {
    let mut rig = Rig::new(&[node("big", "a", "8", "10"), node("small", "a", "2", "10")]);
    assert_eq!(rig.bind(&pod("p", "1")).as_deref(), Some("big"));
}

#[test]
fn a_hard_constraint_spreads_and_an_unknown_domain_is_no_place() {
    let mut nodes = three_zones();
    nodes.push(node("no-zone", "d", "64", "10"));
    nodes[3].metadata.labels.remove(ZONE);
    let mut rig = Rig::new(&nodes);
    let mut used: Vec<String> = (0..3)
        .filter_map(|index| {
            let pod = labelled(pod(&format!("p{index}"), "1"), "app", "web");
            rig.bind(&spread(pod, ZONE, 1, &[("app", "web")]))
        })
        .collect();
    used.sort();
    assert_eq!(used, ["node-a", "node-b", "node-c"]);
}

#[test]
fn affinity_follows_and_the_first_of_its_kind_goes_anywhere() {
    let mut rig = Rig::new(&three_zones());
    let kind = |name: &str| near(labelled(pod(name, "1"), "app", "db"), term(ZONE, &[("app", "db")]));
    let first = rig.bind(&kind("first"));
    assert!(first.is_some());
    assert_eq!(rig.bind(&kind("second")), first);
    let other = near(pod("other", "1"), term(ZONE, &[("app", "cache")]));
    assert_eq!(
        rig.refused(&other).message.split(" preemption:").next(),
        Some("0/3 nodes are available: 3 node(s) didn't match pod affinity rules.")
    );
}

#[test]
fn anti_affinity_holds_both_ways_and_across_namespaces() {
    let mut rig = Rig::new(&three_zones()[..2]);
    rig.namespace("other", &[("team", "x")]);
    let mut everywhere = term(ZONE, &[("app", "noisy")]);
    everywhere.namespace_selector = selector(&[("team", "x")]);
    let quiet = apart(pod("quiet", "1"), everywhere);
    let Some(home) = rig.bind(&quiet) else { panic!("there is room") };
    let mut noisy = labelled(pod("noisy", "1"), "app", "noisy");
    assert!(rig.bind(&noisy).is_some(), "the term is not about the default namespace");
    noisy.metadata.namespace = "other".into();
    noisy.metadata.uid = "uid-noisy-2".into();
    let away = rig.bind(&noisy);
    assert!(away.is_some() && away.as_deref() != Some(home.as_str()));
    rig.step(Event::Node(&tainted(node("node-b", "b", "4", "10"), "k", "NoSchedule")));
    rig.namespace("other", &[]);
    let mut third = noisy.clone();
    third.metadata.uid = "uid-noisy-3".into();
    assert!(rig.bind(&third).is_some(), "the namespace has lost the label");
}

#[test]
fn pods_of_a_service_spread_by_default() {
    let mut rig = Rig::new(&three_zones());
    let mut service = Service::default();
    (service.metadata.namespace, service.metadata.name) = ("default".into(), "web".into());
    service.spec.selector = labels(&[("app", "web")]);
    rig.step(Event::Service(&service));
    let mut nodes: Vec<String> = (0..3)
        .filter_map(|index| rig.bind(&labelled(pod(&format!("p{index}"), "0"), "app", "web")))
        .collect();
    nodes.sort();
    assert_eq!(nodes, ["node-a", "node-b", "node-c"]);
}

#[test]
fn a_replica_set_seen_after_its_pods_still_spreads_them() {
    let mut rig = Rig::new(&three_zones());
    rig.step(Event::Pod(&on(labelled(pod("old", "0"), "app", "web"), "node-a")));
    let mut new = labelled(pod("new", "0"), "app", "web");
    new.metadata.owner_references = vec![OwnerReference {
        api_version: "apps/v1".into(),
        kind: "ReplicaSet".into(),
        name: "web".into(),
        controller: Some(true),
        ..OwnerReference::default()
    }];
    rig.step(Event::Pod(&new));
    let mut set = ReplicaSet::default();
    (set.metadata.namespace, set.metadata.name) = ("default".into(), "web".into());
    set.spec.selector = selector(&[("app", "web")]);
    rig.step(Event::ReplicaSet(&set));
    assert_ne!(bound(&rig.run()).as_deref(), Some("node-a"));
}

#[test]
fn soft_taints_preferences_and_images_count() {
    let nodes = || vec![node("n1", "a", "4", "10"), node("n2", "a", "4", "10")];
    let mut soft = nodes();
    soft[0] = tainted(soft[0].clone(), "k", "PreferNoSchedule");
    assert_eq!(Rig::new(&soft).bind(&pod("p", "1")).as_deref(), Some("n2"));

    let mut preferring = pod("p", "1");
    let mut affinity = api_types::core::v1::NodeAffinity::default();
    let mut term = PreferredSchedulingTerm { weight: 1, ..PreferredSchedulingTerm::default() };
    term.preference.match_expressions = vec![api_types::core::v1::NodeSelectorRequirement {
        key: HOST.into(),
        operator: "In".into(),
        values: vec!["n1".into()],
    }];
    affinity.preferred_during_scheduling_ignored_during_execution = vec![term];
    preferring.spec.affinity = Some(Box::new(api_types::core::v1::Affinity {
        node_affinity: Some(Box::new(affinity)),
        ..Default::default()
    }));
    assert_eq!(Rig::new(&nodes()).bind(&preferring).as_deref(), Some("n1"));

    let mut pulled = nodes();
    let names = vec!["app:latest".to_owned()].into();
    pulled[1].status.images = vec![ContainerImage { names, size_bytes: 2 << 30 }];
    assert_eq!(Rig::new(&pulled).bind(&pod("p", "1")).as_deref(), Some("n2"));
}

#[test]
fn host_ports_are_taken_once() {
    let mut rig = Rig::new(&three_zones()[..1]);
    assert!(rig.bind(&with_host_port(pod("p1", "1"), 80)).is_some());
    let second = with_host_port(pod("p2", "1"), 80);
    assert!(rig.refused(&second).message.contains("didn't have free ports"));
    assert_eq!(bound(&rig.step(Event::PodGone("uid-p1")).actions), None);
    assert_eq!(bound(&rig.run()).as_deref(), Some("node-a"));
}

#[test]
fn only_its_own_pods_are_scheduled() {
    let mut rig = Rig::new(&three_zones());
    let mut other = pod("p", "1");
    other.spec.scheduler_name = "another".into();
    assert!(rig.try_pod(&other).is_empty());
}

#[test]
fn the_same_seed_gives_the_same_places() {
    let places = || -> Vec<Option<String>> {
        let nodes: Vec<_> = (0..150).map(|index| node(&format!("n{index}"), "a", "4", "10")).collect();
        let mut rig = Rig::new(&nodes);
        (0..20).map(|index| rig.bind(&pod(&format!("p{index}"), "1"))).collect()
    };
    assert_eq!(places(), places());
}
