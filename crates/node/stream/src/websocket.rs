//! WebSocket as Kubernetes uses it: channels in messages, or a byte stream in messages.
//!
//! The framing is `tungstenite`'s; the request and its answer are [`crate::negotiate`]'s.

pub mod channels;
pub mod tunnel;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};

use crate::limits::{CHUNK_BYTES, MESSAGE_MAX_BYTES};

/// The message that ends a WebSocket by agreement. Without a status kubectl takes the end for a failure.
fn normal_close() -> Message {
    Message::Close(Some(CloseFrame { code: CloseCode::Normal, reason: "".into() }))
}

/// A WebSocket over a connection that has been upgraded already.
pub async fn upgraded<T>(io: T, role: Role) -> WebSocketStream<T>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_MAX_BYTES))
        .max_frame_size(Some(MESSAGE_MAX_BYTES))
        .write_buffer_size(0)
        .max_write_buffer_size(4 * MESSAGE_MAX_BYTES)
        .read_buffer_size(CHUNK_BYTES);
    WebSocketStream::from_raw_socket(io, role, Some(config)).await
}
