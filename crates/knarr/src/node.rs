//! A node: what is the same in a server's process and in an agent's of its own.

pub mod address;
pub mod guard;
mod settings;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use api_types::core::v1::Taint;
use base::drain;
use base::random::SystemRandom;
use base::time::{Clock, SystemClock};
use cli::config::{NodeConfig, Place, REGISTRIES_FILE};
use client::{Api, Caller};
use host::cgroup::CgroupPath;
use host::netlink::{LinuxNetlink, Namespace, Netlink as _};
use host::nft::LinuxNft;
use node_agent::{Agent, Config, Kernel};
use node_http::{Direct, Server, Tls};
use node_image::registries::Registries;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use server_authn::x509::{ClientAuthorities, tls_verifier};
use tokio::net::TcpListener;

use crate::dns;
use guard::NodeGuard;
pub use settings::Settings;

/// A node to be run.
pub struct Node<'a> {
    /// Where it keeps its state.
    pub place: &'a Place,
    /// Its own configuration.
    pub config: &'a NodeConfig,
    /// Its address, where the configuration names none.
    pub address: IpAddr,
    /// Its cluster.
    pub settings: &'a Settings,
}

impl Node<'_> {
    /// The addresses that others reach it by.
    pub fn addresses(&self) -> Vec<IpAddr> {
        if self.config.addresses.is_empty() { vec![self.address] } else { self.config.addresses.clone() }
    }

    /// The socket of the node's own API.
    pub async fn listen(&self) -> anyhow::Result<TcpListener> {
        let network = tokio::task::block_in_place(|| LinuxNetlink::new().observe(&Namespace::Host));
        let network = network.context("reading this machine's addresses")?;
        let id = self.place.cluster_id.as_str();
        for (flag, range) in
            [("--cluster-cidr", self.settings.cluster_cidr), ("--service-cidr", self.settings.service_cidr)]
        {
            if let Some(covered) = address::covered(&network, id, range) {
                anyhow::bail!(
                    "{flag} {range} covers {covered}, which pods and services could then be given or hide: choose a range that this machine's networks do not use"
                );
            }
        }
        for own in self.addresses() {
            let here = network.addresses.iter().any(|address| address.cidr.address() == own);
            anyhow::ensure!(
                here,
                "node IP: {own} not found in the host's network interfaces: see `ip address`"
            );
        }
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), self.config.port);
        TcpListener::bind(address).await.with_context(|| {
            format!(
                "the node's own API cannot be served at {address}: choose another port with --kubelet-port"
            )
        })
    }

    /// Starts the node; `None` if it is asked to finish before it has.
    pub async fn start(&self, api: Arc<dyn Api>, drain: drain::Watch) -> anyhow::Result<Option<Agent>> {
        // First, so that what is wrong with the configuration is told before anything is started.
        let wanted = self.wanted()?;
        if let Some(address) = self.settings.cluster_dns.filter(|_| self.settings.serves_dns) {
            let domain = &self.settings.cluster_domain;
            dns::keep(self.place, address, domain, &self.config.resolv_conf, drain.clone()).await?;
        }
        Ok(Agent::start(wanted, api, Arc::new(SystemClock), Arc::new(SystemRandom), drain).await?)
    }

    fn wanted(&self) -> anyhow::Result<Config> {
        let id = self.place.cluster_id.as_str();
        let parent = CgroupPath::parse(&format!("/knarr-{id}"))?;
        let executable = std::env::current_exe().context("finding this program's file")?;
        let labels = self.config.labels.iter();
        Ok(Config {
            node_name: self.config.name.to_string(),
            node_ips: self.addresses(),
            labels: labels.map(|label| (label.key.clone(), label.value.clone())).collect(),
            taints: self.config.taints.iter().map(taint).collect(),
            data_dir: self.place.data_dir.join("agent"),
            state_dir: format!("/run/knarr/{id}").into(),
            log_dir: self.place.data_dir.join("agent/logs"),
            cluster: id.parse()?,
            // The cluster gives each node its range.
            pod_cidrs: Vec::new(),
            cluster_cidrs: vec![self.settings.cluster_cidr],
            service_cidrs: vec![self.settings.service_cidr],
            overlay: None,
            cluster_dns: self.settings.cluster_dns.into_iter().collect(),
            serves_dns: self.settings.serves_dns,
            cluster_domain: self.settings.cluster_domain.clone(),
            resolv_conf: self.config.resolv_conf.clone(),
            cgroup: parent.join("kubepods")?,
            shim_cgroup: Some(parent.join("shims")?),
            executable,
            shim_arguments: vec!["shim".to_owned()],
            eviction_hard: match &self.config.eviction_hard {
                Some(text) => text.parse().context("--kubelet-arg eviction-hard")?,
                None => node_agent::EvictionHard::default(),
            },
            registries: Arc::new(registries(self.config)?),
            port: self.config.port,
            kernel: Kernel { netlink: Arc::new(LinuxNetlink::new()), nft: Arc::new(LinuxNft::new()) },
        })
    }
}

/// What is said of registries. The file that nobody named need not be there.
pub fn registries(config: &NodeConfig) -> anyhow::Result<Registries> {
    let default = Path::new(REGISTRIES_FILE);
    match &config.private_registry {
        Some(named) => Ok(Registries::read(named)?),
        None if default.exists() => Ok(Registries::read(default)?),
        None => Ok(Registries::default()),
    }
}

fn taint(taint: &cli::arguments::value::Taint) -> Taint {
    Taint {
        key: taint.key.clone(),
        value: taint.value.clone(),
        effect: taint.effect.to_owned(),
        time_added: None,
    }
}

/// The node's API over TLS, for whom the cluster lets.
pub fn serve(
    listener: TcpListener,
    direct: Direct,
    tls: Tls,
    authorities: ClientAuthorities,
    api: Arc<dyn Api>,
    name: &str,
) -> Server {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let guard = NodeGuard::new(authorities, api, caller(name), name, Arc::clone(&clock));
    Server::new(listener, tls, direct, Arc::new(guard), clock)
}

/// Whom a node is to the API.
pub fn caller(name: &str) -> Caller {
    Caller::new(&format!("system:node:{name}"), &["system:nodes", "system:authenticated"])
}

/// How TLS is spoken with clients that may show certificates of these authorities.
pub fn tls(
    certificate_pem: &str,
    key_pem: &str,
    authorities: &[&ClientAuthorities],
) -> anyhow::Result<ServerConfig> {
    let chain = CertificateDer::pem_slice_iter(certificate_pem.as_bytes()).collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(tls_verifier(authorities))
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// The address that others reach this machine by, if nobody says.
pub fn own_address() -> anyhow::Result<IpAddr> {
    let network =
        LinuxNetlink::new().observe(&Namespace::Host).context("reading this machine's addresses")?;
    address::own(&network)
        .context("this machine has no address that others could reach: give one with --node-ip")
}
