//! The rows of `admissionregistration.k8s.io`: webhooks and policies that decide what may be written.
//!
//! Layer: above `api-cel` and the row engine, below the table of all rows. Entry points: [`KINDS`] for the table; [`expression`] for whoever
//! evaluates what objects of these kinds hold.
//! Invariants: rows are pure. State: none. Failure: error lists in upstream's words, with CEL's own complaints in them.
//! Upstream: `pkg/apis/admissionregistration/{v1/defaults.go,validation}`, `apiserver/pkg/admission/plugin/cel` of Kubernetes 1.37.
//! How to test: `cargo test -p api-kinds-admission`; tables by way of `api_kind::trial`.

use api_kind::AnyKind;

mod binding;
pub mod defaults;
pub mod expression;
mod matching;
pub mod mutating_admission_policy;
pub mod mutating_admission_policy_binding;
pub mod mutating_webhook_configuration;
mod policy;
mod static_names;
pub mod validating_admission_policy;
pub mod validating_admission_policy_binding;
pub mod validating_webhook_configuration;
mod webhook;

/// The rows of the group.
pub static KINDS: &[&dyn AnyKind] = &[
    &mutating_admission_policy::KIND,
    &mutating_admission_policy_binding::KIND,
    &mutating_webhook_configuration::KIND,
    &validating_admission_policy::KIND,
    &validating_admission_policy_binding::KIND,
    &validating_webhook_configuration::KIND,
];
