//! Counting events that are the same, combining those that are similar, dropping those that are too many, in
//! client-go's order.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use api_types::core::v1::{Event, ObjectReference};
use base::time::Time;

use crate::reconcile::limits::{
    EVENT_BURST, EVENT_REFILL, REMEMBERED_EVENTS, SIMILAR_EVENTS, SIMILAR_WINDOW,
};

/// A map that forgets its oldest key when it is full.
struct Recent<V> {
    map: BTreeMap<String, V>,
    order: VecDeque<String>,
}

impl<V> Default for Recent<V> {
    fn default() -> Self {
        Recent { map: BTreeMap::new(), order: VecDeque::new() }
    }
}

impl<V> Recent<V> {
    fn entry(&mut self, key: &str, new: impl FnOnce() -> V) -> &mut V {
        if !self.map.contains_key(key) {
            if self.order.len() >= REMEMBERED_EVENTS
                && let Some(oldest) = self.order.pop_front()
            {
                self.map.remove(&oldest);
            }
            self.order.push_back(key.to_owned());
        }
        self.map.entry(key.to_owned()).or_insert_with(new)
    }
}

struct Similar {
    messages: BTreeSet<String>,
    last: Time,
}

struct Told {
    count: i32,
    first: Option<api_record::scalar::Time>,
    name: String,
}

struct Allowance {
    left: u32,
    since: Time,
}

/// What has been told so far.
#[derive(Default)]
pub(super) struct Correlator {
    similar: Recent<Similar>,
    told: Recent<Told>,
    allowances: Recent<Allowance>,
}

impl Correlator {
    /// Completes the event; whether it is there already, or `None` if it is one too many.
    pub(super) fn observe(&mut self, event: &mut Event, now: Time) -> Option<bool> {
        let about = about(&event.involved_object);
        let group = format!("{about}/{}/{}", event.type_, event.reason);
        let key = self.combine(event, &group, now);
        let mut new = false;
        let told = self.told.entry(&key, || {
            new = true;
            Told { count: 0, first: event.first_timestamp, name: event.metadata.name.clone() }
        });
        told.count = told.count.saturating_add(1);
        event.count = told.count;
        event.first_timestamp = told.first;
        event.metadata.name.clone_from(&told.name);
        self.allow(&about, now).then_some(!new)
    }

    fn combine(&mut self, event: &mut Event, group: &str, now: Time) -> String {
        let similar = self.similar.entry(group, || Similar { messages: BTreeSet::new(), last: now });
        if now.since(similar.last) > SIMILAR_WINDOW {
            similar.messages.clear();
        }
        similar.last = now;
        similar.messages.insert(event.message.clone());
        if similar.messages.len() < SIMILAR_EVENTS {
            return format!("{group}/{}", event.message);
        }
        similar.messages.pop_first();
        event.message = format!("(combined from similar events): {}", event.message);
        group.to_owned()
    }

    fn allow(&mut self, about: &str, now: Time) -> bool {
        let allowance = self.allowances.entry(about, || Allowance { left: EVENT_BURST, since: now });
        while allowance.left < EVENT_BURST && now.since(allowance.since) >= EVENT_REFILL {
            allowance.left += 1;
            allowance.since = allowance.since + EVENT_REFILL;
        }
        if allowance.left == EVENT_BURST {
            allowance.since = now;
        }
        let allowed = allowance.left > 0;
        allowance.left = allowance.left.saturating_sub(1);
        allowed
    }
}

fn about(object: &ObjectReference) -> String {
    let ObjectReference { kind, namespace, name, uid, api_version, .. } = object;
    format!("{kind}/{namespace}/{name}/{uid}/{api_version}")
}
