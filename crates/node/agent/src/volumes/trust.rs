//! The cluster's trust bundles on this node, followed once a pod asks for one.

use api_types::certificates::v1::ClusterTrustBundle;
use api_types::core::v1::ClusterTrustBundleProjection;
use base::random::Random;
use base::time::timeout;
use client::view::typed;
use client::{Resource, Scope, View};
use node_volume::payload::PayloadError;
use node_volume::trust::anchors;
use tokio::sync::OnceCell;

use crate::core::Core;
use crate::error::AgentError;
use crate::limits;

const BUNDLES: Resource = Resource::of("certificates.k8s.io", "v1", "clustertrustbundles");

/// All trust bundles, once somebody has asked for one.
pub(crate) struct TrustBundles {
    view: OnceCell<View<ClusterTrustBundle>>,
    seed: u64,
}

impl TrustBundles {
    /// None yet; the order of anchors is drawn here.
    pub(crate) fn new(random: &dyn Random) -> TrustBundles {
        let mut seed = [0; 8];
        random.fill(&mut seed);
        TrustBundles { view: OnceCell::new(), seed: u64::from_ne_bytes(seed) }
    }
}

impl Core {
    /// The anchors that a projection asks for, as PEM.
    pub(super) async fn trust_anchors(
        &self,
        wanted: &ClusterTrustBundleProjection,
    ) -> Result<Vec<u8>, AgentError> {
        let open = async || Ok::<_, AgentError>(View::new(self.calls.view(Scope::all(BUNDLES)).await?));
        let view = self.trust.view.get_or_try_init(open).await?;
        let mut changes = view.raw().changed();
        let synced = async { while !view.snapshot().is_synced() && changes.changed().await.is_ok() {} };
        // A server that does not know them, or does not show them, leaves the pod waiting, and told why.
        let _ = timeout(self.clock.as_ref(), limits::CALL, synced).await;
        let snapshot = view.snapshot();
        if !snapshot.is_synced() {
            return Err(PayloadError::NotSynced.into());
        }
        Ok(anchors(wanted, typed(snapshot.iter()), self.trust.seed)?)
    }
}
