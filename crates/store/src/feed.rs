//! A watch, seen by its reader.
//!
//! A [`Feed`] is polled; it neither spawns nor blocks, so a simulator drives it as well as a runtime does.
//! The backends' own form is `follow`, decorators (lagging, cutting) wrap a feed by implementing [`Source`].

use crate::{Event, Revision, WatchError};
use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

pub(crate) mod fanout;
pub(crate) mod follow;
mod index;

/// Some consecutive events of a watch. Never has a part of a revision's events only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The events, in the order in which they happened.
    pub events: Vec<Event>,
    /// The watcher has seen everything up to and including this revision.
    pub complete: Revision,
}

/// Where the batches of a [`Feed`] come from.
pub trait Source: Send {
    /// The next batch that has events, once there is one. After an error it keeps returning errors.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Batch, WatchError>>;

    /// The revision up to which the batches returned so far are complete.
    fn complete(&self) -> Revision;
}

/// The events of a watch, in order, none lost and none twice.
///
/// A reader that falls behind costs the store no memory: past a bound, its events are read from the history again.
pub struct Feed {
    source: Box<dyn Source>,
}

impl Feed {
    /// A feed of what `source` yields.
    pub fn new(source: impl Source + 'static) -> Feed {
        Feed { source: Box::new(source) }
    }

    /// The next batch, as soon as there is one.
    ///
    /// # Errors
    /// When the watch cannot go on; it then never will.
    pub async fn next(&mut self) -> Result<Batch, WatchError> {
        poll_fn(|cx| self.source.poll_next(cx)).await
    }

    /// The same for callers that poll.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Batch, WatchError>> {
        self.source.poll_next(cx)
    }

    /// A batch if one is there already. (A backend that reads its history elsewhere may have one only later.)
    ///
    /// # Errors
    /// As [`Feed::next`].
    pub fn try_next(&mut self) -> Result<Option<Batch>, WatchError> {
        match self.source.poll_next(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(batch) => batch.map(Some),
            Poll::Pending => Ok(None),
        }
    }

    /// The revision up to which the batches returned so far are complete: what a bookmark may say.
    ///
    /// It grows also while nothing happens to the watched keys. Once a write is answered and the feed has nothing
    /// ready, it is at least that write's revision. It is to be asked for: nobody is woken for progress alone.
    pub fn complete(&self) -> Revision {
        self.source.complete()
    }
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Feed").field("complete", &self.complete()).finish_non_exhaustive()
    }
}
