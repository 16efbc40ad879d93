//! The rules between values, each broken one refused by the names of the flags that break it. Pure.

use std::net::IpAddr;
use std::path::PathBuf;

use host::netlink::Cidr;

use super::ServerConfig;

/// Values that do not go together, or are missing.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Two ranges have addresses in common.
    #[error("{first} {first_range} and {second} {second_range} overlap: give them separate ranges")]
    Overlap {
        /// A flag.
        first: &'static str,
        /// Its range.
        first_range: Cidr,
        /// Another flag.
        second: &'static str,
        /// Its range.
        second_range: Cidr,
    },
    /// The address of the DNS is not one of a service.
    #[error("--cluster-dns {dns} is not a usable address of --service-cidr {range}: its tenth is {tenth}")]
    Dns {
        /// The address.
        dns: IpAddr,
        /// The services' range.
        range: Cidr,
        /// What would do.
        tenth: IpAddr,
    },
    /// A range is too small to be of use, or too large to be kept.
    #[error("{flag} {range} must have a prefix from /{least} to /{most}")]
    Size {
        /// The flag.
        flag: &'static str,
        /// Its range.
        range: Cidr,
        /// The shortest prefix.
        least: u8,
        /// The longest prefix.
        most: u8,
    },
    /// A range is not of the family that the other has.
    #[error("--cluster-cidr {cluster} and --service-cidr {service} must be of the same address family")]
    Family {
        /// The pods' range.
        cluster: Cidr,
        /// The services' range.
        service: Cidr,
    },
    /// Services could be given the API's port.
    #[error("--https-listen-port {port} lies in --service-node-port-range {range}: choose a port outside")]
    Port {
        /// The port.
        port: u16,
        /// The range.
        range: crate::arguments::value::PortRange,
    },
    /// An address that nobody can reach.
    #[error("{flag} {address} is not an address that others can reach")]
    Unreachable {
        /// The flag.
        flag: &'static str,
        /// Its address.
        address: IpAddr,
    },
    /// An address of this machine lies in a range of the cluster.
    #[error("{flag} {address} lies in {range_flag} {range}: choose a range that this network does not use")]
    Inside {
        /// The flag of the address.
        flag: &'static str,
        /// The address.
        address: IpAddr,
        /// The flag of the range.
        range_flag: &'static str,
        /// The range.
        range: Cidr,
    },
    /// Two addresses of one family.
    #[error("--node-ip takes one address of a family, and {0} is the second")]
    SecondAddress(IpAddr),
    /// Labels of Kubernetes' own that a node may not give itself, in kubelet's words.
    #[error(
        "unknown 'kubernetes.io' or 'k8s.io' labels specified with --node-label: [{}]\n--node-label in the 'kubernetes.io' namespace must begin with an allowed prefix ({prefixes}) or be in the specifically allowed set ({allowed})", .unknown.join(" ")
    )]
    Labels {
        /// Their keys, in order.
        unknown: Vec<String>,
        /// The domains of which a node may have labels.
        prefixes: String,
        /// The single labels that it may have.
        allowed: String,
    },
    /// The host's name cannot be a node's.
    #[error("the host's name {0:?} cannot be a node's: give one by --node-name")]
    HostName(String),
    /// The token file holds no token.
    #[error("--token-file {path}: {problem}", path = path.display())]
    TokenFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// An agent of a cluster that cannot say what it is like.
    #[error("{0} is needed with --kubeconfig: only a cluster of Knarr's tells its nodes")]
    NoRange(&'static str),
    /// A log of which it is not said what is in it, or where it is.
    #[error("{0} needs {1}: together they make an audit log")]
    HalfAudited(&'static str, &'static str),
    /// An audit log that contradicts itself, in upstream's words.
    #[error("{0}")]
    Audit(String),
    /// An agent without a server.
    #[error(
        "which server? Give --server https://ADDRESS:6443, KNARR_URL, or `server` in the configuration file"
    )]
    NoServer,
    /// An agent without a token.
    #[error(
        "a token is needed to join: give --token, --token-file or KNARR_TOKEN. The server keeps it in server/token of its data directory"
    )]
    NoToken,
}

/// The rules of a server.
pub(super) fn check_server(config: &ServerConfig) -> Result<(), ConfigError> {
    let (cluster, service) = (config.cluster_cidr, config.service_cidr);
    if cluster.is_ipv4() != service.is_ipv4() {
        return Err(ConfigError::Family { cluster, service });
    }
    // A node gets a /24 of the pods' range (/64 of IPv6's), and upstream keeps services' ranges at 20 bits at most.
    let (pods, services) = if cluster.is_ipv4() { ((8, 24), (12, 28)) } else { ((16, 64), (108, 124)) };
    check_size("--cluster-cidr", cluster, pods)?;
    check_size("--service-cidr", service, services)?;
    if overlap(cluster, service) {
        return Err(ConfigError::Overlap {
            first: "--cluster-cidr",
            first_range: cluster,
            second: "--service-cidr",
            second_range: service,
        });
    }
    let last = service.nth(service.size() - 1);
    let reserved = [service.nth(0), config.kubernetes_service(), last];
    if !service.contains(config.cluster_dns) || reserved.contains(&config.cluster_dns) {
        return Err(ConfigError::Dns { dns: config.cluster_dns, range: service, tenth: service.nth(10) });
    }
    if config.service_node_port_range.contains(config.https_listen_port) {
        let range = config.service_node_port_range;
        return Err(ConfigError::Port { port: config.https_listen_port, range });
    }
    check_own_addresses(config)
}

fn check_own_addresses(config: &ServerConfig) -> Result<(), ConfigError> {
    if let Some(address) = config.advertise_address
        && (address.is_unspecified() || address.is_loopback() || address.is_multicast())
    {
        return Err(ConfigError::Unreachable { flag: "--advertise-address", address });
    }
    let own = config.node.addresses.iter().map(|address| ("--node-ip", *address));
    let own = own.chain(config.advertise_address.map(|address| ("--advertise-address", address)));
    for (flag, address) in own {
        for (range_flag, range) in
            [("--cluster-cidr", config.cluster_cidr), ("--service-cidr", config.service_cidr)]
        {
            if range.contains(address) {
                return Err(ConfigError::Inside { flag, address, range_flag, range });
            }
        }
    }
    Ok(())
}

/// The rules of a node's own addresses.
pub(super) fn check_addresses(addresses: &[IpAddr]) -> Result<(), ConfigError> {
    for (index, address) in addresses.iter().enumerate() {
        if address.is_unspecified() || address.is_loopback() || address.is_multicast() {
            return Err(ConfigError::Unreachable { flag: "--node-ip", address: *address });
        }
        if addresses[..index].iter().any(|earlier| earlier.is_ipv4() == address.is_ipv4()) {
            return Err(ConfigError::SecondAddress(*address));
        }
    }
    Ok(())
}

fn check_size(flag: &'static str, range: Cidr, (least, most): (u8, u8)) -> Result<(), ConfigError> {
    if (least..=most).contains(&range.prefix()) {
        return Ok(());
    }
    Err(ConfigError::Size { flag, range, least, most })
}

/// Whether two ranges have an address in common.
pub(crate) fn overlap(a: Cidr, b: Cidr) -> bool {
    a.contains(b.nth(0)) || b.contains(a.nth(0))
}
