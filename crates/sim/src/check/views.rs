//! Every view, and every list, shows its scope as it was at its revision.

use std::collections::BTreeMap;
use std::sync::Arc;

use api_record::Record;
use api_types::object_meta;
use client::{RawView, Scope};

use crate::history::{History, Place, version};

/// Compares a view with the history.
///
/// # Errors
/// How they differ.
pub fn compare(history: &History, scope: &Scope, view: &RawView) -> Result<(), String> {
    let snapshot = view.snapshot();
    if !snapshot.is_synced() {
        return Ok(());
    }
    shown(history, scope, snapshot.iter(), snapshot.revision().0)
}

/// Compares objects that are shown with what the history held at a revision.
///
/// # Errors
/// How they differ.
pub fn shown<'a>(
    history: &History,
    scope: &Scope,
    objects: impl Iterator<Item = &'a Arc<dyn Record>>,
    revision: u64,
) -> Result<(), String> {
    let place = |object: &Arc<dyn Record>| -> Option<Place> {
        let meta = object_meta(&**object)?;
        Some((meta.namespace.clone(), meta.name.clone()))
    };
    let shown: BTreeMap<Place, &Arc<dyn Record>> =
        objects.filter_map(|object| Some((place(object)?, object))).collect();
    let held = history.projection(scope, revision);
    let of = format!("{} at {revision}", scope.resource);
    for ((namespace, name), object) in &held {
        let Some(own) = shown.get(&(namespace.clone(), name.clone())) else {
            return Err(format!("{of} lack {namespace}/{name}"));
        };
        let (own, held) = (version(&***own), version(&**object));
        if own != held {
            return Err(format!("{of} show {namespace}/{name} of {own}, which was of {held}"));
        }
    }
    for (key, object) in &shown {
        match held.get(key) {
            None => return Err(format!("{of} show {}/{}, which is gone", key.0, key.1)),
            Some(held) if **held != ***object => {
                return Err(format!("{of} show {}/{} as it never was", key.0, key.1));
            }
            Some(_) => {}
        }
    }
    Ok(())
}
