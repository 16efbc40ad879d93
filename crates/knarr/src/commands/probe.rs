//! Looking at a cluster from outside: whether its API answers, is ready, and has its node.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use api_record::scalar::MicroTime;
use api_types::core::v1::Node;
use base::time::{Clock, SystemClock, Time, timeout};
use bytes::Bytes;
use cli::config::Place;
use cli::instance::{Record, Role};
use cli::kubeconfig::{self, Access};
use cli::machine::{NodeSeen, Probe, Seen};
use client::{Api, Caller, Outcome, Resource, Target, Verb};
use client_remote::{self as remote, Certificate, Credentials, Remote};
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

/// Why a node is not ready that has registered only.
const SILENT: &str = "it has not said anything yet";

/// A look by way of the administrator's kubeconfig.
pub struct Look {
    place: Place,
    node: Wanted,
    since: Option<Time>,
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
        Look { place: place.clone(), node, since: None }
    }

    /// Takes the node for ready only once it has renewed its lease after this moment: what was said of it before its agent was
    /// started is no answer.
    pub fn since(self, begin: Time) -> Look {
        Look { since: Some(begin), ..self }
    }

    /// Whether the node's agent is at work by now.
    async fn is_awake(&self, access: &Access) -> anyhow::Result<bool> {
        let (Wanted::Named(name), Some(since)) = (&self.node, self.since) else { return Ok(true) };
        let path = format!("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{name}");
        let (code, text) = get(access, &path).await?;
        Ok(code == 200 && renewed(&text).is_some_and(|renewed| renewed >= since))
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
            if seen.node == NodeSeen::Ready && !self.is_awake(&access).await? {
                seen.node = NodeSeen::NotReady(SILENT.to_owned());
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

/// What the cluster of a place is asked with, if this user may not read it.
pub fn forbidden(place: &Place, running: &Record) -> Option<PathBuf> {
    let secret = match running.role {
        Role::Server => place.kubeconfig.clone(),
        Role::Agent => running
            .settings
            .get("kubeconfig")
            .map_or_else(|| place.data_dir.join("agent/tls/node-client.key"), Into::into),
    };
    let denied = |error: std::io::Error| error.kind() == std::io::ErrorKind::PermissionDenied;
    std::fs::File::open(&secret).is_err_and(denied).then_some(secret)
}

/// What an agent's cluster says of itself and of the agent's node, asked as that node; `None` where it cannot be asked, as when its
/// keys may not be read.
pub async fn of_agent(place: &Place, agent: &Record) -> Option<Seen> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let api = Remote::new(&access_of_agent(place, agent).ok()?, clock).ok()?;
    let name = agent.settings.get("node-name")?;
    let asked = async {
        let ready = match api.raw("/readyz").await {
            Ok(_) => Seen { answers: true, ready: true, ..Seen::default() },
            // The server itself says so, and not this end that it cannot be reached.
            Err(status) => Seen { answers: status.http_code() == 500, ..Seen::default() },
        };
        let target = Target {
            resource: Resource::of("", "v1", "nodes"),
            namespace: String::new(),
            name: name.clone(),
            subresource: String::new(),
        };
        let found = Api::call(&api, &Caller::default(), client::Request::new(Verb::Get, target)).await;
        let node = match found.map(|answer| answer.outcome) {
            Ok(Outcome::Object(object)) => object.downcast_ref().map_or(NodeSeen::Absent, typed),
            Ok(_) | Err(_) => NodeSeen::Absent,
        };
        Seen { node, ..ready }
    };
    Some(timeout(&SystemClock, PATIENCE, asked).await.unwrap_or_default())
}

fn typed(node: &Node) -> NodeSeen {
    match node.status.conditions.iter().find(|condition| condition.type_ == "Ready") {
        Some(ready) if ready.status == "True" => NodeSeen::Ready,
        Some(ready) => NodeSeen::NotReady(ready.message.clone()),
        None => NodeSeen::NotReady(SILENT.to_owned()),
    }
}

/// How an agent that joined, or that was given a kubeconfig, reaches its cluster.
fn access_of_agent(place: &Place, agent: &Record) -> anyhow::Result<remote::Access> {
    if let Some(kubeconfig) = agent.settings.get("kubeconfig") {
        return Ok(remote::kubeconfig::read(Path::new(kubeconfig))?);
    }
    let server = agent.settings.get("server").context("the agent does not say where its server is")?;
    let tls = place.data_dir.join("agent/tls");
    let read = |name: &str| std::fs::read_to_string(tls.join(name));
    let shown = Certificate::from_pem(&read("node-client.crt")?, &read("node-client.key")?)?;
    let credentials = Credentials::Certificate(Arc::new(shown));
    Ok(remote::Access::new(server, &read("server-ca.crt")?, credentials))
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
        None => NodeSeen::NotReady(SILENT.to_owned()),
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

/// When a lease was last renewed.
fn renewed(lease: &str) -> Option<Time> {
    let lease: serde_json::Value = serde_json::from_str(lease).ok()?;
    let time: MicroTime = lease["spec"]["renewTime"].as_str()?.parse().ok()?;
    Some(time.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leases_time_is_read() {
        let lease = r#"{"spec":{"holderIdentity":"one","renewTime":"2026-01-02T03:04:05.600000Z"}}"#;
        let time = renewed(lease).expect("it is there");
        assert_eq!(time.unix_nanos().rem_euclid(1_000_000_000), 600_000_000);
        assert_eq!(renewed("{}"), None);
    }

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
