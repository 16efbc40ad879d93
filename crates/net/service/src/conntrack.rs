//! Which UDP flows conntrack should forget. Pure.
//!
//! TCP clients notice that their endpoint is gone; a UDP client that keeps sending keeps its entry alive, and its packets go
//! on to an endpoint that left, or to nowhere because the entry was made before there were endpoints.

use std::collections::BTreeSet;
use std::net::IpAddr;

use host::netlink::Flow;

use crate::proxy::{Proxy, UdpFrontend};

/// UDP's IANA number.
pub const UDP: u8 = 17;

pub(crate) fn is_stale(
    proxy: &Proxy,
    node_ips: &[IpAddr],
    flow: &Flow,
    touched: &BTreeSet<UdpFrontend>,
) -> bool {
    let (to, port) = (flow.original.destination, flow.original.destination_port);
    let chosen = (flow.reply.source, flow.reply.source_port);
    let translated = chosen != (to, port);
    let vip = UdpFrontend::Vip(to, port);
    let node_port = UdpFrontend::NodePort(port);
    let frontend = if touched.contains(&vip) {
        vip
    } else if touched.contains(&node_port) && (translated || node_ips.contains(&to) || to.is_loopback()) {
        node_port
    } else {
        return false;
    };
    match proxy.targets(frontend) {
        Some(targets) => !targets.contains(&chosen),
        // The frontend is gone; what was translated goes on to an endpoint that is nobody's business any more.
        None => translated,
    }
}
