//! What holds for every kind, from its schema: defaults, gated fields, the split between spec and status, generation.

use api_meta::field::{ErrorKind, ErrorList, Path};
use api_record::{Record, Slot, Value};
use api_types::object_meta_mut;

use crate::{AnyKind, Ctx, Gates, defaults, rules};

/// Whether the status of a built-in kind is written through a subresource of its own, as upstream keeps it for all that have both.
pub(crate) fn has_status(group: &str, version: &str, plural: &str) -> bool {
    api_types::resources()
        .iter()
        .find(|row| (row.kind.group, row.kind.version, row.plural) == (group, version, plural))
        .is_some_and(|row| row.subresource("status").is_some())
}

/// Fills in what a client left out.
pub fn default(kind: &dyn AnyKind, ctx: &Ctx<'_>, object: &mut dyn Record) {
    defaults::fill(object);
    kind.defaults(ctx, object);
}

/// Makes an object ready to be kept: drops what a client may not say through this subresource, and counts the generation.
pub fn prepare(kind: &dyn AnyKind, ctx: &Ctx<'_>, object: &mut dyn Record, old: Option<&dyn Record>) {
    let split = kind.has_status();
    match old {
        None => {
            if split && !kind.brings_status() {
                clear(object, "status");
            }
            if let (true, Some(meta)) = (kind.has_generation(), object_meta_mut(object)) {
                meta.generation = 1;
            }
        }
        Some(old) if ctx.subresource == "status" => {
            keep_all_but_status(object, old, kind.freezes_metadata());
        }
        Some(_) if kind.is_bare(ctx.subresource) => {}
        Some(old) => {
            if split {
                copy(object, old, "status");
            }
            let generation = api_types::object_meta(old).map_or(0, |meta| meta.generation);
            let changed = kind.has_generation() && spec_differs(object, old);
            if let Some(meta) = object_meta_mut(object) {
                meta.generation = generation + i64::from(changed);
            }
        }
    }
    match kind.own_gates() {
        [] => drop_gated(ctx.gates, object, old),
        features => {
            let mut gates = ctx.gates.clone();
            features.iter().for_each(|feature| gates.set(feature, true));
            drop_gated(&gates, object, old);
        }
    }
    kind.prepare(ctx, object, old);
}

/// Reports all that is wrong with an object: its metadata, the rules of its type, and what the row says.
pub fn validate(
    kind: &dyn AnyKind,
    ctx: &Ctx<'_>,
    namespaced: bool,
    object: &dyn Record,
    old: Option<&dyn Record>,
) -> ErrorList {
    let mut errors = ErrorList::new();
    let path = Path::new("metadata");
    match (api_types::object_meta(object), old.and_then(api_types::object_meta)) {
        (Some(meta), None) => {
            errors.extend(api_meta::object_meta::validate(meta, namespaced, kind.name_check(), &path));
            if !kind.allows_any_finalizers() {
                let at = path.child("finalizers");
                errors.extend(api_meta::object_meta::known_finalizers(&meta.finalizers, &at));
            }
        }
        (Some(meta), Some(old)) => {
            errors.extend(api_meta::object_meta::validate(meta, namespaced, kind.name_check(), &path));
            errors.extend(api_meta::object_meta::validate_update(meta, old, &path));
        }
        (None, _) => {}
    }
    rules::check(ctx, &Path::NONE, object, old, &mut errors);
    kind.validate(ctx, object, old, &mut errors);
    once(errors)
}

/// The same without repetitions: a rule may be both declared and written by hand.
fn once(errors: ErrorList) -> ErrorList {
    let mut unique = ErrorList::new();
    for error in errors {
        let known = unique.iter().any(|other| {
            (other.kind, &other.field, &other.value) == (error.kind, &error.field, &error.value)
                && (other.detail == error.detail || error.kind == ErrorKind::Required)
        });
        if !known {
            unique.push(error);
        }
    }
    unique
}

/// Empties the fields whose features are off, unless the old object uses them.
pub fn drop_gated(gates: &Gates, object: &mut dyn Record, old: Option<&dyn Record>) {
    if !object.schema().carries.gates {
        return;
    }
    for index in 0..object.schema().fields.len() {
        let field = &object.schema().fields[index];
        let on = field.gates.is_empty() || field.gates.iter().any(|gate| gates.is_on(gate));
        let used = old.is_some_and(|old| !old.get(index).is_zero());
        if !on && !used {
            empty(object.slot(index));
        } else {
            let old = old.map(|old| old.get(index));
            drop_below(gates, object.slot(index), old.as_ref());
        }
    }
}

fn drop_below(gates: &Gates, slot: Slot<'_>, old: Option<&Value<'_>>) {
    match slot {
        Slot::Record(record) => match old {
            Some(Value::Record(old)) => drop_gated(gates, record, Some(*old)),
            _ => drop_gated(gates, record, None),
        },
        Slot::List(list) => {
            for index in 0..list.len() {
                let before = match old {
                    Some(Value::List(old)) if index < old.len() => Some(old.at(index)),
                    _ => None,
                };
                drop_below(gates, list.at_mut(index), before.as_ref());
            }
        }
        Slot::Map(map) => {
            for (key, slot) in map.slots() {
                let before = match old {
                    Some(Value::Map(old)) => old.find(key),
                    _ => None,
                };
                drop_below(gates, slot, before.as_ref());
            }
        }
        Slot::Nullable(nullable) if nullable.is_set() => drop_below(gates, nullable.fill(), old),
        _ => {}
    }
}

fn empty(slot: Slot<'_>) {
    match slot {
        Slot::Nullable(nullable) => nullable.set_nil(),
        Slot::Bool(value) => *value = false,
        Slot::Int32(value) => *value = 0,
        Slot::Int64(value) => *value = 0,
        Slot::Str(value) => value.clear(),
        Slot::List(list) => list.clear(),
        Slot::Map(map) => map.clear(),
        Slot::Record(record) => {
            for index in 0..record.schema().fields.len() {
                empty(record.slot(index));
            }
        }
        _ => {}
    }
}

fn clear(object: &mut dyn Record, field: &str) {
    if let Some(index) = object.schema().index_of(field) {
        empty(object.slot(index));
    } else if let Some(rest) = object.rest_mut() {
        rest.shift_remove(field);
    }
}

fn copy(object: &mut dyn Record, from: &dyn Record, field: &str) {
    if let Some(index) = object.schema().index_of(field) {
        assign(object, from, index);
    } else if let (Some(rest), Some(from)) = (object.rest_mut(), from.rest()) {
        match from.get(field) {
            Some(value) => drop(rest.insert(field.to_owned(), value.clone())),
            None => drop(rest.shift_remove(field)),
        }
        rest.sort_keys();
    }
}

/// Copies a field between two objects of one type, by way of its message.
fn assign(object: &mut dyn Record, from: &dyn Record, index: usize) {
    if let (Slot::Record(target), Value::Record(source)) = (object.slot(index), from.get(index)) {
        target.assign(source);
    }
}

/// A write to the status subresource keeps everything else; whether it may change labels and the like is the kind's to say.
fn keep_all_but_status(object: &mut dyn Record, old: &dyn Record, frozen: bool) {
    for index in 0..object.schema().fields.len() {
        let name = object.schema().fields[index].name.to_string();
        if name != "status" && name != "metadata" {
            assign(object, old, index);
        }
    }
    if let (Some(rest), Some(before)) = (object.rest_mut(), old.rest()) {
        let status = rest.shift_remove("status");
        rest.clone_from(before);
        match status {
            Some(status) => drop(rest.insert("status".to_owned(), status)),
            None => drop(rest.shift_remove("status")),
        }
        rest.sort_keys();
    }
    if let (Some(meta), Some(before)) = (object_meta_mut(object), api_types::object_meta(old)) {
        meta.generation = before.generation;
        meta.deletion_timestamp = before.deletion_timestamp;
        if !frozen {
            return;
        }
        meta.owner_references.clone_from(&before.owner_references);
        meta.labels.clone_from(&before.labels);
        meta.annotations.clone_from(&before.annotations);
        meta.finalizers.clone_from(&before.finalizers);
    }
}

/// Whether anything but the metadata and the status differs; of an object without a type, anything but the metadata.
fn spec_differs(object: &dyn Record, old: &dyn Record) -> bool {
    object.rest() != old.rest()
        || object.schema().fields.iter().enumerate().any(|(index, field)| {
            !matches!(&*field.name, "metadata" | "status") && object.get(index) != old.get(index)
        })
}
