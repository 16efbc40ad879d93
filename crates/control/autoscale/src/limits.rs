//! The bounds of autoscaling, upstream's defaults where upstream has one.

use std::time::Duration;

/// The time between two rounds (`--horizontal-pod-autoscaler-sync-period`).
pub const SYNC: Duration = Duration::from_secs(15);
/// How far back a higher recommendation holds a target up (`--horizontal-pod-autoscaler-downscale-stabilization`).
pub const STABILIZATION: Duration = Duration::from_secs(5 * 60);
/// How far from what is wanted usage may be without being acted on, in thousandths of it (`--horizontal-pod-autoscaler-tolerance`).
pub const TOLERANCE_MILLIS: i64 = 100;
/// How long after a pod's start its CPU counts only while it is ready (`--horizontal-pod-autoscaler-cpu-initialization-period`).
pub const CPU_INITIALIZATION: Duration = Duration::from_secs(5 * 60);
/// How long after a pod's start a pod that is not ready counts as one that never was (`--horizontal-pod-autoscaler-initial-readiness-delay`).
pub const INITIAL_READINESS: Duration = Duration::from_secs(30);
/// How long one question may take.
pub const ANSWER: Duration = Duration::from_secs(10);
/// How far back anything that was recommended or done can matter: the longest window and period that the API takes.
pub const LONGEST: Duration = Duration::from_secs(3600);
/// How much of it is remembered of one autoscaler: a round every three seconds for that long.
pub const REMEMBERED: usize = 1200;
