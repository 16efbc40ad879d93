//! When a connection has rested for so long that it is ended, in good order: a client that asks at that moment sees it end, and not break.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use base::time::Clock;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Bytes;
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

/// What is sent back.
pub(crate) enum Said<B> {
    /// By who answers.
    Answer(B),
    /// To whom nobody has to answer.
    Text(Option<Bytes>),
}

impl<B> Said<B> {
    pub(crate) fn text(text: String) -> Said<B> {
        Said::Text(Some(text.into()))
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Said<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match &mut *self {
            Said::Answer(body) => Pin::new(body).poll_frame(context),
            Said::Text(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Said::Answer(body) => body.is_end_stream(),
            Said::Text(text) => text.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Said::Answer(body) => body.size_hint(),
            Said::Text(text) => SizeHint::with_exact(text.as_ref().map_or(0, |text| text.len() as u64)),
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
