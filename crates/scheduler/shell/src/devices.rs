//! Writing down which devices a pod gets: upstream's `bindClaim`.
//!
//! A claim may have been changed meanwhile in a way that is none of ours, such as by who puts a label on it: then it is read again, and the
//! same is written into it.

use api_device::claim::{self, FINALIZER};
use api_meta::Status;
use api_types::resource::v1::ResourceClaim;
use client::reconcile::{Plan, Severity, Write, resource_of};
use client::{Body, Outcome, Request, Target, Verb};

use scheduler::{Binding, Bindings, ClaimRef, PodRef};

use crate::{Done, Hands};

/// How often a claim is read again after a conflict (`retry.DefaultRetry`).
const ATTEMPTS: usize = 5;

/// What takes a pod off those that claims are reserved for.
pub(crate) fn unreserve(pod: &PodRef, claims: &[ClaimRef]) -> Plan {
    let mut plan = Plan::default();
    for of in claims {
        let mut claim = ResourceClaim::default();
        claim.metadata.namespace.clone_from(&of.namespace);
        claim.metadata.name.clone_from(&of.name);
        claim.metadata.uid.clone_from(&of.uid);
        let patch = serde_json::json!({
            "status": { "reservedFor": [{ "$patch": "delete", "uid": &*pod.uid }] },
        });
        plan.stage([Write::patch(&claim, "status", patch)]);
    }
    plan
}

impl Hands {
    pub(crate) async fn bind_devices(&self, pod: PodRef, node: &str, bindings: &Bindings) {
        let mut written = Vec::new();
        let mut result = Ok(());
        for binding in &bindings.claims {
            match self.bind_claim(&pod, binding).await {
                Ok(claim) => written.push(claim),
                Err(why) => {
                    result = Err(why);
                    break;
                }
            }
        }
        let waits = |claim: &ResourceClaim| {
            let results = claim.status.allocation.iter().flat_map(|allocation| &allocation.devices.results);
            results.into_iter().any(|own| !own.binding_conditions.is_empty())
        };
        if result.is_ok() && written.iter().any(waits) {
            let message = format!("waiting for binding conditions for device on node {node}");
            self.tell(&pod.scheduler_name, &pod, Severity::Normal, "BindingConditionsPending", message).await;
        }
        // The loop outlives its work.
        let _ = self.done.send(Done::DevicesWritten(pod.uid, written, result));
    }

    async fn bind_claim(&self, pod: &PodRef, binding: &Binding) -> Result<ResourceClaim, String> {
        let shown = format!("{}/{}", binding.claim.metadata.namespace, binding.claim.metadata.name);
        let mut claim = binding.claim.clone();
        for attempt in 1.. {
            match self.try_claim(pod, binding, claim).await {
                Err((what, status)) if status.is_conflict() && attempt < ATTEMPTS => {
                    tracing::debug!(claim = shown, what, "claim.conflict");
                    claim = self.read_claim(&binding.claim).await.map_err(|status| {
                        format!("get updated claim {shown} after conflict: {}", status.message)
                    })?;
                }
                Err((what, status)) => return Err(format!("{what}: {}", status.message)),
                Ok(written) => return written,
            }
        }
        Err(format!("claim {shown} is changed too often"))
    }

    /// Writes what was decided into a claim as it is; the inner result is for good.
    async fn try_claim(
        &self,
        pod: &PodRef,
        binding: &Binding,
        mut claim: ResourceClaim,
    ) -> Result<Result<ResourceClaim, String>, (String, Status)> {
        let shown = format!("{}/{}", claim.metadata.namespace, claim.metadata.name);
        if claim.metadata.deletion_timestamp.is_some() || claim.metadata.uid != binding.claim.metadata.uid {
            return Ok(Err(format!("claim {shown} got deleted in the meantime")));
        }
        let mut what = format!("add reservation to claim {shown}");
        match &binding.allocation {
            Some(_) if claim.status.allocation.is_some() => {
                return Ok(Err(format!("claim {shown} got allocated elsewhere in the meantime")));
            }
            Some(allocation) => {
                if !claim.metadata.finalizers.iter().any(|own| own == FINALIZER) {
                    claim.metadata.finalizers.push(FINALIZER.to_owned());
                    let failed = |status| (format!("add finalizer to claim {shown}"), status);
                    claim = self.update_claim(claim, "").await.map_err(failed)?;
                }
                claim.status.allocation = Some(Box::new(allocation.clone()));
                what = format!("add allocation and reservation to claim {shown}");
            }
            None if claim.status.allocation.is_none() => {
                return Ok(Err(format!("claim {shown} got deallocated elsewhere in the meantime")));
            }
            None => {}
        }
        if claim::is_reserved_for(&claim, &pod.uid) {
            return Ok(Ok(claim));
        }
        claim.status.reserved_for.push(claim::reference(&pod.name, &pod.uid));
        self.update_claim(claim, "status").await.map(Ok).map_err(|status| (what, status))
    }

    async fn update_claim(&self, claim: ResourceClaim, part: &str) -> Result<ResourceClaim, Status> {
        let mut request = Request::new(Verb::Update, target(&claim, part));
        request.body = Body::Object(Box::new(claim));
        answered(self.api.call(&self.who, request).await?.outcome)
    }

    async fn read_claim(&self, claim: &ResourceClaim) -> Result<ResourceClaim, Status> {
        let request = Request::new(Verb::Get, target(claim, ""));
        answered(self.api.call(&self.who, request).await?.outcome)
    }
}

fn target(claim: &ResourceClaim, subresource: &str) -> Target {
    Target {
        resource: resource_of::<ResourceClaim>().clone(),
        namespace: claim.metadata.namespace.clone(),
        name: claim.metadata.name.clone(),
        subresource: subresource.to_owned(),
    }
}

fn answered(outcome: Outcome) -> Result<ResourceClaim, Status> {
    let claim = match &outcome {
        Outcome::Object(object) => (**object).downcast_ref::<ResourceClaim>().cloned(),
        _ => None,
    };
    claim.ok_or_else(|| Status::internal_error("a claim was answered with something else"))
}
