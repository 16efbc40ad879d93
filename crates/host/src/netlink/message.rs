//! Changes as rtnetlink messages. Pure: link names have become indexes before.

use std::net::IpAddr;
use std::os::fd::RawFd;

use netlink_packet_core::NetlinkSerializable;
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage, AddressScope,
};
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVeth, InfoVxlan, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteMetric, RouteProtocol,
    RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::{Cidr, Forward, Mac, Neighbour, Route};

/// The message's type and bytes, without the netlink header.
pub(super) fn encode(message: &RouteNetlinkMessage) -> (u16, Vec<u8>) {
    let mut bytes = vec![0u8; NetlinkSerializable::buffer_len(message)];
    message.serialize(&mut bytes);
    (message.message_type(), bytes)
}

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

pub(super) fn dump_links() -> RouteNetlinkMessage {
    RouteNetlinkMessage::GetLink(LinkMessage::default())
}

pub(super) fn get_link(name: &str) -> RouteNetlinkMessage {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::IfName(name.to_owned()));
    RouteNetlinkMessage::GetLink(message)
}

pub(super) fn dump_addresses() -> RouteNetlinkMessage {
    RouteNetlinkMessage::GetAddress(AddressMessage::default())
}

pub(super) fn dump_routes() -> RouteNetlinkMessage {
    RouteNetlinkMessage::GetRoute(RouteMessage::default())
}

pub(super) fn dump_neighbours(family: AddressFamily) -> RouteNetlinkMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = family;
    RouteNetlinkMessage::GetNeighbour(message)
}

fn new_link(name: &str, mtu: u32, info: Vec<LinkInfo>) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::IfName(name.to_owned()));
    message.attributes.push(LinkAttribute::Mtu(mtu));
    if !info.is_empty() {
        message.attributes.push(LinkAttribute::LinkInfo(info));
    }
    message
}

pub(super) fn create_veth(name: &str, mtu: u32, peer: &str, namespace: RawFd) -> RouteNetlinkMessage {
    let mut far = new_link(peer, mtu, Vec::new());
    far.attributes.push(LinkAttribute::NetNsFd(namespace));
    let data = InfoData::Veth(InfoVeth::Peer(far));
    let mut near = new_link(name, mtu, vec![LinkInfo::Kind(InfoKind::Veth), LinkInfo::Data(data)]);
    near.header.flags = LinkFlags::Up;
    near.header.change_mask = LinkFlags::Up;
    RouteNetlinkMessage::NewLink(near)
}

pub(super) fn create_vxlan(
    name: &str,
    vni: u32,
    port: u16,
    local: IpAddr,
    mac: Mac,
    mtu: u32,
) -> RouteNetlinkMessage {
    let local = match local {
        IpAddr::V4(address) => InfoVxlan::Local(address),
        IpAddr::V6(address) => InfoVxlan::Local6(address),
    };
    let data =
        InfoData::Vxlan(vec![InfoVxlan::Id(vni), local, InfoVxlan::Learning(false), InfoVxlan::Port(port)]);
    let mut message = new_link(name, mtu, vec![LinkInfo::Kind(InfoKind::Vxlan), LinkInfo::Data(data)]);
    message.attributes.push(LinkAttribute::Address(mac.to_vec()));
    RouteNetlinkMessage::NewLink(message)
}

pub(super) fn delete_link(index: u32) -> RouteNetlinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    RouteNetlinkMessage::DelLink(message)
}

pub(super) fn set_up(index: u32) -> RouteNetlinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
    RouteNetlinkMessage::SetLink(message)
}

pub(super) fn set_mtu(index: u32, mtu: u32) -> RouteNetlinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.attributes.push(LinkAttribute::Mtu(mtu));
    RouteNetlinkMessage::SetLink(message)
}

pub(super) fn address(index: u32, cidr: Cidr) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = family(cidr.address());
    message.header.prefix_len = cidr.prefix();
    message.header.index = index;
    message.header.scope = scope(cidr.address());
    message.attributes.push(AddressAttribute::Local(cidr.address()));
    message.attributes.push(AddressAttribute::Address(cidr.address()));
    if !cidr.is_ipv4() {
        // Duplicate address detection would keep the address unusable for a second or two.
        message.header.flags = AddressHeaderFlags::Nodad;
        message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad));
    }
    message
}

/// IPv4 addresses are all of global scope: masquerading passes over link-local ones, and the pods' gateway address is the
/// only one that a node without an uplink has to masquerade with.
fn scope(address: IpAddr) -> AddressScope {
    match address {
        IpAddr::V6(address) if address.is_unicast_link_local() => AddressScope::Link,
        _ => AddressScope::Universe,
    }
}

fn route_address(address: IpAddr) -> RouteAddress {
    match address {
        IpAddr::V4(address) => RouteAddress::Inet(address),
        IpAddr::V6(address) => RouteAddress::Inet6(address),
    }
}

pub(super) fn route(route: &Route, index: Option<u32>) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family(route.destination.address());
    message.header.destination_prefix_length = route.destination.prefix();
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.protocol = RouteProtocol::from(route.protocol);
    message.header.kind = RouteType::Unicast;
    message.header.scope = if route.via.is_none() && route.destination.is_ipv4() {
        RouteScope::Link
    } else {
        RouteScope::Universe
    };
    if route.onlink {
        message.header.flags = RouteFlags::Onlink;
    }
    if route.destination.prefix() > 0 {
        message.attributes.push(RouteAttribute::Destination(route_address(route.destination.nth(0))));
    }
    if let Some(via) = route.via {
        message.attributes.push(RouteAttribute::Gateway(route_address(via)));
    }
    if let Some(source) = route.source {
        message.attributes.push(RouteAttribute::PrefSource(route_address(source)));
    }
    if let Some(mtu) = route.mtu {
        message.attributes.push(RouteAttribute::Metrics(vec![RouteMetric::Mtu(mtu)]));
    }
    if let Some(index) = index {
        message.attributes.push(RouteAttribute::Oif(index));
    }
    message
}

fn neighbour_address(address: IpAddr) -> NeighbourAddress {
    match address {
        IpAddr::V4(address) => NeighbourAddress::Inet(address),
        IpAddr::V6(address) => NeighbourAddress::Inet6(address),
    }
}

pub(super) fn neighbour(neighbour: &Neighbour, index: u32) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = family(neighbour.address);
    message.header.ifindex = index;
    message.header.state = NeighbourState::Permanent;
    message.header.kind = RouteType::Unicast;
    message.attributes.push(NeighbourAttribute::Destination(neighbour_address(neighbour.address)));
    message.attributes.push(NeighbourAttribute::LinkLayerAddress(neighbour.mac.to_vec()));
    message
}

pub(super) fn forward(forward: &Forward, index: u32) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = AddressFamily::Bridge;
    message.header.ifindex = index;
    message.header.state = NeighbourState::Permanent;
    message.header.flags = NeighbourFlags::Own;
    message.attributes.push(NeighbourAttribute::Destination(neighbour_address(forward.to)));
    message.attributes.push(NeighbourAttribute::LinkLayerAddress(forward.mac.to_vec()));
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_as_long_as_it_says() {
        let route = Route::direct(Cidr::host("10.0.0.1".parse().unwrap()), "x");
        let (kind, bytes) = encode(&RouteNetlinkMessage::NewRoute(super::route(&route, Some(3))));
        assert_eq!(kind, 24);
        assert_eq!(bytes.len(), 12 + 8 + 8);
        assert_eq!(netlink_packet_core::Emitable::buffer_len(&super::route(&route, Some(3))), bytes.len());
    }
}
