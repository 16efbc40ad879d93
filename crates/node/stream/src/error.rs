//! What ends a streaming connection.

use thiserror::Error;

/// Why a connection ended other than by agreement.
#[derive(Debug, Error)]
pub enum StreamError {
    /// The peer, or the way to it, is gone.
    #[error("the connection was lost")]
    Lost(#[source] std::io::Error),
    /// The connection has been closed.
    #[error("the connection is closed")]
    Closed,
    /// The peer sent what the protocol does not allow.
    #[error("protocol error: {0}")]
    Protocol(&'static str),
    /// The WebSocket layer failed.
    #[error("websocket error")]
    WebSocket(#[source] Box<tokio_tungstenite::tungstenite::Error>),
    /// The peer refused a stream.
    #[error("the peer refused the stream (status {0})")]
    Refused(u32),
    /// The client did not open the streams it announced.
    #[error("timed out waiting for client to create streams")]
    Timeout,
}
