//! `knarr agent`: a node of its own process, which joins a cluster elsewhere.
//!
//! It joins as kubelet does by TLS bootstrap: the token lets it ask for a client certificate, with which it is its node;
//! as the node it asks for a serving certificate once the node's addresses are known, and renews both while it runs.

mod asked;
mod identity;
mod join;
mod member;

use std::sync::Arc;

use anyhow::Context as _;
use api_types::core::v1::ConfigMap;
use base::drain;
use base::random::SystemRandom;
use base::time::{Clock, SystemClock};
use cli::config::{AgentConfig, Cluster};
use cli::instance::{Claim, Ranges};
use client::{Api, Resource, Status, Target};
use client_remote::Remote;
use node_http::Direct;
use server_authz::bootstrap::SETTINGS;
use tokio::task::JoinSet;

use crate::node::{self, Node, Settings};
use member::Member;

/// Runs the agent.
pub fn run(config: AgentConfig) -> anyhow::Result<()> {
    base::telemetry::init(config.verbosity.filter()).map_err(|error| anyhow::anyhow!("logging: {error}"))?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting threads")?;
    runtime.block_on(serve(config))
}

async fn serve(config: AgentConfig) -> anyhow::Result<()> {
    node::registries(&config.node)?;
    let claim = cli::instance::claim_agent(&config)?;
    let (signal, mut watch) = drain::channel();
    let running = join_and_run(&config, &claim, watch.clone());
    let mut running = std::pin::pin!(running);
    let ended = tokio::select! {
        ended = running.as_mut() => return ended,
        asked = crate::commands::server::asked_to_stop() => asked,
    };
    tracing::info!("agent.stopping");
    let (_, finished) = tokio::join!(signal.drain(), async {
        watch.signaled().await;
        drop(watch);
        running.await
    });
    ended.and(finished)
}

async fn join_and_run(config: &AgentConfig, claim: &Claim, mut drain: drain::Watch) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    // Joining may wait for a person who approves.
    let member = tokio::select! {
        () = drain.signaled() => return Ok(()),
        member = Member::of(config, Arc::clone(&clock)) => member?,
    };
    let settings = match &config.cluster {
        Cluster::Join { .. } => tokio::select! {
            () = drain.signaled() => return Ok(()),
            settings = settings(&member.api, &*clock) => settings?,
        },
        Cluster::Known { cluster_cidr, service_cidr, cluster_dns, cluster_domain, .. } => Settings {
            cluster_cidr: *cluster_cidr,
            service_cidr: *service_cidr,
            cluster_dns: *cluster_dns,
            serves_dns: cluster_dns.is_some(),
            cluster_domain: cluster_domain.clone(),
        },
    };
    let ranges = Ranges::of_node(&config.node, settings.cluster_cidr, settings.service_cidr);
    tokio::task::block_in_place(|| claim.take(ranges))?;
    let address = match config.node.addresses.first() {
        Some(address) => *address,
        None => tokio::task::block_in_place(node::own_address)?,
    };
    let node = Node { place: &config.place, config: &config.node, address, settings: &settings };
    let listener = node.listen().await?;
    let api: Arc<dyn Api> = Arc::new(member.api.clone());
    let Some(agent) = node.start(api, drain.clone()).await? else { return Ok(()) };
    tokio::task::block_in_place(|| claim.keep())?;
    let mut running: JoinSet<anyhow::Result<()>> = JoinSet::new();
    let direct = Direct::new(agent.node_api(), clock);
    running.spawn(member.serve(listener, direct, node.addresses(), drain));
    running.spawn(async move { Ok(agent.run().await?) });
    if let Err(error) = cli::notify::ready() {
        tracing::warn!(%error, "agent.notify");
    }
    while let Some(ended) = running.join_next().await {
        ended??;
    }
    Ok(())
}

/// What the cluster tells its nodes; asked for until it answers. A server that is starting has not written it yet.
async fn settings(remote: &Remote, clock: &dyn Clock) -> anyhow::Result<Settings> {
    let target = Target {
        resource: Resource::of("", "v1", "configmaps"),
        namespace: "kube-system".to_owned(),
        name: SETTINGS.to_owned(),
        subresource: String::new(),
    };
    let found =
        asked::object::<ConfigMap>(remote, &target, Status::is_unauthorized, clock, &SystemRandom).await;
    let found = found.map_err(|status| {
        let is_stranger = status.is_unauthorized();
        let error = anyhow::Error::new(status);
        if is_stranger { error.context(STRANGER) } else { error.context("the cluster's settings") }
    })?;
    Settings::of_map(&found.data).with_context(|| format!("the ConfigMap kube-system/{SETTINGS}"))
}

/// What is wrong when the cluster does not know a node that has joined.
const STRANGER: &str =
    "the cluster does not know this node's certificate: delete the data directory's agent/tls to join anew";
