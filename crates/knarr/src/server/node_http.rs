//! The node's API in HTTP's form, as kubelet serves it, over the agent of this process.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use api_meta::Status;
use base::time::Time;
use bytes::Bytes;
use client::BoxFuture;
use futures_util::StreamExt as _;
use http::header::{CONNECTION, CONTENT_TYPE, UPGRADE};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty, Full, StreamBody};
use hyper::body::Frame;
use hyper_util::rt::TokioIo;
use node_agent::NodeApi as Agent;
use node_agent::node_api::{LogOptions, Place, Serve, Upgraded};
use node_stream::negotiate::{self, Refused};
use node_stream::session::Options;
use server_http::{Body, Incoming};

use super::nodes::NodeApi;

/// An agent, asked in HTTP's words.
pub struct Direct(pub Arc<dyn Agent>);

impl NodeApi for Direct {
    fn answer(&self, request: Request<Incoming>) -> BoxFuture<'_, Result<Response<Body>, Status>> {
        Box::pin(self.carry_out(request))
    }
}

/// A query's parameters, with all their values.
type Query = BTreeMap<String, Vec<String>>;

impl Direct {
    async fn carry_out(&self, request: Request<Incoming>) -> Result<Response<Body>, Status> {
        let path = request.uri().path().to_owned();
        let query = query(request.uri().query().unwrap_or_default());
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let place = |namespace: &str, pod: &str, container: &str| Place {
            namespace: namespace.to_owned(),
            pod: pod.to_owned(),
            container: container.to_owned(),
        };
        match parts[..] {
            ["containerLogs", namespace, pod, container] => {
                let lines = self.0.logs(place(namespace, pod, container), log_options(&query)?).await?;
                let frames = lines.map(|bytes| Ok::<_, Infallible>(Frame::data(bytes)));
                let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
                response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
                Ok(response)
            }
            ["exec", namespace, pod, container] => {
                let command = query.get("command").cloned().unwrap_or_default();
                let serve = self.0.exec(place(namespace, pod, container), command, streams(&query)?)?;
                Ok(upgraded(request, negotiate::exec, serve))
            }
            ["attach", namespace, pod, container] => {
                let serve = self.0.attach(place(namespace, pod, container), streams(&query)?)?;
                Ok(upgraded(request, negotiate::exec, serve))
            }
            ["portForward", namespace, pod] => {
                let named = query.get("port").cloned().unwrap_or_default();
                let ports = if named.is_empty() {
                    Vec::new()
                } else {
                    negotiate::ports(&named).map_err(Status::bad_request)?
                };
                let serve = self.0.port_forward(place(namespace, pod, ""), ports)?;
                Ok(upgraded(request, negotiate::port_forward, serve))
            }
            _ => Err(Status::failure(404, "NotFound", "the node serves nothing at this path", None)),
        }
    }
}

/// Agrees on a protocol, and serves the connection once it speaks it.
fn upgraded<P: Send + 'static>(
    mut request: Request<Incoming>,
    agree: fn(&HeaderMap) -> Result<negotiate::Agreed<P>, Refused>,
    serve: Serve<P>,
) -> Response<Body> {
    let agreed = match agree(request.headers()) {
        Ok(agreed) => agreed,
        Err(refused) => {
            let mut response = Response::new(Full::new(Bytes::from(refused.body)).boxed_unsync());
            *response.status_mut() = refused.status;
            *response.headers_mut() = *refused.headers;
            return response;
        }
    };
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        match upgrade.await {
            Ok(connection) => {
                let connection: Upgraded = Box::new(TokioIo::new(connection));
                serve(connection, agreed.protocol).await;
            }
            Err(error) => tracing::debug!(%error, "node.upgrade"),
        }
    });
    let mut response = Response::new(Empty::new().boxed_unsync());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *response.headers_mut() = agreed.headers;
    debug_assert!(response.headers().contains_key(UPGRADE) && response.headers().contains_key(CONNECTION));
    response
}

fn query(text: &str) -> Query {
    let decode = |text: &str| {
        percent_encoding::percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
    };
    let mut query = Query::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        query.entry(decode(key)).or_default().push(decode(value));
    }
    query
}

fn first<'a>(query: &'a Query, key: &str) -> Option<&'a str> {
    query.get(key).and_then(|values| values.first()).map(String::as_str).filter(|value| !value.is_empty())
}

fn flag(query: &Query, key: &str) -> bool {
    first(query, key).is_some_and(|value| matches!(value, "1" | "t" | "T" | "true" | "TRUE" | "True"))
}

fn streams(query: &Query) -> Result<Options, Status> {
    Options::new(flag(query, "input"), flag(query, "output"), flag(query, "error"), flag(query, "tty"))
        .map_err(Status::bad_request)
}

fn log_options(query: &Query) -> Result<LogOptions, Status> {
    let number = |key: &str| match first(query, key) {
        None => Ok(None),
        Some(text) => text
            .parse::<u64>()
            .map(Some)
            .map_err(|_| Status::bad_request(format!("{key} is no number that makes sense: {text:?}"))),
    };
    let since = match (first(query, "sinceTime"), number("sinceSeconds")?) {
        (Some(text), _) => {
            let time: api_record::scalar::Time =
                text.parse().map_err(|_| Status::bad_request(format!("sinceTime is no time: {text:?}")))?;
            Some(time.into())
        }
        (None, Some(seconds)) => Some(now() - std::time::Duration::from_secs(seconds)),
        (None, None) => None,
    };
    Ok(LogOptions {
        follow: flag(query, "follow"),
        previous: flag(query, "previous"),
        since,
        timestamps: flag(query, "timestamps"),
        tail_lines: number("tailLines")?,
        limit_bytes: number("limitBytes")?,
    })
}

fn now() -> Time {
    base::time::Clock::now(&base::time::SystemClock)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_a_log_are_read() {
        let options = log_options(&query("follow=true&tailLines=5&sinceTime=2026-01-01T00%3A00%3A00Z"));
        let options = options.expect("they make sense");
        assert!(options.follow && options.tail_lines == Some(5));
        assert_eq!(options.since.map(Time::unix_seconds), Some(1_767_225_600));
        assert!(log_options(&query("tailLines=-1")).is_err_and(|status| status.is_bad_request()));
    }
}
