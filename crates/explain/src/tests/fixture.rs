//! Objects as JSON has them, and what is said of them.

use std::sync::Arc;

use api_codec::json;
use api_codec::limits::Limits;
use api_record::{Record, Typed};
use api_types::object_meta;
use base::time::Time;
use client::reconcile::{World, resource_of};
use client::{Revision, Snapshot};
use serde_json::Value;

use crate::{Answer, Evidence, Finding, Named, Subject, why};

/// When the questions are asked: 2026-01-01T00:10:00Z.
pub(crate) const NOW: Time = Time::from_unix_seconds(1_767_226_200);

/// An object of its JSON.
pub(crate) fn of<T: Typed + Default>(object: Value) -> T {
    let mut record = T::default();
    let text = serde_json::to_vec(&object).expect("JSON");
    json::decode(&text, &mut record, None, Limits::REQUEST).expect("an object");
    record
}

/// A world that grows by objects.
#[derive(Default)]
pub(crate) struct Scene {
    pub(crate) evidence: Evidence,
}

impl Scene {
    pub(crate) fn new() -> Scene {
        Scene { evidence: Evidence { world: World::default(), now: NOW, ..Evidence::default() } }
    }

    /// The objects of a type, as JSON has them.
    pub(crate) fn with<T: Typed + Default>(mut self, objects: impl IntoIterator<Item = Value>) -> Scene {
        let objects = objects.into_iter().map(|object| Arc::new(of::<T>(object)) as Arc<dyn Record>);
        let snapshot = Arc::new(Snapshot::of(objects, Revision(1)));
        self.evidence.world.show(resource_of::<T>().clone(), snapshot);
        self
    }

    /// What is said of one of them.
    pub(crate) fn why<T: Typed>(&self, namespace: &str, name: &str) -> Answer {
        let resource = resource_of::<T>();
        let snapshot = self.evidence.world.snapshot(resource).expect("it was given");
        let record = snapshot.get(namespace, name).expect("it is there");
        let meta = object_meta(&**record).expect("an object").clone();
        let named = Named::of(resource, &meta);
        let mut text = Vec::new();
        json::encode(&**record, None, &mut text);
        let object = serde_json::from_slice(&text).expect("JSON");
        why(&Subject { named, meta, object }, &self.evidence)
    }
}

/// The reasons of findings, with those of what they rest on in brackets.
pub(crate) fn reasons(findings: &[Finding]) -> String {
    let one = |finding: &Finding| match finding.because.is_empty() {
        true => finding.reason.clone(),
        false => format!("{}[{}]", finding.reason, reasons(&finding.because)),
    };
    findings.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// The text without what follows the findings.
pub(crate) fn told(answer: &Answer) -> String {
    let text = answer.text(NOW, false);
    let end = ["\nOwned by:", "\nOwns:", "\nChanged:", "\nEvents:", "\nNot read"]
        .iter()
        .filter_map(|title| text.find(title))
        .min();
    text[..end.unwrap_or(text.len())].to_owned()
}
