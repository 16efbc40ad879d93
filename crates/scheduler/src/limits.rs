//! The bounds of this crate, each with the upstream default that it answers to where there is one.

use std::time::Duration;

/// Below this many nodes all of them are looked at; at least this many feasible ones are looked for above it.
pub const MIN_FEASIBLE_NODES: usize = 100;

/// The adaptive share of nodes to look for never falls below this.
pub const MIN_FEASIBLE_PERCENTAGE: usize = 5;

/// The first back-off of a pod that could not be scheduled.
pub const INITIAL_BACK_OFF: Duration = Duration::from_secs(1);

/// The longest back-off.
pub const MAX_BACK_OFF: Duration = Duration::from_secs(10);

/// Back-offs end on multiples of this, so that pods of one window leave it in the order of their priority.
pub const BACK_OFF_WINDOW: Duration = Duration::from_secs(1);

/// How long a pod may lie unschedulable before it is tried again without any event.
pub const MAX_UNSCHEDULABLE: Duration = Duration::from_secs(300);

/// The longest note of an event, in bytes; longer ones are cut.
pub const MAX_NOTE_BYTES: usize = 1024;

/// Shapes of pods whose verdicts on nodes are remembered, at most.
pub const MAX_REMEMBERED_SHAPES: usize = 64;

/// Shapes of pods whose verdicts on nodes are remembered, at least, however many nodes there are.
pub const MIN_REMEMBERED_SHAPES: usize = 8;

/// Bytes that remembered verdicts may take before fewer shapes are remembered.
pub const REMEMBERED_BYTES: usize = 64 << 20;

/// What a container without a CPU request counts as in scores, in thousandths.
pub const DEFAULT_CPU_MILLI: i64 = 100;

/// What a container without a memory request counts as in scores, in bytes.
pub const DEFAULT_MEMORY_BYTES: i64 = 200 << 20;

/// How long a pod's volumes may take to be bound (`bindTimeoutSeconds`).
pub const BIND_VOLUMES: Duration = Duration::from_secs(600);

/// How long a pod's devices may take to be ready (`bindingTimeout`).
pub const BIND_DEVICES: Duration = Duration::from_secs(600);

/// Preemption looks at this share of the nodes it could help on.
pub const PREEMPTION_CANDIDATE_PERCENTAGE: usize = 10;

/// Preemption looks at no fewer nodes than this.
pub const MIN_PREEMPTION_CANDIDATES: usize = 100;
