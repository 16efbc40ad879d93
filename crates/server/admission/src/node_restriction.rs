//! NodeRestriction: a node writes only about itself and the pods that it runs.

mod labels;
mod pod_certificates;
mod pods;
mod tokens;

use std::sync::Arc;

use api_meta::Status;
use api_record::Record;
use api_types::certificates::v1::CertificateSigningRequest;
use api_types::core::v1::{Node, PersistentVolumeClaim};
use api_types::object_meta;
use api_types::resource::v1::ResourceSlice;
use api_types::storage::v1::CSINode;
use client::{BoxFuture, Caller};
use server_authn::request::Request;
use server_registry::admit::{Attributes, Operation};

use crate::certificates::Authorizer;
use crate::{Lookup, Plugin, forbidden};

const USER_PREFIX: &str = "system:node:";
const NODES_GROUP: &str = "system:nodes";
const LEASE_NAMESPACE: &str = "kube-node-lease";
const NODE_SIGNERS: [&str; 2] =
    ["kubernetes.io/kubelet-serving", "kubernetes.io/kube-apiserver-client-kubelet"];

/// Keeps nodes to their own.
pub struct NodeRestriction {
    lookup: Arc<dyn Lookup>,
    authorizer: Authorizer,
}

/// A request of a node.
pub(crate) struct Asked<'a> {
    attributes: &'a Attributes<'a>,
    node: &'a str,
    object: Option<&'a dyn Record>,
    old: Option<&'a dyn Record>,
}

impl<'a> Asked<'a> {
    fn refuse(&self, why: impl std::fmt::Display) -> Result<(), Status> {
        Err(forbidden(self.attributes, self.object, why))
    }

    /// Refused with `why` unless `holds`.
    fn require(&self, holds: bool, why: impl FnOnce() -> String) -> Result<(), Status> {
        if holds { Ok(()) } else { self.refuse(why()) }
    }

    /// The objects as what they must be.
    fn new_and_old<T: Record>(&self) -> Result<(&'a T, &'a T), Status> {
        let unexpected = || forbidden(self.attributes, self.object, "unexpected type");
        let new = self.object.and_then(|object| object.downcast_ref()).ok_or_else(unexpected)?;
        let old = self.old.and_then(|object| object.downcast_ref()).ok_or_else(unexpected)?;
        Ok((new, old))
    }

    fn is(&self, operation: Operation) -> bool {
        self.attributes.operation == operation
    }

    /// The name that the request or its object gives.
    fn name(&self) -> &'a str {
        let own = || self.object.and_then(object_meta).map_or("", |meta| meta.name.as_str());
        if self.attributes.name.is_empty() { own() } else { self.attributes.name }
    }

    fn unexpected_operation(&self) -> Result<(), Status> {
        self.refuse(format!("unexpected operation {:?}", operation_name(self.attributes.operation)))
    }
}

/// The operation as messages name it.
pub(crate) fn operation_name(operation: Operation) -> &'static str {
    match operation {
        Operation::Create => "CREATE",
        Operation::Update => "UPDATE",
        Operation::Delete => "DELETE",
        Operation::Connect => "CONNECT",
    }
}

/// The node that a caller is; `None` for everybody else.
fn identity(caller: &Caller) -> Option<&str> {
    caller.name.strip_prefix(USER_PREFIX).filter(|_| caller.is_in(NODES_GROUP))
}

impl NodeRestriction {
    /// Looks pods and nodes up with `lookup`, and asks `authorizer` for which audiences a node may have tokens.
    pub fn new(lookup: Arc<dyn Lookup>, authorizer: Authorizer) -> NodeRestriction {
        NodeRestriction { lookup, authorizer }
    }

    async fn check(
        &self,
        attributes: &Attributes<'_>,
        object: Option<&dyn Record>,
        old: Option<&dyn Record>,
    ) -> Result<(), Status> {
        let Some(node) = identity(attributes.caller) else { return Ok(()) };
        let asked = Asked { attributes, node, object, old };
        if node.is_empty() {
            return asked.refuse(format!("could not determine node from user {:?}", attributes.caller.name));
        }
        match (&*attributes.resource.group, &*attributes.resource.plural) {
            ("", "pods") => pods::check(&*self.lookup, &asked).await,
            ("", "nodes") => check_node(&asked),
            ("", "persistentvolumeclaims") => check_claim(&asked),
            ("", "serviceaccounts") => tokens::check(&*self.lookup, &self.authorizer, &asked).await,
            ("coordination.k8s.io", "leases") => check_lease(&asked),
            ("storage.k8s.io", "csinodes") => check_csi_node(&asked),
            ("resource.k8s.io", "resourceslices") => check_slice(&asked),
            ("certificates.k8s.io", "certificatesigningrequests") => check_request(&asked),
            ("certificates.k8s.io", "podcertificaterequests") => {
                pod_certificates::check(&*self.lookup, &self.authorizer, &asked).await
            }
            _ => Ok(()),
        }
    }
}

impl Plugin for NodeRestriction {
    fn mutate<'a>(
        &'a self,
        attributes: &'a Attributes<'a>,
        object: &'a mut dyn Record,
        old: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        // As early as upstream: before what the node may not change is put back silently.
        Box::pin(self.check(attributes, Some(object), old))
    }

    fn validate<'a>(
        &'a self,
        attributes: &'a Attributes<'a>,
        object: Option<&'a dyn Record>,
        old: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async move {
            if attributes.operation != Operation::Delete {
                return Ok(());
            }
            self.check(attributes, object, old).await
        })
    }
}

fn check_node(asked: &Asked<'_>) -> Result<(), Status> {
    let node = asked.node;
    let name = asked.name();
    asked.require(name == node, || format!("node {node:?} is not allowed to modify node {name:?}"))?;
    if asked.is(Operation::Create) {
        let Some(new) = asked.object.and_then(|object| object.downcast_ref::<Node>()) else {
            return asked.refuse("unexpected type");
        };
        asked.require(new.spec.config_source.is_none(), || {
            format!("node {node:?} is not allowed to create pods with a non-nil configSource")
        })?;
        let labels = labels::forbidden(&new.metadata.labels, &Default::default());
        return asked.require(labels.is_empty(), || {
            format!("node {node:?} is not allowed to set the following labels: {}", labels.join(", "))
        });
    }
    if !asked.is(Operation::Update) {
        return Ok(());
    }
    let (new, old) = asked.new_and_old::<Node>()?;
    let source = &new.spec.config_source;
    asked.require(source.is_none() || *source == old.spec.config_source, || {
        format!("node {node:?} is not allowed to update configSource to a new non-nil configSource")
    })?;
    asked.require(new.spec.taints == old.spec.taints, || {
        format!("node {node:?} is not allowed to modify taints")
    })?;
    asked.require(new.metadata.owner_references == old.metadata.owner_references, || {
        format!("node {node:?} is not allowed to modify ownerReferences")
    })?;
    let labels = labels::forbidden(&new.metadata.labels, &old.metadata.labels);
    asked.require(labels.is_empty(), || format!("is not allowed to modify labels: {}", labels.join(", ")))
}

fn check_claim(asked: &Asked<'_>) -> Result<(), Status> {
    if asked.attributes.subresource != "status" {
        return asked.refuse("may only update PVC status");
    }
    if !asked.is(Operation::Update) {
        return asked.unexpected_operation();
    }
    let (new, old) = asked.new_and_old::<PersistentVolumeClaim>()?;
    let mut allowed = new.clone();
    allowed.metadata.resource_version.clone_from(&old.metadata.resource_version);
    allowed.metadata.managed_fields.clone_from(&old.metadata.managed_fields);
    allowed.status.capacity.clone_from(&old.status.capacity);
    allowed.status.conditions.clone_from(&old.status.conditions);
    allowed.status.allocated_resources.clone_from(&old.status.allocated_resources);
    allowed.status.allocated_resource_statuses.clone_from(&old.status.allocated_resource_statuses);
    asked.require(allowed == *old, || {
        let node = asked.node;
        format!(
            "node {node:?} is not allowed to update fields other than status.quantity and status.conditions"
        )
    })
}

fn check_lease(asked: &Asked<'_>) -> Result<(), Status> {
    asked.require(asked.attributes.namespace == LEASE_NAMESPACE, || {
        format!("can only access leases in the {LEASE_NAMESPACE:?} system namespace")
    })?;
    asked.require(asked.name() == asked.node, || {
        "can only access node lease with the same name as the requesting node".to_owned()
    })
}

fn check_csi_node(asked: &Asked<'_>) -> Result<(), Status> {
    asked.require(asked.name() == asked.node, || {
        "can only access CSINode with the same name as the requesting node".to_owned()
    })?;
    if asked.attributes.subresource != "status" {
        return Ok(());
    }
    if !asked.is(Operation::Update) {
        return asked.unexpected_operation();
    }
    let (new, old) = asked.new_and_old::<CSINode>()?;
    asked.require(new.spec == old.spec, || {
        format!("node {:?} is not allowed to modify CSINode spec via status", asked.node)
    })
}

fn check_slice(asked: &Asked<'_>) -> Result<(), Status> {
    let (object, what) = match asked.attributes.operation {
        Operation::Create => (asked.object, "create"),
        Operation::Delete => (asked.old, "delete"),
        _ => return Ok(()),
    };
    let slice = object.and_then(|object| object.downcast_ref::<ResourceSlice>());
    let own = slice.is_some_and(|slice| slice.spec.node_name.as_deref() == Some(asked.node));
    asked.require(own, || {
        format!("can only {what} ResourceSlice with the same NodeName as the requesting node")
    })
}

fn check_request(asked: &Asked<'_>) -> Result<(), Status> {
    let csr = asked.object.and_then(|object| object.downcast_ref::<CertificateSigningRequest>());
    let Some(csr) = csr.filter(|_| asked.is(Operation::Create)) else { return Ok(()) };
    if !NODE_SIGNERS.contains(&csr.spec.signer_name.as_str()) {
        return Ok(());
    }
    match Request::from_pem(csr.spec.request.as_deref().unwrap_or_default()) {
        Err(error) => asked.refuse(format!("unable to parse csr: {error}")),
        Ok(request) => asked
            .require(request.subject.common_name.strip_prefix(USER_PREFIX) == Some(asked.node), || {
                format!("can only create a node CSR with CN=system:node:{}", asked.node)
            }),
    }
}
