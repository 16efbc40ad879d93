//! Ports that somebody has written by hand.

use std::collections::BTreeSet;

use super::super::ports::spoil;
use super::{World, service};
use crate::RepairedPorts;

#[tokio::test]
async fn ports_are_brought_to_what_the_services_say() {
    let range = 30_000..=30_063;
    let world = World::new(&["10.0.0.0/24"]).await;
    let repaired = || async { world.registry.repair_node_ports().await.expect("repaired") };
    assert_eq!(repaired().await, RepairedPorts::default());
    let made = world.create(service("a", "NodePort")).await.expect("made");
    assert_eq!(repaired().await, RepairedPorts::default());
    let own = BTreeSet::from([u16::try_from(made.spec.ports[0].node_port).expect("a port")]);
    let stray: BTreeSet<u16> = range.clone().filter(|port| !own.contains(port)).take(2).collect();
    spoil(&world.registry, &range, &stray).await;
    assert_eq!(repaired().await, RepairedPorts { leaked: stray, missing: own });
    world.checked().await;
}
