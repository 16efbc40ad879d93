//! The deterministic simulator: the parts of Knarr that ship, driven through faults on one thread by one seed, and checked at
//! every step.
//!
//! Layer: the top, beside the binary; it may see everything. Entry points: [`run::run`] (a seed to its verdict),
//! [`run::run_with`] (with a planted defect, or with other faults than the seed's).
//!
//! How it works: [`executor`] is virtual time, one heap of it, and tasks that are polled in an order that the seed decides. On it
//! run a server (the real registry and admission over the real store in memory), the real controllers in the real reconcile
//! runtime, the real scheduler with its shell, and nodes whose agents decide by `node-pod`'s state machine ([`actors`]). Each
//! has a [`line`] to the server that is slow, loses requests and answers, lets watches lag and cuts them; the store under the
//! server fails as [`medium`] has it; [`faults`] crashes components at any step, the server too, compacts the history, loses
//! nodes, has them be unwell for a while, sets clocks to other times and kills containers; [`webhook`]s that have a say in what is written fail,
//! hang and answer late. [`profile`] says which of it a seed gets. A world is of a [`family`]: its users ask for Deployments, ReplicaSets,
//! StatefulSets, Pods and Services; or for DaemonSets; or for Jobs; or for CronJobs; and change their minds. Among the latter three, quotas run out, clocks jump, and
//! images are asked for that nobody has.
//!
//! Invariants: the same seed gives the same history, to the last revision. What runs here is what ships: nothing of a core is
//! written a second time, but for checks.
//!
//! Checked ([`check`]): every watch is a projection of the history, every view shows its scope as of its revision, every list
//! one moment; a write replaces the version that it was based on and meets the uid that it names; one binding a pod; unique
//! addresses of pods and services, and node ports; a Deployment's surge and availability; a DaemonSet's pods, one a node, and its
//! availability; a Job's pods, no more than it may have and each counted once; a CronJob's Jobs, one for a time and none that its
//! policy forbids; nobody takes or deletes what is another's; nobody asks again and again for what is refused; nothing that is owned
//! is garbage, and nothing is left whose owner is gone; what a webhook refuses is never stored; what has ended stays ended; a node
//! ends no pod that nobody deleted; all is as it was asked for within a bound once faults stop.
//!
//! State: none; a world ends with its run. Failure: a run says what did not hold, and its seed.
//! Limits: those of [`run`].
//!
//! How to test: `cargo test -p sim` runs all seeds, the planted defects and the regressions. One seed by hand, with what
//! happened in it: `cargo run -p sim --example seeds -- --seed N`; a range: `--from N --count M`; of another family than applications: `--family NAME`.

pub mod actors;
pub mod check;
pub mod family;
pub mod faults;
pub mod history;
pub mod line;
pub mod medium;
pub mod profile;
pub mod run;
pub mod server;
pub mod webhook;
pub mod world;

pub use base_virtual::{dice, executor};
