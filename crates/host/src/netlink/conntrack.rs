//! Connection tracking over netlink: dump and delete, the two messages that a service proxy needs. Written out here
//! because no maintained library speaks ctnetlink. Layouts: `linux/netfilter/nfnetlink_conntrack.h`.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nix::sys::socket::SockProtocol;

use super::socket::{ACK, DUMP, Socket};

const GET: u16 = 0x0101;
const DELETE: u16 = 0x0102;
const TUPLE_ORIG: u16 = 1;
const TUPLE_REPLY: u16 = 2;
const ID: u16 = 12;
const ZONE: u16 = 18;
const TUPLE_IP: u16 = 1;
const TUPLE_PROTO: u16 = 2;
const NESTED: u16 = 0x8000;
const TYPE_MASK: u16 = 0x3fff;

/// One direction of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tuple {
    /// The sender.
    pub source: IpAddr,
    /// The receiver.
    pub destination: IpAddr,
    /// The sender's port.
    pub source_port: u16,
    /// The receiver's port.
    pub destination_port: u16,
}

/// A tracked connection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flow {
    /// The transport protocol's IANA number.
    pub protocol: u8,
    /// As the first packet came in.
    pub original: Tuple,
    /// As answers come in: the source is the endpoint that was chosen.
    pub reply: Tuple,
    /// The kernel's identifier, so that only this very entry is deleted.
    pub id: u32,
    /// The conntrack zone.
    pub zone: u16,
}

pub(super) fn flows(protocol: u8) -> io::Result<Vec<Flow>> {
    let mut socket = Socket::open(SockProtocol::NetlinkNetFilter)?;
    let answers = socket.call(GET, DUMP, &[0, 0, 0, 0])?;
    let flows = answers.iter().filter_map(|answer| decode(answer.payload.get(4..)?));
    Ok(flows.filter(|flow| flow.protocol == protocol).collect())
}

pub(super) fn delete(flow: &Flow) -> io::Result<()> {
    let family = if flow.original.source.is_ipv4() { nix::libc::AF_INET } else { nix::libc::AF_INET6 };
    let mut payload = vec![u8::try_from(family).unwrap_or_default(), 0, 0, 0];
    put(&mut payload, TUPLE_ORIG | NESTED, &tuple(&flow.original, flow.protocol));
    put(&mut payload, ID, &flow.id.to_be_bytes());
    if flow.zone != 0 {
        put(&mut payload, ZONE, &flow.zone.to_be_bytes());
    }
    match Socket::open(SockProtocol::NetlinkNetFilter)?.call(DELETE, ACK, &payload) {
        Err(error) if error.raw_os_error() == Some(nix::libc::ENOENT) => Ok(()),
        answer => answer.map(drop),
    }
}

fn put(out: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_ne_bytes());
    out.extend_from_slice(&kind.to_ne_bytes());
    out.extend_from_slice(value);
    out.resize(out.len().next_multiple_of(4), 0);
}

fn tuple(tuple: &Tuple, protocol: u8) -> Vec<u8> {
    let mut addresses = Vec::new();
    match (tuple.source, tuple.destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            put(&mut addresses, 1, &source.octets());
            put(&mut addresses, 2, &destination.octets());
        }
        (source, destination) => {
            put(&mut addresses, 3, &six(source).octets());
            put(&mut addresses, 4, &six(destination).octets());
        }
    }
    let mut ports = Vec::new();
    put(&mut ports, 1, &[protocol]);
    put(&mut ports, 2, &tuple.source_port.to_be_bytes());
    put(&mut ports, 3, &tuple.destination_port.to_be_bytes());
    let mut out = Vec::new();
    put(&mut out, TUPLE_IP | NESTED, &addresses);
    put(&mut out, TUPLE_PROTO | NESTED, &ports);
    out
}

fn six(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

/// The attributes of a message, up to the first that is cut off.
fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(bytes.get(0..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(bytes.get(2..4)?.try_into().ok()?) & TYPE_MASK;
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

fn decode(bytes: &[u8]) -> Option<Flow> {
    let (mut original, mut reply, mut id, mut zone) = (None, None, 0, 0);
    for (kind, value) in attributes(bytes) {
        match kind {
            TUPLE_ORIG => original = decode_tuple(value),
            TUPLE_REPLY => reply = decode_tuple(value),
            ID => id = u32::from_be_bytes(value.try_into().ok()?),
            ZONE => zone = u16::from_be_bytes(value.try_into().ok()?),
            _ => {}
        }
    }
    let (protocol, original) = original?;
    Some(Flow { protocol, original, reply: reply?.1, id, zone })
}

fn decode_tuple(bytes: &[u8]) -> Option<(u8, Tuple)> {
    let (mut source, mut destination, mut protocol, mut ports) = (None, None, 0, (0, 0));
    for (kind, value) in attributes(bytes) {
        for (part, value) in attributes(value) {
            match (kind, part) {
                (TUPLE_IP, 1 | 3) => source = address(value),
                (TUPLE_IP, 2 | 4) => destination = address(value),
                (TUPLE_PROTO, 1) => protocol = *value.first()?,
                (TUPLE_PROTO, 2) => ports.0 = u16::from_be_bytes(value.try_into().ok()?),
                (TUPLE_PROTO, 3) => ports.1 = u16::from_be_bytes(value.try_into().ok()?),
                _ => {}
            }
        }
    }
    let tuple =
        Tuple { source: source?, destination: destination?, source_port: ports.0, destination_port: ports.1 };
    Some((protocol, tuple))
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Some(IpAddr::V4(Ipv4Addr::from(four)));
    }
    <[u8; 16]>::try_from(bytes).ok().map(|six| IpAddr::V6(Ipv6Addr::from(six)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(text: [&str; 2]) -> Flow {
        let tuple = |text: &str| Tuple {
            source: text.parse().unwrap(),
            destination: text.parse().unwrap(),
            source_port: 4242,
            destination_port: 53,
        };
        Flow { protocol: 17, original: tuple(text[0]), reply: tuple(text[1]), id: 7, zone: 0 }
    }

    #[test]
    fn what_is_encoded_decodes_to_the_same() {
        for want in [flow(["10.0.0.1", "10.0.0.2"]), flow(["fd00::1", "fd00::2"])] {
            let mut bytes = Vec::new();
            put(&mut bytes, TUPLE_ORIG | NESTED, &tuple(&want.original, want.protocol));
            put(&mut bytes, TUPLE_REPLY | NESTED, &tuple(&want.reply, want.protocol));
            put(&mut bytes, ID, &want.id.to_be_bytes());
            assert_eq!(decode(&bytes), Some(want));
            for cut in 0..bytes.len() {
                decode(&bytes[..cut]);
            }
        }
    }
}
