//! The runtime that controllers run in: what changed becomes keys, keys become plans, plans become requests.
//!
//! A [`Controller`] decides purely: [`Controller::plan`] is a function of a key, of what the views show, and of the
//! time. [`Core`] decides when a key is planned: once at a time, deduplicated, after its back-off, and not before the
//! views show its own writes. [`run`] is the shell around both. What is deliberately absent: any order between
//! keys, and any memory of a controller between two plans.
//!
//! Upstream: `client-go`'s workqueue and event recorder, `pkg/controller`'s expectations and slow start.

mod core;
mod events;
mod execute;
mod inspect;
mod kinds;
pub mod limits;
mod plan;
mod shell;
#[cfg(test)]
mod tests;
mod wires;
mod witness;
mod world;

use std::fmt::Debug;

use base::time::Time;

use crate::Caller;

pub use core::{BackOff, Core, Finished, Input, Output};
pub use events::{EventNames, Note, Recorder, Severity};
pub use execute::execute;
pub use inspect::{Counts, Explained, Inspector, LastRun};
pub use kinds::resource_of;
pub use plan::{Ask, Failure, Guard, Op, Plan, Telling, Write};
pub use shell::{Deps, run};
pub use wires::{Source, Wires, name};
pub use witness::Witness;
pub use world::World;

/// A loop that brings something in the cluster to what it should be.
pub trait Controller: Send + Sync + 'static {
    /// The name, which is also that of its service account.
    const NAME: &'static str;
    /// What its events say that they come from.
    const SOURCE: &'static str = Self::NAME;
    /// How long a key that failed waits.
    const BACK_OFF: BackOff = BackOff::USUAL;
    /// What it thinks about at once: an object by namespace and name, most often.
    type Key: Ord + Clone + Debug + Send + Sync + 'static;

    /// Says what it looks at and which keys a change there is about.
    fn wire(&self, wires: &mut Wires<Self::Key>);

    /// What to do about a key. Pure: the same world at the same time gives the same plan.
    fn plan(&self, key: &Self::Key, world: &World, now: Time) -> Plan;

    /// As whom it acts.
    fn caller(&self) -> Caller {
        service_account(Self::NAME)
    }

    /// As whom its views are opened: all controllers share them, as those of upstream's controller manager do.
    fn reader(&self) -> Caller {
        Caller::new("system:kube-controller-manager", &["system:authenticated"])
    }
}

/// The service account of a controller in `kube-system`.
pub fn service_account(name: &str) -> Caller {
    Caller::new(
        &format!("system:serviceaccount:kube-system:{name}"),
        &["system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"],
    )
}

/// The usual key: namespace, empty for none, and name.
pub type Name = (String, String);
