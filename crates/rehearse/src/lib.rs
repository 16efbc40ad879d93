//! What would become of a cluster if objects were applied to it: the controllers and the scheduler that ship, let loose on a copy in memory.
//!
//! Layer: above the server, the controllers, the scheduler and `explain`; below the binary, which reads the copy and prints what came of it. Entry
//! points: [`rehearse`], [`resources`] (what the copy is made of), [`compare::changes`].
//!
//! How it works: a registry with the admission that is built in, over a store in memory, gets the objects as they are, and time to come to rest.
//! Then it gets the objects that are wanted, and again time to come to rest. Time is virtual. Nodes are played ([`agent`]): what is new and has a
//! node is ready at once, what is deleted ends at once, and what was there before stays as it was. Volumes are made by whoever is asked for
//! them ([`provisioner`]). What the controllers tell of what they do, as events, is the story; the difference between the two rests is what came of it.
//!
//! Invariants: nothing outside is asked or changed; the same objects give the same outcome, but for the random ends of names, which are not told.
//!
//! State: none. Failure: a [`client::Status`] where the copy cannot be made.
//! Limits: [`limits`]. Not played: CronJobs' and autoscalers' clocks and measures, nodes that fail, webhooks and policies for what controllers
//! make, controllers of others, and programs: no new pod crashes, and no job's pod ends.
//! Upstream: as the parts that run here; `kubectl diff` for exit codes and for what counts as a change.
//! How to test: `cargo test -p rehearse`: clusters in, outcomes out.

pub mod agent;
pub mod compare;
mod end;
pub mod limits;
mod outcome;
pub mod provisioner;
mod run;
mod stage;
#[cfg(test)]
mod tests;
mod text;

pub use outcome::{Applied, Outcome, PlacedPod, Step, Verdict};
pub use run::{Input, Wanted, rehearse, resources};
