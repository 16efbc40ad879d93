//! Every view shows its scope as it was at the view's revision.

use std::collections::BTreeMap;

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
    let revision = snapshot.revision().0;
    let shown: BTreeMap<Place, String> = snapshot
        .iter()
        .filter_map(|object| {
            let meta = object_meta(&**object)?;
            Some(((meta.namespace.clone(), meta.name.clone()), version(&**object)))
        })
        .collect();
    let held = history.projection(scope, revision);
    let place = |place: &Place| format!("{}/{}", place.0, place.1);
    for (key, version) in &held {
        match shown.get(key) {
            Some(own) if own == version => {}
            Some(own) => {
                return Err(format!(
                    "the view of {} at {revision} shows {} of {own}, which was of {version}",
                    scope.resource,
                    place(key)
                ));
            }
            None => {
                return Err(format!("the view of {} at {revision} lacks {}", scope.resource, place(key)));
            }
        }
    }
    match shown.keys().find(|key| !held.contains_key(*key)) {
        Some(key) => {
            Err(format!("the view of {} at {revision} shows {}, which is gone", scope.resource, place(key)))
        }
        None => Ok(()),
    }
}
