//! PodTopologyLabels: a pod bears the zone and the region of its node.
//!
//! Upstream puts them on the Binding, whose labels go over to the pod; here the pod itself is what a binding changes.

use std::sync::Arc;

use api_meta::Status;
use api_record::Record;
use api_types::core::v1::{Node, Pod};
use client::{BoxFuture, Resource};
use server_registry::admit::Attributes;

use crate::lookup::typed;
use crate::plugin::is_about;
use crate::{Lookup, Plugin};

const NODES: Resource = Resource::of("", "v1", "nodes");
const LABELS: [&str; 2] = ["topology.kubernetes.io/region", "topology.kubernetes.io/zone"];

/// Copies nodes' topology labels to their pods.
pub struct PodTopologyLabels {
    lookup: Arc<dyn Lookup>,
}

impl PodTopologyLabels {
    /// Looks nodes up with `lookup`.
    pub fn new(lookup: Arc<dyn Lookup>) -> PodTopologyLabels {
        PodTopologyLabels { lookup }
    }

    async fn label(&self, pod: &mut Pod) -> Result<(), Status> {
        let node = match self.lookup.get(&NODES, "", &pod.spec.node_name).await {
            Ok(node) => node,
            Err(status) if status.is_not_found() => return Ok(()),
            Err(status) => return Err(status),
        };
        let of_node = &typed::<Node>(&*node)?.metadata.labels;
        for label in LABELS {
            if let Some(value) = of_node.get(label) {
                pod.metadata.labels.insert(label.to_owned(), value.clone());
            }
        }
        Ok(())
    }
}

impl Plugin for PodTopologyLabels {
    fn mutate<'a>(
        &'a self,
        attributes: &'a Attributes<'a>,
        object: &'a mut dyn Record,
        old: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async move {
            // An update may take the labels away: upstream looks at what is made only.
            let bound =
                attributes.subresource == "binding" || old.is_none() && attributes.subresource.is_empty();
            match object.downcast_mut::<Pod>() {
                Some(pod) if bound && is_about(attributes, "", "pods") && !pod.spec.node_name.is_empty() => {
                    self.label(pod).await
                }
                _ => Ok(()),
            }
        })
    }
}
