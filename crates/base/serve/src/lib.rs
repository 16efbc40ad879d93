//! A socket that speaks TLS and HTTP: accepting connections, shaking hands, and ending in time. Knows nothing of what is served.
//!
//! Layer: just above `base`; a shell. Used by the API server's HTTP and by the node's, which must not know each other. Entry points:
//! [`Socket::run`]; for the other side of TLS [`dial`], with [`trust`], or with [`anyone`] where nobody can know who answers; [`websocket`]
//! for its handshake; [`words`] for why it did not work out.
//!
//! Invariants: no more connections than their bound are open at once, and one whose handshake is slow holds its place for a bounded
//! time only. A failing accept (out of descriptors, mostly) is waited out.
//! State: connections. Failure: one that breaks ends its own requests. Limits: [`limits`].
//! How to test: `cargo test -p base-serve`.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a shell: it owns the sockets")]

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};

use base::drain;
use base::time::{Clock, timeout};
use http::{Request, Response};
use http_body::Body;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

pub mod anyone;
pub mod dial;
mod host_header;
mod idle;
pub mod limits;
pub mod trust;
pub mod websocket;
pub mod words;

use idle::{Activity, Answering, Running, Said};

/// How TLS is spoken, which may change while it is: certificates are renewed.
#[derive(Clone)]
pub struct Tls(Arc<RwLock<Arc<ServerConfig>>>);

impl Tls {
    /// TLS by a configuration, whose protocols should be `h2` and `http/1.1`.
    pub fn new(config: impl Into<Arc<ServerConfig>>) -> Tls {
        Tls(Arc::new(RwLock::new(config.into())))
    }

    /// Speaks by another configuration from the next connection on.
    pub fn replace(&self, config: ServerConfig) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
    }

    fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// What a connection knows of its other end.
#[derive(Clone, Debug, Default)]
pub struct Peer {
    /// Where it is; unknown where nobody connected.
    pub address: Option<SocketAddr>,
    /// The certificates that it showed, its own first; none over plain sockets.
    pub chain: Vec<CertificateDer<'static>>,
}

/// A bound socket and how it is served.
pub struct Socket {
    /// The socket.
    pub listener: TcpListener,
    /// How TLS is spoken on it.
    pub tls: Tls,
    /// How many connections may be open at once.
    pub connections: usize,
    /// What time-outs are counted by.
    pub clock: Arc<dyn Clock>,
}

impl Socket {
    /// Answers requests by `answer` until asked to finish; then stops accepting, lets running requests end, and soon cuts what still
    /// goes on.
    pub async fn run<A, F, B>(self, mut drain: drain::Watch, answer: A)
    where
        A: Fn(Arc<Peer>, Request<Incoming>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let places = Arc::new(Semaphore::new(self.connections));
        loop {
            let accepted = tokio::select! {
                biased;
                () = drain.signaled() => return,
                accepted = self.listener.accept() => accepted,
            };
            let (socket, address) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "connection.accept");
                    self.clock.sleep(limits::ACCEPT_AGAIN).await;
                    continue;
                }
            };
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let (acceptor, clock) = (self.tls.acceptor(), Arc::clone(&self.clock));
            let (answer, drain) = (answer.clone(), drain.clone());
            tokio::spawn(async move {
                serve(socket, address, acceptor, clock, drain, answer).await;
                drop(place);
            });
        }
    }
}

async fn serve<A, F, B>(
    socket: TcpStream,
    address: SocketAddr,
    acceptor: TlsAcceptor,
    clock: Arc<dyn Clock>,
    mut drain: drain::Watch,
    answer: A,
) where
    A: Fn(Arc<Peer>, Request<Incoming>) -> F + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let _ = socket.set_nodelay(true);
    let stream = match timeout(&*clock, limits::HANDSHAKE, acceptor.accept(socket)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(%error, "connection.handshake"),
        Err(_) => return,
    };
    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let chain = chain.iter().map(|certificate| certificate.clone().into_owned()).collect();
    let peer = Arc::new(Peer { address: Some(address), chain });
    let activity = Arc::new(Activity::default());
    let noticed = Arc::clone(&activity);
    let service = service_fn(move |request| {
        let running = Running::on(&noticed);
        let answered = match host_header::fault(&request) {
            Some(why) => Err(host_header::refusal(why, Said::text)),
            None => Ok(answer(Arc::clone(&peer), request)),
        };
        async move {
            let response = match answered {
                Ok(answered) => answered.await.map(Said::Answer),
                Err(refused) => refused,
            };
            Ok::<_, Infallible>(response.map(|body| Answering { body, _running: running }))
        }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits::HEAD)
        .max_headers(limits::HEAD_FIELDS);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits::STREAMS)
        .max_header_list_size(limits::HEAD_BYTES)
        .max_send_buf_size(limits::UNREAD_BYTES);
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let rested = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = drain.signaled() => None,
        () = activity.ceased(&*clock, limits::IDLE) => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = connection.as_mut() => Some(ended),
                () = drain.signaled() => None,
                // Whoever is asked to end it and neither does so nor asks for anything more is cut off.
                () = activity.ceased(&*clock, limits::FAREWELL) => Some(Ok(())),
            }
        }
    };
    let ended = match rested {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            // Watches and followed logs would keep a draining connection open for as long as their clients like.
            timeout(&*clock, limits::DRAIN, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection.ended");
    }
}
