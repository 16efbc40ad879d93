//! One watch: first what the history holds, then what is published, and back to the history whenever it fell behind.

use super::fanout::{Fanout, Subscription, Taken};
use super::{Batch, Source};
use crate::{Event, Fault, KeyRange, Revision, WatchError};
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// Reads past events.
pub(crate) trait History: Send + Sync {
    /// Events of `keys` from revision `from` up to `through` at most; may stop earlier, but not before `from`
    /// is done.
    fn replay(
        &self,
        keys: KeyRange,
        from: Revision,
        through: Revision,
    ) -> BoxFuture<'static, Result<Replayed, WatchError>>;
}

/// A stretch of history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Replayed {
    /// Its events, in order.
    pub(crate) events: Vec<Event>,
    /// The last revision that it covers.
    pub(crate) through: Revision,
}

/// A watch of a store that publishes to a [`Fanout`].
pub(crate) struct Follow<H> {
    fanout: Arc<Fanout>,
    history: Arc<H>,
    keys: KeyRange,
    place: Arc<Subscription>,
    /// The revisions, first and last, that have to be read from the history.
    owed: Option<(Revision, Revision)>,
    reading: Option<BoxFuture<'static, Result<Replayed, WatchError>>>,
    complete: Revision,
    failed: Option<WatchError>,
}

impl<H: History> Follow<H> {
    /// A watch of `keys`, `from` on. Its first events are those of the history, if `from` is in the past.
    pub(crate) fn new(fanout: Arc<Fanout>, history: Arc<H>, keys: KeyRange, from: Revision) -> Follow<H> {
        let (place, published) = fanout.subscribe(keys.clone(), from);
        let owed = (Revision::NONE < from && from <= published).then_some((from, published));
        let complete = owed.map_or(published, |(from, _)| from.before());
        Follow { fanout, history, keys, place, owed, reading: None, complete, failed: None }
    }

    fn poll_history(
        &mut self,
        from: Revision,
        through: Revision,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Vec<Event>, WatchError>> {
        let reading =
            self.reading.get_or_insert_with(|| self.history.replay(self.keys.clone(), from, through));
        let replayed = ready!(reading.as_mut().poll(cx));
        self.reading = None;
        let replayed = replayed?;
        self.complete = replayed.through;
        self.owed = (replayed.through < through).then_some((replayed.through.next(), through));
        Poll::Ready(Ok(replayed.events))
    }

    fn poll_events(&mut self, cx: &mut Context<'_>) -> Poll<Result<Vec<Event>, WatchError>> {
        loop {
            if let Some((from, through)) = self.owed {
                let events = ready!(self.poll_history(from, through, cx))?;
                if !events.is_empty() {
                    return Poll::Ready(Ok(events));
                }
                continue;
            }
            // Read first: what is published later may be taken below already, never the other way round.
            let published = self.fanout.published();
            match self.place.take(cx.waker()) {
                Taken::Events(events) => {
                    let last = events.last().map_or(self.complete, Event::revision);
                    self.complete = self.complete.max(last);
                    return Poll::Ready(Ok(events));
                }
                Taken::Lagging(from) => self.owed = Some((from, self.fanout.resume(&self.place))),
                Taken::Nothing => {
                    self.complete = self.complete.max(published);
                    return Poll::Pending;
                }
                Taken::Closed => return Poll::Ready(Err(WatchError::Fault(Fault::Closed))),
            }
        }
    }
}

impl<H: History> Source for Follow<H> {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Batch, WatchError>> {
        if let Some(error) = &self.failed {
            return Poll::Ready(Err(error.clone()));
        }
        match ready!(self.poll_events(cx)) {
            Ok(events) => Poll::Ready(Ok(Batch { events, complete: self.complete })),
            Err(error) => {
                self.failed = Some(error.clone());
                Poll::Ready(Err(error))
            }
        }
    }

    fn complete(&self) -> Revision {
        let published = self.fanout.published();
        if self.owed.is_none() && self.failed.is_none() && self.place.is_drained() {
            self.complete.max(published)
        } else {
            self.complete
        }
    }
}

impl<H> Drop for Follow<H> {
    fn drop(&mut self) {
        self.fanout.unsubscribe(&self.place);
    }
}
