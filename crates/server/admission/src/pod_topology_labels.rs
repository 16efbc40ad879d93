//! PodTopologyLabels: a pod bears the zone and the region of its node. A Binding brings them to a pod that is there already.

use std::sync::Arc;

use api_meta::Status;
use api_meta::labels::Labels;
use api_record::Record;
use api_types::core::v1::{Binding, Node, Pod};
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

    async fn label(&self, labels: &mut Labels, node: &str) -> Result<(), Status> {
        let node = match self.lookup.get(&NODES, "", node).await {
            Ok(node) => node,
            Err(status) if status.is_not_found() => return Ok(()),
            Err(status) => return Err(status),
        };
        let of_node = &typed::<Node>(&*node)?.metadata.labels;
        for label in LABELS {
            if let Some(value) = of_node.get(label) {
                labels.insert(label.to_owned(), value.clone());
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
            // An update may take the labels away: only what is made is looked at.
            if old.is_some() || !is_about(attributes, "", "pods") {
                return Ok(());
            }
            if attributes.subresource == "binding" {
                return match object.downcast_mut::<Binding>() {
                    Some(binding) if binding.target.kind == "Node" => {
                        self.label(&mut binding.metadata.labels, &binding.target.name).await
                    }
                    _ => Ok(()),
                };
            }
            match object.downcast_mut::<Pod>() {
                Some(pod) if attributes.subresource.is_empty() && !pod.spec.node_name.is_empty() => {
                    self.label(&mut pod.metadata.labels, &pod.spec.node_name).await
                }
                _ => Ok(()),
            }
        })
    }
}
