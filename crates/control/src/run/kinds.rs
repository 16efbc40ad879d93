//! The controllers that deal with objects of all kinds, begun anew whenever definitions bring other kinds.
//!
//! They plan from what their views show, so beginning anew loses nothing: in the server's process the views stay open.

use std::sync::Arc;
use std::time::Duration;

use api_types::apiextensions::v1::CustomResourceDefinition;
use base::drain;
use client::reconcile::{self, Deps, resource_of};
use client::{Caller, RawView, Scope, Snapshot};
use tokio::task::JoinSet;

use crate::{Others, cluster, workload};
use control_base::resources::{self, Served};

/// How long definitions may go on changing before the controllers are begun anew: they often come in numbers.
const SETTLE: Duration = Duration::from_secs(1);

/// How long after a refusal the definitions are asked for again.
const AGAIN: Duration = Duration::from_secs(5);

/// Runs them until they are asked to finish.
pub(super) async fn run(
    deps: Deps,
    built_in: Vec<Served>,
    behind: Option<Arc<dyn Others>>,
    mut drain: drain::Watch,
) {
    let opened = tokio::select! {
        biased;
        () = drain.signaled() => return,
        view = open(&deps) => view,
    };
    loop {
        let custom = brought(&opened.snapshot());
        let served: Vec<Served> = built_in.iter().chain(&custom).cloned().collect();
        let (signal, watch) = drain::channel();
        let mut running = JoinSet::new();
        let namespaces = cluster::Namespaces::new(&served).beside(behind.clone());
        running.spawn(reconcile::run(namespaces, deps.clone(), watch.clone()));
        running.spawn(reconcile::run(cluster::Garbage::new(&served), deps.clone(), watch.clone()));
        running.spawn(reconcile::run(cluster::ResourceQuotas::new(&served), deps.clone(), watch.clone()));
        running.spawn(reconcile::run(cluster::StorageMigrations::new(&served), deps.clone(), watch.clone()));
        running.spawn(reconcile::run(workload::Disruptions::new(&served), deps.clone(), watch));
        let ended = tokio::select! {
            biased;
            () = drain.signaled() => true,
            () = others(&deps, &opened, &custom) => false,
        };
        signal.drain().await;
        while let Some(ended) = running.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a controller has died");
            }
        }
        if ended {
            return;
        }
    }
}

async fn open(deps: &Deps) -> RawView {
    let reader = Caller::new("system:kube-controller-manager", &["system:authenticated"]);
    let scope = Scope::all(resource_of::<CustomResourceDefinition>().clone());
    loop {
        match deps.api.view(&reader, scope.clone()).await {
            Ok(view) => {
                view.reached(client::Revision(0)).await;
                return view;
            }
            Err(error) => {
                tracing::debug!(%error, "definitions.refused");
                deps.clock.sleep(AGAIN).await;
            }
        }
    }
}

fn brought(snapshot: &Snapshot) -> Vec<Served> {
    resources::of_definitions(snapshot.iter().filter_map(|object| object.downcast_ref()))
}

/// Completes when there are other kinds than these.
async fn others(deps: &Deps, view: &RawView, known: &[Served]) {
    let mut changed = view.changed();
    while brought(&view.snapshot()) == known {
        if changed.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
    deps.clock.sleep(SETTLE).await;
}
