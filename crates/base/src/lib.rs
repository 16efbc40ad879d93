//! What every crate of Knarr may use and nothing of which knows Kubernetes: time, randomness, back-off, tasks, shutdown, error chains,
//! metrics, files that rotate, the query of a URL and telemetry set-up.
//!
//! Layer: the lowest. Entry points: [`time::Clock`], [`random::Random`], [`drain`].
//! Invariant: only this crate and `host` read the real clock or the kernel's random numbers, so that every core can be
//! driven by a simulator instead.
//! State: none. Nothing here survives a restart.

pub mod backoff;
pub mod drain;
pub mod error;
pub mod metrics;
pub mod query;
pub mod random;
pub mod rotating;
pub mod task;
pub mod telemetry;
pub mod time;
