//! The rows of the groups that have no crate of their own: a folder for each group, a file for each kind.
//!
//! Layer: above `api-kinds-core`, below the table of all rows. Entry point: [`KINDS`]. Invariants: rows are pure.
//! State: none. Failure: error lists in upstream's words.
//! Upstream: `pkg/apis/*/{v1/defaults.go,validation}`, `pkg/printers/internalversion` of Kubernetes 1.37.
//! How to test: `cargo test -p api-kinds-more`; tables by way of `api_kind::trial`.

use api_kind::AnyKind;

pub mod apiextensions;
pub mod apiregistration;
pub mod autoscaling;
pub mod batch;
pub mod certificates;
pub mod coordination;
pub mod discovery;
pub mod flowcontrol;
pub mod metrics;
pub mod networking;
pub mod node;
pub mod policy;
pub mod scheduling;
pub mod storage;

/// The rows of these groups.
pub static KINDS: &[&dyn AnyKind] = &[
    &apiextensions::custom_resource_definition::KIND,
    &apiregistration::api_service::KIND,
    &autoscaling::horizontal_pod_autoscaler::KIND,
    &batch::cron_job::KIND,
    &batch::job::KIND,
    &certificates::certificate_signing_request::KIND,
    &certificates::cluster_trust_bundle::KIND,
    &certificates::pod_certificate_request::KIND,
    &coordination::lease::KIND,
    &discovery::endpoint_slice::KIND,
    &flowcontrol::flow_schema::KIND,
    &flowcontrol::priority_level_configuration::KIND,
    &metrics::node_metrics::KIND,
    &metrics::pod_metrics::KIND,
    &networking::ingress::KIND,
    &networking::ingress_class::KIND,
    &networking::ip_address::KIND,
    &networking::network_policy::KIND,
    &networking::service_cidr::KIND,
    &node::runtime_class::KIND,
    &policy::pod_disruption_budget::KIND,
    &scheduling::priority_class::KIND,
    &storage::csi_driver::KIND,
    &storage::csi_node::KIND,
    &storage::csi_storage_capacity::KIND,
    &storage::storage_class::KIND,
    &storage::volume_attachment::KIND,
    &storage::volume_attributes_class::KIND,
];
