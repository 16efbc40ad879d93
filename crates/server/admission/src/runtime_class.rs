//! RuntimeClass: what a pod's runtime costs on top, and where it can be had, come from its class.

use std::sync::Arc;

use api_meta::Status;
use api_record::Record;
use api_types::core::v1::{Pod, Toleration};
use api_types::node::v1::RuntimeClass;
use client::{BoxFuture, Resource};
use server_registry::admit::{Attributes, Operation};

use crate::lookup::typed;
use crate::plugin::is_about;
use crate::{Lookup, Plugin, forbidden};

const CLASSES: Resource = Resource::of("node.k8s.io", "v1", "runtimeclasses");
const MISMATCH: &str = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead";

/// Applies runtime classes to new pods.
pub struct RuntimeClasses {
    lookup: Arc<dyn Lookup>,
}

impl RuntimeClasses {
    /// Looks classes up with `lookup`.
    pub fn new(lookup: Arc<dyn Lookup>) -> RuntimeClasses {
        RuntimeClasses { lookup }
    }

    async fn class(&self, attributes: &Attributes<'_>, pod: &Pod) -> Result<Option<RuntimeClass>, Status> {
        let Some(name) = &pod.spec.runtime_class_name else { return Ok(None) };
        match self.lookup.get(&CLASSES, "", name).await {
            Ok(class) => Ok(Some(typed::<RuntimeClass>(&*class)?.clone())),
            Err(status) if status.is_not_found() => {
                let why = format!("pod rejected: RuntimeClass {name:?} not found");
                Err(forbidden(attributes, Some(pod), why))
            }
            Err(status) => Err(status),
        }
    }
}

fn is_asked(attributes: &Attributes<'_>) -> bool {
    attributes.operation == Operation::Create
        && is_about(attributes, "", "pods")
        && attributes.subresource.is_empty()
}

/// Gives the pod what its class says; answers why that cannot be.
fn apply(class: &RuntimeClass, pod: &mut Pod) -> Result<(), String> {
    if let Some(overhead) = class.overhead.as_deref() {
        if !pod.spec.overhead.is_empty() && pod.spec.overhead != overhead.pod_fixed {
            return Err(MISMATCH.to_owned());
        }
        pod.spec.overhead.clone_from(&overhead.pod_fixed);
    }
    let Some(scheduling) = class.scheduling.as_deref() else { return Ok(()) };
    for (key, value) in &scheduling.node_selector {
        if let Some(own) = pod.spec.node_selector.get(key).filter(|own| *own != value) {
            return Err(format!(
                "conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value}; pod.spec.nodeSelector[{key}] = {own}"
            ));
        }
    }
    pod.spec.node_selector.extend(scheduling.node_selector.clone());
    pod.spec.tolerations = merged(&pod.spec.tolerations, &scheduling.tolerations);
    Ok(())
}

/// All tolerations without those that another one includes, the first of equal ones
/// (`pkg/util/tolerations.MergeTolerations`).
fn merged(own: &[Toleration], more: &[Toleration]) -> Vec<Toleration> {
    let all: Vec<&Toleration> = own.iter().chain(more).collect();
    let mut kept: Vec<&Toleration> = Vec::new();
    for (index, one) in all.iter().enumerate() {
        let later = all[index + 1..].iter().any(|other| other != one && includes(other, one));
        if !later && !kept.iter().any(|other| includes(other, one)) {
            kept.push(one);
        }
    }
    kept.into_iter().cloned().collect()
}

/// Whether everything that `less` tolerates `more` tolerates too.
fn includes(more: &Toleration, less: &Toleration) -> bool {
    if more == less {
        return true;
    }
    let every_key = more.key.is_empty() && more.operator == "Exists";
    let same_taints =
        (more.key == less.key || every_key) && (more.effect == less.effect || more.effect.is_empty());
    let as_long = match (more.toleration_seconds, less.toleration_seconds) {
        (Some(longest), own) if more.effect == "NoExecute" => own.is_some_and(|own| own <= longest),
        _ => true,
    };
    let same_values = match more.operator.as_str() {
        "Equal" | "" => less.operator == "Equal" && less.value == more.value,
        operator => operator == "Exists",
    };
    same_taints && as_long && same_values
}

impl Plugin for RuntimeClasses {
    fn mutate<'a>(
        &'a self,
        attributes: &'a Attributes<'a>,
        object: &'a mut dyn Record,
        _: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async move {
            let Some(pod) = object.downcast_mut::<Pod>().filter(|_| is_asked(attributes)) else {
                return Ok(());
            };
            let Some(class) = self.class(attributes, pod).await? else { return Ok(()) };
            apply(&class, pod).map_err(|why| forbidden(attributes, Some(pod), why))
        })
    }

    fn validate<'a>(
        &'a self,
        attributes: &'a Attributes<'a>,
        object: Option<&'a dyn Record>,
        _: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async move {
            let pod = object.and_then(|object| object.downcast_ref::<Pod>());
            let Some(pod) = pod.filter(|_| is_asked(attributes)) else { return Ok(()) };
            let class = self.class(attributes, pod).await?;
            let why = match class.as_ref().and_then(|class| class.overhead.as_deref()) {
                Some(overhead) => (overhead.pod_fixed != pod.spec.overhead).then_some(MISMATCH),
                None => (!pod.spec.overhead.is_empty()).then_some(
                    "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead",
                ),
            };
            why.map_or(Ok(()), |why| Err(forbidden(attributes, Some(pod), why)))
        })
    }
}
