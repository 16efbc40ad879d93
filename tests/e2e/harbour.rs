//! An API server of somebody else's: `harbour.example.com/v1`, whose berths say who asked for them.
//!
//! It speaks HTTPS alone, believes what a proxy says of users whose certificate the cluster's front-proxy authority has signed, and can be told to
//! fall silent: then it takes connections and requests, and answers none.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use base::drain;
use base::time::SystemClock;
use base_serve::{Peer, Socket, Tls};
use futures_util::StreamExt as _;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::harness::Cluster;
use crate::network::ADDRESS;

type Body = BoxBody<Bytes, std::convert::Infallible>;

const GROUP: &str = "harbour.example.com";
const WELL: u8 = 0;
const SILENT: u8 = 1;
const BROKEN: u8 = 2;

/// A running server, which ends with this value.
pub struct Harbour {
    /// Where it is.
    pub address: SocketAddr,
    /// Who vouches for it, in PEM.
    pub authority: String,
    state: Arc<State>,
    runtime: Option<tokio::runtime::Runtime>,
}

/// How it is, and which namespaces have no berths any more.
#[derive(Default)]
struct State {
    mood: AtomicU8,
    emptied: Mutex<Vec<String>>,
}

impl Harbour {
    /// Starts it where a cluster is; its certificate is for the service `harbour` in `default`.
    pub fn start(cluster: &Cluster) -> Harbour {
        let front_proxy = cluster.value(
            &["configmap", "-n", "kube-system", "extension-apiserver-authentication"],
            "{.data.requestheader-client-ca-file}",
        );
        let params = rcgen::CertificateParams::new(vec!["harbour.default.svc".to_owned()]).expect("a name");
        let key = rcgen::KeyPair::generate().expect("a key");
        let own = params.self_signed(&key).expect("a certificate");
        let mut roots = RootCertStore::empty();
        for authority in CertificateDer::pem_slice_iter(front_proxy.as_bytes()) {
            roots.add(authority.expect("a certificate")).expect("an authority");
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let proxies = WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(&provider));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_client_cert_verifier(proxies.build().expect("authorities"))
            .with_single_cert(
                vec![own.der().clone()],
                PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).expect("a key"),
            )
            .expect("a usable certificate");
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let listener = cluster.within(|| std::net::TcpListener::bind((ADDRESS, 0)).expect("a port"));
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("its address");
        let state = Arc::new(State::default());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let guard = runtime.enter();
        let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
        let (tls, clock) = (Tls::new(config), Arc::new(SystemClock));
        let socket = Socket { listener, tls, connections: 1000, clock };
        let answering = Arc::clone(&state);
        let (signal, watch) = drain::channel();
        runtime.spawn(async move {
            let _signal = signal;
            socket.run(watch, move |peer, request| answer(Arc::clone(&answering), peer, request)).await;
        });
        drop(guard);
        Harbour { address, authority: own.pem(), state, runtime: Some(runtime) }
    }

    /// Takes requests and answers none from now on.
    pub fn fall_silent(&self) {
        self.state.mood.store(SILENT, Ordering::SeqCst);
    }

    /// Answers every request with an error from now on.
    pub fn break_down(&self) {
        self.state.mood.store(BROKEN, Ordering::SeqCst);
    }

    /// Answers again.
    pub fn recover(&self) {
        self.state.mood.store(WELL, Ordering::SeqCst);
    }
}

impl Drop for Harbour {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn answer(state: Arc<State>, peer: Arc<Peer>, request: Request<Incoming>) -> Response<Body> {
    match state.mood.load(Ordering::SeqCst) {
        SILENT => std::future::pending().await,
        BROKEN => whole(500, "text/html", "<html>".to_owned()),
        _ => serve(&state, &peer, request).await,
    }
}

fn whole(code: u16, content_type: &str, text: String) -> Response<Body> {
    let response = Response::builder().status(code).header("content-type", content_type);
    response.body(Full::new(Bytes::from(text)).boxed()).expect("an answer")
}

fn shown(value: &Value) -> Response<Body> {
    whole(200, "application/json", value.to_string())
}

fn missing() -> Response<Body> {
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound",
        "code": 404, "message": "no such berth"});
    whole(404, "application/json", status.to_string())
}

async fn serve(state: &State, peer: &Peer, mut request: Request<Incoming>) -> Response<Body> {
    let emptied = || state.emptied.lock().unwrap_or_else(PoisonError::into_inner);
    let proxied = !peer.chain.is_empty();
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let headers = request.headers().clone();
    let header = |name: &str| {
        let all: Vec<&str> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
        all.join(",")
    };
    let berth = |namespace: &str, name: &str, version: &str| {
        json!({
            "apiVersion": "harbour.example.com/v1", "kind": "Berth",
            "metadata": {"name": name, "namespace": namespace, "uid": format!("u-{name}"), "resourceVersion": version,
                "annotations": {"user": header("x-remote-user"), "groups": header("x-remote-group"),
                    "authorization": header("authorization"), "proxied": proxied.to_string()}},
            "spec": {"ship": "knarr"},
        })
    };
    match parts[..] {
        ["apis"] if header("accept").contains("v=v2") => discovery(),
        ["apis", GROUP, "v1"] => shown(&list()),
        ["openapi", "v3"] => {
            let url = "/openapi/v3/apis/harbour.example.com/v1?hash=1";
            shown(&json!({"paths": {"apis/harbour.example.com/v1": {"serverRelativeURL": url}}}))
        }
        ["openapi", "v3", "apis", GROUP, "v1"] => shown(&described(true)),
        ["openapi", "v2"] => shown(&described(false)),
        ["apis", GROUP, "v1", "namespaces", namespace, "berths"] if query.contains("watch=true") => {
            let events = [("ADDED", "1"), ("MODIFIED", "2")].map(|(event, version)| {
                let event = json!({"type": event, "object": berth(namespace, "one", version)});
                Ok(Frame::data(Bytes::from(format!("{event}\n"))))
            });
            let events = futures_util::stream::iter(events).chain(futures_util::stream::pending());
            let response = Response::builder().header("content-type", "application/json");
            response.body(BodyExt::boxed(StreamBody::new(events))).expect("an answer")
        }
        ["apis", GROUP, "v1", "namespaces", namespace, "berths"] if request.method() == "POST" => {
            let sent = request.into_body().collect().await.expect("a body").to_bytes();
            let sent: Value = serde_json::from_slice(&sent).expect("an object");
            let name = sent["metadata"]["name"].as_str().unwrap_or_default();
            whole(201, "application/json", berth(namespace, name, "1").to_string())
        }
        ["apis", GROUP, "v1", "namespaces", namespace, "berths"] => {
            if request.method() == "DELETE" {
                emptied().push(namespace.to_owned());
            }
            let gone = emptied().iter().any(|own| own == namespace);
            shown(&json!({
                "apiVersion": "harbour.example.com/v1", "kind": "BerthList", "metadata": {"resourceVersion": "1"},
                "items": if gone { Vec::new() } else { vec![berth(namespace, "one", "1")] },
            }))
        }
        ["apis", GROUP, "v1", "namespaces", _, "berths", "away"] => {
            let response = Response::builder().status(302).header("location", "https://192.0.2.1/");
            response.body(Full::default().boxed()).expect("an answer")
        }
        ["apis", GROUP, "v1", "namespaces", _, "berths", _, "talk"] => {
            let upgrade = hyper::upgrade::on(&mut request);
            tokio::spawn(async move {
                let mut talk = TokioIo::new(upgrade.await.expect("another protocol"));
                let mut said = [0; 5];
                talk.read_exact(&mut said).await.expect("something is said");
                said.reverse();
                talk.write_all(&said).await.expect("somebody listens");
                talk.shutdown().await.expect("an end");
            });
            let response = Response::builder().status(101).header("connection", "upgrade");
            response.header("upgrade", "echo").body(Full::default().boxed()).expect("an answer")
        }
        ["apis", GROUP, "v1", "namespaces", namespace, "berths", name] if name != "none" => {
            shown(&berth(namespace, name, "1"))
        }
        _ => missing(),
    }
}

fn list() -> Value {
    json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "harbour.example.com/v1",
        "resources": [{"name": "berths", "singularName": "berth", "namespaced": true, "kind": "Berth",
            "shortNames": ["bth"], "verbs": ["create", "delete", "deletecollection", "get", "list", "watch"]}],
    })
}

fn discovery() -> Response<Body> {
    let document = json!({
        "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {},
        "items": [{"metadata": {"name": GROUP}, "versions": [{"version": "v1", "freshness": "Current", "resources": [{
            "resource": "berths", "responseKind": {"group": GROUP, "version": "v1", "kind": "Berth"},
            "scope": "Namespaced", "singularResource": "berth", "shortNames": ["bth"],
            "verbs": ["create", "delete", "deletecollection", "get", "list", "watch"]}]}]}],
    });
    let content_type = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    whole(200, content_type, document.to_string())
}

/// What a berth is, in either version of OpenAPI.
fn described(third: bool) -> Value {
    let name = "com.example.harbour.v1.Berth";
    let path = "/apis/harbour.example.com/v1/namespaces/{namespace}/berths/{name}";
    let kind = json!({"group": GROUP, "version": "v1", "kind": "Berth"});
    let schema = json!({
        "description": "A place for a ship.", "type": "object", "x-kubernetes-group-version-kind": [kind],
        "properties": {
            "apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"},
            "spec": {"description": "Who lies there.", "type": "object",
                "properties": {"ship": {"description": "The name of the ship.", "type": "string"}}},
        },
    });
    let mut operation = json!({"operationId": "readBerth", "x-kubernetes-action": "get",
        "x-kubernetes-group-version-kind": kind});
    let info = json!({"title": "harbour", "version": "v1"});
    if third {
        let reference = json!({"$ref": format!("#/components/schemas/{name}")});
        operation["responses"] =
            json!({"200": {"description": "OK", "content": {"application/json": {"schema": reference}}}});
        return json!({"openapi": "3.0.0", "info": info, "paths": {path: {"get": operation}},
            "components": {"schemas": {name: schema}}});
    }
    let reference = json!({"$ref": format!("#/definitions/{name}")});
    operation["responses"] = json!({"200": {"description": "OK", "schema": reference}});
    json!({"swagger": "2.0", "info": info, "paths": {path: {"get": operation}, "/version/": {}},
        "definitions": {name: schema, "com.example.harbour.v1.Unused": {"type": "string"}}})
}
