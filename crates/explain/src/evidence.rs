//! What is known: the objects that were read, and what could not be.

use std::collections::BTreeSet;

use api_record::Typed;
use api_record::scalar::Time as Stamp;
use api_types::core::v1::Event;
use api_types::meta::v1::ObjectMeta;
use base::time::Time;
use client::Resource;
use client::reconcile::{World, resource_of};
use serde_json::Value;

use crate::answer::Told;
use crate::finding::Named;

/// The object that is asked about, or one of its owners.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Which it is.
    pub named: Named,
    /// Its metadata.
    pub meta: ObjectMeta,
    /// The whole of it, as JSON has it.
    pub object: Value,
}

/// Something that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// The resource's plural name, such as `nodes`.
    pub resource: String,
    /// Why not.
    pub why: String,
}

/// What is known when a question is answered.
#[derive(Clone, Default)]
pub struct Evidence {
    /// The objects of built-in kinds. A kind that was not read has no snapshot.
    pub world: World,
    /// The owners that were looked for, with the object if there is one; in the order in which they were.
    pub owners: Vec<(Named, Option<Subject>)>,
    /// What could not be read.
    pub unread: Vec<Unread>,
    /// The resources of which one namespace alone was read.
    pub partial: BTreeSet<Resource>,
    /// The time.
    pub now: Time,
}

impl Evidence {
    /// Whether the objects of a type were read.
    pub(crate) fn knows<T: Typed>(&self) -> bool {
        self.world.snapshot(resource_of::<T>()).is_some()
    }

    /// Whether the objects of a type were read, in every namespace.
    pub(crate) fn knows_all<T: Typed>(&self) -> bool {
        self.knows::<T>() && !self.partial.contains(resource_of::<T>())
    }

    /// The events about an object, the latest first.
    pub(crate) fn events(&self, meta: &ObjectMeta, kind: &str) -> Vec<Told> {
        let about = |event: &&Event| {
            let of = &event.involved_object;
            of.kind == kind
                && of.name == meta.name
                && of.namespace == meta.namespace
                && (of.uid.is_empty() || meta.uid.is_empty() || of.uid == meta.uid || kind == "Node")
        };
        // Events about what has no namespace lie in `default`.
        let namespace = if meta.namespace.is_empty() { "default" } else { &meta.namespace };
        let mut told: Vec<Told> =
            self.world.in_namespace::<Event>(namespace).filter(about).map(told).collect();
        told.sort_by_key(|told| std::cmp::Reverse(told.time));
        told
    }
}

fn told(event: &Event) -> Told {
    let micro = |time: api_record::scalar::MicroTime| Stamp { seconds: time.micros.div_euclid(1_000_000) };
    let series = event.series.as_deref();
    let latest = series
        .and_then(|series| series.last_observed_time)
        .map(micro)
        .or(event.last_timestamp)
        .or(event.event_time.map(micro))
        .or(event.first_timestamp)
        .or(event.metadata.creation_timestamp);
    let by = if event.reporting_controller.is_empty() {
        &event.source.component
    } else {
        &event.reporting_controller
    };
    Told {
        type_: event.type_.clone(),
        reason: event.reason.clone(),
        message: event.message.clone(),
        by: by.clone(),
        time: latest,
        count: series.map_or(event.count, |series| series.count).max(1),
    }
}
