//! What a server or an agent runs with: flags, environment and file made one, every value present and none contradicting another.
//!
//! Used by the binary, which wires parts from it. Pure. Deliberately absent: where values came from (see [`crate::invocation`]).

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use host::netlink::Cidr;

use crate::arguments::value::{self, Component, KubeletArg, Label, NodeName, PortRange, ServerUrl, Taint};
use crate::arguments::{AgentFlags, CommonFlags, LocalFlags, NodeFlags, ServerFlags};

pub mod audit;
pub mod cluster_id;
pub mod file;
pub mod kept;
mod labels;
pub(crate) mod rules;
pub mod settings;

pub use audit::AuditConfig;
pub use cluster_id::ClusterId;
pub use rules::ConfigError;
pub use settings::Settings;

/// Where state is kept unless a flag says otherwise.
pub const DATA_DIR: &str = "/var/lib/knarr";

/// Where the configuration is read from unless a flag says otherwise.
pub const CONFIG_FILE: &str = "/etc/knarr/config.yaml";

/// Where it is said how registries are reached, unless a flag says otherwise.
pub const REGISTRIES_FILE: &str = "/etc/knarr/registries.yaml";

/// Where the administrator's kubeconfig of the default data directory is written.
pub const KUBECONFIG: &str = "/etc/knarr/knarr.yaml";

/// The domain of a cluster unless a flag says otherwise.
pub const DOMAIN: &str = "cluster.local";

/// The port of the API.
pub const PORT: u16 = 6443;

/// The port of the node's own API, where the control plane finds logs and exec: kubelet's.
pub const NODE_PORT: u16 = 10250;

/// What `knarr server` runs with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// Where the cluster keeps its state, and who it is.
    pub place: Place,
    /// How much to log.
    pub verbosity: Verbosity,
    /// The address to listen on.
    pub bind_address: IpAddr,
    /// The port of the API.
    pub https_listen_port: u16,
    /// The API's address for members of the cluster, if it is not the node's.
    pub advertise_address: Option<IpAddr>,
    /// The API's port for members of the cluster.
    pub advertise_port: u16,
    /// More names and addresses for the API's certificate.
    pub tls_san: Vec<String>,
    /// The pods' addresses.
    pub cluster_cidr: Cidr,
    /// The services' addresses.
    pub service_cidr: Cidr,
    /// The services' ports.
    pub service_node_port_range: PortRange,
    /// The DNS service's address.
    pub cluster_dns: IpAddr,
    /// The cluster's domain.
    pub cluster_domain: String,
    /// Mode of the administrator's kubeconfig, whose path is the place's.
    pub kubeconfig_mode: u32,
    /// The secret that nodes join with, if one was given.
    pub token: Option<Secret>,
    /// What to leave out.
    pub disable: BTreeSet<Component>,
    /// Whether there is no node here.
    pub disable_agent: bool,
    /// Whether the scheduler runs elsewhere.
    pub disable_scheduler: bool,
    /// Whether the controllers run elsewhere.
    pub disable_controller_manager: bool,
    /// Which built-in resources are served, beside or less than by default; the server knows which there are.
    pub runtime_config: String,
    /// Which features are on, beside or less than by default; the server knows which there are.
    pub feature_gates: String,
    /// The audit log, if there is one.
    pub audit: Option<AuditConfig>,
    /// The node.
    pub node: NodeConfig,
    /// Whether to leave the terminal.
    pub background: bool,
}

impl ServerConfig {
    /// The address of the service `kubernetes`: the first of its range, as upstream has it.
    pub fn kubernetes_service(&self) -> IpAddr {
        self.service_cidr.nth(1)
    }
}

/// What `knarr agent` runs with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentConfig {
    /// Where the node keeps its state.
    pub place: Place,
    /// How much to log.
    pub verbosity: Verbosity,
    /// The cluster that it belongs to.
    pub cluster: Cluster,
    /// The node.
    pub node: NodeConfig,
}

/// The cluster of an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cluster {
    /// One of Knarr's, which says itself what it is like.
    Join {
        /// The server.
        server: ServerUrl,
        /// What to join with.
        token: Secret,
    },
    /// Any other, which knows the node already.
    Known {
        /// The node's kubeconfig.
        kubeconfig: PathBuf,
        /// The pods' addresses.
        cluster_cidr: Cidr,
        /// The services' addresses.
        service_cidr: Cidr,
        /// Where the node answers the cluster's DNS, if it does.
        cluster_dns: Option<IpAddr>,
        /// The cluster's domain.
        cluster_domain: String,
    },
}

/// What a node runs with, in a server's process or an agent's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeConfig {
    /// Its name.
    pub name: NodeName,
    /// The addresses that it advertises; none when they are to be found from the default route.
    pub addresses: Vec<IpAddr>,
    /// Labels to register with.
    pub labels: Vec<Label>,
    /// Taints to register with.
    pub taints: Vec<Taint>,
    /// The node's resolv.conf.
    pub resolv_conf: PathBuf,
    /// What says how registries are reached; none for [`REGISTRIES_FILE`], which need not be there.
    pub private_registry: Option<PathBuf>,
    /// The port of the node's own API.
    pub port: u16,
    /// Kubelet's hard eviction thresholds in kubelet's form, if they are not the default.
    pub eviction_hard: Option<String>,
}

/// Which cluster of this machine is meant: all that a command needs that does not start one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The absolute path of all state.
    pub data_dir: PathBuf,
    /// The short name that is derived from it.
    pub cluster_id: ClusterId,
    /// The absolute path of the administrator's kubeconfig.
    pub kubeconfig: PathBuf,
}

impl Place {
    /// A place by its absolute data directory.
    pub fn new(data_dir: PathBuf, kubeconfig: Option<PathBuf>) -> Place {
        let default =
            || if data_dir == Path::new(DATA_DIR) { KUBECONFIG.into() } else { data_dir.join("knarr.yaml") };
        let kubeconfig = kubeconfig.unwrap_or_else(default);
        Place { cluster_id: ClusterId::of(&data_dir), kubeconfig, data_dir }
    }

    /// What context, cluster and user are called in kubeconfigs: `knarr`, or `knarr-<id>` away from the default data directory.
    pub fn context(&self) -> String {
        self.named("knarr")
    }

    /// The systemd unit's name without its ending.
    pub fn unit(&self) -> String {
        self.named("knarr")
    }

    /// The log of a server in the background.
    pub fn server_log(&self) -> PathBuf {
        self.data_dir.join("server/log/knarr.log")
    }

    /// The flag that selects this cluster in a command line, with a space before it; empty for the default.
    pub fn flag(&self) -> String {
        if self.is_default() { String::new() } else { format!(" --data-dir {}", self.data_dir.display()) }
    }

    fn named(&self, name: &str) -> String {
        if self.is_default() { name.to_owned() } else { format!("{name}-{}", self.cluster_id) }
    }

    fn is_default(&self) -> bool {
        self.data_dir == Path::new(DATA_DIR)
    }
}

/// How much to log, as klog counts: 0 is normal, 4 and more debugging.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Verbosity(pub u8);

impl Verbosity {
    /// The filter that [`base::telemetry::init`] takes.
    pub fn filter(self) -> &'static str {
        match self.0 {
            0 | 1 => "info",
            2..=3 => "info,knarr=debug",
            4..=5 => "debug,h2=info,hyper=info,hyper_util=info,rustls=info",
            _ => "trace,h2=debug,hyper=debug,hyper_util=debug,rustls=debug",
        }
    }
}

/// Text that must not be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes the text in.
    pub fn new(text: String) -> Secret {
        Secret(text)
    }

    /// The text.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What the machine says where flags are silent.
#[derive(Clone, Debug)]
pub struct Defaults {
    /// The directory that relative paths start from.
    pub current_dir: PathBuf,
    /// The host's name.
    pub host_name: String,
}

/// Makes a server's configuration of its flags. `token_file` is what the named file holds.
///
/// # Errors
/// For the first rule that the values break.
pub fn server(
    flags: &ServerFlags,
    token_file: Option<&str>,
    defaults: &Defaults,
) -> Result<ServerConfig, ConfigError> {
    let place = place(&flags.common, flags.write_kubeconfig.as_deref(), defaults);
    let port = flags.https_listen_port.unwrap_or(PORT);
    let service_cidr = flags.service_cidr.unwrap_or_else(|| four([10, 43, 0, 0], 16));
    let config = ServerConfig {
        verbosity: verbosity(&flags.common),
        bind_address: flags.bind_address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        https_listen_port: port,
        advertise_address: flags.advertise_address,
        advertise_port: flags.advertise_port.unwrap_or(port),
        tls_san: flags.tls_san.clone(),
        cluster_cidr: flags.cluster_cidr.unwrap_or_else(|| four([10, 42, 0, 0], 16)),
        service_cidr,
        service_node_port_range: flags
            .service_node_port_range
            .unwrap_or(PortRange { first: 30000, last: 32767 }),
        cluster_dns: flags.cluster_dns.unwrap_or_else(|| service_cidr.nth(10)),
        cluster_domain: flags.cluster_domain.clone().unwrap_or_else(|| DOMAIN.to_owned()),
        kubeconfig_mode: flags.write_kubeconfig_mode.unwrap_or(0o600),
        token: token(flags.token.as_deref(), token_file, flags.token_file.as_deref())?,
        disable: flags.disable.iter().copied().collect(),
        disable_agent: flags.disable_agent.unwrap_or(false),
        disable_scheduler: flags.disable_scheduler.unwrap_or(false),
        disable_controller_manager: flags.disable_controller_manager.unwrap_or(false),
        runtime_config: flags.runtime_config.join(","),
        feature_gates: flags.feature_gates.join(","),
        audit: audit::audit(&flags.audit, defaults)?,
        node: node(&flags.node, defaults)?,
        background: flags.background,
        place,
    };
    rules::check_server(&config)?;
    Ok(config)
}

/// Makes an agent's configuration of its flags. `token_file` is what the named file holds.
///
/// # Errors
/// When the server or the token is missing, or a value breaks a rule.
pub fn agent(
    flags: &AgentFlags,
    token_file: Option<&str>,
    defaults: &Defaults,
) -> Result<AgentConfig, ConfigError> {
    let cluster = match &flags.kubeconfig {
        Some(kubeconfig) => Cluster::Known {
            kubeconfig: absolute(kubeconfig, defaults),
            cluster_cidr: flags.cluster_cidr.ok_or(ConfigError::NoRange("--cluster-cidr"))?,
            service_cidr: flags.service_cidr.ok_or(ConfigError::NoRange("--service-cidr"))?,
            cluster_dns: flags.cluster_dns,
            cluster_domain: flags.cluster_domain.clone().unwrap_or_else(|| DOMAIN.to_owned()),
        },
        None => Cluster::Join {
            server: flags.server.clone().ok_or(ConfigError::NoServer)?,
            token: token(flags.token.as_deref(), token_file, flags.token_file.as_deref())?
                .ok_or(ConfigError::NoToken)?,
        },
    };
    Ok(AgentConfig {
        place: place(&flags.common, None, defaults),
        verbosity: verbosity(&flags.common),
        cluster,
        node: node(&flags.node, defaults)?,
    })
}

/// Which cluster a local command means.
pub fn local(flags: &LocalFlags, defaults: &Defaults) -> Place {
    place(&flags.common, flags.write_kubeconfig.as_deref(), defaults)
}

fn place(common: &CommonFlags, kubeconfig: Option<&Path>, defaults: &Defaults) -> Place {
    let data_dir = absolute(common.data_dir.as_deref().unwrap_or(Path::new(DATA_DIR)), defaults);
    Place::new(data_dir, kubeconfig.map(|path| absolute(path, defaults)))
}

/// The path from the root, without `.`, doubled or trailing slashes: two spellings of a directory are one cluster. `..` stays,
/// since what it leads to depends on links.
pub(crate) fn absolute(path: &Path, defaults: &Defaults) -> PathBuf {
    defaults.current_dir.join(path).components().collect()
}

fn verbosity(common: &CommonFlags) -> Verbosity {
    let debug = if common.debug.unwrap_or(false) { 4 } else { 0 };
    Verbosity(common.verbosity.unwrap_or(0).max(debug))
}

fn node(flags: &NodeFlags, defaults: &Defaults) -> Result<NodeConfig, ConfigError> {
    let name = match &flags.node_name {
        Some(name) => name.clone(),
        None => value::node_name(&defaults.host_name.to_lowercase())
            .map_err(|_| ConfigError::HostName(defaults.host_name.clone()))?,
    };
    rules::check_addresses(&flags.node_ip)?;
    labels::check(&flags.node_label)?;
    let resolv_conf = flags.resolv_conf.as_deref().unwrap_or(Path::new("/etc/resolv.conf"));
    Ok(NodeConfig {
        name,
        addresses: flags.node_ip.clone(),
        labels: flags.node_label.clone(),
        taints: flags.node_taint.clone(),
        resolv_conf: absolute(resolv_conf, defaults),
        private_registry: flags.private_registry.as_deref().map(|path| absolute(path, defaults)),
        port: flags.kubelet_port.unwrap_or(NODE_PORT),
        eviction_hard: flags.kubelet_arg.last().map(|KubeletArg::EvictionHard(text)| text.clone()),
    })
}

fn token(
    given: Option<&str>,
    file_text: Option<&str>,
    file: Option<&Path>,
) -> Result<Option<Secret>, ConfigError> {
    match (given, file_text, file) {
        (Some(token), _, _) => Ok(Some(Secret::new(token.to_owned()))),
        (None, Some(text), Some(path)) => match value::token(text) {
            Ok(token) => Ok(Some(Secret::new(token))),
            Err(problem) => Err(ConfigError::TokenFile { path: path.to_owned(), problem }),
        },
        _ => Ok(None),
    }
}

fn four(address: [u8; 4], prefix: u8) -> Cidr {
    Cidr::new(IpAddr::from(address), prefix)
}
