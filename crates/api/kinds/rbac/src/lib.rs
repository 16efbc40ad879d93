//! The rows of the group `rbac.authorization.k8s.io`: one file for each kind.
//!
//! Layer: above `api-kind`, below the table of all rows. Entry point: [`KINDS`]. Invariants: rows are pure; whether somebody
//! may give away what a role allows is the server's to decide. State: none. Failure: error lists in upstream's words.
//! Upstream: `pkg/apis/rbac/{v1/defaults.go,validation}` of Kubernetes 1.37.
//! How to test: `cargo test -p api-kinds-rbac`; tables by way of `api_kind::trial`.

use api_kind::AnyKind;

pub mod cluster_role;
pub mod cluster_role_binding;
pub mod role;
pub mod role_binding;
mod rules;

/// The rows of this group.
pub static KINDS: &[&dyn AnyKind] =
    &[&cluster_role::KIND, &cluster_role_binding::KIND, &role::KIND, &role_binding::KIND];
