//! Driving futures and feeds without any runtime: the store must not need one.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use store::{Event, Feed, Revision, WatchError};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future on this thread.
pub fn wait<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        thread::park();
    }
}

/// Everything that a feed has to tell until it is complete up to `until`. Checks that no revision is split.
pub fn collect(feed: &mut Feed, until: Revision) -> Result<Vec<Event>, WatchError> {
    let mut events: Vec<Event> = Vec::new();
    wait(poll_fn(|cx| {
        loop {
            let Poll::Ready(batch) = feed.poll_next(cx) else {
                let done = feed.complete() >= until;
                return if done { Poll::Ready(Ok(())) } else { Poll::Pending };
            };
            let batch = match batch {
                Ok(batch) => batch,
                Err(error) => return Poll::Ready(Err(error)),
            };
            let first = batch.events.first().expect("a batch has events").revision();
            let last = batch.events.last().expect("a batch has events").revision();
            assert!(
                events.last().is_none_or(|before| before.revision() < first),
                "revision {first} was split"
            );
            assert!(last <= batch.complete, "a batch is complete up to its last revision at least");
            assert!(batch.complete <= feed.complete());
            events.extend(batch.events);
        }
    }))?;
    Ok(events)
}
