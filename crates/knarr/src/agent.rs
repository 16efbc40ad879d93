//! `knarr agent`: a node of its own process, which joins a cluster elsewhere.
//!
//! It joins as kubelet does by TLS bootstrap: the token lets it ask for a client certificate, with which it is its node;
//! as the node it asks for a serving certificate once the node's addresses are known, and renews both while it runs.

mod identity;
mod join;
mod member;

use std::sync::Arc;

use anyhow::Context as _;
use api_types::core::v1::ConfigMap;
use base::drain;
use base::error::Chain;
use base::time::{Clock, SystemClock};
use cli::config::{AgentConfig, Cluster};
use client::{Api, Outcome, Request, Resource, Target, Verb};
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
    let _claim = cli::instance::claim_agent(&config)?;
    let (signal, mut watch) = drain::channel();
    let running = join_and_run(&config, watch.clone());
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

async fn join_and_run(config: &AgentConfig, mut drain: drain::Watch) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    // Joining may wait for a person who approves.
    let member = tokio::select! {
        () = drain.signaled() => return Ok(()),
        member = Member::of(config, Arc::clone(&clock)) => member?,
    };
    let settings = match &config.cluster {
        Cluster::Join { .. } => match settings(&member.api, &*clock, &mut drain).await {
            Some(settings) => settings?,
            None => return Ok(()),
        },
        Cluster::Known { cluster_cidr, service_cidr, cluster_dns, cluster_domain, .. } => Settings {
            cluster_cidr: *cluster_cidr,
            service_cidr: *service_cidr,
            cluster_dns: *cluster_dns,
            serves_dns: cluster_dns.is_some(),
            cluster_domain: cluster_domain.clone(),
        },
    };
    let address = match config.node.addresses.first() {
        Some(address) => *address,
        None => tokio::task::block_in_place(node::own_address)?,
    };
    let node = Node { place: &config.place, config: &config.node, address, settings: &settings };
    let listener = node.listen().await?;
    let api: Arc<dyn Api> = Arc::new(member.api.clone());
    let Some(agent) = node.start(api, drain.clone()).await? else { return Ok(()) };
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

/// What the cluster tells its nodes; asked for until it answers, or until the agent is to end.
async fn settings(
    remote: &Remote,
    clock: &dyn Clock,
    drain: &mut drain::Watch,
) -> Option<anyhow::Result<Settings>> {
    let target = Target {
        resource: Resource::of("", "v1", "configmaps"),
        namespace: "kube-system".to_owned(),
        name: SETTINGS.to_owned(),
        subresource: String::new(),
    };
    let nobody = client::Caller::default();
    loop {
        let answer = remote.call(&nobody, Request::new(Verb::Get, target.clone())).await;
        match answer.map(|answer| answer.outcome) {
            Ok(Outcome::Object(object)) => {
                let found = object.downcast_ref::<ConfigMap>();
                return Some(found.context("the cluster's settings are no ConfigMap").and_then(|found| {
                    read(found).with_context(|| format!("the ConfigMap kube-system/{SETTINGS}"))
                }));
            }
            Ok(_) => {
                return Some(Err(anyhow::anyhow!(
                    "the cluster's settings were answered with something else"
                )));
            }
            Err(status) if status.is_unauthorized() => {
                return Some(Err(anyhow::Error::new(status).context(
                    "the cluster does not know this node's certificate: delete the data directory's agent/tls to join anew",
                )));
            }
            Err(status) => {
                tracing::warn!(error = %Chain(&status), "the cluster's settings cannot be read yet")
            }
        }
        tokio::select! {
            () = drain.signaled() => return None,
            () = clock.sleep(std::time::Duration::from_secs(1)) => {}
        }
    }
}

fn read(found: &ConfigMap) -> anyhow::Result<Settings> {
    let get = |key: &str| found.data.get(key).with_context(|| format!("it has no {key}"));
    Ok(Settings {
        cluster_cidr: get("cluster-cidr")?.parse().context("cluster-cidr")?,
        service_cidr: get("service-cidr")?.parse().context("service-cidr")?,
        cluster_dns: match found.data.get("cluster-dns") {
            Some(address) => Some(address.parse().context("cluster-dns")?),
            None => None,
        },
        serves_dns: get("serves-dns")?.parse().context("serves-dns")?,
        cluster_domain: get("cluster-domain")?.clone(),
    })
}

/// What a server tells the nodes that join it.
pub fn told(settings: &Settings) -> std::collections::BTreeMap<String, String> {
    let mut told = std::collections::BTreeMap::from([
        ("cluster-cidr".to_owned(), settings.cluster_cidr.to_string()),
        ("service-cidr".to_owned(), settings.service_cidr.to_string()),
        ("cluster-domain".to_owned(), settings.cluster_domain.clone()),
        ("serves-dns".to_owned(), settings.serves_dns.to_string()),
    ]);
    if let Some(dns) = settings.cluster_dns {
        told.insert("cluster-dns".to_owned(), dns.to_string());
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_read_what_servers_tell() {
        let mut settings = Settings {
            cluster_cidr: "10.42.0.0/16".parse().expect("a range"),
            service_cidr: "10.43.0.0/16".parse().expect("a range"),
            cluster_dns: Some(std::net::IpAddr::from([10, 43, 0, 10])),
            serves_dns: true,
            cluster_domain: "cluster.local".to_owned(),
        };
        for dns in [settings.cluster_dns, None] {
            settings.cluster_dns = dns;
            let found = ConfigMap { data: told(&settings), ..ConfigMap::default() };
            assert_eq!(read(&found).expect("it is whole"), settings);
        }
        let error = read(&ConfigMap::default()).expect_err("nothing is told");
        assert_eq!(error.to_string(), "it has no cluster-cidr");
    }
}
