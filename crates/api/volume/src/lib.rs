//! How claims, volumes, classes and pods belong together: what the binder, the scheduler and the nodes must see alike.
//!
//! Layer: above `api-meta`, below the controllers, the scheduler and the node. Entry points: [`matching::find`], [`bind`], [`pod::claims`].
//!
//! Invariants: pure; nothing is asked for, nothing is written. State: none. Failure: a selector that cannot be read picks nothing.
//! Limits: none. Upstream: `k8s.io/component-helpers/storage/{volume,ephemeral}` of Kubernetes 1.37.
//! How to test: `cargo test -p api-volume`.

pub mod annotation;
mod bind;
pub mod class;
pub mod matching;
pub mod pod;

pub use bind::{bind, is_bound_to, is_fully_bound};

/// Who provisions nothing: volumes of its classes are made by hand.
pub const NO_PROVISIONER: &str = "kubernetes.io/no-provisioner";

/// The resource that claims request and volumes have.
pub const STORAGE: &str = "storage";
