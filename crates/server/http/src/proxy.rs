//! The proxy subresources: whatever a pod, a service or a node serves, asked through the API server.
//!
//! Follows `pkg/registry/core/{pod,service,node}` (`ProxyREST`, `ResourceLocation`) and `apimachinery/pkg/util/proxy`. The request is authorized
//! as one for the subresource; what it goes on as has nothing of its sender's credentials. Bodies pass both ways as they come, for as long as
//! both ends like. A bandwidth limit, which upstream has and nobody sets, is deliberately absent.

pub(crate) mod dial;
pub(crate) mod headers;
mod html;
pub(crate) mod links;
mod locate;
mod name;
mod page;
mod path;

use std::net::SocketAddr;
use std::sync::Arc;

use api_meta::Status;
use base_serve::Peer;
use client::Target;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::sync::Semaphore;

use crate::connect;
use crate::content::{self, Body};
use crate::handler::Handler;
use crate::nodes::{Nodes, Unanswered};
use crate::relay::{self, relay};
use crate::resource::Asked;
use crate::{limits, words};
use links::Links;
use locate::Place;
use page::{Packing, Page};

/// The methods that are passed on.
const METHODS: [Method; 7] =
    [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::HEAD, Method::OPTIONS];

/// Whether a request is for what an object serves.
pub(crate) fn is_theirs(target: &Target) -> bool {
    let Target { resource, subresource, .. } = target;
    resource.group.is_empty()
        && subresource == "proxy"
        && matches!(&*resource.plural, "pods" | "services" | "nodes")
}

/// Has answered whoever is behind the object.
pub(crate) async fn answer(
    handler: &Handler,
    asked: &Asked<'_>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Status> {
    let Asked { caller, target, query, verb, rest, peer, .. } = asked;
    handler.local.check(caller, verb, target)?;
    if !METHODS.contains(request.method()) {
        return Err(crate::resource::not_allowed());
    }
    if query.has("dryRun") {
        return Err(Status::bad_request("dryRun is not supported"));
    }
    let way = Way::of(request.uri().path(), rest);
    connect::admit(handler, asked, &way.path).await?;
    let place = locate::locate(handler.local.direct().registry(), target).await?;
    way.go(&handler.reach, place, peer, request).await
}

/// By what others are reached.
pub(crate) struct Reach {
    /// The nodes.
    pub(crate) nodes: Arc<dyn Nodes>,
    /// The places of connections to pods, services and other API servers.
    pub(crate) places: Arc<Semaphore>,
}

impl Reach {
    pub(crate) fn new(nodes: Arc<dyn Nodes>) -> Reach {
        Reach { nodes, places: Arc::new(Semaphore::new(limits::PROXIED)) }
    }
}

/// The path that was asked for, and the part of it that is the other end's.
struct Way {
    whole: String,
    path: String,
}

impl Way {
    /// The way of a path, of which `rest` follows the subresource.
    fn of(path: &str, rest: &str) -> Way {
        let whole = path::unescaped(path);
        let slash = if whole.ends_with('/') && !rest.ends_with('/') { "/" } else { "" };
        let root = if rest.is_empty() { "" } else { "/" };
        let path = path::join("", &format!("{root}{rest}{slash}"));
        Way { whole, path }
    }

    async fn go(
        self,
        reach: &Reach,
        place: Place,
        peer: &Peer,
        mut request: Request<Incoming>,
    ) -> Result<Response<Body>, Status> {
        let upgrade = relay::is_upgrade(request.headers());
        if !upgrade && self.path.is_empty() && matches!(*request.method(), Method::GET | Method::HEAD) {
            return Ok(to_root(&request));
        }
        let host = relay::host(&request);
        let asked = host.as_ref().and_then(|host| host.to_str().ok()).unwrap_or_default().to_owned();
        let backend = match &place {
            Place::Address { host, .. } => host.clone(),
            Place::Node(_) => String::new(),
        };
        let head = *request.method() == Method::HEAD;
        let links = Links { prefix: self.prefix().to_owned(), backend, asked };
        if let Some(host) = host {
            request.headers_mut().insert(http::header::HOST, host);
        }
        self.aim(&links.prefix, &mut request, peer, upgrade)?;
        let answered = match place {
            Place::Node(name) => reach.nodes.forward(&name, request).await,
            Place::Address { tls, address, .. } => {
                direct(&reach.places, tls, address, upgrade, request).await
            }
        };
        let response = answered.map_err(|why| refusal(why, upgrade))?;
        if upgrade { upgraded(response) } else { passed(response, links, head) }
    }

    /// The path of the proxy itself.
    fn prefix(&self) -> &str {
        self.whole.strip_suffix(&*self.path).unwrap_or(&self.whole)
    }

    /// Makes of the client's request the one that goes on.
    fn aim(
        &self,
        prefix: &str,
        request: &mut Request<Incoming>,
        peer: &Peer,
        upgrade: bool,
    ) -> Result<(), Status> {
        let path = if self.path.is_empty() { "/" } else { &self.path };
        let mut target = path::escaped(path);
        // Upstream forgets the query of those who ask for another protocol; a WebSocket's is as much a part of what is asked for.
        if let Some(query) = request.uri().query() {
            target = format!("{target}?{query}");
        }
        *request.uri_mut() = target.parse().map_err(|_| Status::bad_request("the path is too long"))?;
        let headers = request.headers_mut();
        headers::forget_caller(headers);
        headers::forwarded_for(headers, peer);
        if !upgrade {
            let below = path::escaped(&self.path);
            let whole = path::join(prefix, &below);
            if let Ok(value) = HeaderValue::from_str(&whole) {
                headers.insert("x-forwarded-uri", value);
            }
        }
        Ok(())
    }
}

/// Asks whoever is at an address.
async fn direct(
    places: &Arc<Semaphore>,
    tls: bool,
    address: SocketAddr,
    upgrade: bool,
    request: Request<Incoming>,
) -> Result<Response<Body>, Unanswered> {
    let (connection, protocol) = dial::dial(places, tls, address, upgrade).await.map_err(Unanswered::Dial)?;
    relay(connection, protocol, request).await.map_err(|error| Unanswered::Exchange(words::of_relay(&error)))
}

/// Sends a client that left the slash out to where relative links lead to the right place.
fn to_root(request: &Request<Incoming>) -> Response<Body> {
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut response = Response::new(content::whole(""));
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    if let Ok(value) = HeaderValue::from_str(&format!("{}/{query}", request.uri().path())) {
        response.headers_mut().insert(LOCATION, value);
    }
    headers::not_to_be_kept(response.headers_mut());
    response
}

fn refusal(why: Unanswered, upgrade: bool) -> Status {
    match (why, upgrade) {
        (Unanswered::Refused(status), _) => status,
        (Unanswered::Dial(why), true) => {
            Status::failure(500, "", format!("error dialing backend: {why}"), None)
        }
        (Unanswered::Exchange(why), true) => Status::failure(500, "", why, None),
        (Unanswered::Dial(why) | Unanswered::Exchange(why), false) => {
            Status::service_unavailable(format!("error trying to reach service: {why}"))
        }
    }
}

/// The answer to whoever asked for another protocol: it is spoken from now on, or the other end says why not.
pub(crate) fn upgraded(response: Response<Body>) -> Result<Response<Body>, Status> {
    let code = response.status();
    if code == StatusCode::SWITCHING_PROTOCOLS || code.as_u16() >= 400 {
        return Ok(response);
    }
    let why = format!("invalid upgrade response: status code {}", code.as_u16());
    Err(Status::failure(500, "", why, None))
}

/// An answer as the client gets it: with links that lead through the proxy.
pub(crate) fn passed(
    mut response: Response<Body>,
    links: Links,
    head: bool,
) -> Result<Response<Body>, Status> {
    headers::forget_origins(response.headers_mut());
    headers::not_to_be_kept(response.headers_mut());
    let headers = response.headers_mut();
    let text = |value: Option<&HeaderValue>| value.and_then(|value| value.to_str().ok()).map(str::to_owned);
    if let Some(location) = text(headers.get(LOCATION)).filter(|location| !location.is_empty()) {
        let link = links.rewrite(&location).map_err(|error| {
            Status::internal_error(format!("error trying to parse Location header: {error}"))
        })?;
        if let Some(value) = link.and_then(|link| HeaderValue::from_str(&link).ok()) {
            headers.insert(LOCATION, value);
        }
        return Ok(response);
    }
    let content_type = text(headers.get(CONTENT_TYPE)).unwrap_or_default();
    let packing = Packing::of(&text(headers.get(CONTENT_ENCODING)).unwrap_or_default());
    let (Some(packing), "text/html") = (packing, content_type.split(';').next().unwrap_or_default().trim())
    else {
        return Ok(response);
    };
    headers.remove(CONTENT_LENGTH);
    let empty = head || matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    Ok(if empty { response } else { response.map(|body| Page::new(body, links, packing).boxed_unsync()) })
}

#[cfg(test)]
mod tests;
