//! The node of a server's own process.

use std::net::IpAddr;
use std::sync::Arc;

use anyhow::Context as _;
use base::drain;
use base::random::SystemRandom;
use base::time::SystemClock;
use cli::arguments::value::Component;
use cli::config::ServerConfig;
use client::Api;
use host::cgroup::CgroupPath;
use host::netlink::LinuxNetlink;
use host::nft::LinuxNft;
use node_agent::{Agent, Config, Kernel};

use super::node_http::Direct;
use super::nodes::OwnNodes;
use crate::dns;

/// The node's own API port, as upstream has it.
const PORT: u16 = 10_250;

/// Runs the node until it is asked to finish. Its pods go on then.
pub async fn run(
    config: &ServerConfig,
    address: IpAddr,
    api: Arc<dyn Api>,
    nodes: &OwnNodes,
    drain: drain::Watch,
) -> anyhow::Result<()> {
    let wanted = wanted(config, address)?;
    if !config.disable.contains(&Component::Coredns) {
        let resolv_conf = &config.node.resolv_conf;
        dns::keep(&config.place, config.cluster_dns, &config.cluster_domain, resolv_conf, drain.clone())
            .await?;
    }
    let agent = Agent::start(wanted, api, Arc::new(SystemClock), Arc::new(SystemRandom), drain);
    if let Some(agent) = agent.await? {
        nodes.add(&config.node.name.to_string(), Arc::new(Direct(agent.node_api())));
        agent.run().await?;
    }
    Ok(())
}

fn wanted(config: &ServerConfig, address: IpAddr) -> anyhow::Result<Config> {
    let id = config.place.cluster_id.as_str();
    let parent = CgroupPath::parse(&format!("/knarr-{id}"))?;
    let executable = std::env::current_exe().context("finding this program's file")?;
    let first_node = config.cluster_cidr.nth(0);
    Ok(Config {
        node_name: config.node.name.to_string(),
        node_ips: if config.node.addresses.is_empty() {
            vec![address]
        } else {
            config.node.addresses.clone()
        },
        labels: config.node.labels.iter().map(|label| (label.key.clone(), label.value.clone())).collect(),
        data_dir: config.place.data_dir.join("agent"),
        state_dir: format!("/run/knarr/{id}").into(),
        log_dir: config.place.data_dir.join("agent/logs"),
        cluster: id.parse()?,
        pod_cidrs: vec![format!("{first_node}/24").parse()?],
        cluster_cidrs: vec![config.cluster_cidr.to_string().parse()?],
        service_cidrs: vec![config.service_cidr.to_string().parse()?],
        overlay: None,
        cluster_dns: vec![config.cluster_dns],
        cluster_domain: config.cluster_domain.clone(),
        resolv_conf: config.node.resolv_conf.clone(),
        cgroup: parent.join("kubepods")?,
        shim_cgroup: Some(parent.join("shims")?),
        executable,
        shim_arguments: vec!["shim".to_owned()],
        registries: node_image::pull::RegistryOptions::default(),
        port: PORT,
        dns: None,
        kernel: Kernel { netlink: Arc::new(LinuxNetlink::new()), nft: Arc::new(LinuxNft::new()) },
    })
}
