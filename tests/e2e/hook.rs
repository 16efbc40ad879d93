//! A webhook of a test: a thread that answers JSON over HTTPS.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

use crate::harness::Cluster;

/// A webhook that answers for as long as the test runs.
pub struct Hook {
    /// Where it is.
    pub url: String,
    /// Who vouches for it, in PEM.
    pub authority: String,
}

impl Hook {
    /// One that makes its answers of what it is asked, with a cluster's own certificate.
    pub fn new(cluster: &Cluster, answer: impl Fn(Value) -> Value + Send + Sync + 'static) -> Hook {
        let file = |name: &str| {
            let path = cluster.data().join("server/tls").join(name);
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        };
        let chain =
            CertificateDer::pem_slice_iter(file("apiserver.crt").as_bytes()).collect::<Result<Vec<_>, _>>();
        let chain = chain.expect("certificates");
        let private = PrivateKeyDer::from_pem_slice(file("apiserver.key").as_bytes()).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = builder.expect("versions").with_no_client_auth().with_single_cert(chain, private);
        let config = Arc::new(config.expect("a certificate and its key"));
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let answer = Arc::new(answer);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (config, answer) = (Arc::clone(&config), Arc::clone(&answer));
                std::thread::spawn(move || serve(stream, config, &*answer));
            }
        });
        Hook { url: format!("https://localhost:{port}/"), authority: file("ca.crt") }
    }
}

/// Answers one request after the other, until the connection ends.
fn serve(stream: TcpStream, config: Arc<ServerConfig>, answer: &dyn Fn(Value) -> Value) -> Option<()> {
    let connection = ServerConnection::new(config).ok()?;
    let mut stream = BufReader::new(StreamOwned::new(connection, stream));
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let line = line.trim().to_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).ok()?;
        let said = answer(serde_json::from_slice(&body).ok()?).to_string();
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            said.len()
        );
        stream.get_mut().write_all(head.as_bytes()).ok()?;
        stream.get_mut().write_all(said.as_bytes()).ok()?;
        stream.get_mut().flush().ok()?;
    }
}
