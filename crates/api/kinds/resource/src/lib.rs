//! The rows of the group `resource.k8s.io`: devices, what offers them, and who asks for them.
//!
//! Layer: above `api-kinds-core`, below the table of all rows. Entry point: [`KINDS`]. Invariants: rows are pure; a taint is not given the
//! time of its addition, as they know no clock. State: none. Failure: error lists in upstream's words.
//! Limits: `limits`. Left out: the estimate of what a selector costs before it is evaluated (`api-cel` bounds the evaluation instead), and
//! who may ask for access as an administrator, which takes more than the object to know.
//! Upstream: `pkg/apis/resource/{v1/defaults.go,validation}`, `pkg/registry/resource`, `dynamic-resource-allocation/cel` of Kubernetes 1.37.
//! How to test: `cargo test -p api-kinds-resource`; tables by way of `api_kind::trial`.

use api_kind::AnyKind;

mod claim;
pub mod device_class;
pub mod device_taint_rule;
mod expression;
mod limits;
mod names;
mod parts;
pub mod resource_claim;
pub mod resource_claim_template;
pub mod resource_slice;
mod taint;

/// The rows of this group.
pub static KINDS: &[&dyn AnyKind] = &[
    &device_class::KIND,
    &device_taint_rule::KIND,
    &resource_claim::KIND,
    &resource_claim_template::KIND,
    &resource_slice::KIND,
];
