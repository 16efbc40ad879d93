//! The controllers, each run by the runtime that ships.

use std::sync::Arc;

use base::drain;
use client::reconcile::{self, Controller, Deps};
use control::resources::{Served, built_in};
use control::{cluster, network, workload};

use crate::executor::Group;
use crate::line::Line;
use crate::world::World;

/// The kinds whose objects there are in every world: following all others would only cost time.
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

fn served(world: &World) -> Vec<Served> {
    let mut all = built_in();
    let kinds = world.family.kinds();
    all.retain(|row| KINDS.iter().chain(kinds).any(|kind| *kind == &*row.resource.plural));
    all
}

/// Starts a controller, by its place among those of the world's family.
pub fn start(world: &Arc<World>, group: Group, number: usize) {
    match world.family.controllers().nth(number).unwrap_or_default() {
        "replica-sets" => run(world, group, workload::ReplicaSets),
        "deployments" => run(world, group, workload::Deployments),
        "stateful-sets" => run(world, group, workload::StatefulSets),
        "daemon-sets" => run(world, group, workload::DaemonSets::default()),
        "jobs" => run(world, group, workload::Jobs),
        "cron-jobs" => run(world, group, workload::CronJobs),
        "ttl-after-finished" => run(world, group, workload::TtlAfterFinished),
        "pod-garbage" => run(world, group, cluster::PodGarbage::default()),
        "garbage" => run(world, group, cluster::Garbage::new(&served(world))),
        "namespaces" => run(world, group, cluster::Namespaces::new(&served(world))),
        "service-accounts" => run(world, group, cluster::ServiceAccounts),
        "endpoint-slices" => run(world, group, network::EndpointSlices),
        "node-lifecycle" => run(world, group, cluster::NodeLifecycle::new(world.executor.now())),
        "resource-quotas" => run(world, group, cluster::ResourceQuotas::new(&served(world))),
        "taint-eviction" => run(world, group, cluster::TaintEviction),
        other => unreachable!("no controller is called {other}"),
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
