//! What an agent is told at its start.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use api_types::core::v1::Taint;
use host::cgroup::CgroupPath;
use host::netlink::{Cidr, Netlink};
use host::nft::Nft;
use net_pod::names::ClusterId;
use net_pod::peers::Overlay;
use node_image::registries::Registries;

use crate::eviction::EvictionHard;

/// The parts of the kernel that the network uses.
#[derive(Clone)]
pub struct Kernel {
    /// Links, addresses and routes.
    pub netlink: Arc<dyn Netlink>,
    /// Packet rules.
    pub nft: Arc<dyn Nft>,
}

/// What an agent is told at its start.
#[derive(Clone)]
pub struct Config {
    /// The node's name.
    pub node_name: String,
    /// The node's addresses, the preferred one first.
    pub node_ips: Vec<IpAddr>,
    /// Labels of the node besides the usual.
    pub labels: BTreeMap<String, String>,
    /// Taints that the node is registered with.
    pub taints: Vec<Taint>,
    /// Where images, volumes, records and containers' changes are: a disk.
    pub data_dir: PathBuf,
    /// Short-lived state, in memory: `/run/knarr`.
    pub state_dir: PathBuf,
    /// Containers' logs: `/var/log/pods`.
    pub log_dir: PathBuf,
    /// The cluster's id, in names of links and tables.
    pub cluster: ClusterId,
    /// The ranges of this node's pods, for as long as its Node object names none.
    pub pod_cidrs: Vec<Cidr>,
    /// The ranges of all nodes' pods.
    pub cluster_cidrs: Vec<Cidr>,
    /// The ranges of services.
    pub service_cidrs: Vec<Cidr>,
    /// The tunnel to nodes that are on no common link.
    pub overlay: Option<Overlay>,
    /// The cluster's DNS servers.
    pub cluster_dns: Vec<IpAddr>,
    /// Whether this node answers at those addresses itself, and not by a service.
    pub serves_dns: bool,
    /// The cluster's domain.
    pub cluster_domain: String,
    /// The resolvers of the machine: `/etc/resolv.conf`.
    pub resolv_conf: PathBuf,
    /// The control group above all pods': `/kubepods`.
    pub cgroup: CgroupPath,
    /// The control group of shims; the agent's own when absent.
    pub shim_cgroup: Option<CgroupPath>,
    /// The program that shims run: this binary.
    pub executable: PathBuf,
    /// Its arguments that lead to [`node_runtime::shim::main`].
    pub shim_arguments: Vec<String>,
    /// How little memory, disk and process ids are too little.
    pub eviction_hard: EvictionHard,
    /// How registries are reached.
    pub registries: Arc<Registries>,
    /// The port of the node's own API, as its status tells it; 0 for none.
    pub port: u16,
    /// The kernel's network.
    pub kernel: Kernel,
}
