//! What is logged of one request, from its beginning to its end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::time::Clock;
use client::trail::Level;
use client::{Caller, Trail};
use serde_json::Value;
use server_authz::Attributes;

use crate::event::{Answered, Asked, Event, Known, drop_managed_fields};
use crate::limits::OBJECT_BYTES;
use crate::metrics::Metrics;
use crate::policy::{Policy, Stage, Verdict};
use crate::sink::Sink;

/// Decides how much is logged of requests, and begins their records.
pub struct Auditor {
    policy: Policy,
    sinks: Vec<Sink>,
    metrics: Arc<Metrics>,
    clock: Arc<dyn Clock>,
}

/// A request that may not go on: that it was received cannot be logged. Displays as upstream says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unlogged;

impl std::fmt::Display for Unlogged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("failed to store audit event")
    }
}

impl std::error::Error for Unlogged {}

/// The record of a request of which something is logged.
pub struct Record {
    auditor: Arc<Auditor>,
    verdict: Verdict,
    trail: Trail,
    known: Mutex<Known>,
}

impl Auditor {
    /// One that hands events to backends, to one after the other.
    pub fn new(
        policy: Policy,
        sinks: Vec<Sink>,
        metrics: Arc<Metrics>,
        clock: Arc<dyn Clock>,
    ) -> Arc<Auditor> {
        Arc::new(Auditor { policy, sinks, metrics, clock })
    }

    /// Begins the record of a request, whose first event may be one that it was received. `None` if nothing is to be logged; what the caller's
    /// trail is then says so to whoever would ask again.
    ///
    /// # Errors
    /// When the request may not go on, since that event cannot be logged.
    pub async fn begin(
        self: &Arc<Self>,
        caller: &mut Caller,
        request: &Attributes<'_>,
        asked: Asked,
    ) -> Result<Option<Arc<Record>>, Unlogged> {
        let record = self.open(caller, request, asked);
        if let Some(record) = &record {
            record.received().await?;
        }
        Ok(record)
    }

    /// The same without an event.
    pub fn open(
        self: &Arc<Self>,
        caller: &mut Caller,
        request: &Attributes<'_>,
        asked: Asked,
    ) -> Option<Arc<Record>> {
        let verdict = self.policy.verdict(request);
        self.metrics.level(verdict.level);
        let trail = Trail::of(verdict.level);
        // What authentication had to note was noted before anybody knew how much is logged.
        for (key, value) in std::mem::replace(&mut caller.trail, trail.clone()).annotations() {
            trail.annotate(key, value);
        }
        if verdict.level == Level::None {
            return None;
        }
        let known = Known { level: verdict.level, asked, ..Known::default() };
        Some(Arc::new(Record { auditor: Arc::clone(self), verdict, trail, known: Mutex::new(known) }))
    }

    /// Has what waits be written, and completes when it is. What is logged afterwards is lost, and counted.
    pub async fn end(&self) {
        let clock = &*self.clock;
        futures_util::future::join_all(self.sinks.iter().map(|sink| sink.end(clock))).await;
    }
}

impl Record {
    /// How much is logged.
    pub fn level(&self) -> Level {
        self.verdict.level
    }

    /// The request goes on as somebody else.
    pub fn impersonated(&self, as_whom: &Caller, constraint: &str) {
        self.known().impersonated = Some((as_whom.clone(), constraint.to_owned()));
    }

    /// What was sent: an object, whose metadata says more about what the request is about.
    pub fn sent(&self, object: impl FnOnce() -> Value) {
        let mut object = object();
        let mut known = self.known();
        if let Some(reference) = &mut known.asked.object {
            let said = |key: &str| object["metadata"][key].as_str().unwrap_or_default().to_owned();
            for (own, key) in [
                (&mut reference.namespace, "namespace"),
                (&mut reference.name, "name"),
                (&mut reference.uid, "uid"),
                (&mut reference.resource_version, "resourceVersion"),
            ] {
                if own.is_empty() {
                    *own = said(key);
                }
            }
        }
        if self.level() >= Level::Request {
            self.strip(&mut object);
            known.request_object = Some(object);
        }
    }

    /// What was sent: a patch, which is logged as it came.
    pub fn sent_patch(&self, patch: impl FnOnce() -> Value) {
        if self.level() >= Level::Request {
            self.known().request_object = Some(patch());
        }
    }

    /// What is answered, if that is logged: JSON of an object or a list.
    pub fn returned(&self, text: &[u8]) {
        if self.level() < Level::RequestResponse {
            return;
        }
        let large = text.len() > OBJECT_BYTES;
        let object = if large { None } else { serde_json::from_slice::<Value>(text).ok() };
        if let Some(mut object) = object {
            self.strip(&mut object);
            self.known().response_object = Some(object);
        } else {
            tracing::warn!(bytes = text.len(), "audit.response_left_out");
        }
    }

    /// Whether it is known what became of the request.
    pub fn is_answered(&self) -> bool {
        self.known().answered.is_some()
    }

    /// What became of the request.
    pub fn answered(&self, answered: Answered) {
        self.known().answered = Some(answered);
    }

    /// Has the event written that the request was received.
    ///
    /// # Errors
    /// When the request may not go on, since a backend is strict and has failed.
    pub async fn received(&self) -> Result<(), Unlogged> {
        if self.put(Stage::RequestReceived).await {
            return Ok(());
        }
        self.auditor.metrics.rejected();
        Err(Unlogged)
    }

    /// Has the event of a stage written. Waits for it as the backends' modes say.
    pub async fn reach(&self, stage: Stage) {
        // What was carried out is answered, whatever becomes of its event: upstream asks at the beginning only.
        self.put(stage).await;
    }

    async fn put(&self, stage: Stage) -> bool {
        let Some(event) = self.event(stage) else { return true };
        let mut all = true;
        for sink in &self.auditor.sinks {
            all &= sink.put(&event).await;
        }
        all
    }

    /// The same for whoever cannot wait: an event that there is no room for is lost, and counted.
    pub fn reach_now(&self, stage: Stage) {
        let Some(event) = self.event(stage) else { return };
        self.auditor.sinks.iter().for_each(|sink| sink.put_now(&event));
    }

    fn event(&self, stage: Stage) -> Option<Event> {
        if !self.verdict.tells(stage) {
            return None;
        }
        self.auditor.metrics.event();
        Some(self.known().event(stage, self.auditor.clock.now(), &self.trail.annotations()))
    }

    fn strip(&self, object: &mut Value) {
        if self.verdict.omit_managed_fields {
            drop_managed_fields(object);
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
