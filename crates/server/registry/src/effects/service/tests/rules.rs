//! What services are given and refused, in upstream's words.

use std::sync::Arc;

use api_meta::Status;
use api_meta::gvk::GroupResource;
use api_record::Record;
use api_types::core::v1::Service;
use client::{BoxFuture, WriteOptions};

use super::{World, asking, port, service};
use crate::admit::{Admission, Attributes};

/// Refuses everything at the last moment.
struct Refusing;

impl Admission for Refusing {
    fn mutate<'a>(
        &'a self,
        _: &'a Attributes<'a>,
        _: &'a mut dyn Record,
        _: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async { Ok(()) })
    }
    fn validate<'a>(
        &'a self,
        a: &'a Attributes<'a>,
        _: Option<&'a dyn Record>,
        _: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        let resource = GroupResource { group: "", resource: "services" };
        Box::pin(async move { Err(Status::forbidden(resource, a.name, "no")) })
    }
}

#[tokio::test]
async fn a_new_service_is_given_what_its_type_has() {
    let world = World::new(&["10.0.0.0/24"]).await;
    let plain = world.create(service("plain", "ClusterIP")).await.expect("made");
    assert_eq!(plain.spec.cluster_ips, std::slice::from_ref(&plain.spec.cluster_ip));
    assert!(plain.spec.cluster_ip.starts_with("10.0.0."), "{}", plain.spec.cluster_ip);
    assert_eq!(plain.spec.ip_families, ["IPv4"]);
    assert_eq!(plain.spec.ip_family_policy.as_deref(), Some("SingleStack"));
    assert_eq!(plain.spec.ports[0].node_port, 0);
    let headless = world.create(asking("headless", "None")).await.expect("made");
    assert_eq!(headless.spec.cluster_ips, ["None"]);
    assert_eq!(headless.spec.ip_families, ["IPv4"]);
    let mut selectorless = asking("selectorless", "None");
    selectorless.spec.selector.clear();
    let selectorless = world.create(selectorless).await.expect("made");
    assert_eq!(selectorless.spec.ip_families, ["IPv4", "IPv6"]);
    assert_eq!(selectorless.spec.ip_family_policy.as_deref(), Some("RequireDualStack"));
    let mut shared = service("shared", "NodePort");
    shared.spec.ports = vec![port("tcp", 53, 0), port("udp", 53, 0), port("http", 80, 0)];
    shared.spec.ports[1].protocol = "UDP".into();
    let shared = world.create(shared).await.expect("made");
    let ports: Vec<i32> = shared.spec.ports.iter().map(|port| port.node_port).collect();
    assert!(ports[0] == ports[1] && ports[0] != ports[2] && ports[2] != 0, "{ports:?}");
    let mut local = service("local", "LoadBalancer");
    local.spec.external_traffic_policy = "Local".into();
    let local = world.create(local).await.expect("made");
    assert!(local.spec.health_check_node_port >= 30_000);
    assert_eq!(
        world.registry.list(&world.services, "", &Default::default()).await.expect("list").items.len(),
        5
    );
}

#[tokio::test]
async fn what_cannot_be_had_is_refused_in_upstreams_words() {
    let world = World::new(&["10.0.0.0/24"]).await;
    world.create(asking("first", "10.0.0.1")).await.expect("made");
    let mut taken = service("ports", "NodePort");
    taken.spec.ports[0].node_port = 30_001;
    world.create(taken.clone()).await.expect("made");
    let mut dual = service("x", "ClusterIP");
    dual.spec.ip_family_policy = Some("RequireDualStack".into());
    let mut six = service("x", "ClusterIP");
    six.spec.ip_families = vec!["IPv6".into()];
    let mut port_taken = taken.clone();
    port_taken.metadata.name = "x".into();
    let mut port_outside = port_taken.clone();
    port_outside.spec.ports[0].node_port = 80;
    let cases = [
        (
            asking("x", "10.0.0.1"),
            "Service \"x\" is invalid: spec.clusterIPs: Invalid value: [\"10.0.0.1\"]: failed to allocate IP \
             10.0.0.1: provided IP is already allocated",
        ),
        (
            asking("x", "10.0.1.1"),
            "Service \"x\" is invalid: spec.clusterIPs: Invalid value: [\"10.0.1.1\"]: failed to allocate IP \
             10.0.1.1: the provided network does not match the current range",
        ),
        (
            asking("x", "10.0.0.255"),
            "Service \"x\" is invalid: spec.clusterIPs: Invalid value: [\"10.0.0.255\"]: failed to allocate IP \
             10.0.0.255: the provided network does not match the current range",
        ),
        (
            asking("x", "fd00::1"),
            "Service \"x\" is invalid: spec.clusterIPs[0]: Invalid value: [\"fd00::1\"]: IPv6 is not configured on \
             this cluster",
        ),
        (
            dual,
            "Service \"x\" is invalid: spec.ipFamilyPolicy: Invalid value: \"RequireDualStack\": this cluster is \
             not configured for dual-stack services",
        ),
        (
            six,
            "Service \"x\" is invalid: spec.ipFamilies[0]: Invalid value: \"IPv6\": not configured on this cluster",
        ),
        (
            port_taken,
            "Service \"x\" is invalid: spec.ports[0].nodePort: Invalid value: 30001: provided port is already \
             allocated",
        ),
        (
            port_outside,
            "Service \"x\" is invalid: spec.ports[0].nodePort: Invalid value: 80: provided port is not in the \
             valid range. The range of valid ports is 30000-30063",
        ),
    ];
    for (service, message) in cases {
        assert_eq!(world.create(service).await.err().as_deref(), Some(message));
    }
    assert_eq!(world.checked().await.len(), 2);
}

#[tokio::test]
async fn what_fails_or_is_only_tried_holds_nothing() {
    let world = World::admitting(&["10.0.0.0/24"], Arc::new(Refusing)).await;
    assert!(world.create(service("x", "NodePort")).await.is_err());
    assert!(world.checked().await.is_empty());
    let world = World::new(&["10.0.0.0/24"]).await;
    let dry = WriteOptions { dry_run: true, ..WriteOptions::default() };
    let tried = world.create_with(service("x", "NodePort"), &dry).await.expect("tried");
    assert_ne!(tried.spec.cluster_ip, "");
    assert!(world.checked().await.is_empty());
    world.create(service("x", "NodePort")).await.expect("made");
    let again = world.create(service("x", "NodePort")).await;
    assert_eq!(again.err().as_deref(), Some("services \"x\" already exists"));
    assert_eq!(world.checked().await.len(), 1);
}

#[tokio::test]
async fn a_change_of_type_takes_and_gives_back() {
    let world = World::new(&["10.0.0.0/24"]).await;
    let made = world.create(service("x", "ClusterIP")).await.expect("made");
    let as_node_port = |service: &mut Service| {
        service.spec.type_ = "NodePort".into();
        service.spec.external_traffic_policy = "Cluster".into();
    };
    let changed = world.update("x", as_node_port).await.expect("changed");
    let node_port = changed.spec.ports[0].node_port;
    assert!(node_port >= 30_000 && changed.spec.cluster_ip == made.spec.cluster_ip);
    world.checked().await;
    let omitting = |service: &mut Service| {
        service.spec.cluster_ip.clear();
        service.spec.cluster_ips.clear();
        service.spec.ports[0].node_port = 0;
    };
    let kept = world.update("x", omitting).await.expect("changed");
    assert_eq!((kept.spec.ports[0].node_port, &kept.spec.cluster_ip), (node_port, &made.spec.cluster_ip));
    world.checked().await;
    let as_name = |service: &mut Service| {
        service.spec = Default::default();
        service.spec.type_ = "ExternalName".into();
        service.spec.session_affinity = "None".into();
        service.spec.external_name = "example.com".into();
    };
    world.update("x", as_name).await.expect("changed");
    world.checked().await;
    assert!(super::super::ports::kept(&world.registry, &(30_000..=30_063)).await.expect("kept").is_empty());
    let back = world.update("x", |new| new.spec = service("x", "NodePort").spec).await.expect("changed");
    assert!(back.spec.cluster_ip.starts_with("10.0.0."));
    world.checked().await;
    world.delete("x").await;
    assert!(world.checked().await.is_empty());
}

#[tokio::test]
async fn two_families_come_and_go_with_the_policy() {
    let world = World::new(&["10.0.0.0/24", "fd00::/112"]).await;
    let mut prefers = service("x", "ClusterIP");
    prefers.spec.ip_family_policy = Some("PreferDualStack".into());
    let both = world.create(prefers).await.expect("made");
    assert_eq!(both.spec.ip_families, ["IPv4", "IPv6"]);
    assert!(both.spec.cluster_ips[1].starts_with("fd00::"), "{:?}", both.spec.cluster_ips);
    let set = |policy: &'static str| {
        move |service: &mut Service| service.spec.ip_family_policy = Some(policy.to_owned())
    };
    let one = world.update("x", set("SingleStack")).await.expect("changed");
    assert_eq!(one.spec.cluster_ips, both.spec.cluster_ips[..1]);
    world.checked().await;
    let both = world.update("x", set("RequireDualStack")).await.expect("changed");
    assert_eq!((both.spec.cluster_ips.len(), &both.spec.cluster_ips[0]), (2, &one.spec.cluster_ip));
    assert_eq!(both.spec.ip_families, ["IPv4", "IPv6"]);
    world.checked().await;
}

#[tokio::test]
async fn further_ranges_are_used_when_the_first_is_full() {
    let world = World::new(&["10.0.0.0/30"]).await;
    for name in ["a", "b"] {
        world.create(service(name, "ClusterIP")).await.expect("made");
    }
    let full = world.create(service("c", "ClusterIP")).await;
    let message = "Internal error occurred: failed to allocate a serviceIP for Service \"c\": range is full";
    assert_eq!(full.err().as_deref(), Some(message));
    world.add_range("another", &["10.1.0.0/24"]).await;
    let made = world.create(service("c", "ClusterIP")).await.expect("made");
    assert!(made.spec.cluster_ip.starts_with("10.1.0."));
    world.checked().await;
}
