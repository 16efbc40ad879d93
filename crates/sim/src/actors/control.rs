//! The controllers, each run by the runtime that ships.

use std::sync::Arc;

use base::drain;
use client::reconcile::{self, Controller, Deps};
use control::resources::{Served, built_in};
use control::{cluster, network, workload};

use crate::executor::Group;
use crate::line::Line;
use crate::world::World;

/// The controllers by their names.
pub const NAMES: [&str; 10] = [
    "replica-sets",
    "deployments",
    "stateful-sets",
    "garbage",
    "namespaces",
    "service-accounts",
    "endpoint-slices",
    "node-lifecycle",
    "resource-quotas",
    "taint-eviction",
];

/// The kinds whose objects there are here: following all others would only cost time.
const KINDS: [&str; 12] = [
    "pods",
    "replicasets",
    "deployments",
    "statefulsets",
    "controllerrevisions",
    "services",
    "endpointslices",
    "serviceaccounts",
    "configmaps",
    "namespaces",
    "nodes",
    "resourcequotas",
];

fn served() -> Vec<Served> {
    let mut all = built_in();
    all.retain(|row| KINDS.contains(&&*row.resource.plural));
    all
}

/// Starts a controller.
pub fn start(world: &Arc<World>, group: Group, number: usize) {
    match NAMES[number] {
        "replica-sets" => run(world, group, workload::ReplicaSets),
        "deployments" => run(world, group, workload::Deployments),
        "stateful-sets" => run(world, group, workload::StatefulSets),
        "garbage" => run(world, group, cluster::Garbage::new(&served())),
        "namespaces" => run(world, group, cluster::Namespaces::new(&served())),
        "service-accounts" => run(world, group, cluster::ServiceAccounts),
        "endpoint-slices" => run(world, group, network::EndpointSlices),
        "node-lifecycle" => run(world, group, cluster::NodeLifecycle::new(world.executor.now())),
        "resource-quotas" => run(world, group, cluster::ResourceQuotas::new(&served())),
        _ => run(world, group, cluster::TaintEviction),
    }
}

fn run<C: Controller>(world: &Arc<World>, group: Group, controller: C) {
    let line = Line::new(world, group, C::NAME, true);
    let deps =
        Deps { clock: line.clock(), tasks: line.tasks(), api: Arc::new(line), inspector: Arc::default() };
    let (signal, watch) = drain::channel();
    world.executor.spawn(group, async move {
        let _signal = signal;
        reconcile::run(controller, deps, watch).await;
    });
}
