//! Messages to a client over a WebSocket, as browsers and some clients ask for them: a watch's events, a log.
//!
//! Follows `k8s.io/apiserver/pkg/endpoints/handlers/watch.go` and `k8s.io/streaming/pkg/httpstream/wsstream`. What the client sends is
//! ignored; when it closes, that is the end.

use base_serve::websocket::Refused;
use bytes::Bytes;
use futures_util::future::{self, Either};
use futures_util::{Stream, StreamExt as _};
use http::{HeaderMap, Response};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::content::{self, Body};
use crate::handler::bytes_answer;
use crate::limits;

/// Switches protocols as agreed, and sends the messages from then on.
pub(crate) fn serve(
    upgrade: OnUpgrade,
    agreed: HeaderMap,
    messages: impl Stream<Item = Message> + Send + 'static,
) -> Response<Body> {
    tokio::spawn(async move {
        match upgrade.await {
            Ok(connection) => send(TokioIo::new(connection), messages).await,
            Err(error) => tracing::debug!(%error, "websocket.upgrade"),
        }
    });
    let mut response = bytes_answer(101, "", Bytes::new());
    *response.headers_mut() = agreed;
    response
}

/// The answer to a request whose protocol is not spoken.
pub(crate) fn refused(refused: Refused) -> Response<Body> {
    let mut response = Response::new(content::whole(refused.body));
    *response.status_mut() = refused.status;
    *response.headers_mut() = *refused.headers;
    response
}

/// Sends the messages until they end or the client is gone.
async fn send<T>(connection: T, messages: impl Stream<Item = Message> + Send)
where
    T: AsyncRead + AsyncWrite + Unpin + Send,
{
    let config = WebSocketConfig::default()
        .max_message_size(Some(limits::LISTENER_MESSAGE_BYTES))
        .max_frame_size(Some(limits::LISTENER_MESSAGE_BYTES));
    let socket = WebSocketStream::from_raw_socket(connection, Role::Server, Some(config)).await;
    let (sink, mut received) = socket.split();
    // Closes the WebSocket once the messages have ended.
    let sent = std::pin::pin!(messages.map(Ok).forward(sink));
    let gone = std::pin::pin!(async { while let Some(Ok(_)) = received.next().await {} });
    if let Either::Left((Err(error), _)) = future::select(sent, gone).await {
        tracing::debug!(%error, "websocket.send");
    }
}

#[cfg(test)]
mod tests {
    use futures_util::SinkExt as _;

    use super::*;

    async fn client(io: tokio::io::DuplexStream) -> WebSocketStream<tokio::io::DuplexStream> {
        WebSocketStream::from_raw_socket(io, Role::Client, None).await
    }

    #[tokio::test]
    async fn the_end_closes() {
        let (there, here) = tokio::io::duplex(1 << 16);
        let messages = futures_util::stream::iter([Message::text("{}\n")]);
        let server = tokio::spawn(send(there, messages));
        let mut client = client(here).await;
        assert_eq!(client.next().await.expect("a message").expect("it is whole"), Message::text("{}\n"));
        assert!(client.next().await.expect("a farewell").expect("it is whole").is_close());
        server.await.expect("it ends");
    }

    #[tokio::test]
    async fn a_client_that_closes_ends_it() {
        let (there, here) = tokio::io::duplex(1 << 16);
        let server = tokio::spawn(send(there, futures_util::stream::pending()));
        let mut client = client(here).await;
        client.send(Message::text("ignored")).await.expect("it is sent");
        client.close(None).await.expect("it is sent");
        server.await.expect("it ends");
    }

    #[tokio::test]
    async fn a_client_that_is_gone_without_a_word_ends_it() {
        let (there, here) = tokio::io::duplex(1 << 16);
        let server = tokio::spawn(send(there, futures_util::stream::pending()));
        drop(here);
        server.await.expect("it ends");
    }
}
