//! The threads that read, each on a connection and a snapshot of its own: they neither wait for the writer
//! nor hold it up.

use super::cache::Cache;
use super::faults::fault;
use super::queue::Queue;
use super::rows;
use super::writer::Reply;
use crate::feed::follow::{History, Replayed};
use crate::history::Span;
use crate::{Entry, Fault, KeyRange, Page, Range, ReadError, Revision, WatchError, limits};
use base::error::Chain;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use rusqlite::Connection;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::oneshot;

/// What is asked of a reader.
pub(super) enum Question {
    Get(Bytes, Reply<Option<Entry>, ReadError>),
    Range(Range, Reply<Page, ReadError>),
    Replay { keys: KeyRange, from: Revision, through: Revision, reply: Reply<Replayed, WatchError> },
}

/// Where to ask.
pub(super) struct Readers {
    pub(super) queue: Arc<Queue<Question>>,
}

impl Readers {
    pub(super) async fn ask<T, E>(
        &self,
        question: impl FnOnce(Reply<T, E>) -> Question,
        refused: impl Fn(Fault) -> E,
    ) -> Result<T, E> {
        let (reply, answer) = oneshot::channel();
        self.queue.push(question(reply), 1).await.map_err(|_| refused(Fault::Closed))?;
        answer.await.unwrap_or_else(|_| Err(refused(Fault::Closed)))
    }
}

impl History for Readers {
    fn replay(
        &self,
        keys: KeyRange,
        from: Revision,
        through: Revision,
    ) -> BoxFuture<'static, Result<Replayed, WatchError>> {
        let readers = Readers { queue: self.queue.clone() };
        Box::pin(async move {
            let question = |reply| Question::Replay { keys, from, through, reply };
            readers.ask(question, WatchError::Fault).await
        })
    }
}

/// One reading thread.
pub(super) struct Reader {
    pub(super) db: Connection,
    pub(super) path: PathBuf,
}

impl Reader {
    /// Reads into memory what there is, unless the queue is closed meanwhile.
    pub(super) fn load(&mut self, cache: &Cache, queue: &Queue<Question>) {
        match self.all(&cache.covered(), queue) {
            Ok(Some((current, entries))) => cache.load(current, entries),
            Ok(None) => cache.give_up(),
            Err(error) => {
                let fault = fault(&self.path, error);
                tracing::warn!(error = %Chain(&fault), "the store is not in memory, and so is slower");
                cache.give_up();
            }
        }
    }

    fn all(
        &mut self,
        ranges: &[KeyRange],
        queue: &Queue<Question>,
    ) -> rusqlite::Result<Option<(Revision, Vec<Entry>)>> {
        let db = self.db.transaction()?;
        let current = rows::current(&db)?;
        let mut entries: Vec<Entry> = Vec::new();
        for keys in ranges {
            let mut rest = keys.clone();
            loop {
                if queue.is_closed() {
                    return Ok(None);
                }
                let ids = rows::living(&db, &rest, current, limits::LOAD_ENTRIES)?;
                let more = ids.len() == limits::LOAD_ENTRIES;
                for id in ids {
                    entries.push(rows::entry(&db, id)?);
                }
                match entries.last().filter(|_| more) {
                    Some(last) => rest = keys.after(&last.key),
                    None => break,
                }
            }
        }
        Ok(Some((current, entries)))
    }

    /// Works until the queue is closed and empty.
    pub(super) fn run(mut self, queue: &Queue<Question>) {
        while let Some(question) = queue.pop() {
            // A caller that went away is not told; that is its right.
            match question {
                Question::Get(key, reply) => drop(reply.send(self.get(&key))),
                Question::Range(range, reply) => drop(reply.send(self.range(&range))),
                Question::Replay { keys, from, through, reply } => {
                    drop(reply.send(self.replay(&keys, from, through)));
                }
            }
        }
    }

    fn get(&self, key: &Bytes) -> Result<Option<Entry>, ReadError> {
        let found =
            rows::latest(&self.db, key).map_err(|error| ReadError::Fault(fault(&self.path, error)))?;
        Ok(found.map(|(_, entry)| entry))
    }

    fn range(&mut self, range: &Range) -> Result<Page, ReadError> {
        let failed = |error| ReadError::Fault(fault(&self.path, error));
        let db = self.db.transaction().map_err(failed)?;
        let span = span(&db).map_err(failed)?;
        let at = span.read_at(range.at)?;
        let limit = range.limit.unwrap_or(usize::MAX);
        let mut ids = rows::living(&db, &range.keys, at, limit.saturating_add(1)).map_err(failed)?;
        let mut more = ids.len() > limit;
        ids.truncate(limit);
        let (mut entries, mut taken) = (Vec::with_capacity(ids.len()), 0);
        for id in ids {
            let entry = rows::entry(&db, id).map_err(failed)?;
            if range.is_full(taken, entry.value.len()) {
                more = true;
                break;
            }
            taken += entry.value.len();
            entries.push(entry);
        }
        let remaining = match (range.count, entries.last()) {
            (false, _) => None,
            (true, _) if !more => Some(0),
            (true, None) => Some(rows::count(&db, &range.keys, at).map_err(failed)?),
            (true, Some(last)) => {
                let beyond = range.keys.after(&last.key);
                Some(rows::count(&db, &beyond, at).map_err(failed)?)
            }
        };
        Ok(Page { entries, revision: span.current, more, remaining })
    }

    fn replay(&mut self, keys: &KeyRange, from: Revision, through: Revision) -> Result<Replayed, WatchError> {
        let failed = |error| WatchError::Fault(fault(&self.path, error));
        let db = self.db.transaction().map_err(failed)?;
        let compacted = rows::compacted(&db).map_err(failed)?;
        if from < compacted {
            return Err(WatchError::Compacted { at: compacted });
        }
        rows::replay(&db, keys, from, through).map_err(failed)
    }
}

/// How far the history reaches in the snapshot that `db` is on.
pub(super) fn span(db: &Connection) -> rusqlite::Result<Span> {
    Ok(Span { compacted: rows::compacted(db)?, current: rows::current(db)? })
}
