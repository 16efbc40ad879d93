//! The node's API on a socket: TLS, who asks, and whether they may.

use std::convert::Infallible;
use std::sync::{Arc, PoisonError, RwLock};

use api_meta::Status;
use base::drain;
use base::time::{Clock, timeout};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use crate::direct::{Body, Direct};
use crate::guard::{Guard, Peer, Refused, Wanted};
use crate::limits;

/// How TLS is spoken, which changes when the node's certificate is renewed.
#[derive(Clone)]
pub struct Tls(Arc<RwLock<Arc<ServerConfig>>>);

impl Tls {
    /// TLS by a configuration.
    pub fn new(config: ServerConfig) -> Tls {
        Tls(Arc::new(RwLock::new(Arc::new(config))))
    }

    /// Speaks by another configuration from the next connection on.
    pub fn replace(&self, config: ServerConfig) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
    }

    fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// Serves the node's API on a socket.
pub struct Server {
    listener: TcpListener,
    tls: Tls,
    inner: Arc<Inner>,
}

fn shown(session: &rustls::ServerConnection) -> Peer {
    let certificates = session.peer_certificates().unwrap_or_default();
    Peer { chain: certificates.iter().map(|certificate| certificate.clone().into_owned()).collect() }
}

struct Inner {
    direct: Direct,
    guard: Arc<dyn Guard>,
    clock: Arc<dyn Clock>,
}

impl Server {
    /// A server on a bound socket.
    pub fn new(
        listener: TcpListener,
        tls: Tls,
        direct: Direct,
        guard: Arc<dyn Guard>,
        clock: Arc<dyn Clock>,
    ) -> Server {
        Server { listener, tls, inner: Arc::new(Inner { direct, guard, clock }) }
    }

    /// Serves until asked to finish; then stops accepting, and soon cuts what still goes on.
    pub async fn run(self, mut drain: drain::Watch) {
        let places = Arc::new(Semaphore::new(limits::CONNECTIONS));
        loop {
            let accepted = tokio::select! {
                biased;
                () = drain.signaled() => return,
                accepted = self.listener.accept() => accepted,
            };
            let socket = match accepted {
                Ok((socket, _)) => socket,
                Err(error) => {
                    // Out of descriptors, mostly: wait for some to come back.
                    tracing::warn!(%error, "node.accept");
                    self.inner.clock.sleep(std::time::Duration::from_millis(100)).await;
                    continue;
                }
            };
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let (acceptor, inner, drain) = (self.tls.acceptor(), Arc::clone(&self.inner), drain.clone());
            tokio::spawn(async move {
                inner.serve(acceptor, socket, drain).await;
                drop(place);
            });
        }
    }
}

impl Inner {
    async fn serve(self: Arc<Self>, acceptor: TlsAcceptor, socket: TcpStream, mut drain: drain::Watch) {
        let _ = socket.set_nodelay(true);
        let stream = match timeout(&*self.clock, limits::HANDSHAKE, acceptor.accept(socket)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return tracing::debug!(%error, "node.handshake"),
            Err(_) => return,
        };
        let peer = Arc::new(shown(stream.get_ref().1));
        let clock = Arc::clone(&self.clock);
        let service = service_fn(move |request| {
            let (inner, peer) = (Arc::clone(&self), Arc::clone(&peer));
            async move { Ok::<_, Infallible>(inner.answer(peer, request).await) }
        });
        let mut builder = Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new());
        builder.http2().timer(TokioTimer::new());
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = drain.signaled() => {
                connection.as_mut().graceful_shutdown();
                timeout(&*clock, limits::DRAIN, connection).await.unwrap_or(Ok(()))
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "node.connection");
        }
    }

    async fn answer(self: Arc<Self>, peer: Arc<Peer>, request: Request<Incoming>) -> Response<Body> {
        let wanted = Wanted::of(request.method(), request.uri().path());
        match self.guard.admit(&peer, request.headers(), wanted).await {
            Ok(()) => self.direct.answer(request).await.unwrap_or_else(failure),
            Err(Refused::Unauthorized) => {
                let mut response = text(StatusCode::UNAUTHORIZED, "Unauthorized".to_owned());
                response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
                response
            }
            Err(Refused::Forbidden(why)) => text(StatusCode::FORBIDDEN, why),
            Err(Refused::Failed(status)) => {
                text(StatusCode::INTERNAL_SERVER_ERROR, format!("the caller cannot be checked: {status}"))
            }
        }
    }
}

fn text(code: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from(text)).boxed_unsync());
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// What could not be done, in the API's own form: the API server hands it on as it is.
fn failure(status: Status) -> Response<Body> {
    let code = StatusCode::from_u16(status.http_code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = serde_json::json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": status.message,
        "reason": status.reason,
        "code": status.code,
    });
    let mut response = text(code, body.to_string());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
