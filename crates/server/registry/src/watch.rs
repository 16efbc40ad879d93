//! Watching: what happens to the objects of a scope, as the store's history tells it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use api_meta::{Status, fields, labels};
use api_record::Record;
use client::{Event, Feed};
use futures_util::stream;
use store::{Entry, Revision};

use crate::catalog::Served;
use crate::pages::{Kept, Pages};
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

/// What is there when a watch begins, shown a page at a time: a large collection is not held in memory for each that watches it.
struct Initial {
    pages: Pages,
    /// A bookmark follows.
    marked: bool,
}

impl Initial {
    fn show(&self, page: &[Kept], ready: &mut VecDeque<Result<Event, Status>>) -> Result<(), Status> {
        for kept in page {
            ready.push_back(Ok(Event::Added(self.pages.shown(kept)?)));
        }
        if self.marked && self.pages.is_at_end() {
            ready.push_back(Ok(Event::Bookmark { revision: self.pages.revision(), initial_end: true }));
        }
        Ok(())
    }

    /// Makes the next page ready; says whether there was one.
    async fn go_on(&mut self, ready: &mut VecDeque<Result<Event, Status>>) -> Result<bool, Status> {
        match self.pages.next().await? {
            Some(page) => self.show(&page, ready).map(|()| true),
            None => Ok(false),
        }
    }
}

struct Watch {
    registry: Registry,
    served: Arc<Served>,
    selection: Selection,
    /// What was there when the watch began and has not been shown yet.
    there: Option<Initial>,
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
        let mut there = None;
        let start = match from {
            From::After(revision) => revision,
            From::Now | From::NowMarked => {
                let mut pages = self.pages_of(served, namespace, selection.clone(), None);
                let first = pages.next().await?.unwrap_or_default();
                let start = pages.revision();
                let initial = Initial { pages, marked: from == From::NowMarked };
                initial.show(&first, &mut ready)?;
                there = Some(initial);
                start.0
            }
        };
        let watch = Watch {
            registry: self.clone(),
            served: Arc::clone(served),
            selection,
            there,
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
            if let Some(initial) = &mut self.there {
                match initial.go_on(&mut self.ready).await {
                    Ok(true) => {}
                    Ok(false) => self.there = None,
                    Err(status) => self.ready.push_back(Err(status)),
                }
                continue;
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
                    match decoded(&self.registry, &self.served, &self.selection, &batch.events).await {
                        Ok(decoded) => {
                            for (event, (now, before)) in batch.events.iter().zip(decoded) {
                                self.ready.extend(self.shown(event, now, before).map(Ok));
                            }
                        }
                        Err(status) => self.ready.push_back(Err(status)),
                    }
                }
                Err(error) => self.ready.push_back(Err(faults::watch(&error, self.from))),
            }
        }
    }

    /// What an event of the store is to this watcher.
    fn shown(
        &self,
        event: &store::Event,
        now: Option<Arc<dyn Record>>,
        before: Option<Arc<dyn Record>>,
    ) -> Option<Event> {
        let served = &*self.served;
        let seen = |hub: &Arc<dyn Record>| self.selection.matches(served, &**hub);
        let show = |hub: &Arc<dyn Record>| self.registry.show(served, hub);
        if let Some(now) = now.as_ref().filter(|_| self.selection.is_everything()) {
            let made = event.previous().is_none();
            return Some(if made { Event::Added(show(now)) } else { Event::Modified(show(now)) });
        }
        match (before.filter(seen), now.filter(seen)) {
            (None, None) => None,
            (None, Some(now)) => Some(Event::Added(show(&now))),
            (Some(_), Some(now)) => Some(Event::Modified(show(&now))),
            (Some(before), None) => {
                let last = match event.entry() {
                    None if !served.converts() => {
                        self.registry.decoded.gone(event.key(), &before, event.revision())
                    }
                    // It goes on outside this watcher's scope, or is shown otherwise to others.
                    _ => seen_at(&*before, event.revision()),
                };
                Some(Event::Deleted(show(&last)))
            }
        }
    }
}

/// An object as it is, and as it was.
type Both = (Option<Arc<dyn Record>>, Option<Arc<dyn Record>>);

/// What objects are in the events of a batch, now and before.
async fn decoded(
    registry: &Registry,
    served: &Served,
    selection: &Selection,
    events: &[store::Event],
) -> Result<Vec<Both>, Status> {
    let before = |event| before(event, selection);
    let entries: Vec<&Entry> =
        events.iter().flat_map(|event| [event.entry(), before(event)]).flatten().collect();
    let mut decoded = registry.decode_all(served, &entries).await?.into_iter();
    let mut next = |entry: Option<&Entry>| entry.and_then(|_| decoded.next());
    Ok(events.iter().map(|event| (next(event.entry()), next(before(event)))).collect())
}

/// What there was before, where a watcher has to know: one who selects is told what left the selection, everybody what is gone.
fn before<'a>(event: &'a store::Event, selection: &Selection) -> Option<&'a Entry> {
    event.previous().filter(|_| event.entry().is_none() || !selection.is_everything())
}
