//! Autoscaling: how many replicas a workload gets for what is measured of it.
//!
//! Layer: above `client` and `control-base`, below `control`, which starts it. Entry points: [`HorizontalPodAutoscalers`] and [`Meters`],
//! by which it reads what is measured.
//!
//! One round of an autoscaler is two plans. The first asks: for the scale of its target, through the target's scale subresource, and for
//! each of its metrics, all at once. The second decides from what was answered, purely; it writes the scale, then the status. Rounds
//! follow each other every [`limits::SYNC`], and at once when the spec changes.
//! Invariants: who answers late or not at all holds up nobody but who asked; nothing is scaled down on an answer that is missing.
//! State: what was recommended and done of late, for stabilization and for the policies' periods, in memory. A restart begins anew with the
//! target's present size, as upstream's does.
//! Failure: an answer that does not come is a condition and an event, and the next round asks again.
//! Limits: [`limits`].
//! Upstream: `pkg/controller/podautoscaler` of Kubernetes 1.37.
//! How to test: `cargo test -p control-autoscale`; tables of pods, answers and what becomes of them.

mod autoscaler;
mod decide;
pub mod limits;
mod look;
mod memory;
mod meters;
mod metric;
mod metrics;
mod normalize;
mod pods;
mod reading;
mod replicas;
mod target;

pub use autoscaler::HorizontalPodAutoscalers;
pub use meters::{Meters, Narrowed};
pub use metrics::Metrics;
