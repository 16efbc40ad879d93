//! What an object uses of a quota: one measure for admission, which charges it, and for the controller, which counts anew.
//!
//! Layer: above the rows of the core group, below the server and the controllers. Entry points: [`Measure::of`],
//! [`applies`].
//!
//! Invariants: pure; the usage of a set of objects is the sum of their usages, so that charging and replenishing are each
//! other's inverse; what is measured of an object depends on it and on the time alone.
//! State: none. Failure: none; a selector that cannot be read picks nothing.
//! Limits: none.
//! Upstream: `pkg/quota/v1/evaluator/core`, `k8s.io/apiserver/pkg/quota/v1`, `k8s.io/component-helpers/resource`. Devices that
//! pods ask for as extended resources are counted with the pods only, not once more with the claims that are made for them.
//! How to test: `cargo test -p api-quota`.

mod counts;
mod list;
mod measure;
pub mod persistent_volume_claim;
pub mod pod;
mod resource_claim;
mod scope;
mod service;
#[cfg(test)]
mod tests;

pub use counts::count_name;
pub use list::{ResourceList, equal, nonzero, rise, shown, within};
pub use measure::{Measure, applies, is_ignored, total};
