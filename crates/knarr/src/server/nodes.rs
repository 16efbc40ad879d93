//! Reaching the nodes: the one in this process by a call, the others over TLS as kubelet's clients do.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use api_meta::Status;
use api_types::core::v1::Node;
use base::time::{Clock, timeout};
use client::{BoxFuture, RawView, Resource, Scope};
use client_remote::{Access, Certificate, Connector, Credentials};
use control::storage::NodeVolumes;
use http::header::{COOKIE, HOST};
use http::{HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use node_http::Direct;
use server_authn::pki::Identity;
use server_http::{Body, Broken, Incoming, Nodes, Protocol, Unanswered, relay, words};
use server_local::Local;

/// How long a node may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// How long a node may take to make a directory, or to take one away with all that is in it.
const VOLUME: Duration = Duration::from_secs(300);

/// How large an answer may be that is read as a whole: some hundred bytes a container.
const READ_BYTES: usize = 4 << 20;

/// The order in which upstream's API server tries a node's addresses, less those that are names, which need a resolver that
/// knows them.
const ADDRESSES: [&str; 2] = ["InternalIP", "ExternalIP"];

/// All nodes of the cluster.
pub struct AllNodes {
    own: RwLock<BTreeMap<String, Direct>>,
    known: RawView,
    connector: Connector,
    clock: Arc<dyn Clock>,
}

impl AllNodes {
    /// The nodes that the API knows, reached with `identity` and trusted if the authority vouches for them.
    pub fn new(
        local: &Local,
        authority_pem: &str,
        identity: &Identity,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<AllNodes> {
        let certificate = Certificate::from_pem(&identity.certificate, &identity.key)?;
        let access = Access::new("", authority_pem, Credentials::Certificate(Arc::new(certificate)));
        let known = local.shared_view(Scope::all(Resource::of("", "v1", "nodes")));
        Ok(AllNodes { own: RwLock::default(), known, connector: access.connector()?, clock })
    }

    /// Makes the node of this process known.
    pub fn add(&self, name: &str, node: Direct) {
        self.own.write().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), node);
    }

    /// The names of all nodes.
    pub fn names(&self) -> Vec<String> {
        let snapshot = self.known.snapshot();
        let nodes = snapshot.iter().filter_map(|object| object.downcast_ref::<Node>());
        nodes.map(|node| node.metadata.name.clone()).collect()
    }

    /// A node of this process.
    pub fn own(&self, name: &str) -> Option<Direct> {
        self.own.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// What another node answers when it is asked for a path of its own.
    ///
    /// # Errors
    /// When it does not answer, or not with a text.
    pub async fn read(&self, name: &str, path: &str) -> Result<String, String> {
        self.send(name, Method::GET, path).await
    }

    /// What another node answers to a request without a body.
    async fn send(&self, name: &str, method: Method, path: &str) -> Result<String, String> {
        let (address, port) = self.place(name).map_err(|status| status.message.clone())?;
        let place = SocketAddr::new(address, port).to_string();
        let connection = self.connector.connect(&address.to_string(), port).await;
        let connection = connection.map_err(|error| words::of_dial(&place, &error))?;
        let broken = |error: hyper::Error| base::error::Chain(&error).to_string();
        let (mut sender, connection) = http1::handshake(connection).await.map_err(broken)?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &place)
            .body(Empty::<bytes::Bytes>::new());
        let request = request.map_err(|error| error.to_string())?;
        let asked = async {
            let (parts, body) = sender.send_request(request).await.map_err(broken)?.into_parts();
            let body = Limited::new(body, READ_BYTES).collect().await.map_err(|error| error.to_string())?;
            let text = String::from_utf8(body.to_bytes().to_vec()).map_err(|error| error.to_string())?;
            match parts.status.as_u16() {
                200 => Ok(text),
                code => Err(format!("{place} answers {path} with {code}: {text}")),
            }
        };
        // The connection goes on for as long as it is asked over.
        tokio::select! {
            answered = asked => answered,
            ended = connection => Err(ended.err().map_or_else(|| "EOF".to_owned(), broken)),
        }
    }

    /// Where a node serves its API.
    fn place(&self, name: &str) -> Result<(IpAddr, u16), Status> {
        let unreachable =
            |why: &str| Status::internal_error(format!("the node {name} cannot be reached: {why}"));
        let snapshot = self.known.snapshot();
        let node = snapshot.get("", name).and_then(|object| object.downcast_ref::<Node>());
        let status = &node.ok_or_else(|| unreachable("it is not registered"))?.status;
        let of_type = |wanted: &str| {
            let addresses = status.addresses.iter().filter(|address| address.type_ == wanted);
            addresses.filter_map(|address| address.address.parse().ok()).next()
        };
        let address = ADDRESSES.iter().find_map(|wanted| of_type(wanted));
        let address = address.ok_or_else(|| unreachable("it has no address"))?;
        match u16::try_from(status.daemon_endpoints.kubelet_endpoint.port) {
            Ok(port) if port > 0 => Ok((address, port)),
            _ => Err(unreachable("it serves no API of its own")),
        }
    }

    async fn ask(&self, name: &str, mut request: Request<Incoming>) -> Result<Response<Body>, Unanswered> {
        let (address, port) = self.place(name).map_err(Unanswered::Refused)?;
        let place = SocketAddr::new(address, port).to_string();
        let connect =
            timeout(&*self.clock, CONNECT, self.connector.connect(&address.to_string(), port)).await;
        let connection = connect.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let connection = connection.map_err(|error| Unanswered::Dial(words::of_dial(&place, &error)))?;
        let headers = request.headers_mut();
        headers.remove(COOKIE);
        if let Ok(host) = HeaderValue::from_str(&place) {
            headers.insert(HOST, host);
        }
        let relayed = relay(connection, Protocol::Http1, request).await;
        relayed.map_err(|error| Unanswered::Exchange(words::of_relay(&error)))
    }
}

impl AllNodes {
    /// Asks another node about a directory that is a volume.
    async fn ask_volume(&self, node: &str, method: Method, name: &str) -> Result<String, Status> {
        let path = format!("/volumes/{name}");
        let answered = timeout(&*self.clock, VOLUME, self.send(node, method, &path)).await;
        answered.unwrap_or_else(|_| Err("it does not answer".to_owned())).map_err(Status::internal_error)
    }
}

impl NodeVolumes for AllNodes {
    fn make<'a>(&'a self, node: &'a str, name: &'a str) -> BoxFuture<'a, Result<String, Status>> {
        Box::pin(async move {
            match self.own(node) {
                Some(own) => own.make_volume(name).await,
                None => self.ask_volume(node, Method::PUT, name).await,
            }
        })
    }

    fn remove<'a>(&'a self, node: &'a str, name: &'a str) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async move {
            match self.own(node) {
                Some(own) => own.remove_volume(name).await,
                None => self.ask_volume(node, Method::DELETE, name).await.map(drop),
            }
        })
    }
}

impl Nodes for AllNodes {
    fn forward<'a>(
        &'a self,
        node: &'a str,
        request: Request<Incoming>,
    ) -> BoxFuture<'a, Result<Response<Body>, Unanswered>> {
        Box::pin(async move {
            match self.own(node) {
                Some(node) => {
                    let answered = node.answer(request).await.map_err(Unanswered::Refused)?;
                    Ok(answered.map(|body| body.map_err(Broken::new).boxed_unsync()))
                }
                None => self.ask(node, request).await,
            }
        })
    }
}
