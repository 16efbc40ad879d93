//! Asking another API server something small: what it serves, whether it is there.

use std::sync::Arc;
use std::time::Duration;

use base::time::{Clock, timeout};
use base_serve::{dial, words};
use bytes::Bytes;
use client::Caller;
use http::header::{ACCEPT, HOST, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, Method, Request};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use server_authn::front_proxy;

use super::route::Route;
use crate::limits::DOCUMENT_BYTES;

/// What is asked.
#[derive(Clone, Copy, Default)]
pub(super) struct Question<'a> {
    pub(super) path: &'a str,
    pub(super) accept: &'a str,
    /// What is known already; empty if nothing is.
    pub(super) known: &'a str,
    /// How long the whole may take.
    pub(super) limit: Duration,
    /// Whether what is at the path is to be deleted.
    pub(super) deletes: bool,
    /// Who asks; this server itself, if nobody else does.
    pub(super) who: Option<&'a Caller>,
}

/// What was answered.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answered {
    /// A header of the answer, empty if it has none.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// Whom this server is to others when nobody has asked for anything (upstream's `system:kube-aggregator`).
fn aggregator() -> Caller {
    Caller::new("system:kube-aggregator", &["system:masters"])
}

/// Asks whoever is at an address.
///
/// # Errors
/// Why there is no answer, in Go's words.
pub(super) async fn ask(
    clock: &Arc<dyn Clock>,
    route: &Route,
    address: &str,
    question: Question<'_>,
) -> Result<Answered, String> {
    let asked = timeout(&**clock, question.limit, exchange(route, address, question)).await;
    let late = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)";
    let answered = asked.unwrap_or_else(|_| Err(late.to_owned()));
    answered.map_err(|why| format!("Get \"https://{address}{}\": {why}", question.path))
}

async fn exchange(route: &Route, address: &str, question: Question<'_>) -> Result<Answered, String> {
    let connection = dial::dial(address, Some(route.secure(true)?)).await?;
    let broken = |error: hyper::Error| match error.is_incomplete_message() {
        true => "EOF".to_owned(),
        false => base::error::Chain(&error).to_string(),
    };
    let (mut sender, connection) = http1::handshake(TokioIo::new(connection)).await.map_err(broken)?;
    let _driver = Driver(tokio::spawn(async move {
        // What breaks is told to whoever waits for the answer.
        let _ = connection.await;
    }));
    let method = if question.deletes { Method::DELETE } else { Method::GET };
    let mut request = Request::builder()
        .method(method)
        .uri(question.path)
        .body(Empty::<Bytes>::new())
        .map_err(|error| format!("net/http: {error}"))?;
    let headers = request.headers_mut();
    match question.who {
        Some(who) => front_proxy::name(who, headers),
        None => front_proxy::name(&aggregator(), headers),
    }
    for (name, value) in
        [(HOST, address.to_string().as_str()), (ACCEPT, question.accept), (IF_NONE_MATCH, question.known)]
    {
        if let (false, Ok(value)) = (value.is_empty(), HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    }
    let (parts, body) = sender.send_request(request).await.map_err(broken)?.into_parts();
    let body = Limited::new(body, DOCUMENT_BYTES).collect().await.map_err(|error| {
        match error.downcast_ref::<std::io::Error>() {
            Some(error) => words::of_io(error),
            None => error.to_string(),
        }
    })?;
    Ok(Answered { status: parts.status.as_u16(), headers: parts.headers, body: body.to_bytes() })
}

/// What carries a connection on; the connection ends with it.
struct Driver(tokio::task::JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}
