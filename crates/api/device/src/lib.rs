//! How claims, devices and pods belong together: what the controllers, the scheduler and the node must see alike, and which devices a
//! claim gets on a node.
//!
//! Layer: above `api-cel` and `api-meta`, below the kinds, the controllers, the scheduler and the node. Entry points:
//! [`allocate::Allocator::allocate`], [`claim::of_pod`], [`selector::compile`].
//!
//! Invariants: pure; nothing is asked for, nothing is written, and the same question has the same answer: pools are tried in the order of
//! their drivers and names, slices in that of their names. State: none, but for expressions that [`selector::Selectors`] has compiled and
//! keeps. Failure: [`allocate::Failure`], in upstream's words. Limits: [`limits`].
//!
//! What upstream has behind gates that are off is not here: derived attributes and lists of attributes as constraints, compatibility groups
//! (a slice with some makes its pool incomplete, as upstream's does), resources of nodes that devices are made of, claims of pod groups.
//!
//! Upstream: `k8s.io/dynamic-resource-allocation` of Kubernetes 1.37 (`structured/internal/incubating`, `resourceclaim`, `cel`,
//! `resourceslice/tracker`). How to test: `cargo test -p api-device`; tables of slices and claims with what they get.

pub mod allocate;
mod capacity;
pub mod claim;
pub mod limits;
pub mod pool;
pub mod selector;
pub mod state;
pub mod taint;

pub use state::{AllocatedState, DeviceId};
