//! The API on a socket.

use std::pin::Pin;
use std::sync::Arc;

use base::drain;
use base::time::Clock;
use base_serve::{Peer, Socket, Tls};
use http::{Request, Response};
use hyper::body::Incoming;
use rustls::ServerConfig;
use tokio::net::TcpListener;

use crate::content::Body;
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
        let answer = move |peer, request| boxed(&handler, peer, request);
        self.socket.run(drain, answer).await;
    }
}

/// Has a request answered. What comes of it is boxed: HTTP/2 polls for an answer and sends its body out of one allocation, as large as the larger
/// of the two, so that a watch would hold what it took to begin it for as long as it lasts.
fn boxed(
    handler: &Arc<Handler>,
    peer: Arc<Peer>,
    request: Request<Incoming>,
) -> Pin<Box<impl Future<Output = Response<Body>> + use<>>> {
    Box::pin(Arc::clone(handler).handle(peer, request))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How large what this makes is.
    fn room<F>(_: impl FnOnce(&Arc<Handler>, Arc<Peer>, Request<Incoming>) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn what_waits_for_an_answer_is_small_whatever_the_answer_takes() {
        let unboxed = room(|handler, peer, request| Arc::clone(handler).handle(peer, request));
        assert!(unboxed > 4_096, "{unboxed} bytes need no box");
        assert_eq!(room(boxed), size_of::<usize>());
    }
}
