//! What the store needs done: at the start what was written to it by hand is mended, now and then expired keys are deleted and
//! old history is dropped.

use std::sync::Arc;
use std::time::Duration;

use base::drain;
use base::error::Chain;
use base::time::Clock;
use client::Status;
use server_bootstrap::Identity;
use server_registry::Registry;
use store::{Revision, Store};

/// How often expired keys are looked for.
const EXPIRE_EVERY: Duration = Duration::from_secs(10);

/// How often the services are looked for that a cluster cannot be without: upstream's.
const SERVICES_EVERY: Duration = Duration::from_secs(10);

/// How often the server's lease is renewed: upstream's `IdentityLeaseRenewIntervalPeriod`.
const RENEW_EVERY: Duration = Duration::from_secs(10);

/// After how many of them leases of dead servers are looked for: upstream's `IdentityLeaseGCPeriod`, an hour.
const COLLECT_RENEWALS: u32 = 360;

/// How long history is kept: between one and two of upstream's `--etcd-compaction-interval`.
const KEEP_TICKS: u32 = 30;

/// Mends what no transaction of a server leaves behind.
pub async fn repair(registry: &Registry) {
    match registry.repair_node_ports().await {
        Ok(repaired) if repaired == server_registry::RepairedPorts::default() => {}
        Ok(repaired) => tracing::warn!(?repaired, "node_ports.repaired"),
        Err(status) => tracing::warn!(error = %Chain(&status), "node_ports.repair"),
    }
}

/// Keeps the cluster's own services until asked to finish.
pub async fn services(
    registry: Registry,
    wanted: server_bootstrap::Config,
    clock: Arc<dyn Clock>,
    mut drain: drain::Watch,
) {
    loop {
        tokio::select! {
            () = drain.signaled() => return,
            () = clock.sleep(SERVICES_EVERY) => {}
        }
        if let Err(status) = server_bootstrap::services(&registry, &wanted).await {
            tracing::warn!(error = %Chain(&status), "services.kept");
        }
    }
}

/// Holds the server's lease until asked to finish, and collects those of servers that have died.
pub async fn identity(
    registry: Registry,
    identity: Identity,
    clock: Arc<dyn Clock>,
    mut drain: drain::Watch,
) {
    let said = |done: Result<(), Status>, what: &'static str| {
        if let Err(status) = done {
            tracing::warn!(error = %Chain(&status), what, "identity.lease");
        }
    };
    // What an earlier run has left says that somebody serves who does not.
    said(identity.release(&registry).await, "release");
    let mut renewals = 0;
    loop {
        said(identity.renew(&registry).await, "renew");
        if renewals % COLLECT_RENEWALS == 0 {
            said(server_bootstrap::identity::collect(&registry).await, "collect");
        }
        renewals += 1;
        tokio::select! {
            () = drain.signaled() => break,
            () = clock.sleep(RENEW_EVERY) => {}
        }
    }
    said(identity.release(&registry).await, "release");
}

/// Keeps the store tidy until asked to finish.
pub async fn run(store: Arc<dyn Store>, clock: Arc<dyn Clock>, mut drain: drain::Watch) {
    let mut mark = store.current_revision();
    let mut ticks = 0;
    loop {
        tokio::select! {
            () = drain.signaled() => return,
            () = clock.sleep(EXPIRE_EVERY) => {}
        }
        if let Err(error) = store.expire(clock.now()).await {
            tracing::warn!(error = %Chain(&error), "store.expire");
        }
        ticks += 1;
        if ticks >= KEEP_TICKS {
            ticks = 0;
            compact(&*store, mark).await;
            mark = store.current_revision();
        }
    }
}

async fn compact(store: &dyn Store, at: Revision) {
    if at <= Revision::EMPTY {
        return;
    }
    if let Err(error) = store.compact(at).await {
        tracing::debug!(error = %Chain(&error), "store.compact");
    }
}
