//! One layer on its way from a registry to the thread that unpacks it.

use std::io::{self, Read};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use reqwest::Response;
use tokio::sync::mpsc;

use super::registry::Registry;
use super::{Tally, Threads, blocking};
use crate::error::{ImageError, Result};
use crate::limits;
use crate::store::LayerSpec;

enum Chunk {
    Data(Bytes),
    /// The whole body came. A channel that closes without it means that the download broke or was given up.
    End,
}

impl Registry {
    /// Downloads and unpacks a layer, unless it is there or another pull is about to bring it.
    pub(super) async fn layer(&self, threads: &Threads, spec: LayerSpec, tally: Arc<Tally>) -> Result<()> {
        let flight = threads.work.store().flight(&spec.diff_id).lock_owned().await;
        let (holder, wanted) = (threads.clone(), spec.clone());
        let present = blocking(move || {
            holder.work.pin([&wanted.digest, &wanted.diff_id])?;
            Ok(holder.work.has(&wanted))
        })
        .await?;
        if present {
            tally.layer_done(spec.size);
            return Ok(());
        }
        let response = self.blob(&spec.digest).await?;
        let (sender, receiver) = mpsc::channel(limits::CHUNKS_WAITING);
        let (holder, wanted) = (threads.clone(), spec.clone());
        let unpacking = tokio::task::spawn_blocking(move || {
            // Held here rather than by the future, which may be dropped long before this thread ends.
            let (_flight, holder) = (flight, holder);
            holder.work.ingest(&wanted, Received { receiver, chunk: Bytes::new(), ended: false })
        });
        let fed = self.feed(response, sender, &tally).await;
        let unpacked = unpacking.await.map_err(|_| ImageError::Interrupted)?;
        fed?;
        unpacked?;
        tally.layer_done(0);
        Ok(())
    }

    async fn feed(&self, mut response: Response, sender: mpsc::Sender<Chunk>, tally: &Tally) -> Result<()> {
        while let Some(chunk) = response.chunk().await.map_err(|error| self.broken(&error))? {
            let bytes = chunk.len() as u64;
            // A receiver that is gone has an error of its own.
            if sender.send(Chunk::Data(chunk)).await.is_err() {
                return Ok(());
            }
            tally.downloaded(bytes);
        }
        let _ = sender.send(Chunk::End).await;
        Ok(())
    }
}

/// The unpacking thread's end.
struct Received {
    receiver: mpsc::Receiver<Chunk>,
    chunk: Bytes,
    ended: bool,
}

impl Read for Received {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() && !self.ended {
            match self.receiver.blocking_recv() {
                Some(Chunk::Data(chunk)) => self.chunk = chunk,
                Some(Chunk::End) => self.ended = true,
                None => {
                    return Err(io::Error::new(
                        io::ErrorKind::ConnectionAborted,
                        "the download was given up",
                    ));
                }
            }
        }
        let count = self.chunk.len().min(buffer.len());
        self.chunk.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}
