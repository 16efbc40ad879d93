//! NodeDeclaredFeatureValidator: a pod is not changed into one that its node says it cannot run.
//!
//! Upstream: `plugin/pkg/admission/nodedeclaredfeatures` with the features of `k8s.io/component-helpers/nodedeclaredfeatures` that an update
//! can call for, of those that are on by default.

use std::sync::Arc;

use api_meta::Status;
use api_record::Record;
use api_types::core::v1::{Container, Pod};
use client::BoxFuture;
use server_registry::admit::{Attributes, Operation};

use crate::lookup::pods_node;
use crate::plugin::is_about;
use crate::{Lookup, Plugin, forbidden};

/// Checks what nodes must be able to do for a change.
pub struct NodeDeclaredFeatures {
    lookup: Arc<dyn Lookup>,
}

/// What a change calls for, in the order of names.
fn called_for(pod: &Pod, old: &Pod) -> Vec<&'static str> {
    let stays = |container: &Container| container.restart_policy.as_deref() == Some("Always");
    let init = |old: &Container, new: &Container| !stays(old) && old.resources != new.resources;
    let inits = old.spec.init_containers.iter().zip(&pod.spec.init_containers);
    let features = [
        ("InPlacePodLevelResourcesVerticalScaling", old.spec.resources != pod.spec.resources),
        ("InPlacePodVerticalScalingInitContainers", inits.into_iter().any(|(old, new)| init(old, new))),
    ];
    features.into_iter().filter(|(_, needed)| *needed).map(|(name, _)| name).collect()
}

impl NodeDeclaredFeatures {
    /// Looks nodes up with `lookup`.
    pub fn new(lookup: Arc<dyn Lookup>) -> NodeDeclaredFeatures {
        NodeDeclaredFeatures { lookup }
    }

    async fn check(&self, attributes: &Attributes<'_>, pod: &Pod, old: &Pod) -> Result<(), Status> {
        let needed = called_for(pod, old);
        if needed.is_empty() {
            return Ok(());
        }
        let refused = |why: String| forbidden(attributes, Some(pod), why);
        let name = &pod.spec.node_name;
        let node = pods_node(&*self.lookup, attributes, pod).await?;
        let declared = &node.status.declared_features;
        let missing: Vec<&str> =
            needed.into_iter().filter(|feature| declared.iter().all(|own| own != feature)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let missing = missing.join(", ");
        Err(refused(format!(
            "pod update requires features {missing} which are not available on node {name:?}"
        )))
    }
}

impl Plugin for NodeDeclaredFeatures {
    fn validate<'a>(
        &'a self,
        attributes: &'a Attributes<'a>,
        object: Option<&'a dyn Record>,
        old: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async move {
            let asked = attributes.operation == Operation::Update
                && is_about(attributes, "", "pods")
                && matches!(attributes.subresource, "" | "resize");
            let pod = object.and_then(|object| object.downcast_ref::<Pod>());
            let old = old.and_then(|old| old.downcast_ref::<Pod>());
            match (pod, old) {
                (Some(pod), Some(old)) if asked && !pod.spec.node_name.is_empty() => {
                    self.check(attributes, pod, old).await
                }
                _ => Ok(()),
            }
        })
    }
}
