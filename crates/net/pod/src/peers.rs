//! Routes to the pods of other nodes. Pure.
//!
//! A node on one of our links is the next hop for its pods' ranges. Any other is reached through one VXLAN device: a route by
//! the node's tunnel address, a permanent neighbour entry that gives that address its hardware address, and a forwarding
//! entry that gives the hardware address its node. Hardware addresses follow from the pod range, so nodes need not tell each
//! other.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};

use host::netlink::{
    Address, Change, Cidr, Forward, LinkKind, Mac, Neighbour, Network, ROUTE_PROTOCOL, Route,
};

use crate::limits::{MTU_MAX_BYTES, MTU_MIN_BYTES, VXLAN_OVERHEAD_6_BYTES, VXLAN_OVERHEAD_BYTES};
use crate::names::{ClusterId, fnv};

/// Another node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its addresses, the preferred one first.
    pub addresses: Vec<IpAddr>,
    /// The ranges of its pods.
    pub pod_cidrs: Vec<Cidr>,
}

/// The tunnel for nodes that are on no common link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overlay {
    /// The VXLAN network identifier, the same on all nodes of a cluster.
    pub vni: u32,
    /// The UDP port, the same on all nodes; 4789 is the registered one.
    pub port: u16,
}

/// This node among its peers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Here {
    /// The cluster.
    pub cluster: ClusterId,
    /// This node's addresses, the preferred one first.
    pub addresses: Vec<IpAddr>,
    /// The ranges of this node's pods.
    pub pod_cidrs: Vec<Cidr>,
    /// All that the cluster's pods may have: routes of ours outside of it are not touched.
    pub cluster_cidrs: Vec<Cidr>,
    /// The tunnel; none if every node is on one link, or something else routes.
    pub overlay: Option<Overlay>,
}

/// What the kernel should hold so that the peers' pods are reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Wanted {
    routes: BTreeSet<Route>,
    neighbours: BTreeSet<Neighbour>,
    forwards: BTreeSet<Forward>,
}

/// The MTU of pods in bytes: the uplink's, less the tunnel's headers if there is a tunnel.
pub fn pod_mtu(uplink_mtu: u32, overlay: bool, underlay: Option<IpAddr>) -> u32 {
    let overhead = match (overlay, underlay) {
        (false, _) => 0,
        (true, Some(IpAddr::V6(_))) => VXLAN_OVERHEAD_6_BYTES,
        (true, _) => VXLAN_OVERHEAD_BYTES,
    };
    // An address on the loopback device (65536 bytes), as nodes that announce theirs have, is no reason to ask for what no veth takes.
    uplink_mtu.saturating_sub(overhead).clamp(MTU_MIN_BYTES, MTU_MAX_BYTES)
}

/// The MTU of the link that has this node's preferred address.
pub fn uplink_mtu(here: &Here, have: &Network) -> Option<u32> {
    let first = here.addresses.first()?;
    let address = have.addresses.iter().find(|address| address.cidr.address() == *first)?;
    have.link(&address.link).map(|link| link.mtu)
}

/// The changes that make exactly these peers' pods reachable, in order.
pub fn plan(here: &Here, peers: &[Peer], have: &Network) -> Vec<Change> {
    let mut wanted = Wanted::default();
    let mut tunnelled = false;
    for peer in peers {
        match direct(here, peer, have) {
            Some((link, via)) => {
                let routes = peer.pod_cidrs.iter().filter(|cidr| cidr.is_ipv4() == via.is_ipv4());
                let to = |cidr: &Cidr| Route { via: Some(via), ..Route::direct(cidr.network(), &link) };
                wanted.routes.extend(routes.map(to));
                // The other family's ranges go by the peer's address of that family.
                let other =
                    Peer { addresses: opposite(peer, via), pod_cidrs: of_family(peer, !via.is_ipv4()) };
                if let Some((link, via)) = direct(here, &other, have) {
                    let to = |cidr: &Cidr| Route { via: Some(via), ..Route::direct(cidr.network(), &link) };
                    wanted.routes.extend(other.pod_cidrs.iter().map(to));
                }
            }
            None => tunnelled |= tunnel(here, peer, &mut wanted),
        }
    }
    let mut changes = Vec::new();
    if tunnelled {
        changes.extend(overlay_device(here, have));
    }
    changes.extend(stale(here, &wanted, tunnelled, have));
    changes.extend(wanted.neighbours.difference(&have.neighbours).cloned().map(Change::SetNeighbour));
    changes.extend(wanted.forwards.difference(&have.forwards).cloned().map(Change::SetForward));
    changes.extend(wanted.routes.difference(&have.routes).cloned().map(Change::SetRoute));
    changes
}

fn of_family(peer: &Peer, four: bool) -> Vec<Cidr> {
    peer.pod_cidrs.iter().filter(|cidr| cidr.is_ipv4() == four).copied().collect()
}

fn opposite(peer: &Peer, via: IpAddr) -> Vec<IpAddr> {
    peer.addresses.iter().filter(|address| address.is_ipv4() != via.is_ipv4()).copied().collect()
}

/// The link and address by which a peer is a neighbour, if it is one.
fn direct(here: &Here, peer: &Peer, have: &Network) -> Option<(String, IpAddr)> {
    peer.addresses.iter().find_map(|address| {
        let on = have.addresses.iter().find(|own| {
            own.cidr.contains(*address)
                && own.cidr.prefix() < own.cidr.bits()
                && here.addresses.contains(&own.cidr.address())
        })?;
        Some((on.link.clone(), *address))
    })
}

/// The hardware address of the tunnel end of the node with this pod range: locally administered, unicast.
fn tunnel_mac(pod_cidr: Cidr) -> Mac {
    let hash = fnv(pod_cidr.network().to_string().as_bytes()).to_be_bytes();
    [0x02 | (hash[0] & 0xfc), hash[1], hash[2], hash[3], hash[4], hash[5]]
}

/// The link-local address that the kernel derives from a hardware address (EUI-64).
fn link_local(mac: Mac) -> IpAddr {
    let word = |high: u8, low: u8| u16::from_be_bytes([high, low]);
    IpAddr::V6(Ipv6Addr::new(
        0xfe80,
        0,
        0,
        0,
        word(mac[0] ^ 2, mac[1]),
        word(mac[2], 0xff),
        word(0xfe, mac[3]),
        word(mac[4], mac[5]),
    ))
}

/// Adds what a peer behind the tunnel needs; false if there is no tunnel to it.
fn tunnel(here: &Here, peer: &Peer, wanted: &mut Wanted) -> bool {
    let (Some(_), Some(local)) = (here.overlay, here.addresses.first()) else { return false };
    let remote = peer.addresses.iter().find(|address| address.is_ipv4() == local.is_ipv4());
    let (Some(remote), Some(first)) = (remote, peer.pod_cidrs.first()) else { return false };
    let link = here.cluster.overlay_link();
    let mac = tunnel_mac(*first);
    wanted.forwards.insert(Forward { link: link.clone(), mac, to: *remote });
    for cidr in &peer.pod_cidrs {
        let via = if cidr.is_ipv4() { cidr.nth(0) } else { link_local(mac) };
        wanted.neighbours.insert(Neighbour { link: link.clone(), address: via, mac });
        let route = Route::direct(cidr.network(), &link);
        wanted.routes.insert(Route { via: Some(via), onlink: true, ..route });
    }
    true
}

/// Makes the tunnel device what it should be; a device with other parameters is made anew, as they are fixed at birth.
fn overlay_device(here: &Here, have: &Network) -> Vec<Change> {
    let (Some(overlay), Some(local), Some(first)) =
        (here.overlay, here.addresses.first(), here.pod_cidrs.first())
    else {
        return Vec::new();
    };
    let name = here.cluster.overlay_link();
    let mtu = pod_mtu(uplink_mtu(here, have).unwrap_or(1500), true, Some(*local));
    let kind = LinkKind::Vxlan { vni: overlay.vni, port: overlay.port, local: Some(*local) };
    let mac = tunnel_mac(*first);
    let mut changes = Vec::new();
    let fits = |link: &&host::netlink::Link| link.kind == kind && link.mac == mac;
    let found = have.link(&name).filter(fits);
    if found.is_none() {
        changes.push(Change::DeleteLink(name.clone()));
        changes.push(Change::CreateVxlan {
            name: name.clone(),
            vni: overlay.vni,
            port: overlay.port,
            local: *local,
            mac,
            mtu,
        });
    }
    if found.is_some_and(|link| link.mtu != mtu) {
        changes.push(Change::SetMtu(name.clone(), mtu));
    }
    // What the node itself sends into the tunnel needs a source address that the other side can route back.
    for cidr in &here.pod_cidrs {
        let own = Address { link: name.clone(), cidr: Cidr::host(cidr.nth(0)) };
        if found.is_none() || !have.addresses.contains(&own) {
            changes.push(Change::AddAddress(own));
        }
    }
    if !found.is_some_and(|link| link.up) {
        changes.push(Change::SetUp(name));
    }
    changes
}

/// What is left of peers that are gone or moved.
fn stale(here: &Here, wanted: &Wanted, tunnelled: bool, have: &Network) -> Vec<Change> {
    let overlay = here.cluster.overlay_link();
    let pods = here.cluster.link_prefix();
    let mut changes = Vec::new();
    for route in &have.routes {
        let replaced = wanted.routes.iter().any(|new| new.destination == route.destination);
        let of_a_pod = route.link.as_ref().is_some_and(|link| link.starts_with(&pods));
        let in_cluster = here.cluster_cidrs.iter().any(|cidr| cidr.contains(route.destination.address()));
        if route.protocol == ROUTE_PROTOCOL && in_cluster && !of_a_pod && !replaced {
            changes.push(Change::DeleteRoute(route.clone()));
        }
    }
    if !tunnelled {
        if have.link(&overlay).is_some() {
            changes.push(Change::DeleteLink(overlay));
        }
        return changes;
    }
    let key = |neighbour: &Neighbour| neighbour.address;
    let held = have.neighbours.iter().filter(|neighbour| neighbour.link == overlay);
    let gone = held.filter(|old| !wanted.neighbours.iter().any(|new| key(new) == key(old)));
    changes.extend(gone.cloned().map(Change::DeleteNeighbour));
    let held = have.forwards.iter().filter(|forward| forward.link == overlay);
    let gone = held.filter(|old| !wanted.forwards.contains(old));
    changes.extend(gone.cloned().map(Change::DeleteForward));
    changes
}

#[cfg(test)]
mod tests;
