//! Handing a request on over a connection of its own, or over one that lasts, and its answer back; connections that change their protocol are
//! joined.
//!
//! Follows Go's `httputil.ReverseProxy` and upstream's `UpgradeAwareHandler` (`apimachinery/pkg/util/proxy`). Nothing is kept back on the way:
//! whoever reads slowly slows the sender down, and when one end is gone the other's connection is closed. Who may ask for what, and what
//! the other end is to know of it, is decided before.

use std::future::Future;

use bytes::Bytes;
use http::header::{CONNECTION, COOKIE, HOST, HeaderName, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};
use http::uri::{Authority, Parts, Scheme};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, Version};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::rt::{Read, Write};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioExecutor, TokioIo};
use thiserror::Error;
use tokio::io::AsyncWriteExt as _;
use tokio::task::JoinHandle;

use crate::content::{self, Body, Broken};
use crate::guarded::Guarded;
use crate::lasting::{self, Client};
use crate::limits;

/// How the other end is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1, which alone can be left for another protocol.
    Http1,
    /// HTTP/2, over TLS.
    Http2,
}

/// Why a request was not answered.
#[derive(Debug, Error)]
pub enum RelayError {
    /// The connection broke, or what came over it is no answer.
    #[error("the request was not answered")]
    Connection(#[from] hyper::Error),
    /// The other end left HTTP, which it was not asked to.
    #[error("backend tried to switch protocol when none was requested")]
    Switched,
}

/// What stays on one connection and is nobody else's business (RFC 9110, 7.6.1, and what was usual before it).
const HOP_BY_HOP: [HeaderName; 8] = [
    CONNECTION,
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-authenticate"),
    HeaderName::from_static("proxy-authorization"),
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Whether a request asks for another protocol (upstream's `httpstream.IsUpgradeRequest`).
pub(crate) fn is_upgrade(headers: &HeaderMap) -> bool {
    let values = headers.get_all(CONNECTION).into_iter();
    values.filter_map(|value| value.to_str().ok()).any(|value| value.to_ascii_lowercase().contains("upgrade"))
}

/// The host that a request names.
pub(crate) fn host<B>(request: &Request<B>) -> Option<HeaderValue> {
    let named = request.headers().get(HOST).cloned();
    named.or_else(|| HeaderValue::from_str(request.uri().authority()?.as_str()).ok())
}

/// Has whoever is at the end of a connection answer a request, of which only path and query of the URI count.
///
/// # Errors
/// When it does not. A body that breaks off later says so itself.
pub async fn relay<C>(
    connection: C,
    protocol: Protocol,
    mut request: Request<Incoming>,
) -> Result<Response<Body>, RelayError>
where
    C: Read + Write + Unpin + Send + 'static,
{
    let upgrade = is_upgrade(request.headers()).then(|| hyper::upgrade::on(&mut request));
    prepare(&mut request, upgrade.is_some());
    let (mut response, driver) = match protocol {
        Protocol::Http1 => {
            let (mut sender, connection) = http1::handshake(connection).await?;
            let driver = Driver::start(connection.with_upgrades());
            (sender.send_request(request).await?, driver)
        }
        Protocol::Http2 => {
            let (mut sender, connection) = http2::handshake(TokioExecutor::new(), connection).await?;
            let driver = Driver::start(connection);
            (sender.send_request(absolute(request)).await?, driver)
        }
    };
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        let here = upgrade.ok_or(RelayError::Switched)?;
        let there = hyper::upgrade::on(&mut response);
        tokio::spawn(join(here, there, driver));
        return Ok(response.map(|_| content::whole(Bytes::new())));
    }
    end_to_end(response.headers_mut());
    Ok(response.map(|body| Guarded::new(body.map_err(Broken::new).boxed_unsync(), driver).boxed_unsync()))
}

/// Has a server answer a request over connections that others use too. It leaves HTTP for nothing.
///
/// # Errors
/// When it does not answer, in Go's words. A body that breaks off later says so itself.
pub(crate) async fn send(
    client: &Client,
    address: &str,
    mut request: Request<Incoming>,
) -> Result<Response<Body>, String> {
    prepare(&mut request, false);
    let mut parts = Parts::default();
    parts.scheme = Some(Scheme::HTTPS);
    parts.authority = Authority::try_from(address).ok();
    parts.path_and_query = request.uri().path_and_query().cloned();
    *request.uri_mut() = Uri::from_parts(parts).map_err(|error| error.to_string())?;
    let mut response = client.request(request).await.map_err(|error| lasting::unanswered(&error))?;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Err(RelayError::Switched.to_string());
    }
    end_to_end(response.headers_mut());
    Ok(response.map(|body| body.map_err(Broken::new).boxed_unsync()))
}

/// Brings a request into the form that goes on, whatever the protocol that it came by.
fn prepare(request: &mut Request<Incoming>, upgrade: bool) {
    if let Some(host) = host(request) {
        request.headers_mut().insert(HOST, host);
    }
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = path.parse().unwrap_or_default();
    *request.version_mut() = Version::HTTP_11;
    let headers = request.headers_mut();
    // HTTP/2 sends each cookie by itself, which HTTP/1.1 knows nothing of.
    let cookies: Vec<&[u8]> = headers.get_all(COOKIE).into_iter().map(HeaderValue::as_bytes).collect();
    if cookies.len() > 1
        && let Ok(all) = HeaderValue::from_bytes(&cookies.join(&b"; "[..]))
    {
        headers.insert(COOKIE, all);
    }
    if !upgrade {
        let trailers = headers.get_all(TE).into_iter().any(|value| value == "trailers");
        end_to_end(headers);
        headers.remove(TRAILER);
        if trailers {
            headers.insert(TE, HeaderValue::from_static("trailers"));
        }
    }
}

/// A request as HTTP/2 wants it: the host is a part of what is asked for.
fn absolute(mut request: Request<Incoming>) -> Request<Incoming> {
    *request.version_mut() = Version::HTTP_2;
    let host = request.headers_mut().remove(HOST);
    let mut parts = Parts::default();
    parts.scheme = Some(Scheme::HTTPS);
    parts.authority = host.and_then(|host| Authority::try_from(host.as_bytes()).ok());
    parts.path_and_query = request.uri().path_and_query().cloned();
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
    request
}

/// Leaves of headers what is for the other end. Which trailers will follow is said again: they do follow.
fn end_to_end(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

/// What carries a connection on; the connection ends with it.
struct Driver(JoinHandle<()>);

impl Driver {
    fn start(connection: impl Future<Output = Result<(), hyper::Error>> + Send + 'static) -> Driver {
        Driver(tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "relay.connection");
            }
        }))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Makes two connections that have left HTTP one, until either end has nothing more to say.
async fn join(here: OnUpgrade, there: OnUpgrade, driver: Driver) {
    let (here, there) = match tokio::try_join!(here, there) {
        Ok((here, there)) => (TokioIo::new(here), TokioIo::new(there)),
        Err(error) => return tracing::debug!(%error, "relay.upgrade"),
    };
    let (mut from_here, mut to_here) = tokio::io::split(here);
    let (mut from_there, mut to_there) = tokio::io::split(there);
    let copied = tokio::select! {
        copied = tokio::io::copy(&mut from_here, &mut to_there) => copied,
        copied = tokio::io::copy(&mut from_there, &mut to_here) => copied,
    };
    if let Err(error) = copied {
        tracing::debug!(%error, "relay.stream");
    }
    let closed = futures_util::future::join(to_here.shutdown(), to_there.shutdown());
    // Whoever does not even read the end of it has had the time for that.
    let _ = tokio::time::timeout(limits::CLOSE, closed).await;
    drop(driver);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&str, &str)| {
            (name.parse::<HeaderName>().expect("a name"), HeaderValue::from_str(value).expect("a value"))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn what_is_for_one_connection_stays_on_it() {
        let mut given = headers(&[
            ("connection", "keep-alive, X-Own"),
            ("x-own", "1"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("trailer", "x-sum"),
            ("x-other", "2"),
        ]);
        end_to_end(&mut given);
        assert_eq!(given, headers(&[("trailer", "x-sum"), ("x-other", "2")]));
    }

    #[test]
    fn who_asks_for_another_protocol() {
        for (value, asks) in [("Upgrade", true), ("keep-alive, upgrade", true), ("keep-alive", false)] {
            assert_eq!(is_upgrade(&headers(&[("connection", value)])), asks, "{value}");
        }
        assert!(!is_upgrade(&headers(&[("upgrade", "websocket")])));
    }
}
