//! The durable store: one SQLite file, for a cluster of one server.
//!
//! This front hands each write to the writer's thread and awaits the answer. What the file holds is in memory too, but for
//! keys that its owner wants apart: most reads are answered from there at once, and the others handed to a reader's thread. It does
//! no I/O on the caller's thread and needs no particular runtime.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "this shell keeps the lock file; SQLite does the rest of the file work"
)]

mod cache;
mod checkpoint;
mod faults;
mod lock;
mod open;
mod queue;
mod reader;
mod rows;
mod writer;

use crate::feed::fanout::Fanout;
use crate::feed::follow::Follow;
use crate::{
    CommitError, Committed, CompactError, Entry, Fault, Feed, KeyRange, Page, Range, ReadError, Revision,
    Store, Txn, limits,
};
use base::time::Time;
use bytes::Bytes;
use cache::Cache;
use checkpoint::Checkpoints;
use futures_util::future::{BoxFuture, ready};
use lock::Lock;
use queue::Queue;
use reader::{Question, Reader, Readers};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use tokio::sync::oneshot;
use writer::{Expired, Job, Reply, Writer};

pub use open::{OpenError, Options};

/// A store in a SQLite file. Dropping it completes the writes that wait, ends its watches and closes the file.
pub struct SqliteStore {
    jobs: Arc<Queue<Job>>,
    readers: Arc<Readers>,
    cache: Arc<Cache>,
    fanout: Arc<Fanout>,
    writing: Option<JoinHandle<()>>,
    reading: Vec<JoinHandle<()>>,
    /// Declared last: what comes before is gone by the time another server may have the file.
    _lock: Lock,
}

impl SqliteStore {
    /// Opens the store, or makes one where there is none. Blocks while SQLite recovers what a crash left.
    ///
    /// # Errors
    /// When the file is in use, not ours, of a newer schema, damaged, or cannot be read or made.
    pub fn open(options: &Options) -> Result<SqliteStore, OpenError> {
        let opened = open::open(options)?;
        let fanout = Arc::new(Fanout::new(opened.span.current));
        let mut store = SqliteStore {
            jobs: Arc::new(Queue::new(limits::WRITE_QUEUE_KIB)),
            readers: Arc::new(Readers { queue: Arc::new(Queue::new(limits::READ_QUEUE)) }),
            cache: Arc::new(Cache::new(&options.apart, options.recent_bytes)),
            fanout: fanout.clone(),
            writing: None,
            reading: Vec::new(),
            _lock: opened.lock,
        };
        let failed =
            |source| OpenError::Fault(Fault::Io { path: options.path.clone(), source: Arc::new(source) });
        let checkpoints = Checkpoints::start(opened.checkpointer).map_err(failed)?;
        let writer = Writer::new(
            opened.writer,
            checkpoints,
            options.path.clone(),
            store.cache.clone(),
            fanout,
            opened.span,
        );
        let jobs = store.jobs.clone();
        let writing = thread::Builder::new().name("store-write".into()).spawn(move || {
            // Should the writer panic, its callers must hear of it rather than wait for ever.
            let _abandon = Abandon(jobs.clone());
            writer.run(&jobs);
        });
        store.writing = Some(writing.map_err(failed)?);
        let mut to_load = Some(store.cache.clone());
        for db in opened.readers {
            let mut reader = Reader { db, path: options.path.clone() };
            let (queue, cache) = (store.readers.queue.clone(), to_load.take());
            let reading = thread::Builder::new().name("store-read".into()).spawn(move || {
                if let Some(cache) = cache {
                    reader.load(&cache, &queue);
                }
                reader.run(&queue);
            });
            store.reading.push(reading.map_err(failed)?);
        }
        Ok(store)
    }

    /// Waits until the room of everything compacted so far is freed.
    pub async fn swept(&self) {
        let (reply, answer) = oneshot::channel();
        if self.jobs.push(Job::Swept(reply), 1).await.is_ok() {
            // No answer means that the store is shut down: then nothing more is freed.
            let _ = answer.await;
        }
    }

    async fn write<T, E>(
        &self,
        job: impl FnOnce(Reply<T, E>) -> Job,
        size_bytes: usize,
        refused: impl Fn(Fault) -> E,
    ) -> Result<T, E> {
        let (reply, answer) = oneshot::channel();
        // A transaction beyond the limit is refused by the core; it only has to fit into the queue.
        let kib = (size_bytes.min(limits::TXN_BYTES) >> 10) as u32 + 1;
        self.jobs.push(job(reply), kib).await.map_err(|_| refused(Fault::Closed))?;
        answer.await.unwrap_or_else(|_| Err(refused(Fault::Closed)))
    }
}

impl Store for SqliteStore {
    fn commit(&self, txn: Txn) -> BoxFuture<'_, Result<Committed, CommitError>> {
        let size_bytes = txn.size_bytes();
        Box::pin(self.write(move |reply| Job::Commit(txn, reply), size_bytes, CommitError::Fault))
    }

    fn get(&self, key: Bytes) -> BoxFuture<'_, Result<Option<Entry>, ReadError>> {
        if let Some(found) = self.cache.get(&key) {
            return Box::pin(ready(Ok(found)));
        }
        Box::pin(self.readers.ask(|reply| Question::Get(key, reply), ReadError::Fault))
    }

    fn peek(&self, key: &[u8]) -> Option<Entry> {
        self.cache.get(key).flatten()
    }

    fn range(&self, range: Range) -> BoxFuture<'_, Result<Page, ReadError>> {
        if let Some(found) = self.cache.range(&range) {
            return Box::pin(ready(found));
        }
        Box::pin(self.readers.ask(|reply| Question::Range(range, reply), ReadError::Fault))
    }

    fn watch(&self, keys: KeyRange, from: Revision) -> Feed {
        Feed::new(Follow::new(self.fanout.clone(), self.readers.clone(), keys, from))
    }

    fn expire(&self, now: Time) -> BoxFuture<'_, Result<u64, Fault>> {
        Box::pin(async move {
            let mut total = 0;
            loop {
                let expired: Expired = self.write(|reply| Job::Expire(now, reply), 0, |fault| fault).await?;
                total += expired.count;
                if !expired.more {
                    return Ok(total);
                }
            }
        })
    }

    fn compact(&self, at: Revision) -> BoxFuture<'_, Result<(), CompactError>> {
        Box::pin(self.write(move |reply| Job::Compact(at, reply), 0, CompactError::Fault))
    }

    fn current_revision(&self) -> Revision {
        self.fanout.published()
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        // The writer's connection goes last and alone: the last connection to close empties the write-ahead
        // log and removes it, and two that close at the same time both leave it to the other.
        self.readers.queue.close();
        self.reading.drain(..).for_each(finish);
        self.jobs.close();
        self.writing.take().into_iter().for_each(finish);
        self.fanout.close();
    }
}

struct Abandon(Arc<Queue<Job>>);

impl Drop for Abandon {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

fn finish(thread: JoinHandle<()>) {
    if thread.join().is_err() {
        tracing::error!("a thread of the store had panicked");
    }
}
