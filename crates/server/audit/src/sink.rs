//! Where events end up: a backend, in which form it has them, what is cut off, and who waits for it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use base::time::{self, Clock};

use crate::batch::{Batch, Batches};
use crate::budget::{Budget, Kept};
use crate::event::Event;
use crate::limits::END;
use crate::metrics::{Loss, Metrics};

/// What a backend's answer comes in.
pub type Delivery = Pin<Box<dyn Future<Output = bool> + Send>>;

/// A backend.
pub trait Deliver: Send + Sync + 'static {
    /// Hands events on; answers whether they have arrived. What has not is counted and said by the backend.
    fn deliver(self: Arc<Self>, events: Vec<Kept>) -> Delivery;
}

/// Who waits for a backend, and what its failures mean to requests.
#[derive(Clone, Debug, PartialEq)]
pub enum Mode {
    /// Requests wait until their events have arrived, or cannot.
    Blocking,
    /// The same, and a request is refused whose beginning cannot be logged.
    BlockingStrict,
    /// Nobody waits.
    Batch(Batch),
}

/// How events look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// A line of JSON each.
    #[default]
    Json,
    /// A line of text each (`audit.EventString`).
    Legacy,
    /// JSON without its kind, for a list of them.
    Item,
}

/// How large events may be. (`apiserver/plugin/pkg/audit/truncate`.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truncate {
    /// The largest event, in bytes of JSON. A larger one loses its objects; if it is still too large, it is lost.
    pub event_bytes: usize,
    /// The largest batch.
    pub batch_bytes: usize,
}

/// How events come to a backend.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// As what.
    pub form: Form,
    /// How large, where that is bounded.
    pub truncate: Option<Truncate>,
    /// Who waits.
    pub mode: Mode,
}

/// A backend at work.
pub struct Sink {
    form: Form,
    truncate: Option<Truncate>,
    way: Way,
    budget: Budget,
    metrics: Arc<Metrics>,
}

enum Way {
    Blocking { backend: Arc<dyn Deliver>, strict: bool },
    Batch(Batches),
}

impl Sink {
    /// Begins to hand events on to a backend; within the runtime that does so.
    pub fn to(
        backend: Arc<dyn Deliver>,
        options: Options,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> Sink {
        let Options { form, truncate, mode } = options;
        let way = match mode {
            Mode::Blocking => Way::Blocking { backend, strict: false },
            Mode::BlockingStrict => Way::Blocking { backend, strict: true },
            Mode::Batch(batch) => {
                let bytes = truncate.map_or(usize::MAX, |own| own.batch_bytes);
                Way::Batch(Batches::to(backend, batch, bytes, clock, Arc::clone(&metrics)))
            }
        };
        Sink { form, truncate, way, budget: Budget::new(Arc::clone(&metrics)), metrics }
    }

    /// Whether the request may go on.
    pub(crate) async fn put(&self, event: &Event) -> bool {
        let Some(text) = self.text(event) else { return true };
        match &self.way {
            Way::Batch(batches) => {
                batches.put(text, &self.budget);
                true
            }
            Way::Blocking { backend, strict } => {
                let arrived = match self.budget.keep(text).await {
                    // A task of its own, so that the event arrives although the client goes away.
                    Some(kept) => {
                        tokio::spawn(Arc::clone(backend).deliver(vec![kept])).await.unwrap_or(false)
                    }
                    None => false,
                };
                arrived || !strict
            }
        }
    }

    /// The same for whoever cannot wait: an event that there is no room for is lost, and counted.
    pub(crate) fn put_now(&self, event: &Event) {
        let Some(text) = self.text(event) else { return };
        match &self.way {
            Way::Batch(batches) => batches.put(text, &self.budget),
            Way::Blocking { backend, .. } => {
                // Without a runtime the server is ending, and nobody could hand it on.
                let Ok(runtime) = tokio::runtime::Handle::try_current() else {
                    return self.metrics.no_room(&text);
                };
                if let Some(kept) = self.budget.keep_now(text) {
                    runtime.spawn(Arc::clone(backend).deliver(vec![kept]));
                }
            }
        }
    }

    /// What goes to the backend; nothing, if that is too large.
    fn text(&self, event: &Event) -> Option<String> {
        let Some(truncate) = self.truncate else { return Some(event.text(self.form)) };
        let fits = |event: &Event| event.text(Form::Json).len() < truncate.event_bytes;
        if fits(event) {
            return Some(event.text(self.form));
        }
        let cut = event.truncated();
        if !fits(&cut) {
            self.metrics.lost(Loss::Truncate, 1);
            tracing::error!(event = cut.text(Form::Legacy), "audit.too_large");
            return None;
        }
        Some(cut.text(self.form))
    }

    /// Has what waits be handed on, and completes when it is. What comes afterwards is lost, and counted.
    pub(crate) async fn end(&self, clock: &dyn Clock) {
        if let Way::Batch(batches) = &self.way {
            batches.close();
        }
        if time::timeout(clock, END, self.budget.end()).await.is_err() {
            tracing::error!("audit.end_not_written");
        }
    }
}
