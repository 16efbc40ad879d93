//! `/metrics`: what this process counts, and how many objects are stored.

use std::sync::{Arc, Mutex, PoisonError};

use base::metrics::{CONTENT_TYPE, Process, Source, Text, Type};
use base::time::Time;
use http::Response;
use server_registry::Count;

use crate::content::Body;
use crate::handler::{Handler, bytes_answer};
use crate::limits::COUNTED;

/// Where the metrics come from, besides the server's own.
#[derive(Default)]
pub(crate) struct Scrape {
    sources: Vec<Arc<dyn Source>>,
    /// The stored objects as they were last counted: counting reads the whole index.
    counted: Mutex<Option<(Time, Arc<Vec<Count>>)>>,
}

impl Scrape {
    pub(crate) fn add(&mut self, source: Arc<dyn Source>) {
        self.sources.push(source);
    }

    async fn stored(&self, handler: &Handler, now: Time) -> Arc<Vec<Count>> {
        let last = self.counted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, counts)) = last.filter(|(at, _)| now.since(*at) < COUNTED) {
            return counts;
        }
        let counts = Arc::new(handler.local.direct().registry().counts().await);
        let fresh = Some((now, Arc::clone(&counts)));
        *self.counted.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
        counts
    }
}

/// Answers a scrape.
pub(crate) async fn answer(handler: &Handler) -> Response<Body> {
    let now = handler.clock.now();
    let mut text = Text::default();
    handler.metrics.write(&mut text);
    handler.in_flight.write(&mut text);
    let help = "Number of stored objects at the time of last check split by kind. In case of a fetching error, the value will be -1.";
    let stored = handler.scrape.stored(handler, now).await;
    let mut family = text.family("apiserver_resource_objects", Type::Gauge, help);
    for own in stored.iter() {
        let count = own.count.map_or(-1.0, |count| count as f64);
        family.sample(&[("group", &own.group), ("resource", &own.resource)], count);
    }
    for source in &handler.scrape.sources {
        source.collect(&mut text, now);
    }
    Process.collect(&mut text, now);
    bytes_answer(200, CONTENT_TYPE, text.into_string().into())
}
