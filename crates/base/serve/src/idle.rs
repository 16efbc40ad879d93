//! When a connection has rested for so long that it is ended, in good order: a client that asks at that moment sees it end, and not break.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use base::time::Clock;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::Notify;

/// What runs on one connection.
#[derive(Default)]
pub(crate) struct Activity {
    running: AtomicUsize,
    changed: Notify,
}

/// A request, until its answer has been sent.
pub(crate) struct Running(Arc<Activity>);

impl Running {
    pub(crate) fn on(activity: &Arc<Activity>) -> Running {
        activity.running.fetch_add(1, Ordering::Relaxed);
        activity.changed.notify_one();
        Running(Arc::clone(activity))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
        self.0.changed.notify_one();
    }
}

impl Activity {
    /// Completes when nothing has run for so long.
    pub(crate) async fn ceased(&self, clock: &dyn Clock, rest: Duration) {
        loop {
            // One change may be told after it was seen, which only begins the wait anew.
            let changed = self.changed.notified();
            if self.running.load(Ordering::Relaxed) > 0 {
                changed.await;
                continue;
            }
            tokio::select! {
                () = clock.sleep(rest) => return,
                () = changed => {}
            }
        }
    }
}

/// The body of an answer, whose request runs until the last of it is gone.
pub(crate) struct Answering<B> {
    pub(crate) body: B,
    pub(crate) _running: Running,
}

impl<B: Body + Unpin> Body for Answering<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
