//! A registry on the loopback interface that serves what it is given and fails as it is told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use node_image::digest::Digest;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;

use crate::fixture::Parts;

type Body = BoxBody<Bytes, std::io::Error>;

/// How it fails, by the path that it fails for.
#[derive(Clone)]
pub enum Fault {
    Status(u16, &'static str),
    /// Announces all, sends half.
    Truncate,
    /// Other content than asked for.
    Replace(Vec<u8>),
    Redirect(String),
    /// Sends half, tells that it did, and never goes on.
    Hang(Arc<Notify>),
}

/// Who may pull.
#[derive(Clone, Copy, PartialEq)]
pub enum Auth {
    Nobody,
    Basic,
    Bearer,
    /// As `Bearer`, for whoever shows the identity token `refresh-me`.
    Identity,
}

struct State {
    blobs: BTreeMap<String, Vec<u8>>,
    tags: BTreeMap<String, Vec<u8>>,
    faults: BTreeMap<String, Fault>,
    auth: Auth,
    seen: Vec<String>,
    asked: Vec<String>,
}

pub struct Registry {
    pub address: String,
    state: Arc<Mutex<State>>,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Registry {
    pub async fn start() -> Registry {
        Registry::start_with(None).await
    }

    /// One that speaks TLS.
    pub async fn start_tls(tls: rustls::ServerConfig) -> Registry {
        Registry::start_with(Some(tokio_rustls::TlsAcceptor::from(Arc::new(tls)))).await
    }

    async fn start_with(tls: Option<tokio_rustls::TlsAcceptor>) -> Registry {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::new(Mutex::new(State {
            blobs: BTreeMap::new(),
            tags: BTreeMap::new(),
            faults: BTreeMap::new(),
            auth: Auth::Nobody,
            seen: Vec::new(),
            asked: Vec::new(),
        }));
        let (shared, host) = (Arc::clone(&state), address.clone());
        let server = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                let (state, host) = (Arc::clone(&shared), host.clone());
                let tls = tls.clone();
                tokio::spawn(async move {
                    match tls {
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, &state, &host).await;
                            }
                        }
                        None => serve(stream, &state, &host).await,
                    }
                });
            }
        });
        Registry { address, state, server }
    }

    pub fn push(&self, tag: &str, parts: &Parts) {
        self.push_blobs(tag, parts.blobs(), parts.manifest());
    }

    pub fn push_blobs(&self, tag: &str, blobs: Vec<Vec<u8>>, top: Vec<u8>) {
        let mut state = self.state.lock().unwrap();
        for blob in blobs.into_iter().chain([top.clone()]) {
            state.blobs.insert(Digest::of(&blob).to_string(), blob);
        }
        state.tags.insert(tag.to_owned(), top);
    }

    /// `path`: what follows `/v2/app/`.
    pub fn fault(&self, path: &str, fault: Fault) {
        self.state.lock().unwrap().faults.insert(path.to_owned(), fault);
    }

    pub fn heal(&self) {
        self.state.lock().unwrap().faults.clear();
    }

    pub fn require(&self, auth: Auth) {
        self.state.lock().unwrap().auth = auth;
    }

    /// Paths that were asked for since the last call, without the token's and the version's.
    pub fn seen(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().seen)
    }

    /// Paths with their queries that were asked for since the last call, of requests that have a query.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().asked)
    }

    pub fn reference(&self, rest: &str) -> String {
        format!("{}/app{rest}", self.address)
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, state: &Mutex<State>, host: &str) {
    let answer = service_fn(|request: Request<Incoming>| async move {
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok::<_, hyper::Error>(answer(state, host, &Request::from_parts(head, body)))
    });
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
}

fn answer(state: &Mutex<State>, host: &str, request: &Request<Bytes>) -> Response<Body> {
    let mut state = state.lock().unwrap();
    let path = request.uri().path().to_owned();
    let given =
        request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or("");
    // "user:right", base64.
    let basic = given == "Basic dXNlcjpyaWdodA==";
    if path == "/token" && state.auth == Auth::Identity {
        let asked =
            "scope=repository%3Aapp%3Apull&service=test&grant_type=refresh_token&refresh_token=refresh-me";
        return if request.method() == Method::POST && request.body().starts_with(asked.as_bytes()) {
            full(StatusCode::OK, br#"{"access_token":"let-me-in"}"#.to_vec())
        } else {
            full(StatusCode::BAD_REQUEST, Vec::new())
        };
    }
    if path == "/token" {
        let query = request.uri().query().unwrap_or("");
        assert!(query.contains("scope=repository%3Aapp%3Apull"), "{query}");
        return if basic {
            full(StatusCode::OK, br#"{"token":"let-me-in"}"#.to_vec())
        } else {
            full(
                StatusCode::UNAUTHORIZED,
                br#"{"errors":[{"code":"UNAUTHORIZED","message":"wrong"}]}"#.to_vec(),
            )
        };
    }
    let allowed = match state.auth {
        Auth::Nobody => true,
        Auth::Basic => basic,
        Auth::Bearer | Auth::Identity => given == "Bearer let-me-in",
    };
    if !allowed {
        let challenge = match state.auth {
            Auth::Bearer | Auth::Identity => format!("Bearer realm=\"http://{host}/token\",service=\"test\""),
            _ => "Basic realm=\"test\"".to_owned(),
        };
        let mut refused = full(StatusCode::UNAUTHORIZED, Vec::new());
        refused.headers_mut().insert(header::WWW_AUTHENTICATE, challenge.parse().unwrap());
        return refused;
    }
    if path == "/v2/" {
        return full(StatusCode::OK, Vec::new());
    }
    if let Some(query) = request.uri().query() {
        state.asked.push(format!("{path}?{query}"));
    }
    let path = path.replacen("/proxy/app/", "/v2/app/", 1);
    let Some(what) = path.strip_prefix("/v2/app/").or_else(|| path.strip_prefix("/elsewhere/")) else {
        return not_found("NAME_UNKNOWN");
    };
    if request.method() == Method::GET {
        state.seen.push(what.to_owned());
    }
    let (kind, name) = what.split_once('/').unwrap_or((what, ""));
    let content =
        state.tags.get(name).filter(|_| kind == "manifests").or_else(|| state.blobs.get(name)).cloned();
    let fault = if path.starts_with("/elsewhere/") { None } else { state.faults.get(what).cloned() };
    match (fault, content) {
        (Some(fault), content) => fail(fault, content.unwrap_or_default(), host, what),
        (None, Some(content)) => full(StatusCode::OK, content),
        (None, None) => not_found(if kind == "blobs" { "BLOB_UNKNOWN" } else { "MANIFEST_UNKNOWN" }),
    }
}

fn fail(fault: Fault, content: Vec<u8>, host: &str, what: &str) -> Response<Body> {
    let half = Bytes::from(content[..content.len() / 2].to_vec());
    let announced =
        |body: Body| Response::builder().header(header::CONTENT_LENGTH, content.len()).body(body).unwrap();
    match fault {
        Fault::Status(status, body) => full(StatusCode::from_u16(status).unwrap(), body.as_bytes().to_vec()),
        Fault::Replace(content) => full(StatusCode::OK, content),
        Fault::Truncate => {
            let cut = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
            announced(BodyExt::boxed(StreamBody::new(stream::iter([Ok(Frame::data(half)), Err(cut)]))))
        }
        Fault::Hang(sent) => {
            let rest = stream::once(async move {
                sent.notify_one();
                std::future::pending::<Result<Frame<Bytes>, std::io::Error>>().await
            });
            announced(BodyExt::boxed(StreamBody::new(stream::iter([Ok(Frame::data(half))]).chain(rest))))
        }
        Fault::Redirect(to) => {
            let to = if to.is_empty() { format!("http://{host}/elsewhere/{what}") } else { to };
            Response::builder().status(307).header(header::LOCATION, to).body(empty()).unwrap()
        }
    }
}

fn not_found(code: &str) -> Response<Body> {
    full(
        StatusCode::NOT_FOUND,
        format!(r#"{{"errors":[{{"code":"{code}","message":"unknown"}}]}}"#).into_bytes(),
    )
}

fn full(status: StatusCode, content: Vec<u8>) -> Response<Body> {
    let body = Full::new(Bytes::from(content)).map_err(|never| match never {}).boxed();
    Response::builder().status(status).body(body).unwrap()
}

fn empty() -> Body {
    Full::new(Bytes::new()).map_err(|never| match never {}).boxed()
}
