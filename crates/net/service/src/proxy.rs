//! The state machine: services go in, transactions come out, in proportion to what changed. Synchronous and without I/O.
//!
//! Several services may claim one element (an external address, a node port, an endpoint that calls itself). Claims are
//! kept, and the service that is first by name has its way.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use host::netlink::{Cidr, Flow};
use host::nft::{Command, Contents, Elements, Family, Table};

use crate::compile::{self, Element, Place, port_key, range, vip_key};
use crate::endpoints::Target;
use crate::pools::{Mark, Pool, Pools};
use crate::ruleset::{self, FAMILIES, Set};
use crate::spec::{Endpoints, NodeFacts, Protocol, ServiceName, ServiceSpec};

/// What the data plane is told once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// A short id of the cluster, unique on the machine; it stands in the tables' names.
    pub cluster: String,
    /// This node.
    pub node: NodeFacts,
    /// The cluster's pod ranges: other sources are masqueraded on their way to cluster addresses. Not empty.
    pub pod_cidrs: Vec<Cidr>,
    /// The ranges of cluster addresses; those of them that no service has are refused.
    pub service_cidrs: Vec<Cidr>,
}

/// Something that was chosen for a client and must be forgotten: an endpoint that left a pool with affinity.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Forgotten {
    /// The table.
    pub table: Table,
    /// The pool.
    pub mark: Mark,
    /// The endpoint, as the map has it.
    pub target: String,
}

/// What to do next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// One transaction.
    pub commands: Vec<Command>,
    /// Affinities to forget after it.
    pub forget: BTreeSet<Forgotten>,
    /// UDP frontends whose flows are to be checked after it; UDP has no end that conntrack could see.
    pub udp: BTreeSet<UdpFrontend>,
}

/// A UDP frontend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UdpFrontend {
    /// An address with a port.
    Vip(IpAddr, u16),
    /// A port of the node.
    NodePort(u16),
}

type Claims = Vec<(Arc<ServiceName>, Box<str>)>;

#[derive(Debug)]
struct Service {
    spec: ServiceSpec,
    endpoints: Endpoints,
    elements: Vec<Element>,
}

/// The services of one node.
#[derive(Debug)]
pub struct Proxy {
    config: Config,
    services: BTreeMap<Arc<ServiceName>, Service>,
    claims: BTreeMap<Place, Claims>,
    pools: Pools,
    /// What the kernel held when it was last listed; none once the first plan has been carried out.
    listed: Option<BTreeMap<Family, Contents>>,
    /// Since the last carried-out plan: places that changed, with the value that the kernel has.
    dirty: BTreeMap<Place, Option<Box<str>>>,
    chains: BTreeMap<Family, BTreeSet<String>>,
    forget: BTreeSet<Forgotten>,
    udp: BTreeSet<UdpFrontend>,
}

impl Proxy {
    /// Without services, over what the tables hold (those that exist).
    pub fn new(config: Config, listed: BTreeMap<Family, Contents>) -> Proxy {
        let mut proxy = Proxy {
            config,
            services: BTreeMap::new(),
            claims: BTreeMap::new(),
            pools: Pools::default(),
            listed: None,
            dirty: BTreeMap::new(),
            chains: BTreeMap::new(),
            forget: BTreeSet::new(),
            udp: BTreeSet::new(),
        };
        proxy.relist(listed);
        proxy
    }

    /// Takes a new listing after a transaction was refused: the next plan is the whole difference.
    pub fn relist(&mut self, mut listed: BTreeMap<Family, Contents>) {
        listed.retain(|_, contents| contents.chains.iter().any(|chain| chain == ruleset::VERSION));
        for contents in listed.values() {
            let marks = contents.sets.get(Set::Pools.name()).into_iter().flatten();
            self.pools.reserve_after(marks.filter_map(|(mark, _)| mark.parse().ok()));
        }
        self.chains = listed
            .iter()
            .map(|(family, contents)| (*family, contents.chains.iter().cloned().collect()))
            .collect();
        self.listed = Some(listed);
        self.dirty.clear();
    }

    /// Sets a service with its endpoints, or takes it away. Nothing else of the world is looked at again.
    pub fn set(&mut self, name: &ServiceName, service: Option<(ServiceSpec, Endpoints)>) {
        let unchanged = match (self.services.get(name), &service) {
            (Some(old), Some((spec, endpoints))) => old.spec == *spec && old.endpoints == *endpoints,
            (None, None) => true,
            _ => false,
        };
        if unchanged {
            return;
        }
        let (name, old) = match self.services.remove_entry(name) {
            Some((name, old)) => (name, Some(old)),
            None => (Arc::new(name.clone()), None),
        };
        self.note_udp(old.as_ref().map(|old| &old.spec), service.as_ref().map(|(spec, _)| spec));
        let next = service.map(|(spec, endpoints)| self.compile(&name, old.as_ref(), spec, endpoints));
        if next.is_none()
            && let Some(old) = &old
        {
            for pool in compile::pool_names(&name, &old.spec) {
                self.pools.set(&pool, &BTreeSet::new(), None);
            }
        }
        let before = old.map_or_else(Vec::new, |old| old.elements);
        let after = next.as_ref().map_or(&[][..], |next| &next.elements);
        self.note_forgotten(&before, after);
        self.claim(&name, &before, after);
        if let Some(next) = next {
            self.services.insert(name, next);
        }
    }

    fn compile(
        &mut self,
        name: &ServiceName,
        old: Option<&Service>,
        spec: ServiceSpec,
        endpoints: Endpoints,
    ) -> Service {
        // Pools of ports that the service no longer has end here; those that stay keep their numbers.
        if let Some(old) = old {
            let kept: BTreeSet<_> = compile::pool_names(name, &spec).into_iter().collect();
            for pool in compile::pool_names(name, &old.spec) {
                if !kept.contains(&pool) {
                    self.pools.set(&pool, &BTreeSet::new(), None);
                }
            }
        }
        let listed = self.listed.as_ref();
        let adopt = |place: &Place| listed.and_then(|listed| adopt(listed.get(&place.0)?, place));
        let elements = compile::compile(name, &spec, &endpoints, &self.config.node, &mut self.pools, &adopt);
        Service { spec, endpoints, elements }
    }

    /// Exchanges one service's claims. Both lists are sorted by place.
    fn claim(&mut self, name: &Arc<ServiceName>, before: &[Element], after: &[Element]) {
        let old: BTreeMap<&Place, &Box<str>> = before.iter().map(|(place, value)| (place, value)).collect();
        let new: BTreeMap<&Place, &Box<str>> = after.iter().map(|(place, value)| (place, value)).collect();
        for (place, _) in old.iter().filter(|(place, value)| new.get(*place) != Some(value)) {
            self.touch(place);
            if let Some(claims) = self.claims.get_mut(*place) {
                claims.retain(|(owner, _)| owner != name);
                if claims.is_empty() {
                    self.claims.remove(*place);
                }
            }
        }
        for (place, value) in new.iter().filter(|(place, value)| old.get(*place) != Some(value)) {
            self.touch(place);
            let claims = self.claims.entry((*place).clone()).or_default();
            let at = claims.partition_point(|(owner, _)| owner < name);
            claims.insert(at, (name.clone(), (*value).clone()));
        }
    }

    /// Remembers what the kernel has at a place before the first change to it.
    fn touch(&mut self, place: &Place) {
        if self.listed.is_none() && !self.dirty.contains_key(place) {
            let value = self.value(place).map(Box::from);
            self.dirty.insert(place.clone(), value);
        }
    }

    fn value(&self, place: &Place) -> Option<&str> {
        self.claims.get(place).and_then(|claims| claims.first()).map(|(_, value)| &**value)
    }

    fn note_udp(&mut self, old: Option<&ServiceSpec>, new: Option<&ServiceSpec>) {
        for spec in [old, new].into_iter().flatten() {
            for port in spec.ports.iter().filter(|port| port.protocol == Protocol::Udp) {
                let addresses =
                    spec.cluster_ips.iter().chain(&spec.external_ips).chain(&spec.load_balancer_ips);
                self.udp.extend(addresses.map(|address| UdpFrontend::Vip(*address, port.port)));
                self.udp.extend(port.node_port.map(UdpFrontend::NodePort));
            }
        }
    }

    /// Endpoints that left pools whose clients are remembered.
    fn note_forgotten(&mut self, before: &[Element], after: &[Element]) {
        let sticky: BTreeSet<(Family, &str)> = before
            .iter()
            .filter(|((_, set, _), _)| *set == Set::AffinityPools)
            .map(|((family, _, key), _)| (*family, &**key))
            .collect();
        if sticky.is_empty() {
            return;
        }
        let members = |elements: &[Element]| -> BTreeSet<(Family, String, String)> {
            let all = elements.iter().filter(|((_, set, _), _)| Set::ENDPOINTS.contains(set));
            let split = all.filter_map(|((family, _, key), target)| {
                let (mark, _) = key.split_once(" . ")?;
                sticky.contains(&(*family, mark)).then(|| (*family, mark.to_owned(), target.to_string()))
            });
            split.collect()
        };
        for (family, mark, target) in members(before).difference(&members(after)) {
            if let Ok(mark) = mark.parse() {
                let table = ruleset::table(&self.config.cluster, *family);
                self.forget.insert(Forgotten { table, mark, target: target.clone() });
            }
        }
    }

    /// The transaction from what the kernel has to what it should have. Ask again after [`Proxy::done`].
    pub fn plan(&self) -> Plan {
        let commands = match &self.listed {
            Some(listed) => self.plan_whole(listed),
            None => self.plan_changes(),
        };
        Plan { commands, forget: self.forget.clone(), udp: self.udp.clone() }
    }

    /// The last plan has been carried out.
    pub fn done(&mut self, plan: &Plan) {
        for command in &plan.commands {
            match command {
                Command::Chain(table, name, _) => {
                    self.chains.entry(table.family).or_default().insert(name.clone());
                }
                Command::Define(table, _) => drop(self.chains.remove(&table.family)),
                _ => {}
            }
        }
        self.listed = None;
        self.dirty.clear();
        self.forget.clear();
        self.udp.clear();
    }

    /// Elements that belong to no service.
    fn constant(&self, family: Family) -> BTreeMap<Set, Elements> {
        let ranges = |cidrs: &[Cidr]| -> Elements {
            let mine = cidrs.iter().filter(|cidr| cidr.is_ipv4() == (family == Family::Ip));
            mine.map(|cidr| (range(cidr), String::new())).collect()
        };
        let (pods, services) = (ranges(&self.config.pod_cidrs), ranges(&self.config.service_cidrs));
        BTreeMap::from([(Set::Pods, pods), (Set::Services, services)])
    }

    fn plan_whole(&self, listed: &BTreeMap<Family, Contents>) -> Vec<Command> {
        let mut commands = Vec::new();
        for family in FAMILIES {
            let mut wanted = self.constant(family);
            for (_, set, key) in self.claims.keys().filter(|(of, _, _)| *of == family) {
                let place = (family, *set, key.clone());
                let value = self.value(&place).map(ToString::to_string).unwrap_or_default();
                wanted.entry(*set).or_default().insert(key.to_string(), value);
            }
            let current = listed.get(&family);
            if current.is_none() {
                commands.push(ruleset::skeleton(&self.config.cluster, family));
            }
            let mut edit = Edit::default();
            let nothing = Elements::new();
            for set in Set::ALL {
                let have = current.and_then(|have| have.sets.get(set.name())).unwrap_or(&nothing);
                let want = wanted.remove(&set).unwrap_or_default();
                for key in
                    have.iter().filter(|(key, value)| want.get(*key) != Some(value)).map(|(key, _)| key)
                {
                    edit.gone.entry(set).or_default().push(key.clone());
                }
                for (key, value) in want.into_iter().filter(|(key, value)| have.get(key) != Some(value)) {
                    edit.new.entry(set).or_default().insert(key, value);
                }
            }
            commands.extend(self.commands(family, edit));
        }
        commands
    }

    fn plan_changes(&self) -> Vec<Command> {
        let mut edits: BTreeMap<Family, Edit> = BTreeMap::new();
        for (place, old) in &self.dirty {
            let new = self.value(place);
            if old.as_deref() == new {
                continue;
            }
            let (family, set, key) = place;
            let edit = edits.entry(*family).or_default();
            if old.is_some() {
                edit.gone.entry(*set).or_default().push(key.to_string());
            }
            if let Some(new) = new {
                edit.new.entry(*set).or_default().insert(key.to_string(), new.to_string());
            }
        }
        edits.into_iter().flat_map(|(family, edit)| self.commands(family, edit)).collect()
    }

    /// Chains first, as elements refer to them; then what goes, then what comes.
    fn commands(&self, family: Family, edit: Edit) -> Vec<Command> {
        let table = ruleset::table(&self.config.cluster, family);
        let known = self.chains.get(&family);
        let targets = edit.new.values().flat_map(|elements| elements.values());
        let named: BTreeSet<&str> = targets.filter_map(|value| value.split(' ').nth(1)).collect();
        let mut commands = Vec::new();
        for name in named.into_iter().filter(|name| known.is_none_or(|known| !known.contains(*name))) {
            if let Some(rules) = ruleset::made_chain(name, family) {
                commands.push(Command::Chain(table.clone(), name.to_owned(), rules));
            }
        }
        let gone = edit.gone.into_iter();
        commands.extend(gone.map(|(set, keys)| Command::Delete(table.clone(), set.name().to_owned(), keys)));
        let new = edit.new.into_iter();
        commands
            .extend(new.map(|(set, elements)| Command::Add(table.clone(), set.name().to_owned(), elements)));
        commands
    }

    /// Where the clients of a UDP frontend may be sent; none if there is no such frontend.
    pub(crate) fn targets(&self, frontend: UdpFrontend) -> Option<BTreeSet<Target>> {
        let (kind, pools, key) = match frontend {
            UdpFrontend::Vip(address, port) => {
                (Set::Vips, [Set::VipPools, Set::VipNear], vip_key(address, Protocol::Udp, port))
            }
            UdpFrontend::NodePort(port) => {
                (Set::Ports, [Set::PortPools, Set::PortNear], port_key(Protocol::Udp, port))
            }
        };
        let mut found = None;
        for family in FAMILIES {
            let place = |set| (family, set, key.clone().into_boxed_str());
            let Some(claims) = self.claims.get(&place(kind)) else { continue };
            let targets = found.get_or_insert_with(BTreeSet::new);
            let Some(service) = claims.first().and_then(|(name, _)| self.services.get(name)) else {
                continue;
            };
            for mark in pools.iter().filter_map(|set| self.value(&place(*set))) {
                let prefix = format!("{mark} . ");
                let mine = service.elements.iter().filter(|((of, set, key), _)| {
                    *of == family && Set::ENDPOINTS.contains(set) && key.starts_with(&prefix)
                });
                targets.extend(mine.filter_map(|(_, value)| target(value)));
            }
        }
        found
    }

    /// Whether a tracked UDP flow was translated, or left untranslated, by a decision that no longer holds.
    pub fn is_stale(&self, flow: &Flow, touched: &BTreeSet<UdpFrontend>) -> bool {
        crate::conntrack::is_stale(self, &self.config.node.ips, flow, touched)
    }

    /// The tables of this data plane.
    pub fn tables(&self) -> Vec<Table> {
        FAMILIES.iter().map(|family| ruleset::table(&self.config.cluster, *family)).collect()
    }
}

#[derive(Default)]
struct Edit {
    gone: BTreeMap<Set, Vec<String>>,
    new: BTreeMap<Set, Elements>,
}

fn target(value: &str) -> Option<Target> {
    let (ip, port) = value.split_once(" . ")?;
    Some((ip.parse().ok()?, port.parse().ok()?))
}

/// The pool that the kernel has at a frontend.
fn adopt(have: &Contents, (_, set, key): &Place) -> Option<Pool> {
    let mark: Mark = have.sets.get(set.name())?.get(&**key)?.parse().ok()?;
    let find = |index: usize| {
        let key = format!("{mark} . {index}");
        Set::ENDPOINTS.iter().find_map(|set| target(have.sets.get(set.name())?.get(&key)?))
    };
    Some(Pool { mark, targets: (0..).map_while(find).collect() })
}

#[cfg(test)]
mod tests;
