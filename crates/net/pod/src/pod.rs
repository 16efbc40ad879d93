//! One pod's wiring: what it should be, what there is, and the steps between. [`plan`] is pure.
//!
//! Tear-down drops the namespace's pin and leaves the pair to the kernel (6 ms against 44 for deleting the link; the kernel
//! removes it later). Its routes go with it.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use host::netlink::{Address, Change, Cidr, Link, Namespace, Netlink, NetlinkError, Network, Route};

use crate::names::{self, ClusterId, POD_LINK};

/// The gateway of all IPv4 pods, an address of the node's `lo`.
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 1);
/// The gateway of all IPv6 pods, an address of each veth's host end.
pub const GATEWAY_6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

/// A pod as it should be wired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodWant {
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// Its largest packet in bytes.
    pub mtu: u32,
    /// Sysctls of its namespace, keys with slashes.
    pub sysctls: Vec<(String, String)>,
    /// The node's addresses: what the node itself sends from when it calls the pod (probes).
    pub node: Vec<IpAddr>,
}

/// A pod as it is wired.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodHave {
    /// Whether a namespace is pinned for it.
    pub pinned: bool,
    /// The host end of its pair.
    pub link: Option<Link>,
    /// Routes and addresses of the node that use that end.
    pub host: Network,
    /// What its namespace holds.
    pub inside: Network,
}

/// A step of wiring or unwiring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Creates and pins a namespace.
    Pin(PathBuf),
    /// Removes the pin, and with its last process the namespace.
    Unpin(PathBuf),
    /// Changes a namespace's configuration.
    Change(Namespace, Vec<Change>),
}

/// Where one pod's parts are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The pin.
    pub pin: PathBuf,
    /// The name of the pair's host end.
    pub link: String,
}

impl Place {
    /// The places of the pod with this uid.
    pub fn of(cluster: &ClusterId, namespaces: &Path, uid: &str) -> Place {
        Place { pin: names::namespace(namespaces, uid), link: cluster.pod_link(uid) }
    }
}

/// How the pod is wired now. A pod that has nothing yet costs no listing of the node.
pub fn observe(netlink: &dyn Netlink, place: &Place) -> Result<PodHave, NetlinkError> {
    let pinned = netlink.is_pinned(&place.pin)?;
    let link = netlink.link(&Namespace::Host, &place.link)?;
    let mut have = PodHave { pinned, link, ..PodHave::default() };
    if have.link.is_some() {
        let host = netlink.observe(&Namespace::Host)?;
        have.host.addresses =
            host.addresses.into_iter().filter(|address| address.link == place.link).collect();
        have.host.routes =
            host.routes.into_iter().filter(|route| route.link.as_ref() == Some(&place.link)).collect();
    }
    if have.pinned {
        have.inside = netlink.observe(&Namespace::Pinned(place.pin.clone()))?;
    }
    Ok(have)
}

/// The steps from `have` to `want`; to nothing if there is no want.
pub fn plan(place: &Place, want: Option<&PodWant>, have: &PodHave) -> Vec<Step> {
    match want {
        Some(want) => wire(place, want, have),
        None => unwire(place, have),
    }
}

fn unwire(place: &Place, have: &PodHave) -> Vec<Step> {
    let mut steps = Vec::new();
    let paired = have.pinned && have.inside.link(POD_LINK).is_some();
    // A namespace that is already gone cannot take its pair with it. Routes go first either way: from now on the address
    // may be another pod's.
    let mut changes: Vec<Change> = have.host.routes.iter().cloned().map(Change::DeleteRoute).collect();
    if have.link.is_some() && !paired {
        changes.push(Change::DeleteLink(place.link.clone()));
    }
    if !changes.is_empty() {
        steps.push(Step::Change(Namespace::Host, changes));
    }
    if have.pinned {
        steps.push(Step::Unpin(place.pin.clone()));
    }
    steps
}

fn wire(place: &Place, want: &PodWant, have: &PodHave) -> Vec<Step> {
    let mut steps = Vec::new();
    if !have.pinned {
        steps.push(Step::Pin(place.pin.clone()));
    }
    let paired = have.pinned && have.link.is_some() && have.inside.link(POD_LINK).is_some();
    let nothing = PodHave::default();
    let have = if paired { have } else { &nothing };
    let mut host = Vec::new();
    if !paired {
        // An end without its other end, or one of a namespace that was pinned before.
        host.push(Change::DeleteLink(place.link.clone()));
        host.push(Change::CreateVeth {
            name: place.link.clone(),
            mtu: want.mtu,
            peer: POD_LINK.to_owned(),
            peer_namespace: place.pin.clone(),
        });
    }
    host.extend(host_side(place, want, have));
    let inside = pod_side(want, have, !paired);
    if !host.is_empty() {
        steps.push(Step::Change(Namespace::Host, host));
    }
    if !inside.is_empty() {
        steps.push(Step::Change(Namespace::Pinned(place.pin.clone()), inside));
    }
    steps
}

fn host_side(place: &Place, want: &PodWant, have: &PodHave) -> Vec<Change> {
    node_side(place, &want.addresses, &want.node, &have.host)
}

/// What is missing of the node's own addresses and routes for a pod that has a link, by what the node has.
pub(crate) fn node_side(place: &Place, addresses: &[IpAddr], node: &[IpAddr], have: &Network) -> Vec<Change> {
    let mut changes = Vec::new();
    if addresses.iter().any(IpAddr::is_ipv6) {
        let gateway = Address { link: place.link.clone(), cidr: Cidr::new(IpAddr::V6(GATEWAY_6), 64) };
        changes.extend(missing(&have.addresses, gateway, Change::AddAddress));
    }
    for address in addresses {
        let source = node.iter().find(|node| node.is_ipv4() == address.is_ipv4()).copied();
        let route = Route { source, ..Route::direct(Cidr::host(*address), &place.link) };
        changes.extend(missing(&have.routes, route, Change::SetRoute));
    }
    changes
}

fn pod_side(want: &PodWant, have: &PodHave, fresh: bool) -> Vec<Change> {
    let mut changes = Vec::new();
    let up = |name: &str| have.inside.link(name).is_some_and(|link| link.up);
    if fresh {
        // The pod's addresses are unique by IPAM; waiting for duplicate address detection would delay its first packet.
        let sysctl = |key: &str| Change::SetSysctl { key: key.to_owned(), value: "0".to_owned() };
        changes.push(sysctl("net/ipv6/conf/eth0/accept_dad"));
        changes.push(sysctl("net/ipv6/conf/eth0/accept_ra"));
        let sysctls = want.sysctls.iter().cloned();
        changes.extend(sysctls.map(|(key, value)| Change::SetSysctl { key, value }));
    }
    for link in ["lo", POD_LINK] {
        if !up(link) {
            changes.push(Change::SetUp(link.to_owned()));
        }
    }
    for address in &want.addresses {
        let own = Address { link: POD_LINK.to_owned(), cidr: Cidr::host(*address) };
        changes.extend(missing(&have.inside.addresses, own, Change::AddAddress));
        for route in gateway_routes(address.is_ipv4()) {
            changes.extend(missing(&have.inside.routes, route, Change::SetRoute));
        }
    }
    changes
}

/// The way out of a pod. IPv4's gateway has to be made reachable first; IPv6's is link-local.
fn gateway_routes(four: bool) -> Vec<Route> {
    let (any, gateway) = if four {
        (Cidr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0), IpAddr::V4(GATEWAY))
    } else {
        (Cidr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0), IpAddr::V6(GATEWAY_6))
    };
    let default = Route { via: Some(gateway), ..Route::direct(any, POD_LINK) };
    if four { vec![Route::direct(Cidr::host(gateway), POD_LINK), default] } else { vec![default] }
}

fn missing<T: Ord>(have: &BTreeSet<T>, want: T, change: impl FnOnce(T) -> Change) -> Option<Change> {
    (!have.contains(&want)).then(|| change(want))
}

/// Carries out one step. Repeating it is harmless.
pub fn apply(netlink: &dyn Netlink, step: &Step) -> Result<(), NetlinkError> {
    match step {
        Step::Pin(path) => netlink.pin(path),
        Step::Unpin(path) => netlink.unpin(path),
        Step::Change(namespace, changes) => netlink.apply(namespace, changes),
    }
}

#[cfg(test)]
mod tests;
