//! For the checks' own tests: a store that tells one check of every change.

use api_codec::proto;
use api_record::Typed;
use api_types::object_meta;
use base::time::Time;
use client::reconcile::resource_of;
use serde_json::{Value, json};
use store::{KeyRange, MemoryStore, Revision, Store as _, Txn};

use super::Check;
use crate::actors::requests::object;
use crate::history::{History, served};

/// A store, and who looks at it.
pub(super) struct Trial {
    store: MemoryStore,
    history: History,
    check: Box<dyn Check>,
}

impl Trial {
    /// Of a check.
    pub(super) fn of(check: impl Check + 'static) -> Trial {
        let store = MemoryStore::new();
        let history = History::new(store.watch(KeyRange::all(), Revision::NONE));
        Trial { store, history, check: Box::new(check) }
    }

    /// What the check says when an object is written, a thousand seconds after 1970.
    pub(super) fn write<T: Typed + Default>(&mut self, value: &Value) -> Result<(), String> {
        let written: T = object(value);
        let row = served(resource_of::<T>());
        let meta = object_meta(&written).expect("an object of a store");
        let place = if meta.namespace.is_empty() { String::new() } else { format!("{}/", meta.namespace) };
        let key = format!("{}{place}{}", row.prefix, meta.name);
        let value = proto::encode(&written, &row.hub.kind.gvk());
        self.store.commit_now(Txn::default().put(key, value)).expect("written");
        let changes = self.history.catch_up(Time::from_unix_seconds(1_000));
        changes.iter().try_for_each(|change| self.check.changed(&self.history, change))
    }
}

/// The metadata of an object, which an object of such a kind and name may control.
pub(super) fn meta(name: &str, owner: Option<(&str, &str)>) -> Value {
    let reference = |(kind, name): (&str, &str)| json!({"apiVersion": "v1", "kind": kind, "name": name, "uid": format!("{name}-uid"), "controller": true});
    let references: Vec<Value> = owner.map(reference).into_iter().collect();
    json!({
        "namespace": "shop", "name": name, "uid": format!("{name}-uid"), "generation": 1,
        "ownerReferences": references,
    })
}
