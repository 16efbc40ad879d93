//! The rows of the group `apps`: one file for each kind.
//!
//! Layer: above `api-kinds-core`, whose templates of pods these kinds hold; below the table of all rows.
//! Entry point: [`KINDS`]. Invariants: rows are pure. State: none. Failure: error lists in upstream's words.
//! Upstream: `pkg/apis/apps/{v1/defaults.go,validation}`, `pkg/registry/apps/*/strategy.go` of Kubernetes 1.37.
//! How to test: `cargo test -p api-kinds-apps`; tables by way of `api_kind::trial`.

use api_kind::AnyKind;

pub mod controller_revision;
pub mod daemon_set;
pub mod deployment;
pub mod replica_set;
pub mod stateful_set;
mod workload;

/// The rows of this group.
pub static KINDS: &[&dyn AnyKind] = &[
    &controller_revision::KIND,
    &daemon_set::KIND,
    &deployment::KIND,
    &replica_set::KIND,
    &stateful_set::KIND,
];
