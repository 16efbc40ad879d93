//! Groups and versions that other API servers serve: a request is handed on to the service that an APIService names.
//!
//! Follows `kube-aggregator/pkg/apiserver/handler_proxy.go`. Who asks and whether he may is found out here; the other server is told who it is by a
//! proxy that it trusts, and nothing of what proved it. Every verb, every protocol, and watches for as long as they last: nothing is kept
//! back on the way. Requests that wait for another server have no place among those that wait for this one.

use std::sync::Arc;
use std::time::Duration;

use api_meta::Status;
use base::time::timeout;
use base_serve::Peer;
use client::Caller;
use http::header::{HOST, LOCATION};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use server_authn::front_proxy;
use server_extend::aggregation::{Aggregation, Route};
use server_extend::limits::DISCOVERY;

use crate::content::{self, Body};
use crate::handler::Handler;
use crate::metrics::is_long_running;
use crate::path::{Info, Place};
use crate::proxy::dial::dial_as;
use crate::proxy::links::Links;
use crate::proxy::{self, headers};
use crate::relay::{self, relay};
use crate::{limits, words};

/// The route of a request, if another server is to answer it.
pub(crate) fn route(aggregation: &Aggregation, info: &Info) -> Option<Arc<Route>> {
    let routes = aggregation.routes();
    let found = match &info.place {
        Place::Resource { target, .. } => routes.find(&target.resource.group, &target.resource.version),
        Place::Path(path) => {
            let described = path.strip_prefix("/openapi/v3");
            let path = described.unwrap_or(path);
            let mut parts = path.split('/').filter(|part| !part.is_empty());
            let found = match (parts.next()?, parts.next()?) {
                ("apis", group) => routes.find(group, parts.next()?),
                ("api", version) => routes.find("", version),
                _ => None,
            };
            // Whoever has no such document is described here.
            found.filter(|route| described.is_none() || !is_described_here(aggregation, route))
        }
    };
    found.cloned()
}

fn is_described_here(aggregation: &Aggregation, route: &Route) -> bool {
    aggregation.known().get(&route.backend).is_some_and(|known| known.without_v3)
}

/// Has the other server answer a request that its caller may make.
pub(crate) async fn answer(
    handler: &Handler,
    aggregation: &Aggregation,
    route: &Route,
    (caller, peer, info): (&Caller, &Peer, &Info),
    request: Request<Incoming>,
) -> Result<Response<Body>, Status> {
    if !route.available {
        return Ok(error(StatusCode::SERVICE_UNAVAILABLE, "service unavailable"));
    }
    let upgrade = relay::is_upgrade(request.headers());
    let limit = match limit(info, upgrade) {
        Some(limit) => limit,
        None => return exchange(handler, aggregation, route, (caller, peer), request).await,
    };
    let discovery = limit == DISCOVERY;
    match timeout(&*handler.clock, limit, exchange(handler, aggregation, route, (caller, peer), request))
        .await
    {
        Ok(answered) => answered,
        Err(_) if discovery => {
            let why = "error trying to reach service: context deadline exceeded";
            Ok(error(StatusCode::SERVICE_UNAVAILABLE, why))
        }
        Err(_) => Err(Status::timeout("request did not complete within the allotted timeout", 0)),
    }
}

/// How long the other server may take to begin its answer.
fn limit(info: &Info, upgrade: bool) -> Option<Duration> {
    match &info.place {
        Place::Path(path) if path.split('/').filter(|part| !part.is_empty()).count() == 3 => Some(DISCOVERY),
        _ if upgrade || is_long_running(info) => None,
        _ => Some(limits::REQUEST),
    }
}

async fn exchange(
    handler: &Handler,
    aggregation: &Aggregation,
    route: &Route,
    (caller, peer): (&Caller, &Peer),
    mut request: Request<Incoming>,
) -> Result<Response<Body>, Status> {
    let upgrade = relay::is_upgrade(request.headers());
    let secure = match route.secure(upgrade) {
        Ok(secure) => secure,
        Err(why) => return Ok(error(StatusCode::INTERNAL_SERVER_ERROR, &why)),
    };
    let address = match aggregation.resolve(route) {
        Ok(address) => address,
        Err(why) => {
            tracing::debug!(name = %route.name, %why, "aggregation.resolve");
            return Ok(error(StatusCode::SERVICE_UNAVAILABLE, "service unavailable"));
        }
    };
    let head = *request.method() == Method::HEAD;
    let asked = relay::host(&request);
    let asked = asked.as_ref().and_then(|host| host.to_str().ok()).unwrap_or_default().to_owned();
    aim(&mut request, &address, caller, peer, upgrade);
    let unreachable = |why: String| {
        let why = if upgrade { why } else { format!("error trying to reach service: {why}") };
        Ok(error(StatusCode::SERVICE_UNAVAILABLE, &why))
    };
    let places = &handler.reach.places;
    if upgrade {
        let (connection, protocol) = match dial_as(places, &address, Some(secure)).await {
            Ok(made) => made,
            Err(why) => return unreachable(why),
        };
        return match relay(connection, protocol, request).await {
            Ok(response) => proxy::upgraded(response),
            Err(error) => unreachable(words::of_relay(&error)),
        };
    }
    let routes = aggregation.routes();
    let is_there = |name: &str| routes.remote().any(|route| route.name == name);
    let client = handler.lasting.to(&route.name, secure, places, is_there);
    match relay::send(&client, &address, request).await {
        // Whoever is led elsewhere would go there with what proves who he is.
        Ok(response) if response.status().is_redirection() && response.headers().contains_key(LOCATION) => {
            let why = "the backend attempted to redirect this request, which is not permitted";
            Ok(error(StatusCode::BAD_GATEWAY, why))
        }
        Ok(response) => {
            let links = Links { prefix: String::new(), backend: address, asked };
            proxy::passed(response, links, head)
        }
        Err(why) => unreachable(why),
    }
}

/// Makes of the client's request the one that goes on.
fn aim(request: &mut Request<Incoming>, address: &str, caller: &Caller, peer: &Peer, upgrade: bool) {
    let path = request.uri().path().to_owned();
    let headers = request.headers_mut();
    headers::forget_caller(headers);
    front_proxy::name(caller, headers);
    headers::forwarded_for(headers, peer);
    if let Ok(host) = HeaderValue::from_str(address) {
        headers.insert(HOST, host);
    }
    if !upgrade && let Ok(path) = HeaderValue::from_str(&path) {
        headers.insert("x-forwarded-uri", path);
    }
}

/// Go's `http.Error`, which is all that upstream says here.
fn error(code: StatusCode, why: &str) -> Response<Body> {
    let mut response = content::error(code, why);
    headers::not_to_be_kept(response.headers_mut());
    response
}
