//! What all of the agent's tasks share.

use std::sync::{Arc, Mutex, OnceLock};

use api_types::core::v1::{Node, Pod};
use base::random::Random;
use base::time::Clock;
use client::View;
use net_pod::network::PodNetwork;
use node_image::pull::Puller;
use node_image::store::Store;
use node_pod::env;
use node_runtime::Runtime;

use crate::allocations::Allocations;
use crate::calls::Calls;
use crate::config::Config;
use crate::error::AgentError;
use crate::events::Recorder;
use crate::health::Health;
use crate::image::Images;
use crate::machine::Machine;
use crate::node_api::Directory;
use crate::pressure::Pressure;
use crate::records::Records;
use crate::services::Views;
use crate::volumes::{Certificates, Tokens, TrustBundles};

pub(crate) struct Core {
    pub(crate) config: Config,
    pub(crate) calls: Calls,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) runtime: Runtime,
    pub(crate) images: Images,
    /// Opened once the node's ranges are known, before anything of a pod is touched.
    pub(crate) network: OnceLock<Arc<PodNetwork>>,
    pub(crate) events: Recorder,
    pub(crate) records: Records,
    pub(crate) machine: Machine,
    pub(crate) tokens: Tokens,
    pub(crate) trust: TrustBundles,
    pub(crate) certificates: Certificates,
    pub(crate) directory: Directory,
    pub(crate) views: Views,
    pub(crate) pods: View<Pod>,
    pub(crate) nodes: View<Node>,
    pub(crate) health: Health,
    pub(crate) pressure: Mutex<Pressure>,
    pub(crate) allocations: Allocations,
}

pub(crate) fn images(store: Store, config: &Config) -> Images {
    Images::new(store.clone(), Puller::new(store, Arc::clone(&config.registries)))
}

impl Core {
    /// The pod network.
    ///
    /// # Errors
    /// As long as it is not open.
    pub(crate) fn network(&self) -> Result<Arc<PodNetwork>, AgentError> {
        self.network.get().cloned().ok_or(AgentError::NoNetwork)
    }

    /// Takes over what the node has for pods as the API shows it by now: others may have counted something there.
    pub(crate) fn count_room(&self) {
        let nodes = self.nodes.snapshot();
        let own = nodes.get("", &self.config.node_name).and_then(|object| object.downcast_ref::<Node>());
        if let Some(own) = own.filter(|own| !own.status.allocatable.is_empty()) {
            self.allocations.set_allocatable(own.status.allocatable.clone());
        }
    }

    /// What the node adds to the fields of a pod with these addresses.
    pub(crate) fn node(&self, addresses: &[String]) -> env::Node {
        env::Node {
            name: self.config.node_name.clone(),
            host_ips: self.config.node_ips.iter().map(ToString::to_string).collect(),
            pod_ips: addresses.to_vec(),
            allocatable_millis: self.machine.cpus.saturating_mul(1000),
            allocatable_memory_bytes: self.machine.allocatable_memory_bytes(),
            allocatable_storage_bytes: self.machine.storage_bytes,
        }
    }
}

/// Runs blocking work beside the async one.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AgentError> + Send + 'static,
) -> Result<T, AgentError> {
    tokio::task::spawn_blocking(work).await.map_err(AgentError::Lost)?
}
