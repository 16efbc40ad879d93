//! Which tokens a node may ask for: those of the pods that it runs, for the audiences that the pods name.

use api_meta::Status;
use api_record::Record;
use api_types::authentication::v1::{BoundObjectReference, TokenRequest};
use api_types::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod, Volume};
use api_types::storage::v1::CSIDriver;
use client::Resource;
use server_registry::admit::Operation;

use super::{Asked, pods};
use crate::Lookup;
use crate::certificates::Authorizer;
use crate::lookup::typed;

const CLAIMS: Resource = Resource::of("", "v1", "persistentvolumeclaims");
const VOLUMES: Resource = Resource::of("", "v1", "persistentvolumes");
const DRIVERS: Resource = Resource::of("storage.k8s.io", "v1", "csidrivers");

pub(super) async fn check(
    lookup: &dyn Lookup,
    authorizer: &Authorizer,
    asked: &Asked<'_>,
) -> Result<(), Status> {
    if !asked.is(Operation::Create) || asked.attributes.subresource != "token" {
        return Ok(());
    }
    let Some(request) = asked.object.and_then(|object| object.downcast_ref::<TokenRequest>()) else {
        return asked.refuse("unexpected type");
    };
    let bound = |reference: &&BoundObjectReference| {
        reference.api_version == "v1" && reference.kind == "Pod" && !reference.name.is_empty()
    };
    let Some(reference) = request.spec.bound_object_ref.as_deref().filter(bound) else {
        return asked.refuse("node requested token not bound to a pod");
    };
    asked.require(!reference.uid.is_empty(), || {
        "node requested token with a pod binding without a uid".to_owned()
    })?;
    let pod = pods::find(lookup, asked, &reference.name).await?;
    asked.require(reference.uid == pod.metadata.uid, || {
        format!(
            "the UID in the bound object reference ({}) does not match the UID in record. The object might have \
             been deleted and then recreated",
            reference.uid
        )
    })?;
    asked.require(pod.spec.node_name == asked.node, || {
        "node requested token bound to a pod scheduled on a different node".to_owned()
    })?;
    check_audience(lookup, authorizer, asked, request, &pod).await
}

async fn check_audience(
    lookup: &dyn Lookup,
    authorizer: &Authorizer,
    asked: &Asked<'_>,
    request: &TokenRequest,
    pod: &Pod,
) -> Result<(), Status> {
    let audience = match request.spec.audiences.as_slice() {
        [] => "",
        [audience] => audience,
        _ => return asked.refuse("node may only request 0 or 1 audiences"),
    };
    let mut unknown = None;
    for volume in &pod.spec.volumes {
        match names_audience(lookup, pod, volume, audience).await {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(status) => unknown = unknown.or(Some(status)),
        }
    }
    if let Some(status) = unknown {
        let message = status.into_inner().message;
        return asked.refuse(format!("error validating audience {audience:?}: {message}"));
    }
    let caller = asked.attributes.caller;
    let right = server_authz::Attributes {
        api_version: "v1",
        namespace: asked.attributes.namespace,
        name: asked.attributes.name,
        ..server_authz::Attributes::of(&caller.name, &caller.groups).on(
            "request-serviceaccounts-token-audience",
            "",
            audience,
        )
    };
    asked.require(authorizer(&right), || {
        format!("{} is not authorized to request tokens for audience {audience:?}", caller.name)
    })
}

/// Whether a volume of the pod needs a token for the audience.
async fn names_audience(
    lookup: &dyn Lookup,
    pod: &Pod,
    volume: &Volume,
    audience: &str,
) -> Result<bool, Status> {
    let source = &volume.volume_source;
    let projections = source.projected.iter().flat_map(|projected| &projected.sources);
    let mut tokens = projections.filter_map(|projection| projection.service_account_token.as_deref());
    if tokens.any(|token| token.audience == audience) {
        return Ok(true);
    }
    let driver = if source.ephemeral.is_some() {
        driver_of_claim(lookup, pod, &format!("{}-{}", pod.metadata.name, volume.name)).await?
    } else if let Some(claim) = &source.persistent_volume_claim {
        driver_of_claim(lookup, pod, &claim.claim_name).await?
    } else {
        source.csi.as_ref().map(|csi| csi.driver.clone())
    };
    let Some(driver) = driver.filter(|driver| !driver.is_empty()) else { return Ok(false) };
    let driver = lookup.get(&DRIVERS, "", &driver).await?;
    let driver = typed::<CSIDriver>(&*driver)?;
    Ok(driver.spec.token_requests.iter().any(|request| request.audience == audience))
}

async fn driver_of_claim(lookup: &dyn Lookup, pod: &Pod, name: &str) -> Result<Option<String>, Status> {
    let claim = lookup.get(&CLAIMS, &pod.metadata.namespace, name).await?;
    let volume = &typed::<PersistentVolumeClaim>(&*claim)?.spec.volume_name;
    let volume = lookup.get(&VOLUMES, "", volume).await?;
    let volume: &PersistentVolume = typed(&*volume as &dyn Record)?;
    Ok(volume.spec.persistent_volume_source.csi.as_ref().map(|csi| csi.driver.clone()))
}
