//! An agent, asked in HTTP's words.

use std::io;
use std::path::Path;
use std::sync::Arc;

use api_meta::Status;
use api_types::GroupVersionKind;
use api_types::core::v1::PodList;
use base::query::Query;
use base::time::Clock;
use bytes::Bytes;
use futures_util::StreamExt as _;
use http::header::{CONNECTION, CONTENT_TYPE, UPGRADE};
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::TokioIo;
use node_agent::NodeApi;
use node_agent::node_api::{Place, Serve, Upgraded, Used};
use node_stream::negotiate::{self, Refused};

use crate::{files, query, resource, summary};

/// An answer's body. It fails where what it is read from does.
pub type Body = UnsyncBoxBody<Bytes, io::Error>;

/// A body that is there already.
pub(crate) fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

/// An agent, asked in HTTP's words by whoever has been let in already.
#[derive(Clone)]
pub struct Direct {
    agent: Arc<dyn NodeApi>,
    clock: Arc<dyn Clock>,
}

impl Direct {
    /// The HTTP form of an agent's API.
    pub fn new(agent: Arc<dyn NodeApi>, clock: Arc<dyn Clock>) -> Direct {
        Direct { agent, clock }
    }

    /// What the node and its pods use now.
    pub async fn usage(&self) -> Used {
        self.agent.usage().await
    }

    /// Makes a directory that the node keeps as a volume; answers its path.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn make_volume(&self, name: &str) -> Result<String, Status> {
        self.agent.make_volume(name).await
    }

    /// Takes such a directory away.
    ///
    /// # Errors
    /// When the disk refuses, or something is mounted there.
    pub async fn remove_volume(&self, name: &str) -> Result<(), Status> {
        self.agent.remove_volume(name).await
    }

    /// Answers a request whose path is kubelet's, or that of a volume.
    ///
    /// # Errors
    /// When it cannot be carried out, or nothing is served at its path.
    pub async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Status> {
        let path = request.uri().path().to_owned();
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        let asked = Query::parse(request.uri().query().unwrap_or_default());
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let place = |namespace: &str, pod: &str, container: &str| Place {
            namespace: namespace.to_owned(),
            pod: pod.to_owned(),
            container: container.to_owned(),
        };
        match parts[..] {
            ["healthz"] | ["healthz", "ping"] => Ok(text("ok")),
            ["pods" | "runningpods" | "configz" | "logs" | "metrics" | "stats", ..] if !reads => {
                Err(Status::failure(405, "MethodNotAllowed", "405: Method Not Allowed", None))
            }
            ["pods"] => Ok(list(&self.agent.pods())),
            ["runningpods", ""] | ["runningpods"] => Ok(list(&self.agent.running_pods())),
            ["metrics", "resource"] => {
                let told = resource::text(&self.agent.usage().await);
                let mut response = Response::new(whole(told.into()));
                let kind = HeaderValue::from_static(base::metrics::CONTENT_TYPE);
                response.headers_mut().insert(CONTENT_TYPE, kind);
                Ok(response)
            }
            ["stats", "summary"] => {
                let only = matches!(asked.get("only_cpu_and_memory"), "true" | "1");
                let told = summary::shown(&self.agent.usage().await, only);
                Ok(json(told.to_string().into_bytes()))
            }
            ["configz"] => Ok(json(self.agent.configuration().to_string().into_bytes())),
            ["logs"] => files::answer(Path::new(files::DIRECTORY), "/", request.headers()).await,
            ["logs", ..] => {
                let below = path.trim_start_matches('/').trim_start_matches("logs");
                files::answer(Path::new(files::DIRECTORY), below, request.headers()).await
            }
            ["containerLogs", namespace, pod, container] => {
                let options = query::log(&asked, self.clock.now())?;
                let lines = self.agent.logs(place(namespace, pod, container), options).await?;
                let frames = lines.map(|bytes| Ok::<_, io::Error>(Frame::data(bytes)));
                Ok(plain(StreamBody::new(frames).boxed_unsync()))
            }
            ["volumes", name] if *request.method() == Method::PUT => {
                let path = self.agent.make_volume(name).await?;
                Ok(plain(whole(path.into())))
            }
            ["volumes", name] if *request.method() == Method::DELETE => {
                self.agent.remove_volume(name).await?;
                Ok(text("ok"))
            }
            ["exec", namespace, pod, container] => {
                let command = asked.all("command").map(str::to_owned).collect();
                let serve =
                    self.agent.exec(place(namespace, pod, container), command, query::streams(&asked)?)?;
                Ok(upgraded(request, negotiate::exec, serve))
            }
            ["attach", namespace, pod, container] => {
                let serve = self.agent.attach(place(namespace, pod, container), query::streams(&asked)?)?;
                Ok(upgraded(request, negotiate::exec, serve))
            }
            ["portForward", namespace, pod] => {
                let named: Vec<String> = asked.all("port").map(str::to_owned).collect();
                let ports = if named.is_empty() {
                    Vec::new()
                } else {
                    negotiate::ports(&named).map_err(Status::bad_request)?
                };
                let serve = self.agent.port_forward(place(namespace, pod, ""), ports)?;
                Ok(upgraded(request, negotiate::port_forward, serve))
            }
            _ => Err(Status::failure(404, "NotFound", "the node serves nothing at this path", None)),
        }
    }
}

fn plain(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

/// A list in JSON, as kubelet gives it whatever form is asked for.
fn list(pods: &PodList) -> Response<Body> {
    let kind = GroupVersionKind { group: "", version: "v1", kind: "PodList" };
    let mut bytes = Vec::new();
    api_codec::json::show_line(pods, Some(&kind), &mut bytes);
    json(bytes)
}

fn json(bytes: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(whole(bytes.into()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn text(text: &'static str) -> Response<Body> {
    plain(whole(Bytes::from_static(text.as_bytes())))
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
            let mut response = Response::new(whole(Bytes::from(refused.body)));
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
    let mut response = Response::new(whole(Bytes::new()));
    *response.status_mut() = http::StatusCode::SWITCHING_PROTOCOLS;
    *response.headers_mut() = agreed.headers;
    debug_assert!(response.headers().contains_key(UPGRADE) && response.headers().contains_key(CONNECTION));
    response
}
