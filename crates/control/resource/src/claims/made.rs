//! A pod's claims: made of templates, written into its status, and reserved for it if it has a node.

use std::collections::BTreeMap;

use api_device::claim;
use api_meta::Status;
use api_types::core::v1::{Pod, PodResourceClaim};
use api_types::meta::v1::{ObjectMeta, OwnerReference};
use api_types::resource::v1::{ResourceClaim, ResourceClaimTemplate};
use client::Target;
use client::reconcile::{Guard, Note, Plan, World, Write, resource_of};
use serde_json::json;

use super::is_done;
use crate::limits::NAME_BASE;

/// What to do for a pod.
pub(super) fn plan(pod: &Pod, world: &World) -> Plan {
    let mut plan = Plan::default();
    // Its claims go once it is done: made anew, they would go and come for ever.
    if pod.metadata.deletion_timestamp.is_some() || is_done(pod) {
        return plan;
    }
    let (namespace, name) = (&pod.metadata.namespace, &pod.metadata.name);
    let mut found = BTreeMap::new();
    for own in &pod.spec.resource_claims {
        match needed(pod, own, world) {
            Ok(Needed::Nothing) => {}
            Ok(Needed::Name(claim)) => {
                found.insert(own.name.as_str(), claim);
            }
            Ok(Needed::Claim(write)) => {
                let failed = format!("PodResourceClaim {}: create ResourceClaim : {{error}}", own.name);
                plan.stage([write.telling(None, Some(refused(pod, failed)))]);
            }
            Err(why) => {
                plan.events.push(refused(pod, format!("PodResourceClaim {}: {why}", own.name)));
                let message = format!("pod {namespace}/{name}, PodResourceClaim {}: {why}", own.name);
                plan.failure = Some(Status::internal_error(message));
                return plan;
            }
        }
    }
    if !found.is_empty() {
        let statuses: Vec<serde_json::Value> =
            found.iter().map(|(name, claim)| json!({"name": name, "resourceClaimName": claim})).collect();
        plan.stage([Write::patch(pod, "status", json!({"status": {"resourceClaimStatuses": statuses}}))]);
    }
    // Otherwise the scheduler does it.
    if !pod.spec.node_name.is_empty() {
        reserve(&mut plan, pod, world);
    }
    plan
}

fn refused(pod: &Pod, message: String) -> Note {
    Note::warning(pod, "FailedResourceClaimCreation", message)
}

/// What one of a pod's claims still needs.
enum Needed {
    Nothing,
    /// The object is there, and the pod's status does not say so.
    Name(String),
    /// The object is to be made.
    Claim(Box<Write>),
}

fn needed(pod: &Pod, own: &PodResourceClaim, world: &World) -> Result<Needed, String> {
    let namespace = &pod.metadata.namespace;
    let missed = match claim::of_pod(pod, own) {
        Ok(None) => return Ok(Needed::Nothing),
        Ok(Some(named)) => {
            let claim = world.get::<ResourceClaim>(namespace, &named.claim);
            match claim.map(|claim| !named.is_made || claim::is_for(pod, claim).is_ok()) {
                Some(true) => return Ok(Needed::Nothing),
                Some(false) => None,
                None => Some(named.claim),
            }
        }
        Err(claim::Unnamed::NotMade(_)) => None,
        Err(why) => return Err(format!("checking for claim before creating it: {why}")),
    };
    let Some(template) = &own.resource_claim_template_name else { return Ok(Needed::Nothing) };
    let is_it = |claim: &&ResourceClaim| {
        claim.metadata.namespace == *namespace
            && claim.metadata.annotations.get(claim::POD_CLAIM) == Some(&own.name)
    };
    if let Some(claim) = world.owned_by::<ResourceClaim>(&pod.metadata.uid).find(is_it) {
        return Ok(Needed::Name(claim.metadata.name.clone()));
    }
    let of = world.get::<ResourceClaimTemplate>(namespace, template).ok_or_else(|| {
        format!(
            "resource claim template {template:?}: resourceclaimtemplate.resource.k8s.io {template:?} not found"
        )
    })?;
    let mut write = Write::create(made(pod, own, of));
    if let Some(name) = missed {
        // It is written down, but not shown: it may be the view that is behind.
        write = write.guarded(Guard::Absent(at(namespace, name), String::new()));
    }
    Ok(Needed::Claim(Box::new(write)))
}

fn at(namespace: &str, name: String) -> Target {
    Target {
        resource: resource_of::<ResourceClaim>().clone(),
        namespace: namespace.to_owned(),
        name,
        subresource: String::new(),
    }
}

/// The claim of a template for one of a pod's claims.
fn made(pod: &Pod, own: &PodResourceClaim, template: &ResourceClaimTemplate) -> ResourceClaim {
    let mut annotations = template.spec.metadata.annotations.clone();
    annotations.insert(claim::POD_CLAIM.to_owned(), own.name.clone());
    let owner = OwnerReference {
        api_version: "v1".to_owned(),
        kind: "Pod".to_owned(),
        name: pod.metadata.name.clone(),
        uid: pod.metadata.uid.clone(),
        controller: Some(true),
        block_owner_deletion: None,
    };
    let metadata = ObjectMeta {
        namespace: pod.metadata.namespace.clone(),
        generate_name: base_of(&pod.metadata.name, &own.name),
        labels: template.spec.metadata.labels.clone(),
        annotations,
        owner_references: vec![owner],
        ..ObjectMeta::default()
    };
    ResourceClaim { metadata, spec: template.spec.spec.clone(), ..ResourceClaim::default() }
}

/// What the name begins with. Of names that are too long both lose their ends, each in proportion to its length.
pub(super) fn base_of(pod: &str, claim: &str) -> String {
    let base = format!("{pod}-{claim}-");
    let whole = base.len();
    if whole <= NAME_BASE {
        return base;
    }
    // Both are ASCII, as names of objects are.
    let part = |name: &str, of: usize| name[..name.len() * NAME_BASE / of].to_owned();
    let first = part(pod, whole);
    format!("{first}-{}", part(claim, whole))
}

/// Reserves the claims that are allocated for a pod that has a node already.
fn reserve(plan: &mut Plan, pod: &Pod, world: &World) {
    for own in &pod.spec.resource_claims {
        let Ok(Some(named)) = claim::of_pod(pod, own) else { continue };
        let claim = world.get::<ResourceClaim>(&pod.metadata.namespace, &named.claim);
        let Some(claim) = claim else { return };
        if named.is_made
            && let Err(why) = claim::is_for(pod, claim)
        {
            plan.failure = Some(Status::internal_error(why));
            return;
        }
        if claim.status.allocation.is_some() && !claim::is_reserved_for(claim, &pod.metadata.uid) {
            let mut changed = claim.clone();
            changed.status.reserved_for.push(claim::reference(&pod.metadata.name, &pod.metadata.uid));
            plan.stage([Write::status(changed)]);
        }
    }
}
