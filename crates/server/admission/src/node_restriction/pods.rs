//! What a node may do with pods: make mirror pods, delete and evict its own, and write their status.

use api_meta::Status;
use api_types::core::v1::{Node, Pod};
use client::Resource;
use server_registry::admit::Operation;

use super::{Asked, operation_name};
use crate::lookup::typed;
use crate::service_account::is_mirror;
use crate::{Lookup, forbidden, pod_references};

const NODES: Resource = Resource::of("", "v1", "nodes");
pub(super) const PODS: Resource = Resource::of("", "v1", "pods");

pub(super) async fn check(lookup: &dyn Lookup, asked: &Asked<'_>) -> Result<(), Status> {
    match asked.attributes.subresource {
        "" => check_pod(lookup, asked).await,
        "status" => check_status(asked),
        "eviction" => check_eviction(lookup, asked).await,
        other => asked.refuse(format!(
            "unexpected pod subresource {other:?}, only 'status' and 'eviction' are allowed"
        )),
    }
}

async fn check_pod(lookup: &dyn Lookup, asked: &Asked<'_>) -> Result<(), Status> {
    let node = asked.node;
    match asked.attributes.operation {
        Operation::Create => check_new(lookup, asked).await,
        Operation::Delete => {
            let pod = asked.old.and_then(|old| old.downcast_ref::<Pod>());
            asked.require(pod.is_some_and(|pod| pod.spec.node_name == node), || {
                format!("node {node:?} can only delete pods with spec.nodeName set to itself")
            })
        }
        other => asked.refuse(format!(
            "unexpected operation {:?}, node {node:?} can only create and delete mirror pods",
            operation_name(other)
        )),
    }
}

async fn check_new(lookup: &dyn Lookup, asked: &Asked<'_>) -> Result<(), Status> {
    let node = asked.node;
    let Some(pod) = asked.object.and_then(|object| object.downcast_ref::<Pod>()) else {
        return asked.refuse("unexpected type");
    };
    asked.require(is_mirror(pod), || {
        format!(
            "pod does not have \"kubernetes.io/config.mirror\" annotation, node {node:?} can only create mirror pods"
        )
    })?;
    asked.require(pod.spec.node_name == node, || {
        format!("node {node:?} can only create pods with spec.nodeName set to itself")
    })?;
    check_owner(lookup, asked, pod).await?;
    match pod_references::api_reference(pod) {
        Ok(None) => Ok(()),
        Ok(Some(resource)) => {
            asked.refuse(format!("node {node:?} can not create pods that reference {resource}"))
        }
        Err(why) => asked.refuse(format!("error checking mirror pod for API references: {why}")),
    }
}

async fn check_owner(lookup: &dyn Lookup, asked: &Asked<'_>, pod: &Pod) -> Result<(), Status> {
    let node = asked.node;
    let not_owned = || format!("node {node:?} can only create pods with an owner reference set to itself");
    let owner = match pod.metadata.owner_references.as_slice() {
        [] => return asked.refuse(not_owned()),
        [owner] => owner,
        _ => {
            return asked.refuse(format!(
                "node {node:?} can only create pods with a single owner reference set to itself"
            ));
        }
    };
    let itself = owner.api_version == "v1" && owner.kind == "Node" && owner.name == node;
    asked.require(itself, not_owned)?;
    asked.require(owner.controller == Some(true), || {
        format!("node {node:?} can only create pods with a controller owner reference set to itself")
    })?;
    asked.require(owner.block_owner_deletion != Some(true), || {
        format!("node {node:?} must not set blockOwnerDeletion on an owner reference")
    })?;
    let found = match lookup.get(&NODES, "", node).await {
        Ok(found) => found,
        Err(status) if status.is_not_found() => return Err(status),
        Err(status) => {
            let message = status.into_inner().message;
            return asked.refuse(format!("error looking up node {node} to verify uid: {message}"));
        }
    };
    let uid = &typed::<Node>(&*found)?.metadata.uid;
    asked.require(owner.uid == *uid, || format!("node {node} UID mismatch: expected {} got {uid}", owner.uid))
}

fn check_status(asked: &Asked<'_>) -> Result<(), Status> {
    let node = asked.node;
    if !asked.is(Operation::Update) {
        return asked.unexpected_operation();
    }
    let (new, old) = asked.new_and_old::<Pod>()?;
    asked.require(old.spec.node_name == node, || {
        format!("node {node:?} can only update pod status for pods with spec.nodeName set to itself")
    })?;
    asked.require(new.metadata.labels == old.metadata.labels, || {
        format!("node {node:?} cannot update labels through pod status")
    })?;
    let (new, old) = (&new.status, &old.status);
    asked.require(new.resource_claim_statuses == old.resource_claim_statuses, || {
        format!("node {node:?} cannot update resource claim statues")
    })?;
    asked.require(new.extended_resource_claim_status == old.extended_resource_claim_status, || {
        format!("node {node:?} cannot update extended resource claim status")
    })?;
    let (new, old) =
        (&new.node_allocatable_resource_claim_statuses, &old.node_allocatable_resource_claim_statuses);
    asked.require(new == old, || {
        format!("node {node:?} cannot update node allocatable resource claim statuses")
    })
}

async fn check_eviction(lookup: &dyn Lookup, asked: &Asked<'_>) -> Result<(), Status> {
    if !asked.is(Operation::Create) {
        let operation = operation_name(asked.attributes.operation);
        return asked.refuse(format!("unexpected operation {operation}"));
    }
    let name = asked.name();
    asked.require(!name.is_empty(), || "could not determine pod from request data".to_owned())?;
    let pod = find(lookup, asked, name).await?;
    asked.require(pod.spec.node_name == asked.node, || {
        format!("node {} can only evict pods with spec.nodeName set to itself", asked.node)
    })
}

/// A pod of the request's namespace.
pub(super) async fn find(lookup: &dyn Lookup, asked: &Asked<'_>, name: &str) -> Result<Pod, Status> {
    match lookup.get(&PODS, asked.attributes.namespace, name).await {
        Ok(pod) => Ok(typed::<Pod>(&*pod)?.clone()),
        Err(status) if status.is_not_found() => Err(status),
        Err(status) => Err(forbidden(asked.attributes, asked.object, status.into_inner().message)),
    }
}
