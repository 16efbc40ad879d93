//! Virtual time and seeded chance: whatever takes a clock, tasks and randomness from outside runs on them, on one thread, and the same way each time.
//!
//! Layer: above `base`, whose traits it implements. Entry points: [`Executor`], [`Dice`]. Used by the simulator, and by rehearsals of what would
//! become of a cluster.
//!
//! Invariants: time passes only when no task can go on; the same seed gives the same order of everything.
//! State: none that outlives a value. Failure: tasks that go on for ever without waiting for anything panic. Limits: with the constants of
//! `executor`. How to test: `cargo test -p base-virtual`.

pub mod dice;
pub mod executor;

pub use dice::Dice;
pub use executor::Executor;
