//! What exists in a cluster before anybody has asked for anything: made at each start of a server, where it is missing.
//!
//! Layer: `server`, above the registry and the authorizers, below the binary. Entry points: [`bootstrap`], [`Config`]; while
//! a server runs, [`services`] and its [`Identity`].
//!
//! Invariants: whatever is there already stays, except the API's own endpoints, which follow [`Config`], and roles and
//! bindings, which are given what the policy says and they lack. Done twice, the second time writes nothing.
//! State: none of its own; all of it is objects.
//! Failure: the first [`Status`] ends it; started again, it goes on where it ended. A lost race with another server is tried
//! again.
//! Limits: [`limits`].
//! Upstream: `pkg/controlplane/controller/{clusterauthenticationtrust,systemnamespaces,defaultservicecidr,kubernetesservice,legacytokentracking}`, the hooks `scheduling/bootstrap-system-priority-classes`,
//! `rbac/bootstrap-roles` and `kube-apiserver-autoregistration`. Different: one server's address is the API's only endpoint, as one server is all there
//! is on an embedded store.
//! How to test: `cargo test -p server-bootstrap`, behind the standard admission, against the store in memory.

mod api_service;
mod authentication;
mod dns_service;
pub mod identity;
mod join;
pub mod limits;
mod policy;
mod registration;
mod service_range;
mod storage_class;
mod system;
#[cfg(test)]
mod tests;
mod token_tracking;
mod writer;

use std::collections::BTreeMap;
use std::net::IpAddr;

use client::Status;
use server_authn::bootstrap::BootstrapToken;
use server_registry::Registry;

pub use authentication::Authentication;
pub use identity::Identity;
use writer::Writer;

/// What a server is told about its cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The CIDRs that services' addresses come from; the first one's family is the default.
    pub service_ranges: Vec<String>,
    /// The API's own address among them.
    pub service_address: IpAddr,
    /// The address that the server is reached by.
    pub advertise: IpAddr,
    /// The port that the server is reached by.
    pub port: u16,
    /// The address at which nodes answer the cluster's DNS, which its service keeps from others.
    pub dns: Option<IpAddr>,
    /// How nodes join; nothing over the store of a stock cluster, where others say how.
    pub join: Option<Join>,
    /// How the server finds out who sends a request; told to nobody if there is none.
    pub authentication: Option<Authentication>,
}

/// How nodes join, and what they are told of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    /// What they show first.
    pub token: BootstrapToken,
    /// What they must know, by the names of the server's flags.
    pub settings: BTreeMap<String, String>,
}

/// Makes what is missing.
pub async fn bootstrap(registry: &Registry, config: &Config) -> Result<(), Status> {
    let writer = Writer::new(registry);
    system::namespaces(&writer).await?;
    system::priority_classes(&writer).await?;
    registration::reconcile(&writer).await?;
    policy::reconcile(&writer, config.join.is_some()).await?;
    if let Some(join) = &config.join {
        join::reconcile(&writer, join).await?;
        storage_class::reconcile(&writer).await?;
    }
    if let Some(authentication) = &config.authentication {
        authentication::reconcile(&writer, authentication).await?;
    }
    token_tracking::reconcile(&writer).await?;
    service_range::reconcile(&writer, &config.service_ranges).await?;
    services(registry, config).await
}

/// Makes the services that a cluster cannot be without, where somebody has deleted them; for a running server, which asks for it
/// as often as upstream's does.
pub async fn services(registry: &Registry, config: &Config) -> Result<(), Status> {
    let writer = Writer::new(registry);
    api_service::reconcile(&writer, config).await?;
    match config.dns {
        Some(address) => dns_service::reconcile(&writer, address).await,
        None => Ok(()),
    }
}
