//! Which certificates a node may ask for on behalf of pods: those of pods that it runs, of signers that they name.

use api_meta::Status;
use api_record::Record;
use api_types::certificates::v1::PodCertificateRequest;
use api_types::core::v1::{Node, Pod, ServiceAccount};
use client::Resource;
use server_registry::admit::Operation;

use super::{Asked, operation_name, pods};
use crate::certificates::Authorizer;
use crate::lookup::typed;
use crate::service_account::is_mirror;
use crate::{Lookup, forbidden};

const NODES: Resource = Resource::of("", "v1", "nodes");
const ACCOUNTS: Resource = Resource::of("", "v1", "serviceaccounts");

pub(super) async fn check(
    lookup: &dyn Lookup,
    authorizer: &Authorizer,
    asked: &Asked<'_>,
) -> Result<(), Status> {
    if !asked.is(Operation::Create) {
        let operation = operation_name(asked.attributes.operation);
        return asked.refuse(format!("unexpected operation {operation}"));
    }
    if !asked.attributes.subresource.is_empty() {
        return asked.refuse(format!("unexpected subresource {}", asked.attributes.subresource));
    }
    let Some(request) = asked.object.and_then(|object| object.downcast_ref::<PodCertificateRequest>()) else {
        return asked.refuse("unexpected type");
    };
    check_node(lookup, asked, request).await?;
    let pod = check_pod(lookup, asked, request).await?;
    check_account(lookup, asked, request, &pod).await?;
    check_signer(authorizer, asked, request, &pod)
}

/// A difference that may be over soon: upstream answers an error that is worth trying again.
fn differs(what: String) -> Result<(), Status> {
    Err(Status::internal_error(what))
}

async fn find<T: Record + Clone>(
    lookup: &dyn Lookup,
    asked: &Asked<'_>,
    resource: &Resource,
    namespace: &str,
    name: &str,
) -> Result<T, Status> {
    match lookup.get(resource, namespace, name).await {
        Ok(object) => typed::<T>(&*object).cloned(),
        Err(status) if status.is_not_found() => {
            let message = status.into_inner().message;
            Err(Status::internal_error(format!("while checking the PodCertificateRequest: {message}")))
        }
        Err(status) => Err(forbidden(asked.attributes, asked.object, status.into_inner().message)),
    }
}

async fn check_node(
    lookup: &dyn Lookup,
    asked: &Asked<'_>,
    request: &PodCertificateRequest,
) -> Result<(), Status> {
    let name = &request.spec.node_name;
    asked.require(name == asked.node, || {
        let node = asked.node;
        format!("PodCertificateRequest.Spec.NodeName={name:?}, which is not the requesting node {node:?}")
    })?;
    let node: Node = find(lookup, asked, &NODES, "", name).await?;
    if node.metadata.uid == request.spec.node_uid {
        return Ok(());
    }
    differs(format!(
        "PodCertificateRequest for pod {:?} names node UID {:?}, inconsistent with the running node ({:?})",
        shown(asked, request),
        request.spec.node_uid,
        node.metadata.uid
    ))
}

async fn check_pod(
    lookup: &dyn Lookup,
    asked: &Asked<'_>,
    request: &PodCertificateRequest,
) -> Result<Pod, Status> {
    let shown = shown(asked, request);
    let pod: Pod =
        find(lookup, asked, &pods::PODS, asked.attributes.namespace, &request.spec.pod_name).await?;
    if pod.metadata.uid != request.spec.pod_uid {
        differs(format!(
            "PodCertificateRequest for pod {shown:?} contains pod UID ({:?}) which differs from running pod {:?}",
            request.spec.pod_uid, pod.metadata.uid
        ))?;
    }
    asked.require(pod.spec.node_name == request.spec.node_name, || {
        let node = &request.spec.node_name;
        format!("pod {shown:?} is not running on node {node:?} named in the PodCertificateRequest")
    })?;
    asked.require(!is_mirror(&pod), || format!("pod {shown:?} is a mirror pod"))?;
    Ok(pod)
}

async fn check_account(
    lookup: &dyn Lookup,
    asked: &Asked<'_>,
    request: &PodCertificateRequest,
    pod: &Pod,
) -> Result<(), Status> {
    let (shown, name) = (shown(asked, request), &request.spec.service_account_name);
    let own = &pod.spec.service_account_name;
    asked.require(name == own, || {
        format!(
            "PodCertificateRequest for pod {shown:?} contains serviceAccountName ({name:?}) that differs from \
             running pod ({own:?})"
        )
    })?;
    let account: ServiceAccount = find(lookup, asked, &ACCOUNTS, asked.attributes.namespace, name).await?;
    if account.metadata.uid == request.spec.service_account_uid {
        return Ok(());
    }
    differs(format!(
        "PodCertificateRequest for pod {shown:?} names service account UID {:?}, which differs from the running \
         service account ({:?})",
        request.spec.service_account_uid, account.metadata.uid
    ))
}

fn check_signer(
    authorizer: &Authorizer,
    asked: &Asked<'_>,
    request: &PodCertificateRequest,
    pod: &Pod,
) -> Result<(), Status> {
    let signer = &request.spec.signer_name;
    let projected = pod.spec.volumes.iter().filter_map(|volume| volume.volume_source.projected.as_deref());
    let mut projections = projected.flat_map(|projected| &projected.sources);
    let named = projections.any(|projection| {
        projection.pod_certificate.as_deref().is_some_and(|certificate| certificate.signer_name == *signer)
    });
    if named {
        return Ok(());
    }
    // Rules cannot name resources with slashes.
    let munged = signer.replace('/', ":");
    let caller = asked.attributes.caller;
    let right = server_authz::Attributes {
        api_version: "v1",
        namespace: asked.attributes.namespace,
        name: &request.spec.service_account_name,
        ..server_authz::Attributes::of(&caller.name, &caller.groups).on(
            "request-serviceaccounts-podcertificate-signer",
            "certificates.k8s.io",
            &munged,
        )
    };
    asked.require(authorizer(&right), || {
        let pod = shown(asked, request);
        format!("pod {pod:?} does not mount a podCertificate projected volume for signer {signer:?}")
    })
}

fn shown(asked: &Asked<'_>, request: &PodCertificateRequest) -> String {
    format!("{}/{}", asked.attributes.namespace, request.spec.pod_name)
}
