//! What two clusters on one machine cannot both have. Pure.

use std::path::PathBuf;

use host::netlink::Cidr;
use serde::{Deserialize, Serialize};

use super::Record;
use crate::arguments::value::PortRange;
use crate::config::ServerConfig;
use crate::config::rules::overlap;

/// What a cluster takes for itself in its network namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ranges {
    /// The network namespace: in another one nothing clashes.
    pub network: String,
    /// The port of the API.
    pub https_listen_port: u16,
    /// The port of the node's own API, if there is a node.
    pub kubelet_port: Option<u16>,
    /// The pods' addresses.
    pub cluster_cidr: String,
    /// The services' addresses.
    pub service_cidr: String,
    /// The first of the services' ports.
    pub first_node_port: u16,
    /// The last of the services' ports.
    pub last_node_port: u16,
}

/// This process's network namespace.
pub(super) fn network() -> String {
    std::fs::read_link("/proc/self/ns/net").unwrap_or_default().display().to_string()
}

impl Ranges {
    /// What a server takes in this process's network namespace.
    pub fn of(config: &ServerConfig) -> Ranges {
        Ranges {
            network: network(),
            https_listen_port: config.https_listen_port,
            kubelet_port: (!config.disable_agent).then_some(config.node.port),
            cluster_cidr: config.cluster_cidr.to_string(),
            service_cidr: config.service_cidr.to_string(),
            first_node_port: config.service_node_port_range.first,
            last_node_port: config.service_node_port_range.last,
        }
    }

    fn node_ports(&self) -> PortRange {
        PortRange { first: self.first_node_port, last: self.last_node_port }
    }
}

/// Another cluster of this machine has what this one wants.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Clash {
    /// Addresses or ports.
    #[error(
        "{flag} {wanted} clashes with {other_flag} {taken} of the cluster in {data_dir}{how}: give another {flag}, or stop that one (knarr down --data-dir {data_dir})",
        how = if *stopped { ", whose server is stopped, but whose pods and network go on" } else { "" }
    )]
    Taken {
        /// The flag of this cluster.
        flag: &'static str,
        /// Its value.
        wanted: String,
        /// The flag of the other cluster.
        other_flag: &'static str,
        /// Its value.
        taken: String,
        /// The other cluster.
        data_dir: PathBuf,
        /// Whether its server does not run.
        stopped: bool,
    },
    /// The short names are the same, by chance.
    #[error(
        "the data directory happens to get the same short name ({id}) as the cluster in {data_dir}: choose another --data-dir"
    )]
    Id {
        /// The short name.
        id: String,
        /// The other cluster.
        data_dir: PathBuf,
    },
}

pub(super) fn check(new: &Record, other: &Record) -> Result<(), Clash> {
    if new.cluster_id == other.cluster_id {
        return Err(Clash::Id { id: new.cluster_id.clone(), data_dir: other.data_dir.clone() });
    }
    let (Some(a), Some(b)) = (&new.ranges, &other.ranges) else { return Ok(()) };
    if a.network != b.network {
        return Ok(());
    }
    let stopped = !other.is_alive();
    let taken = |flag, wanted: &dyn ToString, other_flag, taken: &dyn ToString| Clash::Taken {
        flag,
        wanted: wanted.to_string(),
        other_flag,
        taken: taken.to_string(),
        data_dir: other.data_dir.clone(),
        stopped,
    };
    const PORT: &str = "--https-listen-port";
    const KUBELET_PORT: &str = "--kubelet-port";
    const NODE_PORTS: &str = "--service-node-port-range";
    // A server that is stopped listens nowhere: its ports are to be had.
    if !stopped && a.https_listen_port == b.https_listen_port {
        return Err(taken(PORT, &a.https_listen_port, PORT, &b.https_listen_port));
    }
    if let (Some(mine), Some(theirs)) = (a.kubelet_port, b.kubelet_port)
        && !stopped
        && mine == theirs
    {
        return Err(taken(KUBELET_PORT, &mine, KUBELET_PORT, &theirs));
    }
    for (flag, mine) in [("--cluster-cidr", &a.cluster_cidr), ("--service-cidr", &a.service_cidr)] {
        for (other_flag, theirs) in [("--cluster-cidr", &b.cluster_cidr), ("--service-cidr", &b.service_cidr)]
        {
            if let (Ok(x), Ok(y)) = (mine.parse::<Cidr>(), theirs.parse::<Cidr>())
                && overlap(x, y)
            {
                return Err(taken(flag, mine, other_flag, theirs));
            }
        }
    }
    if a.node_ports().overlaps(b.node_ports()) {
        return Err(taken(NODE_PORTS, &a.node_ports(), NODE_PORTS, &b.node_ports()));
    }
    if b.node_ports().contains(a.https_listen_port) {
        return Err(taken(PORT, &a.https_listen_port, NODE_PORTS, &b.node_ports()));
    }
    if !stopped && a.node_ports().contains(b.https_listen_port) {
        return Err(taken(NODE_PORTS, &a.node_ports(), PORT, &b.https_listen_port));
    }
    Ok(())
}
