//! The cluster's DNS, served by this process at the cluster's DNS address, which the node's `lo` holds.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use base::drain;
use base::random::SystemRandom;
use base::time::SystemClock;
use host::netlink::{Address, Change, Cidr, LinuxNetlink, Namespace, Netlink as _};
use net_dns::records::Records;
use net_dns::server::{Server, Serving};
use net_dns::snapshot;
use net_dns::upstream::Upstreams;

/// Where DNS is asked.
const PORT: u16 = 53;

/// Starts answering, with what was last known until the node has something newer.
pub async fn start(
    address: IpAddr,
    domain: &str,
    snapshot_file: &Path,
    resolv_conf: &Path,
    drain: drain::Watch,
) -> anyhow::Result<Arc<Serving>> {
    tokio::task::block_in_place(|| {
        let change = Change::AddAddress(Address { link: "lo".to_owned(), cidr: Cidr::host(address) });
        LinuxNetlink::new().apply(&Namespace::Host, &[change])
    })
    .with_context(|| format!("giving this machine the address {address} of the cluster's DNS"))?;
    let known = snapshot::load(snapshot_file).ok().flatten();
    let empty = Records { domain: domain.to_owned(), dns_ips: vec![address], ..Records::default() };
    let resolvers = std::fs::read_to_string(resolv_conf).unwrap_or_default();
    let upstreams = Upstreams::from_resolv_conf(&resolvers, &[address]);
    let records = known.unwrap_or(empty);
    let serving = Arc::new(Serving::new(&records, upstreams, Arc::new(SystemClock), Arc::new(SystemRandom)));
    let socket = SocketAddr::new(address, PORT);
    let server = Server::bind(socket, Arc::clone(&serving)).await;
    let server = server.with_context(|| format!("the cluster's DNS cannot be served at {socket}"))?;
    tokio::spawn(server.run(drain));
    Ok(serving)
}
