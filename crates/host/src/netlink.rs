//! The kernel's network configuration behind one small trait: links, addresses, routes, neighbours, network namespaces,
//! sysctls and connection tracking. Used by `net-pod` and `net-service`.
//!
//! What there is comes back as one [`Network`] per namespace, and what should change goes in as a list of [`Change`]s,
//! each of which is idempotent: adding what is there and deleting what is gone both succeed. Planners compare the first
//! and produce the second; nothing here decides anything.
//!
//! Calls block (for microseconds to milliseconds): an async caller moves them to a blocking thread. The forms are
//! [`LinuxNetlink`], which talks to the kernel over its own short-lived sockets, and [`SimNetlink`], which keeps the same
//! state in memory. Link events are deliberately not offered: state is observed again, never tracked.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "host is where the kernel is touched"
)]

mod cidr;
mod conntrack;
mod decode;
mod linux;
mod message;
mod namespace;
mod record;
mod sim;
mod socket;

pub use cidr::{Cidr, CidrError};
pub use conntrack::{Flow, Tuple};
pub use linux::LinuxNetlink;
pub use namespace::within;
pub use record::{FileRecords, Records, SimRecords};
pub use sim::SimNetlink;

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// The routing protocol number that marks our routes (`rtm_protocol`): 75, unassigned in the kernel's and iproute2's lists.
pub const ROUTE_PROTOCOL: u8 = 75;

/// A hardware address.
pub type Mac = [u8; 6];

/// A network namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Namespace {
    /// The node's own.
    Host,
    /// One that is pinned by a bind mount at this path.
    Pinned(PathBuf),
}

/// What a link is, as far as planners need to know.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkKind {
    /// One end of a virtual Ethernet pair.
    Veth,
    /// A VXLAN tunnel device.
    Vxlan {
        /// The VXLAN network identifier.
        vni: u32,
        /// The UDP port that it sends to and listens on.
        port: u16,
        /// The address of this node that it sends from.
        local: Option<IpAddr>,
    },
    /// Anything else.
    Other,
}

/// A network device.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    /// The name, at most 15 bytes.
    pub name: String,
    /// What it is.
    pub kind: LinkKind,
    /// The largest packet in bytes.
    pub mtu: u32,
    /// Whether it is administratively up.
    pub up: bool,
    /// The hardware address; zeros where there is none.
    pub mac: Mac,
}

/// An address on a link.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// The link's name.
    pub link: String,
    /// The address with the length of its on-link prefix.
    pub cidr: Cidr,
}

/// A unicast route of the main table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// The network, its host bits zero. A default route has length 0.
    pub destination: Cidr,
    /// The link's name. A multipath route has none.
    pub link: Option<String>,
    /// The next hop; none for what is directly on the link.
    pub via: Option<IpAddr>,
    /// The source address that local senders prefer.
    pub source: Option<IpAddr>,
    /// Whether the next hop counts as reachable on the link although no address says so.
    pub onlink: bool,
    /// The path's MTU in bytes.
    pub mtu: Option<u32>,
    /// Who made it; [`ROUTE_PROTOCOL`] for ours.
    pub protocol: u8,
}

impl Route {
    /// A route of ours to what lies directly on `link`.
    pub fn direct(destination: Cidr, link: &str) -> Route {
        Route {
            destination,
            link: Some(link.to_owned()),
            via: None,
            source: None,
            onlink: false,
            mtu: None,
            protocol: ROUTE_PROTOCOL,
        }
    }
}

/// A permanent neighbour entry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Neighbour {
    /// The link's name.
    pub link: String,
    /// The neighbour's address.
    pub address: IpAddr,
    /// Its hardware address.
    pub mac: Mac,
}

/// An entry of a VXLAN device's forwarding table: frames to `mac` go to `to`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Forward {
    /// The VXLAN link's name.
    pub link: String,
    /// The hardware address of the far end.
    pub mac: Mac,
    /// The node that has it.
    pub to: IpAddr,
}

/// All that is configured in one namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// Every device.
    pub links: BTreeSet<Link>,
    /// Every address.
    pub addresses: BTreeSet<Address>,
    /// Every unicast route of the main table.
    pub routes: BTreeSet<Route>,
    /// Every permanent neighbour entry.
    pub neighbours: BTreeSet<Neighbour>,
    /// Every VXLAN forwarding entry.
    pub forwards: BTreeSet<Forward>,
}

impl Network {
    /// The link of this name.
    pub fn link(&self, name: &str) -> Option<&Link> {
        self.links.iter().find(|link| link.name == name)
    }
}

/// One idempotent change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Makes a pair of devices, one here and up, its peer in another namespace.
    CreateVeth {
        /// The name here.
        name: String,
        /// The largest packet in bytes, on both ends.
        mtu: u32,
        /// The peer's name.
        peer: String,
        /// Where the peer's namespace is pinned.
        peer_namespace: PathBuf,
    },
    /// Makes a VXLAN device that learns nothing: it forwards by [`Forward`] entries only.
    CreateVxlan {
        /// The name.
        name: String,
        /// The VXLAN network identifier.
        vni: u32,
        /// The UDP port.
        port: u16,
        /// The address of this node to send from.
        local: IpAddr,
        /// The hardware address.
        mac: Mac,
        /// The largest inner packet in bytes.
        mtu: u32,
    },
    /// Removes a device, and with it its addresses, routes and neighbours.
    DeleteLink(String),
    /// Sets a device administratively up.
    SetUp(String),
    /// Sets a device's MTU in bytes.
    SetMtu(String, u32),
    /// Adds an address, skipping duplicate address detection.
    AddAddress(Address),
    /// Removes an address.
    DeleteAddress(Address),
    /// Adds a route, replacing the one to the same destination.
    SetRoute(Route),
    /// Removes a route.
    DeleteRoute(Route),
    /// Adds or replaces a permanent neighbour entry.
    SetNeighbour(Neighbour),
    /// Removes a neighbour entry.
    DeleteNeighbour(Neighbour),
    /// Adds or replaces a forwarding entry.
    SetForward(Forward),
    /// Removes a forwarding entry.
    DeleteForward(Forward),
    /// Writes a sysctl that may be absent on some kernels, in which case nothing happens.
    SetSysctl {
        /// The name below `/proc/sys`, its parts separated by `/` (interface names may contain dots).
        key: String,
        /// The value.
        value: String,
    },
}

/// Why the kernel's network configuration could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum NetlinkError {
    /// A netlink socket failed, or the kernel refused a dump.
    #[error("cannot {what}")]
    Socket {
        /// What was being done.
        what: &'static str,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The kernel refused a change.
    #[error("the kernel refused {change:?}")]
    Refused {
        /// The change.
        change: Box<Change>,
        /// Its answer.
        #[source]
        source: io::Error,
    },
    /// A change names a link that is not there.
    #[error("there is no link {0}")]
    NoLink(String),
    /// A namespace could not be created, entered or removed.
    #[error("cannot {what} the network namespace {}", path.display())]
    Namespace {
        /// What was being done.
        what: &'static str,
        /// Where it is pinned.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A sysctl could not be read or written.
    #[error("cannot access the sysctl {key}")]
    Sysctl {
        /// Its name.
        key: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A record file could not be read, written or removed.
    #[error("cannot access the record {}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

/// The kernel's network configuration.
pub trait Netlink: Send + Sync {
    /// All that is configured in a namespace.
    fn observe(&self, namespace: &Namespace) -> Result<Network, NetlinkError>;

    /// One link of a namespace, without reading all the others.
    fn link(&self, namespace: &Namespace, name: &str) -> Result<Option<Link>, NetlinkError>;

    /// Makes the changes in their order, stopping at the first that fails.
    fn apply(&self, namespace: &Namespace, changes: &[Change]) -> Result<(), NetlinkError>;

    /// The value of a sysctl (parts separated by `/`); `None` if this kernel has no such one.
    fn sysctl(&self, namespace: &Namespace, key: &str) -> Result<Option<String>, NetlinkError>;

    /// The namespaces that are pinned in `folder`. Files there that pin nothing are among them, so that they get removed.
    fn pinned(&self, folder: &Path) -> Result<BTreeSet<PathBuf>, NetlinkError>;

    /// Whether a live namespace is pinned at `path`.
    fn is_pinned(&self, path: &Path) -> Result<bool, NetlinkError>;

    /// Creates a namespace and pins it at `path`, whose folder is created if needed. One that is pinned there stays.
    fn pin(&self, path: &Path) -> Result<(), NetlinkError>;

    /// Removes the pin at `path`; the namespace ends once no process is left in it.
    fn unpin(&self, path: &Path) -> Result<(), NetlinkError>;

    /// The tracked connections of one transport protocol (an IANA number) in the node's namespace.
    fn flows(&self, protocol: u8) -> Result<Vec<Flow>, NetlinkError>;

    /// Forgets a tracked connection, so that its next packet is treated as a first one.
    fn delete_flow(&self, flow: &Flow) -> Result<(), NetlinkError>;
}

#[cfg(test)]
mod tests;
