//! One stream's two pumps: between the user's end of a pipe and the connection's frames.

use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::{Semaphore, mpsc};

use super::connection::{Outgoing, SendWindow, Shared};
use super::frame::Frame;
use crate::limits::{CHUNK_BYTES, STREAM_BUFFER_BYTES};

/// Moves what arrived into the pipe, and grants the peer as much again. Ends when nothing more can arrive.
pub(super) async fn arriving(
    id: u32,
    mut chunks: mpsc::UnboundedReceiver<Bytes>,
    mut pipe: WriteHalf<DuplexStream>,
    budget: Arc<Semaphore>,
    shared: Arc<Shared>,
) {
    let mut owed = 0;
    let mut wanted = true;
    while let Some(bytes) = chunks.recv().await {
        // Once nobody reads, what still arrives is thrown away, or the peer would wait forever.
        wanted = wanted && pipe.write_all(&bytes).await.is_ok();
        budget.add_permits(bytes.len());
        owed += bytes.len();
        if owed >= STREAM_BUFFER_BYTES / 2 && shared.peer_has_windows() {
            shared.control(Frame::WindowUpdate { id, delta: owed as u32 });
            owed = 0;
        }
    }
    let _ = pipe.shutdown().await;
}

/// Moves what the user writes into frames, and says when it is the end.
pub(super) async fn leaving(
    id: u32,
    mut pipe: ReadHalf<DuplexStream>,
    window: Arc<SendWindow>,
    shared: Arc<Shared>,
) {
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let most = window.at_most(CHUNK_BYTES);
        let length = pipe.read(&mut buffer[..most]).await.unwrap_or(0);
        let fin = length == 0;
        if !fin && !window.take(length).await {
            break;
        }
        let bytes = Bytes::copy_from_slice(&buffer[..length]);
        let sent = shared.data.send(Outgoing::Frame(Frame::Data { id, fin, bytes })).await;
        if fin || sent.is_err() {
            break;
        }
    }
    shared.local_end(id);
}
