//! Namespaces that stand for nodes, pods and outsiders, with small servers and clients in them. All of it goes away with
//! the lab, also when a test fails. Needs root, as the node does. The tests of `net-service` use it too.
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]
#![allow(dead_code, reason = "each test binary uses its part")]

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use host::netlink::{Address, Change, Cidr, FileRecords, LinuxNetlink, Namespace, Netlink, Route, within};
use host::nft::LinuxNft;
use net_pod::names::ClusterId;
use net_pod::network::{Config, PodNetwork, PodRequest};
use net_pod::peers::{Here, Overlay, Peer};

/// How long a client waits for what should work. Nothing is measured.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a client waits for what should not.
const IMPATIENCE: Duration = Duration::from_millis(700);

pub fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub fn cidr(text: &str) -> Cidr {
    text.parse().unwrap()
}

pub fn cluster() -> ClusterId {
    "lab".parse().unwrap()
}

pub struct Lab {
    folder: tempfile::TempDir,
}

impl Drop for Lab {
    fn drop(&mut self) {
        let net = LinuxNetlink::new();
        for folder in walk(self.folder.path()) {
            for path in net.pinned(&folder).unwrap() {
                if path.is_file() && net.is_pinned(&path).unwrap() {
                    net.unpin(&path).unwrap();
                }
            }
        }
    }
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut folders = vec![folder.to_owned()];
    let entries = std::fs::read_dir(folder).unwrap();
    let inner = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    inner.for_each(|path| folders.extend(walk(&path)));
    folders
}

impl Lab {
    pub fn new() -> Lab {
        Lab { folder: tempfile::tempdir().unwrap() }
    }

    /// A namespace with `lo` up, whose IPv6 addresses are usable at once.
    pub fn namespace(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        let net = LinuxNetlink::at(&path);
        net.pin(&path).unwrap();
        let sysctl = |key: &str| Change::SetSysctl { key: key.into(), value: "0".into() };
        let changes = [sysctl("net/ipv6/conf/default/accept_dad"), Change::SetUp("lo".into())];
        net.apply(&Namespace::Host, &changes).unwrap();
        path
    }

    /// A cable between two namespaces: link names and addresses of both ends.
    pub fn cable(&self, a: (&Path, &str, &[&str]), b: (&Path, &str, &[&str])) {
        let pair = Change::CreateVeth {
            name: a.1.into(),
            mtu: 1500,
            peer: b.1.into(),
            peer_namespace: b.0.to_owned(),
        };
        LinuxNetlink::at(a.0).apply(&Namespace::Host, &[pair]).unwrap();
        for (path, link, addresses) in [a, b] {
            let mut changes = vec![Change::SetUp(link.into())];
            changes.extend(
                addresses
                    .iter()
                    .map(|text| Change::AddAddress(Address { link: link.into(), cidr: cidr(text) })),
            );
            LinuxNetlink::at(path).apply(&Namespace::Host, &changes).unwrap();
        }
    }

    pub fn route(&self, path: &Path, to: &str, via: &str, link: &str) {
        let route = Route { via: Some(ip(via)), ..Route::direct(cidr(to), link) };
        LinuxNetlink::at(path).apply(&Namespace::Host, &[Change::SetRoute(route)]).unwrap();
    }

    pub fn forward(&self, path: &Path) {
        let sysctl = |key: &str| Change::SetSysctl { key: key.into(), value: "1".into() };
        let changes = [sysctl("net/ipv4/ip_forward"), sysctl("net/ipv6/conf/all/forwarding")];
        LinuxNetlink::at(path).apply(&Namespace::Host, &changes).unwrap();
    }

    /// A node in a namespace of its own. Its uplink is cabled afterwards.
    pub fn node(&self, name: &str, addresses: &[&str], pod_cidrs: &[&str], overlay: Option<Overlay>) -> Node {
        let pin = self.namespace(name);
        let config = Config {
            here: Here {
                cluster: cluster(),
                addresses: addresses.iter().map(|text| ip(text)).collect(),
                pod_cidrs: pod_cidrs.iter().map(|text| cidr(text)).collect(),
                cluster_cidrs: vec![cidr("10.70.0.0/16"), cidr("fd70::/48")],
                overlay,
            },
            no_masquerade: Vec::new(),
            namespaces: self.folder.path().join(format!("{name}-pods")),
            mtu: None,
        };
        Node { pin, config, records: self.folder.path().join(format!("{name}-records")) }
    }
}

pub struct Node {
    pub pin: PathBuf,
    pub config: Config,
    records: PathBuf,
}

impl Node {
    pub fn netlink(&self) -> LinuxNetlink {
        LinuxNetlink::at(&self.pin)
    }

    pub fn nft(&self) -> LinuxNft {
        LinuxNft::at(&self.pin)
    }

    /// The pod network as after a start of its process.
    pub fn start(&self) -> PodNetwork {
        let records = Arc::new(FileRecords::new(&self.records));
        PodNetwork::restore(self.config.clone(), Arc::new(self.netlink()), Arc::new(self.nft()), records)
            .unwrap()
    }

    pub fn as_peer(&self) -> Peer {
        Peer { addresses: self.config.here.addresses.clone(), pod_cidrs: self.config.here.pod_cidrs.clone() }
    }
}

pub struct Pod {
    pub pin: PathBuf,
    pub addresses: Vec<IpAddr>,
}

pub fn pod(network: &PodNetwork, uid: &str) -> Pod {
    let record = network.add(&PodRequest { uid: uid.into(), ..PodRequest::default() }).unwrap();
    Pod { pin: network.namespace(uid), addresses: record.addresses }
}

/// A TCP and a UDP server on the same port of a namespace; both answer with `name` and the client's address.
pub fn serve(path: &Path, port: u16, name: &str) {
    let any = format!("[::]:{port}");
    let (tcp, udp) =
        within(path, || (TcpListener::bind(&any).unwrap(), UdpSocket::bind(&any).unwrap())).unwrap();
    let answer = name.to_owned();
    std::thread::spawn(move || {
        for mut stream in tcp.incoming().flatten() {
            let text = format!("{answer} {}", seen(stream.peer_addr()));
            let _ = stream.write_all(text.as_bytes());
        }
    });
    let answer = name.to_owned();
    std::thread::spawn(move || {
        let mut buffer = [0u8; 2048];
        while let Ok((_, from)) = udp.recv_from(&mut buffer) {
            let _ = udp.send_to(format!("{answer} {}", seen(Ok(from))).as_bytes(), from);
        }
    });
}

/// A TCP server that sends this many bytes.
pub fn serve_bulk(path: &Path, port: u16, size_bytes: usize) {
    let tcp = within(path, || TcpListener::bind(format!("[::]:{port}")).unwrap()).unwrap();
    std::thread::spawn(move || {
        for mut stream in tcp.incoming().flatten() {
            let _ = stream.write_all(&vec![b'x'; size_bytes]);
        }
    });
}

/// How many bytes a server sends.
pub fn fetch(path: &Path, to: &str, port: u16) -> usize {
    let talk = || {
        let mut stream = TcpStream::connect_timeout(&SocketAddr::new(ip(to), port), PATIENCE).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        bytes.len()
    };
    within(path, talk).unwrap()
}

fn seen(from: std::io::Result<SocketAddr>) -> String {
    from.map_or_else(|_| "?".into(), |from| from.ip().to_canonical().to_string())
}

/// What a server said, split into its name and the client's address that it saw.
pub type Said = Result<(String, String), std::io::ErrorKind>;

fn said(text: &[u8]) -> (String, String) {
    let text = String::from_utf8_lossy(text);
    let (name, from) = text.split_once(' ').unwrap_or_default();
    (name.to_owned(), from.to_owned())
}

fn tcp_for(path: &Path, to: IpAddr, port: u16, patience: Duration) -> Said {
    let talk = || {
        let mut stream = TcpStream::connect_timeout(&SocketAddr::new(to, port), patience)?;
        stream.set_read_timeout(Some(patience))?;
        let mut text = Vec::new();
        stream.read_to_end(&mut text)?;
        Ok::<_, std::io::Error>(text)
    };
    within(path, talk).unwrap().map(|text| said(&text)).map_err(|error| error.kind())
}

pub fn tcp(path: &Path, to: &str, port: u16) -> Said {
    tcp_for(path, ip(to), port, PATIENCE)
}

/// The same for what should get no answer.
pub fn tcp_in_vain(path: &Path, to: &str, port: u16) -> std::io::ErrorKind {
    tcp_for(path, ip(to), port, IMPATIENCE).unwrap_err()
}

pub fn udp_socket(path: &Path) -> UdpSocket {
    within(path, || UdpSocket::bind("[::]:0").unwrap()).unwrap()
}

pub fn udp_from(socket: &UdpSocket, to: &str, port: u16, patience: Duration) -> Said {
    let to = match ip(to) {
        IpAddr::V4(four) => IpAddr::V6(four.to_ipv6_mapped()),
        six => six,
    };
    let talk = || {
        socket.set_read_timeout(Some(patience))?;
        socket.connect(SocketAddr::new(to, port))?;
        socket.send(b"x")?;
        let mut buffer = [0u8; 2048];
        let count = socket.recv(&mut buffer)?;
        Ok::<_, std::io::Error>(said(&buffer[..count]))
    };
    talk().map_err(|error| error.kind())
}

pub fn udp(path: &Path, to: &str, port: u16) -> Said {
    udp_from(&udp_socket(path), to, port, PATIENCE)
}

pub fn udp_in_vain(path: &Path, to: &str, port: u16) -> std::io::ErrorKind {
    udp_from(&udp_socket(path), to, port, IMPATIENCE).unwrap_err()
}

/// Whether an answer came from `name` and the server saw `from`.
pub fn by(said: Said, name: &str, from: &str) {
    assert_eq!(said, Ok((name.to_owned(), from.to_owned())));
}
