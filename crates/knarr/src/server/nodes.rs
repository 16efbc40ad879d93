//! Reaching the nodes: the one in this process by a call, the others over TLS as kubelet's clients do.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use api_meta::Status;
use api_types::core::v1::Node;
use base::error::Chain;
use base::time::{Clock, timeout};
use bytes::Bytes;
use client::{BoxFuture, RawView, Resource, Scope};
use client_remote::{Access, Certificate, Connector, Credentials};
use futures_util::StreamExt as _;
use http::header::{AUTHORIZATION, CONNECTION, COOKIE, HOST, HeaderName, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderValue, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt as _, BodyStream, Empty, StreamBody};
use hyper::body::Frame;
use hyper_util::rt::TokioIo;
use node_http::Direct;
use server_authn::pki::Identity;
use server_http::{Body, Incoming, Nodes};
use server_local::Local;

/// How long a node may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(10);

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

    async fn ask(&self, name: &str, mut request: Request<Incoming>) -> Result<Response<Body>, Status> {
        let (address, port) = self.place(name)?;
        let failed = |error: &dyn std::fmt::Display| {
            Status::internal_error(format!("the node {name} cannot be reached at {address}:{port}: {error}"))
        };
        let connected =
            timeout(&*self.clock, CONNECT, self.connector.connect(&address.to_string(), port)).await;
        let connection = connected.map_err(|_| failed(&"it does not answer"))?;
        let connection = connection.map_err(|error| failed(&Chain(&error)))?;
        let (mut sender, driver) = hyper::client::conn::http1::handshake(connection)
            .await
            .map_err(|error| failed(&Chain(&error)))?;
        tokio::spawn(async move {
            if let Err(error) = driver.with_upgrades().await {
                tracing::debug!(%error, "node.connection");
            }
        });
        let upgrade = request.headers().contains_key(UPGRADE).then(|| hyper::upgrade::on(&mut request));
        prepare(&mut request, address, port);
        let mut response = sender.send_request(request).await.map_err(|error| failed(&Chain(&error)))?;
        if let (StatusCode::SWITCHING_PROTOCOLS, Some(here)) = (response.status(), upgrade) {
            let there = hyper::upgrade::on(&mut response);
            tokio::spawn(joined(here, there));
            return Ok(Response::from_parts(response.into_parts().0, Empty::new().boxed_unsync()));
        }
        let (mut parts, body) = response.into_parts();
        for name in [CONNECTION, TRANSFER_ENCODING] {
            parts.headers.remove(name);
        }
        Ok(Response::from_parts(parts, relayed(body)))
    }
}

/// What the user's request says of the user is not the node's to know: the API server asks as itself.
fn prepare(request: &mut Request<Incoming>, address: IpAddr, port: u16) {
    *request.version_mut() = Version::HTTP_11;
    let headers = request.headers_mut();
    for name in [AUTHORIZATION, COOKIE, HOST] {
        headers.remove(name);
    }
    let personal: Vec<HeaderName> =
        headers.keys().filter(|name| name.as_str().starts_with("impersonate-")).cloned().collect();
    for name in personal {
        headers.remove(name);
    }
    let host = std::net::SocketAddr::new(address, port).to_string();
    if let Ok(host) = HeaderValue::from_str(&host) {
        headers.insert(HOST, host);
    }
}

/// Two upgraded connections made one.
async fn joined(here: hyper::upgrade::OnUpgrade, there: hyper::upgrade::OnUpgrade) {
    match tokio::try_join!(here, there) {
        Ok((here, there)) => {
            let copied =
                tokio::io::copy_bidirectional(&mut TokioIo::new(here), &mut TokioIo::new(there)).await;
            if let Err(error) = copied {
                tracing::debug!(%error, "node.stream");
            }
        }
        Err(error) => tracing::debug!(%error, "node.upgrade"),
    }
}

/// A body that ends where the node's breaks off.
fn relayed(body: Incoming) -> Body {
    let data =
        BodyStream::new(body).take_while(|frame| std::future::ready(frame.is_ok())).filter_map(|frame| {
            let bytes: Option<Bytes> = frame.ok().and_then(|frame| frame.into_data().ok());
            std::future::ready(bytes.map(|bytes| Ok(Frame::data(bytes))))
        });
    StreamBody::new(data).boxed_unsync()
}

impl Nodes for AllNodes {
    fn forward<'a>(
        &'a self,
        node: &'a str,
        request: Request<Incoming>,
    ) -> BoxFuture<'a, Result<Response<Body>, Status>> {
        Box::pin(async move {
            let own = self.own.read().unwrap_or_else(PoisonError::into_inner).get(node).cloned();
            match own {
                Some(node) => node.answer(request).await,
                None => self.ask(node, request).await,
            }
        })
    }
}
