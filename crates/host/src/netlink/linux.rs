//! The kernel's own form of [`Netlink`].
//!
//! Every call opens its own sockets (some ten microseconds): there is no shared connection that could desynchronise, and a
//! socket opened inside another namespace stays there. rtnetlink messages come from `netlink-packet-route`; the transport is
//! a blocking socket, because a `Subsystem`'s observe and apply are synchronous.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use nix::libc;
use nix::sys::socket::SockProtocol;

use super::socket::{ACK, Answer, CREATE, DUMP, EXCL, REPLACE, Socket};
use super::{
    Change, Flow, Link, Namespace, Netlink, NetlinkError, Network, conntrack, decode, message, namespace,
};

/// The kernel of this machine.
#[derive(Clone, Debug, Default)]
pub struct LinuxNetlink {
    home: Option<PathBuf>,
}

impl LinuxNetlink {
    /// With [`Namespace::Host`] being the process's own namespace.
    pub fn new() -> LinuxNetlink {
        LinuxNetlink { home: None }
    }

    /// With [`Namespace::Host`] being the one pinned at `path`: a node inside a namespace.
    pub fn at(path: impl Into<PathBuf>) -> LinuxNetlink {
        LinuxNetlink { home: Some(path.into()) }
    }

    fn inside<T: Send>(
        &self,
        namespace: &Namespace,
        work: impl FnOnce() -> Result<T, NetlinkError> + Send,
    ) -> Result<T, NetlinkError> {
        let path = match namespace {
            Namespace::Host => self.home.as_deref(),
            Namespace::Pinned(path) => Some(path.as_path()),
        };
        match path {
            None => work(),
            Some(path) => namespace::within(path, work)?,
        }
    }
}

fn failed(what: &'static str) -> impl FnOnce(io::Error) -> NetlinkError {
    move |source| NetlinkError::Socket { what, source }
}

fn open() -> Result<Socket, NetlinkError> {
    Socket::open(SockProtocol::NetlinkRoute).map_err(failed("open an rtnetlink socket"))
}

fn dump(socket: &mut Socket, message: &RouteNetlinkMessage) -> Result<Vec<Answer>, NetlinkError> {
    let (kind, payload) = message::encode(message);
    socket.call(kind, DUMP, &payload).map_err(failed("list the network configuration"))
}

fn observe() -> Result<Network, NetlinkError> {
    let mut socket = open()?;
    let (mut network, mut names) = (Network::default(), decode::Names::new());
    let dumps = [
        message::dump_links(),
        message::dump_addresses(),
        message::dump_routes(),
        message::dump_neighbours(AddressFamily::Unspec),
        message::dump_neighbours(AddressFamily::Bridge),
    ];
    for request in &dumps {
        for answer in dump(&mut socket, request)? {
            if let Some(message) = decode::message(&answer) {
                decode::add(&mut network, &mut names, message);
            }
        }
    }
    Ok(network)
}

/// A link with its index.
fn find(socket: &mut Socket, name: &str) -> Result<Option<(u32, Link)>, NetlinkError> {
    let (kind, payload) = message::encode(&message::get_link(name));
    let answers = match socket.call(kind, ACK, &payload) {
        Err(error) if error.raw_os_error() == Some(libc::ENODEV) => return Ok(None),
        answers => answers.map_err(failed("look a link up"))?,
    };
    Ok(answers.iter().find_map(|answer| match decode::message(answer)? {
        RouteNetlinkMessage::NewLink(message) => Some((message.header.index, decode::link(&message)?)),
        _ => None,
    }))
}

fn index(socket: &mut Socket, name: &str) -> Result<u32, NetlinkError> {
    find(socket, name)?.map(|(index, _)| index).ok_or_else(|| NetlinkError::NoLink(name.to_owned()))
}

/// A request, its flags, and the kernel's errors that mean that nothing is left to do.
type Request = (RouteNetlinkMessage, u16, &'static [i32]);

const EXISTS: &[i32] = &[libc::EEXIST];
const GONE: &[i32] = &[libc::ENOENT, libc::ESRCH, libc::ENODEV, libc::EADDRNOTAVAIL];

fn request(socket: &mut Socket, change: &Change) -> Result<Option<Request>, NetlinkError> {
    let new = CREATE | EXCL;
    let set = CREATE | REPLACE;
    // Deleting something from a link that is gone has nothing left to do.
    let known =
        |socket: &mut Socket, name: &str| Ok::<_, NetlinkError>(find(socket, name)?.map(|found| found.0));
    Ok(Some(match change {
        Change::CreateVeth { .. } | Change::SetSysctl { .. } => return Ok(None),
        Change::CreateVxlan { name, vni, port, local, mac, mtu } => {
            (message::create_vxlan(name, *vni, *port, *local, *mac, *mtu), new, EXISTS)
        }
        Change::DeleteLink(name) => match known(socket, name)? {
            Some(index) => (message::delete_link(index), 0, GONE),
            None => return Ok(None),
        },
        Change::SetUp(name) => (message::set_up(index(socket, name)?), 0, &[]),
        Change::SetMtu(name, mtu) => (message::set_mtu(index(socket, name)?, *mtu), 0, &[]),
        Change::AddAddress(address) => {
            let index = index(socket, &address.link)?;
            (RouteNetlinkMessage::NewAddress(message::address(index, address.cidr)), new, EXISTS)
        }
        Change::DeleteAddress(address) => match known(socket, &address.link)? {
            Some(index) => (RouteNetlinkMessage::DelAddress(message::address(index, address.cidr)), 0, GONE),
            None => return Ok(None),
        },
        Change::SetRoute(route) => {
            let index = route.link.as_deref().map(|link| index(socket, link)).transpose()?;
            (RouteNetlinkMessage::NewRoute(message::route(route, index)), set, &[])
        }
        Change::DeleteRoute(route) => {
            match route.link.as_deref().map(|link| known(socket, link)).transpose()? {
                Some(None) => return Ok(None),
                index => (RouteNetlinkMessage::DelRoute(message::route(route, index.flatten())), 0, GONE),
            }
        }
        Change::SetNeighbour(neighbour) => {
            let index = index(socket, &neighbour.link)?;
            (RouteNetlinkMessage::NewNeighbour(message::neighbour(neighbour, index)), set, &[])
        }
        Change::DeleteNeighbour(neighbour) => match known(socket, &neighbour.link)? {
            Some(index) => (RouteNetlinkMessage::DelNeighbour(message::neighbour(neighbour, index)), 0, GONE),
            None => return Ok(None),
        },
        Change::SetForward(forward) => {
            let index = index(socket, &forward.link)?;
            (RouteNetlinkMessage::NewNeighbour(message::forward(forward, index)), set, &[])
        }
        Change::DeleteForward(forward) => match known(socket, &forward.link)? {
            Some(index) => (RouteNetlinkMessage::DelNeighbour(message::forward(forward, index)), 0, GONE),
            None => return Ok(None),
        },
    }))
}

fn send(socket: &mut Socket, change: &Change, (message, flags, fine): Request) -> Result<(), NetlinkError> {
    let (kind, payload) = message::encode(&message);
    match socket.call(kind, flags | ACK, &payload) {
        Ok(_) => Ok(()),
        Err(error) if error.raw_os_error().is_some_and(|code| fine.contains(&code)) => Ok(()),
        Err(source) => Err(NetlinkError::Refused { change: Box::new(change.clone()), source }),
    }
}

fn apply(socket: &mut Socket, change: &Change) -> Result<(), NetlinkError> {
    match change {
        Change::CreateVeth { name, mtu, peer, peer_namespace } => {
            let file = fs::File::open(peer_namespace).map_err(|source| NetlinkError::Namespace {
                what: "open",
                path: peer_namespace.clone(),
                source,
            })?;
            let message = message::create_veth(name, *mtu, peer, file.as_raw_fd());
            send(socket, change, (message, CREATE | EXCL, EXISTS))
        }
        Change::SetSysctl { key, value } => match fs::write(sysctl_path(key), value) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result.map_err(|source| NetlinkError::Sysctl { key: key.clone(), source }),
        },
        change => match request(socket, change)? {
            Some(request) => send(socket, change, request),
            None => Ok(()),
        },
    }
}

fn sysctl_path(key: &str) -> PathBuf {
    Path::new("/proc/sys").join(key)
}

impl Netlink for LinuxNetlink {
    fn observe(&self, namespace: &Namespace) -> Result<Network, NetlinkError> {
        self.inside(namespace, observe)
    }

    fn link(&self, namespace: &Namespace, name: &str) -> Result<Option<Link>, NetlinkError> {
        self.inside(namespace, || Ok(find(&mut open()?, name)?.map(|(_, link)| link)))
    }

    fn apply(&self, namespace: &Namespace, changes: &[Change]) -> Result<(), NetlinkError> {
        self.inside(namespace, || {
            let mut socket = open()?;
            changes.iter().try_for_each(|change| apply(&mut socket, change))
        })
    }

    fn sysctl(&self, namespace: &Namespace, key: &str) -> Result<Option<String>, NetlinkError> {
        self.inside(namespace, || match fs::read_to_string(sysctl_path(key)) {
            Ok(value) => Ok(Some(value.trim_end().to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(NetlinkError::Sysctl { key: key.to_owned(), source }),
        })
    }

    fn pinned(&self, folder: &Path) -> Result<BTreeSet<PathBuf>, NetlinkError> {
        let failed = |source| NetlinkError::Namespace { what: "list", path: folder.to_owned(), source };
        let entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
            entries => entries.map_err(failed)?,
        };
        entries.map(|entry| Ok(entry.map_err(failed)?.path())).collect()
    }

    fn is_pinned(&self, path: &Path) -> Result<bool, NetlinkError> {
        namespace::is_pinned(path)
    }

    fn pin(&self, path: &Path) -> Result<(), NetlinkError> {
        namespace::pin(path)
    }

    fn unpin(&self, path: &Path) -> Result<(), NetlinkError> {
        namespace::unpin(path)
    }

    fn flows(&self, protocol: u8) -> Result<Vec<Flow>, NetlinkError> {
        self.inside(&Namespace::Host, || {
            conntrack::flows(protocol).map_err(failed("list tracked connections"))
        })
    }

    fn delete_flow(&self, flow: &Flow) -> Result<(), NetlinkError> {
        self.inside(&Namespace::Host, || {
            conntrack::delete(flow).map_err(failed("delete a tracked connection"))
        })
    }
}
