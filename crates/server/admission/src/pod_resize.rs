//! PodResizeValidator: a pod is not resized to more than its node has, nor where nodes cannot do it.

use std::sync::Arc;

use api_meta::Status;
use api_meta::pod_resources::{Count, requests};
use api_record::Record;
use api_record::scalar::Quantity;
use api_types::core::v1::{Node, Pod};
use api_types::meta::v1::StatusCause;
use client::BoxFuture;
use server_registry::admit::{Attributes, Operation};

use crate::lookup::pods_node;
use crate::plugin::is_about;
use crate::{Lookup, Plugin, forbidden};

/// Checks what pods are resized to.
pub struct PodResize {
    lookup: Arc<dyn Lookup>,
}

impl PodResize {
    /// Looks nodes up with `lookup`.
    pub fn new(lookup: Arc<dyn Lookup>) -> PodResize {
        PodResize { lookup }
    }

    async fn check(&self, attributes: &Attributes<'_>, pod: &Pod) -> Result<(), Status> {
        let refused = |why: String| forbidden(attributes, Some(pod), why);
        let node = pods_node(&*self.lookup, attributes, pod).await?;
        let (why, cause) = match (foreign(&node), too_much(pod, &node)) {
            (Some(why), _) => (why, "UnsupportedPlatform"),
            (None, Some(why)) => (why, "NodeCapacity"),
            (None, None) => return Ok(()),
        };
        let mut status = refused(why).into_inner();
        let cause = StatusCause { type_: cause.to_owned(), ..StatusCause::default() };
        status.details.get_or_insert_default().causes.push(cause);
        Err(Status::from(status))
    }
}

fn foreign(node: &Node) -> Option<String> {
    let system = node.metadata.labels.get("kubernetes.io/os").filter(|system| *system != "linux")?;
    let name = &node.metadata.name;
    Some(format!("pod resize is only supported on linux nodes, node {name:?} is {system:?}"))
}

fn too_much(pod: &Pod, node: &Node) -> Option<String> {
    let wished = requests(pod, Count::Wished);
    let over = |name: &str, count: fn(&Quantity) -> i64| {
        let (asked, has) =
            (wished.get(name)?, node.status.allocatable.get(name).cloned().unwrap_or_default());
        let (shown, room) = (count(asked), count(&has));
        (*asked > has).then(|| format!("{name}, requested: {shown}, allocatable: {room}"))
    };
    let faults: Vec<String> =
        over("cpu", Quantity::millis).into_iter().chain(over("memory", Quantity::units)).collect();
    let all = faults.join("; ");
    (!faults.is_empty()).then(|| format!("node didn't have enough allocatable resources: {all}"))
}

impl Plugin for PodResize {
    fn validate<'a>(
        &'a self,
        attributes: &'a Attributes<'a>,
        object: Option<&'a dyn Record>,
        old: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async move {
            let asked = attributes.operation == Operation::Update
                && is_about(attributes, "", "pods")
                && attributes.subresource == "resize";
            let pod = object.and_then(|object| object.downcast_ref::<Pod>());
            let old = old.and_then(|old| old.downcast_ref::<Pod>());
            match (pod, old) {
                (Some(pod), Some(old)) if asked && !pod.spec.node_name.is_empty() && pod.spec != old.spec => {
                    self.check(attributes, pod).await
                }
                _ => Ok(()),
            }
        })
    }
}
