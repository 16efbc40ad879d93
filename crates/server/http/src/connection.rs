//! Connections: accepting them, TLS, HTTP/1.1 and HTTP/2.

use std::sync::Arc;

use base::drain;
use base::time::{Clock, timeout};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use crate::handler::Handler;
use crate::identity::Peer;
use crate::limits;

/// Serves the API on a socket.
pub struct Server {
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    handler: Arc<Handler>,
    clock: Arc<dyn Clock>,
}

impl Server {
    /// A server on a bound socket. The TLS configuration's protocols should be `h2` and `http/1.1`.
    pub fn new(
        listener: TcpListener,
        tls: Arc<ServerConfig>,
        handler: Arc<Handler>,
        clock: Arc<dyn Clock>,
    ) -> Server {
        Server { listener, tls, handler, clock }
    }

    /// Serves until asked to finish; then stops accepting and lets running requests end.
    pub async fn run(self, mut drain: drain::Watch) {
        let places = Arc::new(Semaphore::new(limits::CONNECTIONS));
        let acceptor = TlsAcceptor::from(Arc::clone(&self.tls));
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
                    tracing::warn!(%error, "connection.accept");
                    self.clock.sleep(std::time::Duration::from_millis(100)).await;
                    continue;
                }
            };
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let connection = Connection {
                acceptor: acceptor.clone(),
                handler: Arc::clone(&self.handler),
                clock: Arc::clone(&self.clock),
            };
            let drain = drain.clone();
            tokio::spawn(async move {
                connection.serve(socket, drain).await;
                drop(place);
            });
        }
    }
}

struct Connection {
    acceptor: TlsAcceptor,
    handler: Arc<Handler>,
    clock: Arc<dyn Clock>,
}

impl Connection {
    async fn serve(self, socket: TcpStream, mut drain: drain::Watch) {
        let _ = socket.set_nodelay(true);
        let shaken = timeout(&*self.clock, limits::HANDSHAKE, self.acceptor.accept(socket)).await;
        let stream = match shaken {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return tracing::debug!(%error, "connection.handshake"),
            Err(_) => return,
        };
        let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let chain = chain.iter().map(|certificate| certificate.clone().into_owned()).collect();
        let peer = Arc::new(Peer { chain });
        let handler = self.handler;
        let service = service_fn(move |request| {
            let (handler, peer) = (Arc::clone(&handler), Arc::clone(&peer));
            async move { Ok::<_, std::convert::Infallible>(handler.handle(peer, request).await) }
        });
        let mut builder = Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new());
        builder.http2().timer(TokioTimer::new()).max_concurrent_streams(limits::STREAMS);
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = drain.signaled() => {
                connection.as_mut().graceful_shutdown();
                // Watches would keep a draining connection open for as long as their clients like.
                timeout(&*self.clock, std::time::Duration::from_secs(1), connection).await.unwrap_or(Ok(()))
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "connection.ended");
        }
    }
}
