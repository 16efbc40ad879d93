//! One service as map elements. Pure.

use std::collections::BTreeSet;
use std::net::IpAddr;

use host::netlink::Cidr;
use host::nft::Family;

use crate::endpoints::{Target, Usable, categorize};
use crate::limits::AFFINITY_SECONDS_MAX;
use crate::pools::{Mark, Pool, PoolName, Pools};
use crate::ruleset::{Set, affinity_chain, balance_chain};
use crate::spec::{
    Endpoint, Endpoints, NodeFacts, Protocol, ServiceName, ServicePort, ServiceSpec, TrafficPolicy,
};

/// Where an element is: the table's family, the set, the key in nft's notation.
pub type Place = (Family, Set, Box<str>);

/// An element: its place and its value, empty in sets.
pub type Element = (Place, Box<str>);

/// Finds the pool that the kernel has at a frontend.
pub type Adopt<'a> = &'a dyn Fn(&Place) -> Option<Pool>;

/// A service's elements, sorted and without duplicates.
pub fn compile(
    name: &ServiceName,
    spec: &ServiceSpec,
    endpoints: &Endpoints,
    node: &NodeFacts,
    pools: &mut Pools,
    adopt: Adopt<'_>,
) -> Vec<Element> {
    let mut elements = Vec::new();
    for family in crate::ruleset::FAMILIES {
        if !spec.cluster_ips.iter().any(|ip| of(family, ip)) {
            continue;
        }
        for port in &spec.ports {
            let none = Vec::new();
            let all = endpoints.get(&port.name).unwrap_or(&none);
            let mine: Vec<&Endpoint> = all.iter().filter(|endpoint| of(family, &endpoint.ip)).collect();
            let usable = categorize(spec, &mine, node);
            let mut out = Compiler { family, spec, port, node, usable, elements: &mut elements };
            out.port(name, pools, adopt);
        }
    }
    elements.sort();
    elements.dedup_by(|a, b| a.0 == b.0);
    elements
}

/// The pools that a service may have; those of a service that goes away are to be emptied.
pub fn pool_names(name: &ServiceName, spec: &ServiceSpec) -> Vec<PoolName> {
    let mut names = Vec::new();
    for port in &spec.ports {
        for four in [true, false] {
            for policy in [TrafficPolicy::Cluster, TrafficPolicy::Local] {
                names.push(pool_name(name, port, policy, four));
            }
        }
    }
    names
}

fn pool_name(name: &ServiceName, port: &ServicePort, policy: TrafficPolicy, four: bool) -> PoolName {
    PoolName { service: name.clone(), port: port.port, protocol: port.protocol, policy, four }
}

fn of(family: Family, address: &IpAddr) -> bool {
    address.is_ipv4() == (family == Family::Ip)
}

/// The key of an address's frontend.
pub fn vip_key(address: IpAddr, protocol: Protocol, port: u16) -> String {
    format!("{address} . {} . {port}", protocol.name())
}

/// The key of a node port's frontend.
pub fn port_key(protocol: Protocol, port: u16) -> String {
    format!("{} . {port}", protocol.name())
}

/// A range in nft's notation: a single address stands without its length.
pub fn range(cidr: &Cidr) -> String {
    if cidr.prefix() == cidr.bits() { cidr.address().to_string() } else { cidr.network().to_string() }
}

/// The three sets of a kind of frontend: its kind, its pool, its pool for pods and this node.
#[derive(Clone, Copy)]
struct Frontend {
    kind: Set,
    pool: Set,
    near: Set,
    refused: Set,
    cluster_chain: &'static str,
    local_chain: &'static str,
}

const VIP: Frontend = Frontend {
    kind: Set::Vips,
    pool: Set::VipPools,
    near: Set::VipNear,
    refused: Set::Refused,
    cluster_chain: "goto external-cluster",
    local_chain: "goto external-local",
};

const NODE_PORT: Frontend = Frontend {
    kind: Set::Ports,
    pool: Set::PortPools,
    near: Set::PortNear,
    refused: Set::RefusedPorts,
    cluster_chain: "goto port-cluster",
    local_chain: "goto port-local",
};

struct Compiler<'a> {
    family: Family,
    spec: &'a ServiceSpec,
    port: &'a ServicePort,
    node: &'a NodeFacts,
    usable: Usable,
    elements: &'a mut Vec<Element>,
}

impl Compiler<'_> {
    fn put(&mut self, set: Set, key: impl Into<Box<str>>, value: impl Into<Box<str>>) {
        self.elements.push(((self.family, set, key.into()), value.into()));
    }

    fn port(&mut self, name: &ServiceName, pools: &mut Pools, adopt: Adopt<'_>) {
        let four = self.family == Family::Ip;
        let mut mark = |policy, targets: &BTreeSet<Target>, places: &[Place]| {
            let pool = pool_name(name, self.port, policy, four);
            let found = if pools.get(&pool).is_none() { places.iter().find_map(adopt) } else { None };
            pools.set(&pool, targets, found).cloned()
        };
        let (cluster_places, local_places) = self.places();
        let cluster = mark(TrafficPolicy::Cluster, &self.usable.cluster, &cluster_places);
        let local = mark(TrafficPolicy::Local, &self.usable.local, &local_places);
        for pool in [&cluster, &local].into_iter().flatten() {
            self.pool(pool);
        }
        for (ip, _) in self.usable.here.clone() {
            self.put(Set::Hairpin, format!("{ip} . {ip}"), "");
        }
        let (cluster, local) = (cluster.map(|pool| pool.mark), local.map(|pool| pool.mark));
        self.internal(cluster, local);
        for address in self.spec.external_ips.iter().chain(&self.spec.load_balancer_ips) {
            if of(self.family, address) {
                self.external(VIP, &vip_key(*address, self.port.protocol, self.port.port), cluster, local);
            }
        }
        if let Some(port) = self.port.node_port {
            self.external(NODE_PORT, &port_key(self.port.protocol, port), cluster, local);
        }
        self.source_ranges();
    }

    /// Where the kernel would have this port's pools, for policy Cluster and for policy Local.
    fn places(&self) -> (Vec<Place>, Vec<Place>) {
        let (mut cluster, mut local) = (Vec::new(), Vec::new());
        let mut at = |policy, set, near: Option<Set>, key: String| {
            let place = |set| (self.family, set, key.clone().into_boxed_str());
            if policy == TrafficPolicy::Cluster {
                cluster.push(place(set));
            } else {
                local.push(place(set));
                cluster.extend(near.map(place));
            }
        };
        let vip = |address: &IpAddr| vip_key(*address, self.port.protocol, self.port.port);
        for address in self.spec.cluster_ips.iter().filter(|ip| of(self.family, ip)) {
            at(self.spec.internal_policy, Set::VipPools, None, vip(address));
        }
        let external = self.spec.external_ips.iter().chain(&self.spec.load_balancer_ips);
        for address in external.filter(|ip| of(self.family, ip)) {
            at(self.spec.external_policy, Set::VipPools, Some(Set::VipNear), vip(address));
        }
        if let Some(port) = self.port.node_port {
            let key = port_key(self.port.protocol, port);
            at(self.spec.external_policy, Set::PortPools, Some(Set::PortNear), key);
        }
        (cluster, local)
    }

    fn pool(&mut self, pool: &Pool) {
        let affinity = self.spec.affinity_seconds;
        let mark = pool.mark;
        let chain = balance_chain(pool.targets.len(), affinity.is_some());
        self.put(Set::Pools, mark.to_string(), format!("goto {chain}"));
        for (index, (ip, port)) in pool.targets.iter().enumerate() {
            self.put(
                Set::endpoints(self.port.protocol),
                format!("{mark} . {index}"),
                format!("{ip} . {port}"),
            );
        }
        if let Some(seconds) = affinity
            && self.family == Family::Ip
        {
            let chain = affinity_chain(seconds.clamp(1, AFFINITY_SECONDS_MAX));
            self.put(Set::AffinityPools, mark.to_string(), format!("jump {chain}"));
        }
    }

    /// Cluster addresses. With endpoints elsewhere but none here, policy Local drops; without any, clients are refused.
    fn internal(&mut self, cluster: Option<Mark>, local: Option<Mark>) {
        let mark = if self.spec.internal_policy == TrafficPolicy::Local { local } else { cluster };
        let addresses: Vec<IpAddr> =
            self.spec.cluster_ips.iter().filter(|ip| of(self.family, ip)).copied().collect();
        for address in addresses {
            let key = vip_key(address, self.port.protocol, self.port.port);
            match mark {
                Some(mark) => {
                    self.put(Set::Vips, key.clone(), "goto internal");
                    self.put(Set::VipPools, key, mark.to_string());
                }
                None => self.put(Set::Refused, key, self.refusal()),
            }
        }
    }

    fn refusal(&self) -> &'static str {
        if self.usable.any { "drop" } else { "goto refuse" }
    }

    /// Addresses and ports for the world. Under policy Local pods and this node still reach every endpoint: for them it is
    /// as if they had gone out to the load balancer and come back in somewhere.
    fn external(&mut self, to: Frontend, key: &str, cluster: Option<Mark>, local: Option<Mark>) {
        let is_local = self.spec.external_policy == TrafficPolicy::Local;
        let mark = if is_local { local } else { cluster };
        if self.usable.any {
            self.put(to.kind, key, if is_local { to.local_chain } else { to.cluster_chain });
            if let Some(cluster) = cluster.filter(|_| is_local) {
                self.put(to.near, key, cluster.to_string());
            }
        }
        match mark {
            Some(mark) => self.put(to.pool, key, mark.to_string()),
            None => self.put(to.refused, key, self.refusal()),
        }
    }

    /// Who may use load balancer addresses. Ranges of the other family do not count, and none means everyone.
    fn source_ranges(&mut self) {
        let (spec, family) = (self.spec, self.family);
        let ranges: BTreeSet<Cidr> =
            spec.source_ranges.iter().map(Cidr::network).filter(|cidr| of(family, &cidr.address())).collect();
        if ranges.is_empty() || ranges.iter().any(|cidr| cidr.prefix() == 0) {
            return;
        }
        // The kernel refuses ranges that overlap, and one inside another adds nothing.
        let is_inside = |cidr: &Cidr| {
            ranges.iter().any(|other| other.prefix() < cidr.prefix() && other.contains(cidr.address()))
        };
        let allows = |ip: IpAddr| ranges.iter().any(|cidr| cidr.contains(ip));
        let allows_node = self.node.ips.iter().any(|ip| allows(*ip));
        for address in spec.load_balancer_ips.iter().filter(|ip| of(family, ip)) {
            let key = vip_key(*address, self.port.protocol, self.port.port);
            self.put(Set::Guarded, key.clone(), "");
            for cidr in ranges.iter().filter(|cidr| !is_inside(cidr)) {
                self.put(Set::Allowed, format!("{key} . {}", range(cidr)), "");
            }
            // Where the balancer's address is also a local one, the node's own requests have it as their source.
            if allows_node && !allows(*address) {
                self.put(Set::Allowed, format!("{key} . {address}"), "");
            }
        }
    }
}

#[cfg(test)]
mod tests;
