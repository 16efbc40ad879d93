//! Controllers of the cluster itself: namespaces and what every one has, quotas, garbage, nodes, certificates, the types of policies.

mod bootstrap_signer;
mod bootstrap_token;
mod csr;
mod garbage;
mod namespace;
mod node_ipam;
mod node_lifecycle;
mod node_ttl;
mod pod_garbage;
mod policy_types;
mod resource_quota;
mod role_aggregation;
mod root_ca;
mod service_account;
mod storage_migration;
mod taint_eviction;
mod token_cleaner;

pub use bootstrap_signer::BootstrapSigner;
pub use csr::{Approval, CertificateCleaner, CertificateRequests, KubeletServing, Serving, Signer, Unsigned};
pub use garbage::{Garbage, Id};
pub use namespace::Namespaces;
pub use node_ipam::{NodeIpam, Range};
pub use node_lifecycle::NodeLifecycle;
pub use node_ttl::NodeTtl;
pub use pod_garbage::{Key as PodGarbageKey, PodGarbage};
pub use policy_types::PolicyTypes;
pub use resource_quota::ResourceQuotas;
pub use role_aggregation::RoleAggregation;
pub use root_ca::RootCa;
pub use service_account::ServiceAccounts;
pub use storage_migration::StorageMigrations;
pub use taint_eviction::TaintEviction;
pub use token_cleaner::TokenCleaner;
