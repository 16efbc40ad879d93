//! rtnetlink answers as a [`Network`]. Pure. What does not decode is passed over: an exotic device must not keep a node
//! from running pods.

use std::collections::BTreeMap;
use std::net::IpAddr;

use netlink_packet_core::{NLM_F_REQUEST, NetlinkDeserializable, NetlinkHeader};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVxlan, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteMetric, RouteType,
};

use super::socket::Answer;
use super::{Address, Cidr, Forward, Link, LinkKind, Mac, Neighbour, Network, Route};

/// Link names by index.
pub(super) type Names = BTreeMap<u32, String>;

pub(super) fn message(answer: &Answer) -> Option<RouteNetlinkMessage> {
    let mut header = NetlinkHeader::default();
    header.message_type = answer.kind;
    header.flags = NLM_F_REQUEST;
    RouteNetlinkMessage::deserialize(&header, &answer.payload).ok()
}

/// Adds what one message tells. Links come first, so that the names are known.
pub(super) fn add(network: &mut Network, names: &mut Names, message: RouteNetlinkMessage) {
    match message {
        RouteNetlinkMessage::NewLink(message) => {
            if let Some(link) = link(&message) {
                names.insert(message.header.index, link.name.clone());
                network.links.insert(link);
            }
        }
        RouteNetlinkMessage::NewAddress(message) => network.addresses.extend(address(&message, names)),
        RouteNetlinkMessage::NewRoute(message) => network.routes.extend(route(&message, names)),
        RouteNetlinkMessage::NewNeighbour(message) => {
            if u8::from(message.header.family) == u8::try_from(nix::libc::AF_BRIDGE).unwrap_or(7) {
                network.forwards.extend(forward(&message, names));
            } else {
                network.neighbours.extend(neighbour(&message, names));
            }
        }
        _ => {}
    }
}

pub(super) fn link(message: &LinkMessage) -> Option<Link> {
    let mut name = None;
    let mut link = Link {
        name: String::new(),
        kind: LinkKind::Other,
        mtu: 0,
        up: message.header.flags.contains(LinkFlags::Up),
        mac: [0; 6],
    };
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(value) => name = Some(value.clone()),
            LinkAttribute::Mtu(mtu) => link.mtu = *mtu,
            LinkAttribute::Address(bytes) => link.mac = mac(bytes).unwrap_or_default(),
            LinkAttribute::LinkInfo(infos) => link.kind = kind(infos),
            _ => {}
        }
    }
    link.name = name?;
    Some(link)
}

fn kind(infos: &[LinkInfo]) -> LinkKind {
    let mut kind = LinkKind::Other;
    for info in infos {
        match info {
            LinkInfo::Kind(InfoKind::Veth) => kind = LinkKind::Veth,
            LinkInfo::Data(InfoData::Vxlan(parts)) => {
                let (mut vni, mut port, mut local) = (0, 0, None);
                for part in parts {
                    match part {
                        InfoVxlan::Id(value) => vni = *value,
                        InfoVxlan::Port(value) => port = *value,
                        InfoVxlan::Local(address) => local = Some(IpAddr::V4(*address)),
                        InfoVxlan::Local6(address) => local = Some(IpAddr::V6(*address)),
                        _ => {}
                    }
                }
                kind = LinkKind::Vxlan { vni, port, local };
            }
            _ => {}
        }
    }
    kind
}

fn mac(bytes: &[u8]) -> Option<Mac> {
    bytes.try_into().ok()
}

fn address(message: &AddressMessage, names: &Names) -> Option<Address> {
    let mut found = None;
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(address) => found = Some(*address),
            AddressAttribute::Address(address) => found = found.or(Some(*address)),
            _ => {}
        }
    }
    let link = names.get(&message.header.index)?.clone();
    Some(Address { link, cidr: Cidr::new(found?, message.header.prefix_len) })
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some(IpAddr::V4(*address)),
        RouteAddress::Inet6(address) => Some(IpAddr::V6(*address)),
        _ => None,
    }
}

fn route(message: &RouteMessage, names: &Names) -> Option<Route> {
    let header = &message.header;
    if header.kind != RouteType::Unicast || header.table != RouteHeader::RT_TABLE_MAIN {
        return None;
    }
    let unspecified: IpAddr = match u8::from(header.address_family) {
        2 => IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
        10 => IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED),
        _ => return None,
    };
    let mut route = Route {
        destination: Cidr::new(unspecified, header.destination_prefix_length),
        link: None,
        via: None,
        source: None,
        onlink: header.flags.contains(RouteFlags::Onlink),
        mtu: None,
        protocol: u8::from(header.protocol),
    };
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(address) => {
                route.destination = Cidr::new(ip(address)?, header.destination_prefix_length);
            }
            RouteAttribute::Gateway(address) => route.via = ip(address),
            RouteAttribute::PrefSource(address) => route.source = ip(address),
            RouteAttribute::Oif(index) => route.link = names.get(index).cloned(),
            RouteAttribute::Metrics(metrics) => {
                route.mtu = metrics.iter().find_map(|metric| match metric {
                    RouteMetric::Mtu(mtu) => Some(*mtu),
                    _ => None,
                });
            }
            _ => {}
        }
    }
    Some(route)
}

fn neighbour_parts(message: &NeighbourMessage) -> (Option<IpAddr>, Option<Mac>) {
    let (mut address, mut hardware) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::Destination(NeighbourAddress::Inet(four)) => {
                address = Some(IpAddr::V4(*four))
            }
            NeighbourAttribute::Destination(NeighbourAddress::Inet6(six)) => address = Some(IpAddr::V6(*six)),
            NeighbourAttribute::Destination(NeighbourAddress::Other(bytes)) => {
                address = <[u8; 4]>::try_from(bytes.as_slice())
                    .map(IpAddr::from)
                    .or_else(|_| <[u8; 16]>::try_from(bytes.as_slice()).map(IpAddr::from))
                    .ok();
            }
            NeighbourAttribute::LinkLayerAddress(bytes) => hardware = mac(bytes),
            _ => {}
        }
    }
    (address, hardware)
}

fn neighbour(message: &NeighbourMessage, names: &Names) -> Option<Neighbour> {
    if message.header.state != NeighbourState::Permanent {
        return None;
    }
    let (address, mac) = neighbour_parts(message);
    Some(Neighbour { link: names.get(&message.header.ifindex)?.clone(), address: address?, mac: mac? })
}

fn forward(message: &NeighbourMessage, names: &Names) -> Option<Forward> {
    let (to, mac) = neighbour_parts(message);
    Some(Forward { link: names.get(&message.header.ifindex)?.clone(), mac: mac?, to: to? })
}
