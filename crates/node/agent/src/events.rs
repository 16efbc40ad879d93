//! Events: what the node says about pods and itself, with repetitions counted, as client-go's recorder has it.

use std::collections::BTreeMap;
use std::sync::Arc;

use api_types::core::v1::{Event, EventSource, ObjectReference, Pod};
use base::error::Chain;
use base::time::{Clock, Time};
use client::reconcile::EventNames;
use tokio::sync::mpsc;

use crate::calls::{Calls, EVENTS};
use crate::limits;

/// What kind of event it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Normal,
    Warning,
}

struct Message {
    at: Time,
    object: ObjectReference,
    kind: Kind,
    reason: String,
    message: String,
}

/// Where events are put; they are sent in the background, and dropped when too many wait.
#[derive(Clone)]
pub(crate) struct Recorder {
    sender: mpsc::Sender<Message>,
    clock: Arc<dyn Clock>,
}

pub(crate) fn pod_reference(pod: &Pod, field_path: &str) -> ObjectReference {
    ObjectReference {
        kind: "Pod".to_owned(),
        api_version: "v1".to_owned(),
        namespace: pod.metadata.namespace.clone(),
        name: pod.metadata.name.clone(),
        uid: pod.metadata.uid.clone(),
        resource_version: pod.metadata.resource_version.clone(),
        field_path: field_path.to_owned(),
    }
}

/// A recorder, and the task that sends what it records.
pub(crate) fn start(calls: Calls, host: &str) -> Recorder {
    let (sender, receiver) = mpsc::channel(limits::EVENTS_WAITING);
    let clock = Arc::clone(&calls.clock);
    let (names, known) = (EventNames::default(), BTreeMap::new());
    tokio::spawn(Sender { calls, names, host: host.to_owned(), known }.run(receiver));
    Recorder { sender, clock }
}

impl Recorder {
    pub(crate) fn record(&self, object: ObjectReference, kind: Kind, reason: &str, message: String) {
        tracing::debug!(name = object.name, reason, message, "event");
        // Events are told as far as there is room for them.
        let message = Message { at: self.clock.now(), object, kind, reason: reason.to_owned(), message };
        let _ = self.sender.try_send(message);
    }

    pub(crate) fn pod(&self, pod: &Pod, kind: Kind, reason: &str, message: String) {
        self.record(pod_reference(pod, ""), kind, reason, message);
    }
}

type Key = (String, String, Kind, String, String);

struct Sender {
    calls: Calls,
    names: EventNames,
    host: String,
    known: BTreeMap<Key, Event>,
}

impl Sender {
    async fn run(mut self, mut messages: mpsc::Receiver<Message>) {
        while let Some(message) = messages.recv().await {
            self.send(message).await;
        }
    }

    async fn send(&mut self, message: Message) {
        let Message { at: now, object, kind, reason, message } = message;
        let key = (object.uid.clone(), object.field_path.clone(), kind, reason.clone(), message.clone());
        if let Some(known) = self.known.get_mut(&key) {
            known.count += 1;
            known.last_timestamp = Some(now.into());
            let (namespace, name) = (known.metadata.namespace.clone(), known.metadata.name.clone());
            match self.calls.update(EVENTS, (&namespace, &name, ""), known.clone()).await {
                Ok(kept) => {
                    *known = kept;
                    return;
                }
                // It has expired, or is not ours to change: it is told anew.
                Err(_) => drop(self.known.remove(&key)),
            }
        }
        // Nodes have no namespace; their events are in the default one.
        let namespace = if object.namespace.is_empty() { "default" } else { &object.namespace }.to_owned();
        let mut event = Event::default();
        event.metadata.name = self.names.next(&object.name, now);
        event.metadata.namespace.clone_from(&namespace);
        event.involved_object = object;
        event.reason = reason;
        event.message = message;
        event.type_ = match kind {
            Kind::Normal => "Normal".to_owned(),
            Kind::Warning => "Warning".to_owned(),
        };
        event.source = EventSource { component: "kubelet".to_owned(), host: self.host.clone() };
        event.reporting_controller = "kubelet".to_owned();
        event.reporting_instance = self.host.clone();
        event.first_timestamp = Some(now.into());
        event.last_timestamp = Some(now.into());
        event.count = 1;
        match self.calls.create(EVENTS, (&namespace, "", ""), event).await {
            Ok(kept) => {
                if self.known.len() >= limits::EVENTS_REMEMBERED {
                    self.known.pop_first();
                }
                self.known.insert(key, kept);
            }
            Err(error) => tracing::debug!(error = %Chain(&error), "an event was not taken"),
        }
    }
}
