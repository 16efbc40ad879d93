//! Looking at a cluster from outside: whether its API answers, is ready, and has its node.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use base::time::{SystemClock, timeout};
use bytes::Bytes;
use cli::config::Place;
use cli::kubeconfig::{self, Access};
use cli::machine::{NodeSeen, Probe, Seen};
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How long one look may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// A look by way of the administrator's kubeconfig.
pub struct Look {
    place: Place,
    node: Wanted,
}

/// Which node to look for.
pub enum Wanted {
    /// None.
    Nobody,
    /// The one of this name.
    Named(String),
    /// The cluster's only one.
    Only,
}

impl Look {
    /// Looks at the cluster of a place, and at a node of it.
    pub fn new(place: &Place, node: Wanted) -> Look {
        Look { place: place.clone(), node }
    }

    async fn seen(&self) -> anyhow::Result<Seen> {
        let access =
            kubeconfig::read(&kubeconfig::file::text(&self.place.kubeconfig)?, &self.place.context())?;
        let (code, text) = get(&access, "/readyz?verbose").await?;
        let failing = text.lines().filter_map(|line| line.strip_prefix("[-]")?.split(' ').next());
        let mut seen = Seen {
            answers: true,
            ready: code == 200,
            failing: failing.map(str::to_owned).collect(),
            node: NodeSeen::Absent,
        };
        let path = match &self.node {
            Wanted::Named(name) => format!("/api/v1/nodes/{name}"),
            Wanted::Only => "/api/v1/nodes".to_owned(),
            Wanted::Nobody => return Ok(seen),
        };
        if seen.ready {
            let (code, text) = get(&access, &path).await?;
            if code == 200 {
                seen.node = node(&text);
            }
        }
        Ok(seen)
    }
}

impl Probe for Look {
    fn look(&self) -> Pin<Box<dyn Future<Output = Seen> + Send + '_>> {
        Box::pin(async {
            match timeout(&SystemClock, PATIENCE, self.seen()).await {
                Ok(Ok(seen)) => seen,
                Ok(Err(_)) | Err(_) => Seen::default(),
            }
        })
    }
}

/// What the condition of a Node says, or of the first of a list.
fn node(json: &str) -> NodeSeen {
    let mut object: serde_json::Value = serde_json::from_str(json).unwrap_or_default();
    if let Some(items) = object["items"].as_array() {
        match items.first().cloned() {
            Some(first) => object = first,
            None => return NodeSeen::Absent,
        }
    }
    let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    match conditions.iter().find(|condition| condition["type"] == "Ready") {
        Some(ready) if ready["status"] == "True" => NodeSeen::Ready,
        Some(ready) => NodeSeen::NotReady(ready["message"].as_str().unwrap_or_default().to_owned()),
        None => NodeSeen::NotReady("it has not said anything yet".to_owned()),
    }
}

async fn get(access: &Access, path: &str) -> anyhow::Result<(u16, String)> {
    let authority =
        access.server.strip_prefix("https://").context("the kubeconfig's server is no https URL")?;
    let stream = TcpStream::connect(authority).await?;
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host).trim_matches(['[', ']']);
    let name = ServerName::try_from(host.to_owned())?;
    let stream = TlsConnector::from(Arc::new(tls(access)?)).connect(name, stream).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let driving = tokio::spawn(connection);
    let request = Request::get(path).header(http::header::HOST, authority).body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    let code = response.status().as_u16();
    let body = response.into_body().collect().await?.to_bytes();
    driving.abort();
    Ok((code, String::from_utf8_lossy(&body).into_owned()))
}

fn tls(access: &Access) -> anyhow::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(access.authority_pem.as_bytes()) {
        roots.add(certificate?)?;
    }
    let chain =
        CertificateDer::pem_slice_iter(access.certificate_pem.as_bytes()).collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(access.key_pem.as_bytes())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)?;
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nodes_condition_is_read() {
        let object = |status: &str| {
            format!(r#"{{"status":{{"conditions":[{{"type":"Ready","status":"{status}","message":"m"}}]}}}}"#)
        };
        assert_eq!(node(&object("True")), NodeSeen::Ready);
        assert_eq!(node(&object("False")), NodeSeen::NotReady("m".into()));
        assert_eq!(node(&format!(r#"{{"items":[{}]}}"#, object("True"))), NodeSeen::Ready);
        assert_eq!(node(r#"{"items":[]}"#), NodeSeen::Absent);
        assert!(matches!(node("{}"), NodeSeen::NotReady(_)));
    }
}
