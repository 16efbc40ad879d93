//! How much may wait: the bytes of events that are kept for a backend until it has taken them.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits::WAITING_BYTES;
use crate::metrics::{Loss, Metrics};

/// An event's text, which has its place in a budget until nobody needs it any more.
pub struct Kept {
    text: String,
    _place: OwnedSemaphorePermit,
}

impl Kept {
    /// The event, as its backend has it.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// The budget of a backend.
pub(crate) struct Budget {
    places: Arc<Semaphore>,
    metrics: Arc<Metrics>,
}

impl Budget {
    pub(crate) fn new(metrics: Arc<Metrics>) -> Budget {
        Budget { places: Arc::new(Semaphore::new(WAITING_BYTES)), metrics }
    }

    /// Keeps an event if there is room at once; it is lost otherwise, and counted.
    pub(crate) fn keep_now(&self, text: String) -> Option<Kept> {
        match Arc::clone(&self.places).try_acquire_many_owned(size(&text)) {
            Ok(place) => Some(Kept { text, _place: place }),
            Err(_) => {
                self.metrics.no_room(&text);
                None
            }
        }
    }

    /// Keeps an event as soon as there is room. It is lost, and counted, if whoever brings it goes away before, or all has ended.
    pub(crate) async fn keep(&self, text: String) -> Option<Kept> {
        let mut waiting = Waiting { text: Some(text), metrics: &self.metrics };
        let bytes = waiting.text.as_deref().map_or(0, size);
        let place = Arc::clone(&self.places).acquire_many_owned(bytes).await.ok()?;
        waiting.text.take().map(|text| Kept { text, _place: place })
    }

    /// Completes when nothing is kept any more; then nothing will be.
    pub(crate) async fn end(&self) {
        let all = u32::try_from(WAITING_BYTES).unwrap_or(u32::MAX);
        drop(self.places.acquire_many(all).await);
        self.places.close();
    }
}

/// What an event takes. The largest take all there is.
fn size(text: &str) -> u32 {
    u32::try_from(text.len().min(WAITING_BYTES)).unwrap_or(u32::MAX)
}

/// An event that waits for room.
struct Waiting<'a> {
    text: Option<String>,
    metrics: &'a Metrics,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(text) = &self.text {
            self.metrics.no_room(text);
        }
    }
}

impl Metrics {
    /// An event that there is no room for.
    pub(crate) fn no_room(&self, event: &str) {
        self.lost(Loss::Buffered, 1);
        tracing::error!(event, "audit.no_room");
    }
}
