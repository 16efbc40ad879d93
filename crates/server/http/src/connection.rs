//! The API on a socket.

use std::sync::Arc;

use base::drain;
use base::time::Clock;
use base_serve::{Socket, Tls};
use rustls::ServerConfig;
use tokio::net::TcpListener;

use crate::handler::Handler;
use crate::limits;

/// Serves the API on a socket.
pub struct Server {
    socket: Socket,
    handler: Arc<Handler>,
}

impl Server {
    /// A server on a bound socket. The TLS configuration's protocols should be `h2` and `http/1.1`.
    pub fn new(
        listener: TcpListener,
        tls: Arc<ServerConfig>,
        handler: Arc<Handler>,
        clock: Arc<dyn Clock>,
    ) -> Server {
        let socket = Socket { listener, tls: Tls::new(tls), connections: limits::CONNECTIONS, clock };
        Server { socket, handler }
    }

    /// Serves until asked to finish; then stops accepting and lets running requests end.
    pub async fn run(self, drain: drain::Watch) {
        let handler = self.handler;
        let answer = move |peer, request| {
            let handler = Arc::clone(&handler);
            async move { handler.handle(peer, request).await }
        };
        self.socket.run(drain, answer).await;
    }
}
