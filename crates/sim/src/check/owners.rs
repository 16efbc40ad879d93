//! Nobody takes what is somebody else's: what one object controls comes under another's control only after the first has let it go. Slices of
//! endpoints alone are a service's by its name, so that a new one takes over those of the one before, as upstream's do.

use api_meta::owners::controller_of;

use super::Check;
use crate::history::{Change, History};

/// One controller at a time.
pub struct Owners;

impl Check for Owners {
    fn name(&self) -> &'static str {
        "owners"
    }

    fn changed(&mut self, _: &History, change: &Change) -> Result<(), String> {
        let (Some(before), Some(after)) = (change.meta_before(), change.meta_after()) else { return Ok(()) };
        match (controller_of(before), controller_of(after)) {
            (Some(from), Some(to)) if from.uid != to.uid && from.kind != "Service" => Err(format!(
                "{} {} controlled it, and now {} {} does",
                from.kind, from.name, to.kind, to.name
            )),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
