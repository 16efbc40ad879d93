//! Devices of pods. Nobody prepares them here yet: no driver can register, and a pod with claims waits for its drivers as it does on a node
//! where they are not installed.

use api_types::core::v1::Pod;
use api_types::resource::v1::ResourceClaim;
use node_pod::devices;

use crate::calls::RESOURCE_CLAIMS;
use crate::core::Core;
use crate::error::AgentError;
use crate::events::Kind;

impl Core {
    /// Has the devices of a pod prepared. A failure is told of.
    pub(crate) async fn prepare_devices(&self, pod: &Pod) -> Result<(), AgentError> {
        let prepared = self.try_devices(pod).await;
        if let Err(error) = &prepared {
            let message =
                format!("Failed to prepare dynamic resources: prepare dynamic resources: {}", error.text());
            self.events.pod(pod, Kind::Warning, "FailedPrepareDynamicResources", message);
        }
        prepared
    }

    async fn try_devices(&self, pod: &Pod) -> Result<(), AgentError> {
        let refused = |why: String| AgentError::Devices { why };
        for named in devices::claims(pod).map_err(|why| refused(why.to_string()))? {
            let found =
                self.calls.get::<ResourceClaim>(RESOURCE_CLAIMS, &pod.metadata.namespace, &named.claim);
            let claim = found.await.map_err(|error| {
                let why = error.status().map_or_else(|| error.text(), |status| status.message.clone());
                refused(format!("fetch ResourceClaim {}: {why}", named.claim))
            })?;
            if let Some(driver) = devices::drivers(pod, &named, &claim).map_err(refused)?.first() {
                return Err(refused(format!("DRA driver {driver} is not registered")));
            }
        }
        Ok(())
    }
}
