//! Admission: the plugins that change and refuse what clients write, in upstream's order: those that are built in, then the policies and
//! webhooks of the cluster's users, quotas last.
//!
//! Layer: `server`, above the registry (whose [`server_registry::admit::Admission`] it implements), beside the pipeline.
//! Entry points: [`Chain::standard`], [`Plugin`], [`Lookup`]; [`MutatingPolicies`], [`MutatingWebhooks`],
//! [`ValidatingPolicies`], [`ValidatingWebhooks`].
//!
//! Invariants: plugins see each other's changes in the order of the chain, first all that change, then all that refuse;
//! what a plugin decides rests on the request and on what [`Lookup`] answers, which is never older than the request.
//! What is charged to a quota is committed with the object that it is charged for.
//! Whoever changes an object after a webhook that wants to know has it asked again, once, and with it all that are built in.
//! State: none that survives a restart; policies and webhooks are followed by views; a lock for each namespace whose quotas are being charged.
//! Failure: [`client::Status`] in upstream's words. Nothing is retried, but for the service account `default` of a new
//! namespace, which a controller is about to make.
//! Limits: [`limits`].
//! Upstream: release 1.37's `pkg/kubeapiserver/options/plugins.go`, `plugin/pkg/admission`,
//! `k8s.io/apiserver/pkg/admission/plugin/namespace/lifecycle`. Lookups read the store, where upstream reads caches
//! that may lag and looks again when it finds nothing. Node restriction is always on. Webhooks that change objects are asked of deletions
//! after what is built in has let them pass.
//! How to test: `cargo test -p server-admission`: a table for each plugin.

pub mod certificates;
mod chain;
mod default_class;
mod default_toleration_seconds;
mod devices;
mod expression;
mod limit_ranger;
pub mod limits;
mod lookup;
mod matching;
mod namespace_lifecycle;
mod node_declared_features;
mod node_restriction;
mod param_rights;
mod persistent_volume_claim_resize;
mod plugin;
mod pod_references;
mod pod_resize;
mod pod_security;
mod pod_topology_labels;
mod policy;
mod priority;
mod reinvocation;
mod request;
mod resource_quota;
mod runtime_class;
mod service_account;
mod storage_object_in_use_protection;
mod taint_nodes_by_condition;
mod versions;
mod webhook;

#[cfg(test)]
mod tests;

pub use certificates::Authorizer;
pub use chain::{Chain, Parts};
pub use default_class::{DefaultIngressClass, DefaultStorageClass};
pub use default_toleration_seconds::DefaultTolerationSeconds;
pub use devices::Devices;
pub use limit_ranger::LimitRanger;
pub use lookup::{Lookup, Stored};
pub use namespace_lifecycle::NamespaceLifecycle;
pub use node_declared_features::NodeDeclaredFeatures;
pub use node_restriction::NodeRestriction;
pub use param_rights::ParamRights;
pub use persistent_volume_claim_resize::PersistentVolumeClaimResize;
pub use plugin::{Plugin, forbidden};
pub use pod_resize::PodResize;
pub use pod_security::PodSecurity;
pub use pod_topology_labels::PodTopologyLabels;
pub use policy::{
    BINDINGS, Checks, MUTATING_BINDINGS, MUTATING_POLICIES, MutatingPolicies, POLICIES, PolicyParts,
    ValidatingPolicies,
};
pub use priority::Priority;
pub use reinvocation::Reinvocation;
pub use resource_quota::Quotas;
pub use runtime_class::RuntimeClasses;
pub use service_account::ServiceAccounts;
pub use storage_object_in_use_protection::StorageObjectInUseProtection;
pub use taint_nodes_by_condition::TaintNodesByCondition;
pub use versions::{Kind, Versions};
pub use webhook::{Asking, MUTATING, Metrics, MutatingWebhooks, VALIDATING, ValidatingWebhooks};
