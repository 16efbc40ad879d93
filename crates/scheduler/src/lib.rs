//! Decides on which node each pod runs: Kubernetes' scheduler as a synchronous core.
//!
//! Layer: beside `control`, above `api`; it never sees `store`, `server`, a clock or a socket. Whoever runs it feeds it what
//! the API says, carries out the [`Action`]s, and tells it what came of bindings.
//!
//! Entry points: [`Scheduler::step`] with an [`Event`], giving [`Outputs`]; [`Config`] with its [`Profile`]s; for those who
//! compare, [`Scheduler::survey`]. `scheduler-shell` runs it against an API.
//!
//! How it works: `intake` turns objects into records; `cluster` keeps nodes as columns and, for every term and constraint
//! in use, counts of pods by topology domain; `verdicts` remembers what each shape of pod gets of each node until the node
//! changes; `cycle` looks for feasible nodes and ranks them; `volumes` knows which volumes a pod can have on a node, and
//! takes them for it, as `devices` does with devices (which ones is `api-device`'s to say); `queue` says whose turn it is; `preemption` makes room;
//! `asking` stops the cycle where extenders have a say.
//! A pod costs as much as the nodes that are sampled for it, a binding as much as the counts that it moves.
//!
//! Invariants: the same events with the same seed give the same actions. A node never gets more than it has. A binding
//! is asked for once until it is answered or the pod goes. What is counted incrementally equals what counting anew gives.
//!
//! State: all in memory, none of it survives a restart; feeding the objects again rebuilds it. Back-off and the order of
//! pods that wait for the same time begin anew.
//!
//! Failure: a failed binding frees the node and the pod backs off. Malformed selectors select nothing. Broken invariants
//! of the scheduler itself panic.
//!
//! Limits: [`limits`]. Not here yet: extended resources that classes of devices stand for; pod groups are scheduled pod by pod; nodes'
//! declared features are not asked for.
//!
//! Upstream behaviour answered to: `pkg/scheduler` of k8s.io/kubernetes v1.37.1 with profiles of its own plugins: order, reasons,
//! weights and formulas of plugins, sampling, queueing hints, back-off, texts of events and conditions.
//!
//! How to test: `cargo test -p scheduler`: tables beside each filter and score, and `tests` for whole clusters, with
//! properties that compare the incremental state with one counted anew, and decisions with naive ones. `cargo xtask oracle --op
//! schedule` compares with kube-scheduler. `cargo xtask bench scheduling` measures.

mod asking;
mod checks;
mod cluster;
mod cycle;
mod demand;
mod devices;
mod diagnosis;
mod event;
mod filters;
mod intake;
pub mod limits;
mod nominated;
mod preemption;
mod profile;
mod queue;
mod random;
mod reason;
mod scheduler;
mod selectors;
mod shape;
mod survey;
#[cfg(test)]
mod tests;
mod verdicts;
mod volumes;

pub use asking::{Answer, Eviction, Extenders, Passed, Question, Rejected, Subject};
pub use cluster::pod::PodRef;
pub use devices::binding::{Binding, Bindings};
pub use event::{
    Action, ClaimRef, Deallocated, Decided, Event, Failure, FailureReason, Nomination, Outputs,
    scheduled_note,
};
pub use profile::{DEFAULT_NAME, Fit, PodAffinity, Preempting, Profile, Resource, Spreading, Weights};
pub use queue::Waiting;
pub use reason::{Plugin, Plugins, Refusal};
pub use scheduler::{Config, Scheduler};
pub use scheduler_scores::Score;
pub use scheduler_scores::allocation::Strategy;
pub use selectors::OwnerKind;
pub use survey::{Judgement, Survey};
