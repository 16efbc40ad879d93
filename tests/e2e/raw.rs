//! Requests over TLS, with a client certificate and headers that kubectl would not send.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use server_authn::pki::Identity;

use crate::harness::{Cluster, Lines};

/// Sends an object to a path, and answers what comes back, headers and all.
pub fn post(
    cluster: &Cluster,
    identity: &Identity,
    headers: &[(&str, &str)],
    path: &str,
    body: &str,
) -> String {
    let mut request =
        format!("POST {path} HTTP/1.1\r\nConnection: close\r\nContent-Type: application/json\r\n");
    request += &format!("Content-Length: {}\r\n{}\r\n{body}", body.len(), lines(headers));
    ask(cluster, identity, &request)
}

/// Asks for a WebSocket at a path, and answers everything that comes until the server ends it.
pub fn web_socket(cluster: &Cluster, identity: &Identity, path: &str) -> String {
    ask(cluster, identity, &format!("GET {path} HTTP/1.1\r\n{}\r\n", lines(&HANDSHAKE)))
}

/// Asks for a protocol of one's own at a path, says something in it at once, and answers everything that comes until the server ends it.
pub fn talk(cluster: &Cluster, identity: &Identity, path: &str, word: &str) -> String {
    let headers = [("Connection", "Upgrade"), ("Upgrade", "echo")];
    ask(cluster, identity, &format!("GET {path} HTTP/1.1\r\n{}\r\n{word}", lines(&headers)))
}

fn lines(headers: &[(&str, &str)]) -> String {
    headers
        .iter()
        .chain([&("Host", "kubernetes.default.svc")])
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect()
}

/// Sends a request, and answers what comes back until the connection ends.
fn ask(cluster: &Cluster, identity: &Identity, request: &str) -> String {
    let server = cluster.kubectl(&["config", "view", "-o", "jsonpath={.clusters[0].cluster.server}"]);
    let address = server.trim_start_matches("https://").to_owned();
    let authority = std::fs::read(cluster.keys().join("ca.crt")).expect("the authority");
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&authority).expect("a certificate")).expect("an authority");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).expect("a key");
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![chain], key)
        .expect("a usable certificate");
    let host = address.rsplit_once(':').map_or(address.as_str(), |(host, _)| host).to_owned();
    let name = ServerName::try_from(host).expect("a host");
    let mut connection = ClientConnection::new(Arc::new(config), name).expect("a connection");
    let mut socket = TcpStream::connect(&address).expect("the server listens");
    let mut stream = rustls::Stream::new(&mut connection, &mut socket);
    stream.write_all(request.as_bytes()).expect("the server reads");
    let mut answer = Vec::new();
    // A connection that ends without TLS' own farewell has still said all that it had to say.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// `kubectl proxy` on a socket of the file system, so that whoever is in another network reaches the server as an administrator.
pub struct Proxy {
    _kubectl: Lines,
    dir: tempfile::TempDir,
}

impl Proxy {
    /// Starts it.
    pub fn start(cluster: &Cluster) -> Proxy {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let socket = dir.path().join("socket");
        let mut lines =
            cluster.stream(&["proxy", "--unix-socket", socket.to_str().expect("a path of letters")]);
        assert!(lines.next().starts_with("Starting to serve"), "kubectl serves");
        Proxy { _kubectl: lines, dir }
    }

    /// Sends a request of these lines, and answers all that comes back until the connection ends.
    pub fn ask(&self, first: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
        let mut stream = UnixStream::connect(self.dir.path().join("socket")).expect("kubectl listens");
        let length = body.len().to_string();
        let own = [("Host", "localhost"), ("Content-Length", &*length)];
        let headers = headers.iter().chain(if body.is_empty() { &own[..1] } else { &own[..] });
        let headers: String = headers.map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let request = format!("{first} HTTP/1.1\r\n{headers}\r\n{body}");
        stream.write_all(request.as_bytes()).expect("kubectl reads");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        answer
    }

    /// Opens a WebSocket of a protocol, and answers the headers and the messages until the server ends it.
    pub fn web_socket(&self, path: &str, protocol: &str) -> (String, Vec<Vec<u8>>) {
        let headers = [&HANDSHAKE[..], &[("Sec-WebSocket-Protocol", protocol)]].concat();
        let answer = self.ask(&format!("GET {path}"), &headers, "");
        let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").map_or(answer.len(), |at| at + 4);
        let (head, rest) = answer.split_at(end);
        (String::from_utf8_lossy(head).into_owned(), messages(rest))
    }
}

/// The messages of frames that are short and whole, up to the farewell.
fn messages(mut frames: &[u8]) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    while let [first, length, rest @ ..] = frames {
        let (length, rest) = match (length, rest) {
            (126, [high, low, rest @ ..]) => (usize::from(*high) << 8 | usize::from(*low), rest),
            (length, rest) => (usize::from(*length), rest),
        };
        if first & 0x0f == 8 || rest.len() < length {
            break;
        }
        let (message, rest) = rest.split_at(length);
        messages.push(message.to_vec());
        frames = rest;
    }
    messages
}

const HANDSHAKE: [(&str, &str); 4] = [
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "a25hcnIga25hcnIga25hcg=="),
];
