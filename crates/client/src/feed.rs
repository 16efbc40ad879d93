//! A watch.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use api_record::Record;
use futures_util::Stream;

use crate::{Revision, Status};

/// Something that happened to the objects of a scope.
#[derive(Clone)]
pub enum Event {
    /// An object came into the scope.
    Added(Arc<dyn Record>),
    /// An object of the scope changed.
    Modified(Arc<dyn Record>),
    /// An object left the scope; it is shown as it was, at the revision of its leaving.
    Deleted(Arc<dyn Record>),
    /// Nothing happened up to this revision.
    Bookmark {
        /// The revision that the feed has reached.
        revision: Revision,
        /// All objects that were there when the watch began have been shown.
        initial_end: bool,
    },
}

/// A watch: what happens to the objects of a scope, in order. It ends with an error, or when the server ends it.
pub struct Feed(Pin<Box<dyn Stream<Item = Result<Event, Status>> + Send>>);

impl Feed {
    /// A feed of a stream's events.
    pub fn new(stream: impl Stream<Item = Result<Event, Status>> + Send + 'static) -> Feed {
        Feed(Box::pin(stream))
    }
}

impl Stream for Feed {
    type Item = Result<Event, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(cx)
    }
}
