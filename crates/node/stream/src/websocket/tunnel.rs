//! A byte stream in binary messages, as kubectl's port-forward tunnels SPDY.

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::limits::{CHUNK_BYTES, STREAM_BUFFER_BYTES};

/// The byte stream in a WebSocket. It ends when the WebSocket does; shutting it down closes the WebSocket.
pub fn open<T>(websocket: WebSocketStream<T>) -> DuplexStream
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (outer, inner) = tokio::io::duplex(STREAM_BUFFER_BYTES);
    let (mut from, mut to) = tokio::io::split(inner);
    let (mut sink, mut messages) = websocket.split();
    tokio::spawn(async move {
        while let Some(Ok(message)) = messages.next().await {
            let written = match message {
                Message::Binary(bytes) => to.write_all(&bytes).await,
                // Upstream's tunnel takes binary messages only.
                Message::Text(_) | Message::Close(_) => break,
                _ => Ok(()),
            };
            if written.is_err() {
                break;
            }
        }
        let _ = to.shutdown().await;
        // Reading on to the end lets the closing handshake complete.
        while let Some(Ok(_)) = messages.next().await {}
    });
    tokio::spawn(async move {
        let mut buffer = vec![0; CHUNK_BYTES];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            let message = Message::Binary(Bytes::copy_from_slice(&buffer[..length]));
            if sink.send(message).await.is_err() {
                return;
            }
        }
        let _ = sink.send(super::normal_close()).await;
    });
    outer
}
