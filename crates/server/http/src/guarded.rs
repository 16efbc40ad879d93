//! A body that keeps something until it has been sent or given up.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use crate::content::{Body, Broken};

/// A body with what it keeps.
pub(crate) struct Guarded<T> {
    body: Body,
    _kept: T,
}

impl<T> Guarded<T> {
    /// Keeps `kept` as long as `body`.
    pub(crate) fn new(body: Body, kept: T) -> Guarded<T> {
        Guarded { body, _kept: kept }
    }
}

impl<T: Unpin> HttpBody for Guarded<T> {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
