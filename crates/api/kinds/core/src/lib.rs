//! The rows of the group `core`: one file for each kind.
//!
//! Layer: above `api-kind`, below the table of all rows; the groups of workloads share [`template`] and parts of [`pod`].
//! Entry points: [`KINDS`], [`template`]. Invariants: rows are pure; what a row does not say, the engine does from the schema.
//! State: none. Failure: error lists in upstream's words.
//! Limits: `limits`. Upstream: `pkg/apis/core/{v1/defaults.go,validation}`, `pkg/registry/core/*/strategy.go`,
//! `pkg/printers/internalversion` of Kubernetes 1.37.
//! How to test: `cargo test -p api-kinds-core`; tables by way of `api_kind::trial`.

use api_kind::AnyKind;

pub mod component_status;
pub mod config_map;
pub mod endpoints;
pub mod event;
pub mod limit_range;
pub mod limits;
pub mod namespace;
pub mod node;
pub mod persistent_volume;
pub mod persistent_volume_claim;
pub mod pod;
pub mod pod_template;
pub mod replication_controller;
pub mod resource_quota;
pub mod secret;
pub mod service;
pub mod service_account;
pub mod signer_name;
pub mod template;

/// The rows of this group.
pub static KINDS: &[&dyn AnyKind] = &[
    &component_status::KIND,
    &config_map::KIND,
    &endpoints::KIND,
    &event::KIND,
    &limit_range::KIND,
    &namespace::KIND,
    &node::KIND,
    &persistent_volume::KIND,
    &persistent_volume_claim::KIND,
    &pod::KIND,
    &pod_template::KIND,
    &replication_controller::KIND,
    &resource_quota::KIND,
    &secret::KIND,
    &service::KIND,
    &service_account::KIND,
];
