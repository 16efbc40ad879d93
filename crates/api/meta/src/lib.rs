//! What objects have in common beyond their fields: Status errors, field errors, names, selectors, conditions, owners, node affinity.
//!
//! Layer: above `api-record` and `api-types`, below every crate that validates, serves or selects objects.
//! Entry points: [`Status`], [`field::ErrorList`], [`labels::Selector`].
//!
//! Invariants: pure functions of their arguments; no clock (the time is passed in), no randomness (random characters are
//! passed in). State: none. Failure: malformed input becomes an error value, never a panic.
//! Limits: `limits`. Upstream answered to: `k8s.io/apimachinery` v0.37.1: `pkg/api/errors`, `pkg/api/{meta,validation}`,
//! `pkg/util/validation`, `pkg/labels`, `pkg/fields`, `pkg/runtime/schema`; `component-helpers`; wording, reasons and codes are
//! upstream's.
//! How to test: `cargo test -p api-meta`; tables of wording, and properties that parsing and printing agree.

pub mod conditions;
pub mod field;
pub mod fields;
pub mod gvk;
pub mod labels;
pub mod limits;
pub mod names;
pub mod node_affinity;
pub mod object_meta;
pub mod options;
pub mod owners;
pub mod pod_resources;
pub mod qos;
pub mod quote;
pub mod resources;
pub mod status;

pub use status::Status;
