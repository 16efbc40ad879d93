//! What must hold of a world, one checker a file. Those that implement [`Check`] hear of every change of the store; the others
//! look at what passes over a line, at views, or at how all of it ends.

pub mod addresses;
pub mod answers;
pub mod bindings;
pub mod bounds;
pub mod convergence;
pub mod daemons;
pub mod garbage;
pub mod jobs;
pub mod life;
pub mod ordinals;
pub mod owners;
mod pods;
pub mod quotas;
pub mod schedules;
pub mod storms;
#[cfg(test)]
mod trial;
pub mod views;
pub mod watches;
pub mod webhooks;

use std::sync::Arc;

use crate::history::{Change, History};
use crate::profile::Profile;
use crate::webhook::Unheard;

/// Something that must hold at each change.
pub trait Check: Send {
    /// What it is called where it finds something.
    fn name(&self) -> &'static str;

    /// Looks at a change, which the history has taken in already.
    ///
    /// # Errors
    /// What is not as it must be.
    fn changed(&mut self, history: &History, change: &Change) -> Result<(), String>;
}

/// All of them.
pub fn all(profile: &Profile, unheard: Arc<Unheard>) -> Vec<Box<dyn Check>> {
    vec![
        Box::new(bindings::Bindings::new(profile)),
        Box::new(addresses::Addresses),
        Box::new(bounds::Surge::new(profile)),
        Box::new(bounds::Availability::new(profile)),
        Box::new(life::Life),
        Box::new(ordinals::Ordinals::new(profile)),
        Box::new(owners::Owners),
        Box::new(daemons::Placement::new(profile)),
        Box::new(daemons::Availability::new(profile)),
        Box::new(jobs::Making::new(profile)),
        Box::new(jobs::Counting::default()),
        Box::new(schedules::Schedules::new(profile)),
        Box::new(quotas::Quotas),
        Box::new(webhooks::Webhooks(unheard)),
    ]
}
