//! The node's API on a socket: who asks, and whether they may.

use std::sync::Arc;

use api_meta::Status;
use base::drain;
use base::time::Clock;
use base_serve::{Peer, Socket, Tls};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use tokio::net::TcpListener;

use crate::direct::{Body, Direct, whole};
use crate::guard::{Guard, Refused, Wanted};
use crate::limits;

/// Serves the node's API on a socket.
pub struct Server {
    socket: Socket,
    inner: Arc<Inner>,
}

struct Inner {
    direct: Direct,
    guard: Arc<dyn Guard>,
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
        let socket = Socket { listener, tls, connections: limits::CONNECTIONS, clock };
        Server { socket, inner: Arc::new(Inner { direct, guard }) }
    }

    /// Serves until asked to finish; then stops accepting, and soon cuts what still goes on.
    pub async fn run(self, drain: drain::Watch) {
        let inner = self.inner;
        self.socket.run(drain, move |peer, request| Arc::clone(&inner).answer(peer, request)).await;
    }
}

impl Inner {
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
    let mut response = Response::new(whole(Bytes::from(text)));
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
