//! What two clusters on one machine cannot both have. Pure.

use std::path::PathBuf;

use host::netlink::Cidr;
use serde::{Deserialize, Serialize};

use super::Record;
use crate::arguments::value::PortRange;
use crate::config::rules::overlap;
use crate::config::{NodeConfig, ServerConfig};

/// What a cluster takes for itself in its network namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ranges {
    /// The network namespace: in another one nothing clashes.
    pub network: String,
    /// The port of the API, if it is served here.
    pub https_listen_port: Option<u16>,
    /// The port of the node's own API, if there is a node.
    pub kubelet_port: Option<u16>,
    /// The pods' addresses.
    pub cluster_cidr: String,
    /// The services' addresses.
    pub service_cidr: String,
    /// The services' ports, where they are known: an agent is not told.
    #[serde(default)]
    pub service_node_port_range: Option<PortRange>,
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
            https_listen_port: Some(config.https_listen_port),
            kubelet_port: (!config.disable_agent).then_some(config.node.port),
            cluster_cidr: config.cluster_cidr.to_string(),
            service_cidr: config.service_cidr.to_string(),
            service_node_port_range: Some(config.service_node_port_range),
        }
    }

    /// What a node takes in this process's network namespace whose cluster has these ranges.
    pub fn of_node(node: &NodeConfig, cluster_cidr: Cidr, service_cidr: Cidr) -> Ranges {
        Ranges {
            network: network(),
            https_listen_port: None,
            kubelet_port: Some(node.port),
            cluster_cidr: cluster_cidr.to_string(),
            service_cidr: service_cidr.to_string(),
            service_node_port_range: None,
        }
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
    let listening = if stopped { None } else { Some(b) };
    let theirs = listening.and_then(|b| b.https_listen_port);
    if let (Some(mine), Some(theirs)) = (a.https_listen_port, theirs)
        && mine == theirs
    {
        return Err(taken(PORT, &mine, PORT, &theirs));
    }
    if let (Some(mine), Some(theirs)) = (a.kubelet_port, listening.and_then(|b| b.kubelet_port))
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
    let (mine, others) = (a.service_node_port_range, b.service_node_port_range);
    if let (Some(mine), Some(others)) = (mine, others)
        && mine.overlaps(others)
    {
        return Err(taken(NODE_PORTS, &mine, NODE_PORTS, &others));
    }
    if let (Some(port), Some(others)) = (a.https_listen_port, others)
        && others.contains(port)
    {
        return Err(taken(PORT, &port, NODE_PORTS, &others));
    }
    if let (Some(mine), Some(port)) = (mine, theirs)
        && mine.contains(port)
    {
        return Err(taken(NODE_PORTS, &mine, PORT, &port));
    }
    Ok(())
}
