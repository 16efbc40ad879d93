//! Watching: what happens to the objects of a scope, as the store's history tells it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use api_meta::{Status, fields, labels};
use api_record::Record;
use client::{Event, Feed};
use futures_util::stream;
use store::{Entry, Range, Revision};

use crate::catalog::Served;
use crate::read::keys;
use crate::select::Selection;
use crate::stored::seen_at;
use crate::{Registry, faults};

/// How often a watcher that asked for bookmarks gets one while nothing happens.
const BOOKMARK_EVERY: Duration = Duration::from_secs(60);

/// How a watch begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// Just after a revision.
    After(u64),
    /// With everything that is there, as if it had just been made.
    Now,
    /// The same, with a bookmark behind it that says so.
    NowMarked,
}

struct Watch {
    registry: Registry,
    served: Arc<Served>,
    selection: Selection,
    feed: store::Feed,
    ready: VecDeque<Result<Event, Status>>,
    from: u64,
    bookmarks: bool,
    ended: bool,
}

impl Registry {
    /// Watches the objects of a namespace, or of all, that the selectors pick.
    pub async fn watch(
        &self,
        served: &Arc<Served>,
        namespace: &str,
        labels: labels::Selector,
        fields: fields::Selector,
        from: From,
        bookmarks: bool,
    ) -> Result<Feed, Status> {
        let selection = Selection::new(served, labels, fields)?;
        let keys = keys(served, namespace, &selection);
        let mut ready = VecDeque::new();
        let start = match from {
            From::After(revision) => revision,
            From::Now | From::NowMarked => {
                let page = self.page(Range::of(keys.clone())).await?;
                for entry in &page.entries {
                    let hub = self.decoded.of(served, entry)?;
                    if selection.matches(served, &*hub) {
                        ready.push_back(Ok(Event::Added(self.show(served, &hub))));
                    }
                }
                if from == From::NowMarked {
                    let revision = client::Revision(page.revision.0);
                    ready.push_back(Ok(Event::Bookmark { revision, initial_end: true }));
                }
                page.revision.0
            }
        };
        let watch = Watch {
            registry: self.clone(),
            served: Arc::clone(served),
            selection,
            feed: self.shared.store.watch(keys, Revision(start + 1)),
            ready,
            from: start,
            bookmarks,
            ended: false,
        };
        Ok(Feed::new(stream::unfold(watch, |mut watch| async move {
            let event = watch.next().await?;
            Some((event, watch))
        })))
    }
}

impl Watch {
    async fn next(&mut self) -> Option<Result<Event, Status>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                self.ended = event.is_err();
                return Some(event);
            }
            if self.ended {
                return None;
            }
            let clock = Arc::clone(&self.registry.shared.clock);
            let batch = tokio::select! {
                biased;
                batch = self.feed.next() => batch,
                // Behind what has happened: the ends of the last objects are to be told.
                () = self.served.retired() => return None,
                () = clock.sleep(BOOKMARK_EVERY), if self.bookmarks => {
                    let revision = client::Revision(self.feed.complete().0);
                    return Some(Ok(Event::Bookmark { revision, initial_end: false }));
                }
            };
            match batch {
                Ok(batch) => {
                    for event in &batch.events {
                        if let Some(shown) = self.shown(event).transpose() {
                            self.ready.push_back(shown);
                        }
                    }
                }
                Err(error) => self.ready.push_back(Err(faults::watch(&error, self.from))),
            }
        }
    }

    /// What an event of the store is to this watcher.
    fn shown(&self, event: &store::Event) -> Result<Option<Event>, Status> {
        let registry = &self.registry;
        let served = &*self.served;
        let seen = |entry: Option<&Entry>| -> Result<Option<Arc<dyn Record>>, Status> {
            let Some(entry) = entry else { return Ok(None) };
            let hub = registry.decoded.of(served, entry)?;
            Ok(self.selection.matches(served, &*hub).then_some(hub))
        };
        let now = seen(event.entry())?;
        let before = seen(event.previous())?;
        let show = |hub: &Arc<dyn Record>| registry.show(served, hub);
        Ok(match (&before, &now) {
            (None, None) => None,
            (None, Some(now)) => Some(Event::Added(show(now))),
            (Some(_), Some(now)) => Some(Event::Modified(show(now))),
            (Some(before), None) => Some(Event::Deleted(show(&seen_at(&**before, event.revision())))),
        })
    }
}
