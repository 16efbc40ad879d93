//! What has ended does not begin again: a pod that has succeeded or failed stays so, what is being deleted goes on being
//! deleted, an object's uid and its time of creation never change.

use api_types::core::v1::Pod;

use super::Check;
use crate::history::{Change, History};

/// Nothing comes back.
pub struct Life;

impl Check for Life {
    fn name(&self) -> &'static str {
        "life"
    }

    fn changed(&mut self, _: &History, change: &Change) -> Result<(), String> {
        let (Some(before), Some(after)) = (change.meta_before(), change.meta_after()) else { return Ok(()) };
        if before.uid != after.uid || before.creation_timestamp != after.creation_timestamp {
            return Err("the object has become another without having been deleted".into());
        }
        if before.deletion_timestamp.is_some() && after.deletion_timestamp.is_none() {
            return Err("the object was being deleted and is not any more".into());
        }
        if let (Some(before), Some(after)) = (change.before::<Pod>(), change.after::<Pod>()) {
            let (from, to) = (&before.status.phase, &after.status.phase);
            if matches!(from.as_str(), "Succeeded" | "Failed") && from != to {
                return Err(format!("the pod was {from} and is now {to}"));
            }
        }
        Ok(())
    }
}
