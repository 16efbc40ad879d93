//! The threads that read, each on a connection and a snapshot of its own: they neither wait for the writer
//! nor hold it up.

use super::faults::fault;
use super::queue::Queue;
use super::rows;
use super::writer::Reply;
use crate::feed::follow::{History, Replayed};
use crate::history::Span;
use crate::{Entry, Fault, KeyRange, Page, Range, ReadError, Revision, WatchError};
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
