//! The flags of `server` and `agent`, and the environment variable that each may be given by. Keys of the configuration file are
//! the long names.
//!
//! Used by [`crate::arguments`] and [`crate::invocation`]. A flag that Knarr does not honour is not here: it is refused, not ignored.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;
use host::netlink::Cidr;

use super::audit::AuditFlags;
use super::value::{self, Component, KubeletArg, Label, NodeName, PortRange, ServerUrl, Taint};

/// Flags that every command has.
#[derive(Clone, Debug, Default, Args)]
pub struct CommonFlags {
    /// Configuration file; those of FILE.d/*.yaml are read after it [default: /etc/knarr/config.yaml]
    #[arg(long, short, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder that holds all state [default: /var/lib/knarr]
    #[arg(long, short, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Log more
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", hide_possible_values = true)]
    pub debug: Option<bool>,
    /// How much to log: 0 is normal, 4 debugging, 6 everything
    #[arg(short = 'v', long = "v", value_name = "LEVEL", value_parser = clap::value_parser!(u8).range(0..=10))]
    pub verbosity: Option<u8>,
}

/// Flags of what runs a node.
#[derive(Clone, Debug, Default, Args)]
pub struct NodeFlags {
    /// Name of the node [default: the host's name]
    #[arg(long, value_name = "NAME", value_parser = value::node_name)]
    pub node_name: Option<NodeName>,
    /// Address that the node advertises [default: that of the default route]
    #[arg(long, short = 'i', value_name = "ADDRESS", value_delimiter = ',')]
    pub node_ip: Vec<IpAddr>,
    /// Labels that the node registers with, as KEY=VALUE
    #[arg(long, value_name = "KEY=VALUE", value_delimiter = ',', value_parser = value::label)]
    pub node_label: Vec<Label>,
    /// Taints that the node registers with, as KEY=VALUE:EFFECT
    #[arg(long, value_name = "KEY=VALUE:EFFECT", value_delimiter = ',', value_parser = value::taint)]
    pub node_taint: Vec<Taint>,
    /// The node's resolv.conf, which pods with DNS policy Default get [default: /etc/resolv.conf]
    #[arg(long, value_name = "FILE")]
    pub resolv_conf: Option<PathBuf>,
    /// How registries are reached: mirrors, credentials and certificates, in K3s's form [default: /etc/knarr/registries.yaml, if it is there]
    #[arg(long, value_name = "FILE")]
    pub private_registry: Option<PathBuf>,
    /// Port of the node's own API, kubelet's [default: 10250]
    #[arg(long, value_name = "PORT", value_parser = value::port)]
    pub kubelet_port: Option<u16>,
    /// Flag of kubelet's as NAME=VALUE, of which there is eviction-hard, such as eviction-hard=nodefs.available<5%
    #[arg(long, value_name = "NAME=VALUE", value_parser = value::kubelet_arg)]
    pub kubelet_arg: Vec<KubeletArg>,
}

/// Flags of `knarr server`, `up`, `check` and `service install`.
#[derive(Clone, Debug, Default, Args)]
pub struct ServerFlags {
    /// Flags that every command has.
    #[command(flatten)]
    pub common: CommonFlags,
    /// Address to listen on [default: 0.0.0.0]
    #[arg(long, value_name = "ADDRESS")]
    pub bind_address: Option<IpAddr>,
    /// Port of the API [default: 6443]
    #[arg(long, value_name = "PORT", value_parser = value::port)]
    pub https_listen_port: Option<u16>,
    /// Address of the API that members of the cluster use [default: the node's address]
    #[arg(long, value_name = "ADDRESS")]
    pub advertise_address: Option<IpAddr>,
    /// Port of the API that members of the cluster use [default: the listen port]
    #[arg(long, value_name = "PORT", value_parser = value::port)]
    pub advertise_port: Option<u16>,
    /// More host names and addresses for the API's certificate
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = value::alternative_name)]
    pub tls_san: Vec<String>,
    /// Range that pods get their addresses from [default: 10.42.0.0/16]
    #[arg(long, value_name = "CIDR", value_parser = value::cidr)]
    pub cluster_cidr: Option<Cidr>,
    /// Range that services get their addresses from [default: 10.43.0.0/16]
    #[arg(long, value_name = "CIDR", value_parser = value::cidr)]
    pub service_cidr: Option<Cidr>,
    /// Ports that services of type NodePort get [default: 30000-32767]
    #[arg(long, value_name = "FIRST-LAST", value_parser = value::port_range)]
    pub service_node_port_range: Option<PortRange>,
    /// Address of the cluster's DNS, within the service range [default: its tenth]
    #[arg(long, value_name = "ADDRESS")]
    pub cluster_dns: Option<IpAddr>,
    /// Domain of the cluster [default: cluster.local]
    #[arg(long, value_name = "DOMAIN", value_parser = value::domain)]
    pub cluster_domain: Option<String>,
    /// Where to write the administrator's kubeconfig [default: /etc/knarr/knarr.yaml, or knarr.yaml in another data directory]
    #[arg(long, short = 'o', value_name = "FILE")]
    pub write_kubeconfig: Option<PathBuf>,
    /// Mode of that file [default: 600]
    #[arg(long, value_name = "MODE", value_parser = value::mode)]
    pub write_kubeconfig_mode: Option<u32>,
    /// Secret that nodes join with [default: a new one, kept in the data directory]
    #[arg(long, short, value_name = "TOKEN", value_parser = value::token)]
    pub token: Option<String>,
    /// File that holds the token
    #[arg(long, value_name = "FILE", conflicts_with = "token")]
    pub token_file: Option<PathBuf>,
    /// Packaged parts to leave out
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    pub disable: Vec<Component>,
    /// Run the control plane alone, without a node
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", hide_possible_values = true)]
    pub disable_agent: Option<bool>,
    /// Run no scheduler: one elsewhere does its work, with the kubeconfig server/cred/scheduler.kubeconfig
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", hide_possible_values = true)]
    pub disable_scheduler: Option<bool>,
    /// Run no controllers: those of elsewhere do their work, with the kubeconfig server/cred/controller.kubeconfig
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", hide_possible_values = true)]
    pub disable_controller_manager: Option<bool>,
    /// Versions and resources of the API to serve or not to serve, as kube-apiserver has it: api/beta=true, resource.k8s.io/v1beta2=true
    #[arg(long, value_name = "KEY=BOOL", value_delimiter = ',')]
    pub runtime_config: Vec<String>,
    /// Features of the API to switch on or off by Kubernetes' names: MutablePVNodeAffinity=true
    #[arg(long, value_name = "NAME=BOOL", value_delimiter = ',')]
    pub feature_gates: Vec<String>,
    /// Flags of the audit log.
    #[command(flatten)]
    pub audit: AuditFlags,
    /// Flags of the node.
    #[command(flatten)]
    pub node: NodeFlags,
    /// Leave the terminal. Given by `knarr up` only
    #[arg(long, hide = true)]
    pub background: bool,
}

/// Flags of `knarr agent`.
#[derive(Clone, Debug, Default, Args)]
pub struct AgentFlags {
    /// Flags that every command has.
    #[command(flatten)]
    pub common: CommonFlags,
    /// Server to join, such as https://10.0.0.1:6443
    #[arg(long, short, value_name = "URL", value_parser = value::server_url)]
    pub server: Option<ServerUrl>,
    /// Secret to join with, from `server/token` in the server's data directory
    #[arg(long, short, value_name = "TOKEN", value_parser = value::token)]
    pub token: Option<String>,
    /// File that holds the token
    #[arg(long, value_name = "FILE", conflicts_with = "token")]
    pub token_file: Option<PathBuf>,
    /// Kubeconfig of the node, for a cluster that is not Knarr's, instead of --server and --token
    #[arg(long, value_name = "FILE", conflicts_with_all = ["server", "token", "token_file"])]
    pub kubeconfig: Option<PathBuf>,
    /// Range of the pods' addresses in a cluster that is not Knarr's
    #[arg(long, value_name = "CIDR", value_parser = value::cidr)]
    pub cluster_cidr: Option<Cidr>,
    /// Range of the services' addresses in a cluster that is not Knarr's
    #[arg(long, value_name = "CIDR", value_parser = value::cidr)]
    pub service_cidr: Option<Cidr>,
    /// Address at which this node is to answer the DNS of a cluster that is not Knarr's [default: it does not]
    #[arg(long, value_name = "ADDRESS")]
    pub cluster_dns: Option<IpAddr>,
    /// Domain of a cluster that is not Knarr's [default: cluster.local]
    #[arg(long, value_name = "DOMAIN", value_parser = value::domain)]
    pub cluster_domain: Option<String>,
    /// Flags of the node.
    #[command(flatten)]
    pub node: NodeFlags,
}

/// Flags of a part of the control plane that runs alone.
#[derive(Clone, Debug, Default, Args)]
pub struct ComponentFlags {
    /// Work only while holding the lease of the component, so that several may run
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true", action = clap::ArgAction::Set, value_name = "BOOL", hide_possible_values = true)]
    pub leader_elect: bool,
    /// How much to log: 0 is normal, 4 debugging, 6 everything
    #[arg(short = 'v', long = "v", value_name = "LEVEL", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=10))]
    pub verbosity: u8,
}

/// Flags of `knarr scheduler`.
#[derive(Clone, Debug, Default, Args)]
pub struct SchedulerFlags {
    /// Kubeconfig that says where the API is, and who the component is there [default: clientConnection.kubeconfig of --config]
    #[arg(long, value_name = "FILE", required_unless_present = SCHEDULER_CONFIG)]
    pub kubeconfig: Option<PathBuf>,
    /// Flags of every component.
    #[command(flatten)]
    pub component: ComponentFlags,
    /// File of a KubeSchedulerConfiguration: profiles, plugins and their arguments [default: one profile, upstream's]
    #[arg(id = SCHEDULER_CONFIG, long = "config", value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// What the scheduler's `--config` is told from the configuration file by, which other commands have by that name.
const SCHEDULER_CONFIG: &str = "scheduler-config";

/// Flags of `knarr controller-manager`.
#[derive(Clone, Debug, Default, Args)]
pub struct ControllerManagerFlags {
    /// Kubeconfig that says where the API is, and who the component is there
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: PathBuf,
    /// Flags of every component.
    #[command(flatten)]
    pub component: ComponentFlags,
    /// Range of the pods' addresses, to be divided between the nodes [default: it is not]
    #[arg(long, value_name = "CIDR", value_parser = value::cidr)]
    pub cluster_cidr: Option<Cidr>,
    /// File of the certificate authority that pods know the API by [default: the kubeconfig's]
    #[arg(long, value_name = "FILE")]
    pub root_ca_file: Option<PathBuf>,
    /// File of the private key that signs the tokens in Secrets [default: nobody fills such Secrets]
    #[arg(long, value_name = "FILE")]
    pub service_account_private_key_file: Option<PathBuf>,
}

/// Which variable gives which flag, for the flags that K3s reads from its own.
pub const VARIABLES: [(&str, &str); 10] = [
    ("config", "KNARR_CONFIG_FILE"),
    ("data-dir", "KNARR_DATA_DIR"),
    ("debug", "KNARR_DEBUG"),
    ("node-name", "KNARR_NODE_NAME"),
    ("resolv-conf", "KNARR_RESOLV_CONF"),
    ("server", "KNARR_URL"),
    ("token", "KNARR_TOKEN"),
    ("token-file", "KNARR_TOKEN_FILE"),
    ("write-kubeconfig", "KNARR_KUBECONFIG_OUTPUT"),
    ("write-kubeconfig-mode", "KNARR_KUBECONFIG_MODE"),
];

/// The environment variable of a flag.
pub fn variable(argument: &clap::Arg) -> Option<&'static str> {
    let long = argument.get_long().filter(|_| argument.get_id() != SCHEDULER_CONFIG)?;
    VARIABLES.iter().find(|(flag, _)| *flag == long).map(|(_, variable)| *variable)
}

/// Whether a flag names the configuration file.
pub fn is_config(argument: &clap::Arg) -> bool {
    argument.get_id() == "config"
}
