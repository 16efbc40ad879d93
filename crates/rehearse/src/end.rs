//! How the end differs from the beginning.

use std::collections::BTreeMap;
use std::sync::Arc;

use api_codec::json;
use api_meta::conditions;
use api_record::Record;
use api_types::core::v1::{Event as ApiEvent, Pod};
use api_types::meta::v1::ObjectMeta;
use api_types::object_meta;
use base::time::Time;
use client::Resource;
use explain::Named;
use serde_json::Value;

use crate::compare::changes;
use crate::outcome::{Outcome, PlacedPod, Step};
use crate::run::place;

/// Resource, namespace and name.
pub(crate) type Key = (Resource, String, String);

/// All objects.
pub(crate) type Objects = BTreeMap<Key, Arc<dyn Record>>;

/// The key of an object.
pub(crate) fn key(resource: &Resource, object: &dyn Record) -> Key {
    let (namespace, name) = place(object);
    (resource.clone(), namespace, name)
}

/// Names with random ends, and how they are told: another time they would be others.
pub(crate) type Masks = BTreeMap<String, String>;

fn named(resource: &Resource, meta: &ObjectMeta, masks: &Masks) -> Named {
    let mut named = Named::of(resource, meta);
    if let Some(mask) = masks.get(&meta.name) {
        named.name.clone_from(mask);
    }
    named
}

fn tree(object: &dyn Record) -> Value {
    let mut text = Vec::new();
    json::encode(object, None, &mut text);
    // What was encoded here is JSON.
    serde_json::from_slice(&text).unwrap_or_default()
}

/// What controllers made, changed and deleted: the end beside the beginning, with what users asked for already in it.
pub(crate) fn compare(before: &Objects, applied: &Objects, after: &Objects, masks: &Masks) -> Outcome {
    let mut outcome = Outcome::default();
    // Addresses are a part of their services.
    for (key, object) in after.iter().filter(|(key, _)| key.0.plural != "ipaddresses") {
        let Some(meta) = object_meta(&**object) else { continue };
        let named = named(&key.0, meta, masks);
        let was = applied.get(key).filter(|was| uid(&***was) == meta.uid);
        if let Some(pod) = (**object).downcast_ref::<Pod>() {
            let was = was.and_then(|was| (**was).downcast_ref::<Pod>());
            // Whoever waited before and still does is no news, nor is whoever stays where he is.
            if was.is_none_or(|was| was.spec.node_name != pod.spec.node_name) {
                outcome.pods.push(placed(pod, named));
            }
            continue;
        }
        match was {
            None => outcome.made.push(named),
            Some(was) => {
                let changes = changes(&tree(&**was), &tree(&**object));
                if !changes.is_empty() {
                    outcome.changed.push((named, changes));
                }
            }
        }
    }
    let stays =
        |key: &Key, was: &Arc<dyn Record>| after.get(key).is_some_and(|now| uid(&**now) == uid(&**was));
    for (key, was) in before.iter().filter(|(key, was)| !stays(key, was)) {
        if let Some(meta) = object_meta(&**was) {
            // It is there: its real name can be told.
            outcome.gone.push(Named::of(&key.0, meta));
        }
    }
    outcome
}

fn uid(object: &dyn Record) -> &str {
    object_meta(object).map_or("", |meta| &meta.uid)
}

fn placed(pod: &Pod, named: Named) -> PlacedPod {
    let said = conditions::find(&pod.status.conditions, "PodScheduled").filter(|said| said.status == "False");
    let pending = match said {
        _ if !pod.spec.node_name.is_empty() => String::new(),
        Some(said) if !said.message.is_empty() => said.message.clone(),
        Some(said) => said.reason.clone(),
        None => "no scheduler has said anything".to_owned(),
    };
    PlacedPod { pod: named, node: pod.spec.node_name.clone(), pending }
}

/// The story, as the parts tell it. What one tells again and again is told once.
pub(crate) fn steps(told: &[(Time, ApiEvent)], begin: Time, masks: &Masks) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (at, event) in told {
        let of = &event.involved_object;
        let name = masks.get(&of.name).unwrap_or(&of.name);
        let step = Step {
            seconds: at.since(begin).as_secs(),
            by: event.source.component.clone(),
            about: Named::new(&of.api_version, &of.kind, &of.namespace, name),
            reason: event.reason.clone(),
            message: masked(&event.message, masks),
        };
        let same = |other: &Step| Step { seconds: step.seconds, ..other.clone() } == step;
        if step.reason != "FailedScheduling" || !steps.iter().any(same) {
            steps.push(step);
        }
    }
    steps
}

/// A message with the names that it holds as they are told.
fn masked(message: &str, masks: &Masks) -> String {
    let mut message = message.to_owned();
    for (name, shown) in masks {
        if message.contains(name) {
            message = message.replace(name, shown);
        }
    }
    message
}
