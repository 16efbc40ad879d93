//! Why things in a cluster are as they are: answers from what is recorded, and from the plans of the controllers and the scheduler.
//!
//! Layer: above the controllers and the scheduler, whose pure functions it asks; below the binary, which reads objects for it and prints what it
//! says. Entry points: [`why`], [`reading::first`] and [`reading::then`] (what has to be read for it), [`Answer::text`].
//!
//! Invariants: pure; the same evidence at the same time gives the same answer. What is not in the evidence is not guessed: what could not be
//! read is told of in [`Answer::unread`], and what nobody records (who deleted an object, say) is not claimed. Nothing is decided here a second
//! time: nodes are judged by the scheduler's own plugins, the next step of a workload is its controller's own plan.
//!
//! State: none. Failure: none; broken selectors and fields that cannot be read count as what the parts that own them take them for.
//! Limits: [`limits`]. Upstream: the meaning of reasons, conditions and annotations is that of Kubernetes 1.37; the wording of answers is ours,
//! but for messages that are quoted.
//! How to test: `cargo test -p explain`: tables of objects and what is said of them.

mod answer;
mod budget;
mod changes;
mod claim;
mod condition;
mod ending;
mod evidence;
mod finding;
mod kin;
pub mod limits;
mod namespace;
mod node;
mod pod;
pub mod reading;
mod service;
#[cfg(test)]
mod tests;
mod text;
mod volume;
mod why;
mod workload;

pub use answer::{Answer, Branch, Change, Link, Told};
pub use evidence::{Evidence, Subject, Unread};
pub use finding::{Finding, Named};
pub use why::why;
