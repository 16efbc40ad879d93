//! A watch over a WebSocket: each event is a message.
//!
//! Follows `HandleWS` in `k8s.io/apiserver/pkg/endpoints/handlers/watch.go`.

use base_serve::websocket::{accept, listed};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use http::header::SEC_WEBSOCKET_PROTOCOL;
use http::{HeaderMap, Request, Response};
use hyper::body::Incoming;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use api_meta::Status;
use server_authn::authenticator::PROTOCOL_PREFIX;

use crate::content::Body;
use crate::negotiate::Codec;
use crate::watch::unframed;
use crate::websocket;

/// Switches protocols, and sends the events from then on.
///
/// # Errors
/// When the request names protocols of which one would have to be chosen.
pub(crate) fn answer(
    mut request: Request<Incoming>,
    codec: Codec,
    events: impl Stream<Item = Bytes> + Send + 'static,
) -> Result<Response<Body>, Status> {
    let protocol = protocol(request.headers())?;
    Ok(match accept(request.headers(), &protocol) {
        Ok(agreed) => {
            let upgrade = hyper::upgrade::on(&mut request);
            websocket::serve(upgrade, agreed, events.map(move |bytes| message(codec, bytes)))
        }
        Err(refused) => websocket::refused(refused),
    })
}

/// The protocol that the answer repeats, empty for none.
fn protocol(headers: &HeaderMap) -> Result<String, Status> {
    let named = listed(headers, &SEC_WEBSOCKET_PROTOCOL);
    let mut named = named.into_iter().filter(|name| !name.starts_with(PROTOCOL_PREFIX));
    let first = named.next().unwrap_or_default();
    if named.next().is_some() {
        return Err(Status::bad_request("bad protocol: a watch over a WebSocket speaks one protocol"));
    }
    Ok(first)
}

fn message(codec: Codec, bytes: Bytes) -> Message {
    let bytes = unframed(codec, bytes);
    match Utf8Bytes::try_from(bytes.clone()) {
        Ok(text) if codec != Codec::Proto => Message::Text(text),
        _ => Message::Binary(bytes),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn one_protocol_is_repeated_and_no_token() {
        let token = "base64url.bearer.authorization.k8s.io.dG9rZW4";
        for (value, repeated) in [("binary.k8s.io", Ok("binary.k8s.io")), (token, Ok("")), ("a, b", Err(400))]
        {
            let mut headers = HeaderMap::new();
            headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(value));
            let found = protocol(&headers);
            assert_eq!(found.as_deref().map_err(|status| status.code), repeated, "{value}");
        }
    }

    #[test]
    fn json_is_text_and_protobuf_is_not() {
        let framed = Bytes::from_static(b"\0\0\0\x03{}\n");
        assert_eq!(message(Codec::Json, framed.slice(4..)), Message::text("{}\n"));
        assert_eq!(message(Codec::Proto, framed), Message::binary(&b"{}\n"[..]));
    }
}
