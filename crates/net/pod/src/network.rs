//! The pod network of one node, put together: what the agent holds.
//!
//! Calls block; the agent makes them from its blocking threads. Adding and removing different pods may run at once: only
//! the book-keeping and the rules are under a lock.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use host::netlink::{Cidr, Namespace, Netlink, NetlinkError, Network, Records};
use host::nft::Nft;
use serde::{Deserialize, Serialize};

use crate::ipam::{Exhausted, Ipam};
use crate::node::{self, NodeError, NodeWant};
use crate::peers::{self, Here, Peer};
use crate::pod::{self, Place, PodWant};
use crate::rules::{HostPort, RulesWant};

/// What the network of a node is told once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// This node among its peers.
    pub here: Here,
    /// What pods reach without masquerading besides the cluster's pod ranges.
    pub no_masquerade: Vec<Cidr>,
    /// The folder of the pins.
    pub namespaces: PathBuf,
    /// The pods' MTU in bytes; none for what the uplink and the tunnel leave.
    pub mtu: Option<u32>,
}

/// What a pod asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodRequest {
    /// Its uid.
    pub uid: String,
    /// Ports of the node that lead to it.
    pub host_ports: Vec<HostPort>,
    /// Sysctls of its namespace, keys with slashes.
    pub sysctls: Vec<(String, String)>,
}

/// A pod's record: what survives a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodRecord {
    /// Its addresses, the first being its primary one.
    pub addresses: Vec<IpAddr>,
    /// Its host ports.
    #[serde(default)]
    pub host_ports: Vec<HostPort>,
}

/// Why a pod has no network, or still has one.
#[derive(Debug, thiserror::Error)]
pub enum PodNetworkError {
    /// Links, addresses, routes, namespaces or records.
    #[error("the pod's network configuration")]
    Netlink(#[from] NetlinkError),
    /// The node's share.
    #[error("the node's share of the pod network")]
    Node(#[from] NodeError),
    /// No address is left.
    #[error("no address for the pod")]
    Exhausted(#[from] Exhausted),
    /// A uid that cannot be a file's name.
    #[error("the pod uid {0:?} cannot name a file")]
    Uid(String),
    /// A record that no release of ours wrote.
    #[error("the record of pod {uid} does not decode")]
    Record {
        /// The pod.
        uid: String,
        /// The cause.
        #[source]
        source: serde_json::Error,
    },
}

#[derive(Debug)]
struct Books {
    ipam: Ipam,
    pods: BTreeMap<String, PodRecord>,
}

/// The pod network of one node.
pub struct PodNetwork {
    config: Config,
    netlink: Arc<dyn Netlink>,
    nft: Arc<dyn Nft>,
    records: Arc<dyn Records>,
    books: Mutex<Books>,
    /// One transaction of rules at a time: each is planned from what the last one left.
    rules: Mutex<()>,
    /// Pods come and go side by side, but not while what is there is mended: that of one who goes must not be given back.
    wiring: RwLock<()>,
}

impl PodNetwork {
    /// Takes up what exists: the records, and any address that the kernel still routes to a pod. It changes nothing.
    pub fn restore(
        config: Config,
        netlink: Arc<dyn Netlink>,
        nft: Arc<dyn Nft>,
        records: Arc<dyn Records>,
    ) -> Result<PodNetwork, PodNetworkError> {
        let mut pods = BTreeMap::new();
        for (uid, bytes) in records.load()? {
            let record: PodRecord = serde_json::from_slice(&bytes)
                .map_err(|source| PodNetworkError::Record { uid: uid.clone(), source })?;
            pods.insert(uid, record);
        }
        let prefix = config.here.cluster.link_prefix();
        let network = netlink.observe(&Namespace::Host)?;
        let to_pods = network
            .routes
            .iter()
            .filter(|route| route.link.as_ref().is_some_and(|link| link.starts_with(&prefix)));
        let routed: Vec<IpAddr> = to_pods.map(|route| route.destination.address()).collect();
        let recorded = pods.values().flat_map(|record| record.addresses.iter().copied());
        let ipam = Ipam::new(&config.here.pod_cidrs, recorded.chain(routed));
        let books = Mutex::new(Books { ipam, pods });
        Ok(PodNetwork {
            config,
            netlink,
            nft,
            records,
            books,
            rules: Mutex::new(()),
            wiring: RwLock::new(()),
        })
    }

    /// The pods that have a network, or are about to get or lose one.
    pub fn pods(&self) -> BTreeMap<String, PodRecord> {
        self.books().pods.clone()
    }

    /// Where a pod's network namespace is pinned.
    pub fn namespace(&self, uid: &str) -> PathBuf {
        self.place(uid).pin
    }

    /// Gives a pod its network, or completes it. The addresses of a pod that is known stay.
    pub fn add(&self, request: &PodRequest) -> Result<PodRecord, PodNetworkError> {
        let _not_mending = self.wiring.read().unwrap_or_else(PoisonError::into_inner);
        let record = self.reserve(request)?;
        let host = self.netlink.observe(&Namespace::Host)?;
        let want = PodWant {
            addresses: record.addresses.clone(),
            mtu: self.pod_mtu(&host),
            sysctls: request.sysctls.clone(),
            node: self.sources(&host),
        };
        self.converge(&request.uid, Some(&want))?;
        if !record.host_ports.is_empty() {
            self.sync_rules()?;
        }
        Ok(record)
    }

    /// Takes a pod's network away. A pod that has none is fine.
    pub fn remove(&self, uid: &str) -> Result<(), PodNetworkError> {
        let uid = checked(uid)?;
        let _not_mending = self.wiring.read().unwrap_or_else(PoisonError::into_inner);
        let had_ports = {
            let mut books = self.books();
            books.pods.get_mut(uid).is_some_and(|record| !std::mem::take(&mut record.host_ports).is_empty())
        };
        if had_ports {
            self.sync_rules()?;
        }
        self.converge(uid, None)?;
        self.records.remove(uid)?;
        let mut books = self.books();
        if let Some(record) = books.pods.remove(uid) {
            books.ipam.release(&record.addresses);
        }
        Ok(())
    }

    /// Removes every pod that is not in `uids`, and pins that no record tells of. `uids` must come from a view that has
    /// synced.
    pub fn retain(&self, uids: &BTreeSet<String>) -> Result<(), PodNetworkError> {
        let mut known: BTreeSet<String> = self.books().pods.keys().cloned().collect();
        for path in self.netlink.pinned(&self.config.namespaces)? {
            // What has no uid's name in that folder is none of ours.
            let name = path.file_name().and_then(|name| name.to_str()).filter(|name| checked(name).is_ok());
            known.extend(name.map(str::to_owned));
        }
        // One pod that cannot be removed must not keep the others; the first error is as good as any.
        let removed: Vec<_> = known.difference(uids).map(|uid| self.remove(uid)).collect();
        removed.into_iter().collect()
    }

    /// Brings the node's share up to date: gateway, forwarding, rules, and routes to exactly these peers.
    pub fn sync_node(&self, peers: &[Peer]) -> Result<(), PodNetworkError> {
        let _one_at_a_time = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let want =
            NodeWant { here: self.config.here.clone(), peers: peers.to_vec(), rules: self.rules_want() };
        let have = node::observe(&*self.netlink, &*self.nft, &want)?;
        for step in node::plan(&want, &have) {
            node::apply(&*self.netlink, &*self.nft, &step)?;
        }
        Ok(())
    }

    /// Gives back addresses and routes that another program took away: a network daemon that sets the uplink up anew takes the node's
    /// address from it for a moment, and the kernel then drops every route that goes by it or names it as its source. Answers how many
    /// had gone. Rules are not looked at.
    pub fn mend(&self, peers: &[Peer]) -> Result<usize, PodNetworkError> {
        let _alone = self.wiring.write().unwrap_or_else(PoisonError::into_inner);
        let host = self.netlink.observe(&Namespace::Host)?;
        let sources = self.sources(&host);
        let mut changes = Vec::new();
        for (uid, record) in self.pods() {
            let place = self.place(&uid);
            // One without a link is only about to be wired.
            if host.link(&place.link).is_some() {
                changes.extend(pod::node_side(&place, &record.addresses, &sources, &host));
            }
        }
        changes.extend(node::changes(&self.config.here, peers, &host));
        if !changes.is_empty() {
            self.netlink.apply(&Namespace::Host, &changes)?;
        }
        Ok(changes.len())
    }

    /// Those of the node's addresses that it has: the kernel refuses a route whose source address is not there (yet).
    fn sources(&self, host: &Network) -> Vec<IpAddr> {
        let is_here = |ip: &&IpAddr| host.addresses.iter().any(|address| address.cidr.address() == **ip);
        self.config.here.addresses.iter().filter(is_here).copied().collect()
    }

    fn sync_rules(&self) -> Result<(), PodNetworkError> {
        let _one_at_a_time = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let want = self.rules_want();
        for family in crate::rules::FAMILIES {
            let have = self.nft.list(&want.cluster.table(family)).map_err(NodeError::from)?;
            let commands = crate::rules::plan(&want, family, have.as_ref());
            self.nft.apply(&commands).map_err(NodeError::from)?;
        }
        Ok(())
    }

    fn rules_want(&self) -> RulesWant {
        let here = &self.config.here;
        let mut cluster_cidrs = here.cluster_cidrs.clone();
        cluster_cidrs.extend(&self.config.no_masquerade);
        let pods =
            self.books().pods.values().map(|pod| (pod.addresses.clone(), pod.host_ports.clone())).collect();
        RulesWant { cluster: here.cluster.clone(), pod_cidrs: here.pod_cidrs.clone(), cluster_cidrs, pods }
    }

    /// The pod's record, written before anything else is done for it.
    fn reserve(&self, request: &PodRequest) -> Result<PodRecord, PodNetworkError> {
        let uid = checked(&request.uid)?;
        let mut books = self.books();
        let addresses = match books.pods.get(uid) {
            Some(record) if record.host_ports == request.host_ports => return Ok(record.clone()),
            Some(record) => record.addresses.clone(),
            None => books.ipam.allocate()?,
        };
        let record = PodRecord { addresses, host_ports: request.host_ports.clone() };
        let bytes = serde_json::to_vec(&record)
            .map_err(|source| PodNetworkError::Record { uid: uid.to_owned(), source })?;
        if let Err(error) = self.records.save(uid, &bytes) {
            if !books.pods.contains_key(uid) {
                books.ipam.release(&record.addresses);
            }
            return Err(error.into());
        }
        books.pods.insert(uid.to_owned(), record.clone());
        Ok(record)
    }

    fn converge(&self, uid: &str, want: Option<&PodWant>) -> Result<(), PodNetworkError> {
        let place = self.place(uid);
        let have = pod::observe(&*self.netlink, &place)?;
        for step in pod::plan(&place, want, &have) {
            pod::apply(&*self.netlink, &step)?;
        }
        Ok(())
    }

    fn pod_mtu(&self, host: &Network) -> u32 {
        let here = &self.config.here;
        let fitting = || {
            let uplink = peers::uplink_mtu(here, host).unwrap_or(1500);
            peers::pod_mtu(uplink, here.overlay.is_some(), here.addresses.first().copied())
        };
        self.config.mtu.unwrap_or_else(fitting)
    }

    fn place(&self, uid: &str) -> Place {
        Place::of(&self.config.here.cluster, &self.config.namespaces, uid)
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A uid that is safe as a file's name. Static pods' are hashes, all others UUIDs.
fn checked(uid: &str) -> Result<&str, PodNetworkError> {
    let fits = !uid.is_empty()
        && uid.len() <= 128
        && uid.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if fits { Ok(uid) } else { Err(PodNetworkError::Uid(uid.to_owned())) }
}

#[cfg(test)]
mod tests;
