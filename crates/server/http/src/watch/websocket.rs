//! A watch over a WebSocket, as browsers and some clients ask for it: each event is a message.
//!
//! Follows `HandleWS` in `k8s.io/apiserver/pkg/endpoints/handlers/watch.go`. What the client sends is ignored; when it closes, the watch ends.

use bytes::Bytes;
use futures_util::future::{self, Either};
use futures_util::{Stream, StreamExt as _};
use http::header::SEC_WEBSOCKET_PROTOCOL;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use api_meta::Status;
use server_authn::authenticator::PROTOCOL_PREFIX;

use crate::content::Body;
use crate::handler::bytes_answer;
use crate::limits;
use crate::negotiate::Codec;
use crate::watch::unframed;

fn parts<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|part| !part.is_empty())
}

/// Switches protocols, and sends the events from then on.
///
/// # Errors
/// When the request is no proper handshake, or names protocols of which one would have to be chosen.
pub(crate) fn answer(
    mut request: Request<Incoming>,
    codec: Codec,
    events: impl Stream<Item = Bytes> + Send + 'static,
) -> Result<Response<Body>, Status> {
    let agreed = create_response_with_body(&request, || ());
    let agreed = agreed.map_err(|error| Status::bad_request(error.to_string()))?;
    let protocol = protocol(request.headers())?;
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        match upgrade.await {
            Ok(connection) => send(TokioIo::new(connection), codec, events).await,
            Err(error) => tracing::debug!(%error, "a watch's connection was not upgraded"),
        }
    });
    let mut response = bytes_answer(agreed.status().as_u16(), "", Bytes::new());
    *response.headers_mut() = agreed.into_parts().0.headers;
    if let Some(protocol) = protocol {
        response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    Ok(response)
}

/// The protocol that the answer repeats.
fn protocol(headers: &HeaderMap) -> Result<Option<HeaderValue>, Status> {
    let mut named = parts(headers, &SEC_WEBSOCKET_PROTOCOL).filter(|name| !name.starts_with(PROTOCOL_PREFIX));
    let first = named.next().and_then(|name| HeaderValue::from_str(name).ok());
    if named.next().is_some() {
        return Err(Status::bad_request("bad protocol: a watch over a WebSocket speaks one protocol"));
    }
    Ok(first)
}

/// Sends the events until they end or the client is gone.
async fn send<T>(connection: T, codec: Codec, events: impl Stream<Item = Bytes> + Send)
where
    T: AsyncRead + AsyncWrite + Unpin + Send,
{
    let config = WebSocketConfig::default()
        .max_message_size(Some(limits::WATCHER_MESSAGE_BYTES))
        .max_frame_size(Some(limits::WATCHER_MESSAGE_BYTES));
    let socket = WebSocketStream::from_raw_socket(connection, Role::Server, Some(config)).await;
    let (sink, mut received) = socket.split();
    let message = |bytes: Bytes| match Utf8Bytes::try_from(bytes.clone()) {
        Ok(text) if codec != Codec::Proto => Message::Text(text),
        _ => Message::Binary(bytes),
    };
    // Closes the WebSocket once the events have ended.
    let events = events.map(|bytes| Ok(message(unframed(codec, bytes))));
    let sent = std::pin::pin!(events.forward(sink));
    let gone = std::pin::pin!(async { while let Some(Ok(_)) = received.next().await {} });
    if let Either::Left((Err(error), _)) = future::select(sent, gone).await {
        tracing::debug!(%error, "a watch over a WebSocket ended");
    }
}

#[cfg(test)]
mod tests {
    use futures_util::SinkExt as _;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn one_protocol_is_repeated_and_no_token() {
        let token = "base64url.bearer.authorization.k8s.io.dG9rZW4";
        for (value, repeated) in
            [("binary.k8s.io", Ok(Some("binary.k8s.io"))), (token, Ok(None)), ("a, b", Err(400))]
        {
            let found = protocol(&headers(&[("sec-websocket-protocol", value)]));
            let found = found.as_ref().map(|value| value.as_ref().and_then(|value| value.to_str().ok()));
            assert_eq!(found.map_err(|status| status.code), repeated, "{value}");
        }
    }

    async fn client(io: tokio::io::DuplexStream) -> WebSocketStream<tokio::io::DuplexStream> {
        WebSocketStream::from_raw_socket(io, Role::Client, None).await
    }

    #[tokio::test]
    async fn events_are_messages_and_the_end_closes() {
        for (codec, wanted) in
            [(Codec::Json, Message::text("{}\n")), (Codec::Proto, Message::binary(&b"{}\n"[..]))]
        {
            let (there, here) = tokio::io::duplex(1 << 16);
            let length: &[u8] = if codec == Codec::Proto { &[0, 0, 0, 3] } else { &[] };
            let events = futures_util::stream::iter([Bytes::from([length, b"{}\n"].concat())]);
            let server = tokio::spawn(send(there, codec, events));
            let mut client = client(here).await;
            assert_eq!(client.next().await.expect("a message").expect("it is whole"), wanted);
            assert!(client.next().await.expect("a farewell").expect("it is whole").is_close());
            server.await.expect("it ends");
        }
    }

    #[tokio::test]
    async fn a_client_that_closes_ends_the_watch() {
        let (there, here) = tokio::io::duplex(1 << 16);
        let server = tokio::spawn(send(there, Codec::Json, futures_util::stream::pending()));
        let mut client = client(here).await;
        client.send(Message::text("ignored")).await.expect("it is sent");
        client.close(None).await.expect("it is sent");
        server.await.expect("it ends");
    }
}
