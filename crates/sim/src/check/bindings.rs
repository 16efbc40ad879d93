//! A pod is bound once, and stays where it was bound.

use api_types::core::v1::Pod;

use super::Check;
use crate::history::{Change, History};

/// One binding for each pod.
pub struct Bindings;

impl Check for Bindings {
    fn name(&self) -> &'static str {
        "bindings"
    }

    fn changed(&mut self, _: &History, change: &Change) -> Result<(), String> {
        let (Some(before), Some(after)) = (change.before::<Pod>(), change.after::<Pod>()) else {
            return Ok(());
        };
        let (from, to) = (&before.spec.node_name, &after.spec.node_name);
        if before.metadata.uid == after.metadata.uid && !from.is_empty() && from != to {
            return Err(format!("the pod was bound to {from} and is now bound to {to}"));
        }
        Ok(())
    }
}
