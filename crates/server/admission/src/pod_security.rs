//! PodSecurity: pods, and what makes pods, are held to the level of security that their namespace asks for.
//!
//! Pods that violate the enforced level are refused; whoever makes pods or workloads that violate the level to be warned of
//! is warned. Nobody is exempt: upstream's exemptions and defaults are configuration that is not offered. What violates the level to be
//! audited is noted for the audit log.

mod checks;
mod namespace;
mod policy;

use std::sync::Arc;

use api_meta::Status;
use api_record::Record;
use api_types::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use api_types::batch::v1::{CronJob, Job};
use api_types::core::v1::{Namespace, Pod, PodTemplate, ReplicationController};
use base::time::Clock;
use client::trail::Level as LogLevel;
use client::{BoxFuture, Resource};
use server_registry::admit::{Attributes, Operation};

use crate::lookup::typed;
use crate::plugin::is_about;
use crate::{Lookup, Plugin, forbidden};
use checks::{Subject, details, judge};
use policy::{Level, Policy};

const NAMESPACES: Resource = Resource::of("", "v1", "namespaces");

/// The parts of a pod through which nothing of its specification can be changed.
const IGNORED_PARTS: [&str; 8] =
    ["exec", "attach", "binding", "eviction", "log", "portforward", "proxy", "status"];

/// Holds pods to their namespaces' levels.
pub struct PodSecurity {
    lookup: Arc<dyn Lookup>,
    clock: Arc<dyn Clock>,
}

impl PodSecurity {
    /// Looks namespaces and pods up with `lookup`.
    pub fn new(lookup: Arc<dyn Lookup>, clock: Arc<dyn Clock>) -> PodSecurity {
        PodSecurity { lookup, clock }
    }

    /// The policy of a namespace, and what is wrong with it, if the request is logged.
    async fn policy(&self, attributes: &Attributes<'_>) -> Result<Policy, Status> {
        let found = self.lookup.get(&NAMESPACES, "", attributes.namespace).await?;
        let (policy, errors) = Policy::of(&typed::<Namespace>(&*found)?.metadata.labels);
        if !errors.is_empty() {
            note(attributes, "error", format!("Failed to parse policy: {errors}"));
        }
        Ok(policy)
    }

    async fn check_pod(
        &self,
        attributes: &Attributes<'_>,
        pod: &Pod,
        old: Option<&Pod>,
    ) -> Result<(), Status> {
        if IGNORED_PARTS.contains(&attributes.subresource) || old.is_some_and(|old| !is_significant(pod, old))
        {
            return Ok(());
        }
        let namespace = attributes.namespace;
        let policy = self.policy(attributes).await;
        let policy = policy
            .map_err(|_| Status::internal_error(format!("failed to lookup namespace {namespace:?}")))?;
        note(attributes, "enforce-policy", policy.enforce.to_string());
        if policy.is_privileged() {
            return Ok(());
        }
        let subject = Subject { meta: &pod.metadata, spec: &pod.spec };
        let faults = judge(policy.enforce, subject);
        audit(attributes, policy, subject);
        if !faults.is_empty() {
            let why = format!("violates PodSecurity \"{}\": {}", policy.enforce, details(&faults));
            return Err(forbidden(attributes, Some(pod), why));
        }
        warn(attributes, policy, subject);
        Ok(())
    }

    /// Never refuses: the pods will be.
    async fn check_workload(&self, attributes: &Attributes<'_>, subject: Subject<'_>) {
        if let (true, Ok(policy)) = (attributes.subresource.is_empty(), self.policy(attributes).await) {
            audit(attributes, policy, subject);
            warn(attributes, policy, subject);
        }
    }
}

fn note(attributes: &Attributes<'_>, key: &str, value: String) {
    attributes.caller.trail.annotate(format!("pod-security.kubernetes.io/{key}"), value);
}

/// Notes what violates the level to be audited, if the request is logged.
fn audit(attributes: &Attributes<'_>, policy: Policy, subject: Subject<'_>) {
    if attributes.caller.trail.level() == LogLevel::None {
        return;
    }
    let faults = judge(policy.audit, subject);
    if !faults.is_empty() {
        let text = format!("would violate PodSecurity \"{}\": {}", policy.audit, details(&faults));
        note(attributes, "audit-violations", text);
    }
}

fn warn(attributes: &Attributes<'_>, policy: Policy, subject: Subject<'_>) {
    let faults = judge(policy.warn, subject);
    if !faults.is_empty() {
        let text = format!("would violate PodSecurity \"{}\": {}", policy.warn, details(&faults));
        attributes.notes.warn(text);
    }
}

/// Whether a pod runs something else than before.
fn is_significant(pod: &Pod, old: &Pod) -> bool {
    let images =
        |pod: &Pod| -> Vec<String> { pod.spec.containers.iter().map(|own| own.image.clone()).collect() };
    let initial =
        |pod: &Pod| -> Vec<String> { pod.spec.init_containers.iter().map(|own| own.image.clone()).collect() };
    let ephemeral = pod.spec.ephemeral_containers.iter().map(|own| &own.ephemeral_container_common);
    let before = |name: &str| {
        let mut all = old.spec.ephemeral_containers.iter().map(|own| &own.ephemeral_container_common);
        all.find(|own| own.name == name)
    };
    images(pod) != images(old)
        || initial(pod) != initial(old)
        || ephemeral.into_iter().any(|own| before(&own.name).is_none_or(|before| before.image != own.image))
}

/// What a workload makes its pods of; `None` for what is no workload.
fn template(object: &dyn Record) -> Option<Subject<'_>> {
    let template = if let Some(own) = object.downcast_ref::<Deployment>() {
        &own.spec.template
    } else if let Some(own) = object.downcast_ref::<ReplicaSet>() {
        &own.spec.template
    } else if let Some(own) = object.downcast_ref::<DaemonSet>() {
        &own.spec.template
    } else if let Some(own) = object.downcast_ref::<StatefulSet>() {
        &own.spec.template
    } else if let Some(own) = object.downcast_ref::<Job>() {
        &own.spec.template
    } else if let Some(own) = object.downcast_ref::<CronJob>() {
        &own.spec.job_template.spec.template
    } else if let Some(own) = object.downcast_ref::<ReplicationController>() {
        own.spec.template.as_deref()?
    } else {
        &object.downcast_ref::<PodTemplate>()?.template
    };
    Some(Subject { meta: &template.metadata, spec: &template.spec })
}

impl Plugin for PodSecurity {
    fn validate<'a>(
        &'a self,
        attributes: &'a Attributes<'a>,
        object: Option<&'a dyn Record>,
        old: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async move {
            let writes = matches!(attributes.operation, Operation::Create | Operation::Update);
            let Some(object) = object.filter(|_| writes) else { return Ok(()) };
            if let Some(namespace) = object.downcast_ref::<Namespace>() {
                if attributes.subresource.is_empty() {
                    let old = old.and_then(|old| old.downcast_ref());
                    self.check_namespace(attributes, namespace, old).await?;
                }
            } else if is_about(attributes, "", "pods") {
                if let Some(pod) = object.downcast_ref::<Pod>() {
                    self.check_pod(attributes, pod, old.and_then(|old| old.downcast_ref())).await?;
                }
            } else if let Some(subject) = template(object) {
                self.check_workload(attributes, subject).await;
            }
            Ok(())
        })
    }
}
