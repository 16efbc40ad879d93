//! An extender: a program that answers as a test wants, and remembers what it was asked.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base::drain;
use base::time::SystemClock;
use base_serve::{Peer, Socket, Tls};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;
use tokio::net::TcpListener;

/// What is answered; nothing ever, if there is none.
pub type Reply = Option<(u16, String)>;

/// A JSON answer.
pub fn said(value: &Value) -> Reply {
    Some((200, value.to_string()))
}

/// An extender.
pub struct Served {
    pub url: String,
    /// Who vouches for it, if it speaks TLS.
    pub authority: Bytes,
    asked: Arc<Mutex<Vec<(String, Value)>>>,
    _signal: drain::Signal,
}

impl Served {
    /// What it was asked so far, with the verbs.
    pub fn asked(&self) -> Vec<(String, Value)> {
        self.asked.lock().unwrap().clone()
    }

    /// The verbs alone.
    pub fn verbs(&self) -> Vec<String> {
        self.asked().into_iter().map(|(verb, _)| verb).collect()
    }
}

type Answer = dyn Fn(&str, &Value) -> Reply + Send + Sync;

/// Who answers.
#[derive(Clone)]
struct Answering {
    asked: Arc<Mutex<Vec<(String, Value)>>>,
    answer: Arc<Answer>,
}

impl Answering {
    async fn answer(self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        assert_eq!(request.method(), "POST");
        assert_eq!(request.headers()["content-type"], "application/json");
        let verb = request.uri().path().rsplit('/').next().unwrap().to_owned();
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let reply = (self.answer)(&verb, &body);
        self.asked.lock().unwrap().push((verb, body));
        let Some((code, text)) = reply else { return std::future::pending().await };
        let mut response = Response::new(Full::new(Bytes::from(text)));
        *response.status_mut() = StatusCode::from_u16(code).unwrap();
        response
    }
}

/// An extender in the open.
pub async fn serve(answer: impl Fn(&str, &Value) -> Reply + Send + Sync + 'static) -> Served {
    let answering = Answering { asked: Arc::default(), answer: Arc::new(answer) };
    let asked = Arc::clone(&answering.asked);
    let (listener, address) = listen().await;
    let (signal, mut watch) = drain::channel();
    tokio::spawn(async move {
        loop {
            let stream = tokio::select! {
                () = watch.signaled() => return,
                accepted = listener.accept() => accepted.unwrap().0,
            };
            let answering = answering.clone();
            let service = service_fn(move |request| {
                let answering = answering.clone();
                async move { Ok::<_, Infallible>(answering.answer(request).await) }
            });
            tokio::spawn(async move {
                // A client that goes is none of its business.
                let builder = Builder::new(TokioExecutor::new());
                let _ = builder.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    Served { url: format!("http://{address}/scheduler/"), authority: Bytes::new(), asked, _signal: signal }
}

/// An extender of this name that speaks TLS; an authority of its own vouches for it.
pub async fn serve_tls(name: &str, answer: impl Fn(&str, &Value) -> Reply + Send + Sync + 'static) -> Served {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let key = KeyPair::generate().unwrap();
    let own = params.signed_by(&key, &authority).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let chain = vec![CertificateDer::from(own.der().to_vec())];
    let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let mut config = builder.with_no_client_auth().with_single_cert(chain, private).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let answering = Answering { asked: Arc::default(), answer: Arc::new(answer) };
    let asked = Arc::clone(&answering.asked);
    let (listener, address) = listen().await;
    let (signal, watch) = drain::channel();
    let socket = Socket { listener, tls: Tls::new(config), connections: 16, clock: Arc::new(SystemClock) };
    tokio::spawn(socket.run(watch, move |_: Arc<Peer>, request| answering.clone().answer(request)));
    let authority = Bytes::from(authority.pem());
    Served { url: format!("https://{address}"), authority, asked, _signal: signal }
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// An address at which nobody listens.
pub async fn nowhere() -> SocketAddr {
    listen().await.1
}
