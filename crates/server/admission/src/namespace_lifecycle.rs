//! NamespaceLifecycle: nothing is made in a namespace that is missing or on its way out, and three namespaces stay.

use std::sync::Arc;

use api_meta::Status;
use api_meta::gvk::GroupResource;
use api_record::Record;
use api_types::core::v1::Namespace;
use api_types::meta::v1::StatusCause;
use client::{BoxFuture, Resource};
use server_registry::admit::{Attributes, Operation};

use crate::lookup::typed;
use crate::plugin::is_about;
use crate::{Lookup, Plugin, forbidden};

const NAMESPACES: Resource = Resource::of("", "v1", "namespaces");

/// The namespaces that cannot be deleted. `kube-node-lease` can, and is made again.
const IMMORTAL: [&str; 3] = ["default", "kube-system", "kube-public"];

/// The cause in the refusal to make something in a namespace that is being deleted.
const TERMINATING_CAUSE: &str = "NamespaceTerminating";

/// Keeps the contents of namespaces to their lives.
pub struct NamespaceLifecycle {
    lookup: Arc<dyn Lookup>,
}

impl NamespaceLifecycle {
    /// Looks namespaces up with `lookup`.
    pub fn new(lookup: Arc<dyn Lookup>) -> NamespaceLifecycle {
        NamespaceLifecycle { lookup }
    }

    async fn check_create(&self, attributes: &Attributes<'_>, object: &dyn Record) -> Result<(), Status> {
        let name = attributes.namespace;
        let namespace = match self.lookup.get(&NAMESPACES, "", name).await {
            Ok(namespace) => namespace,
            Err(status) if status.is_not_found() => return Err(status),
            Err(status) => return Err(Status::internal_error(status)),
        };
        if typed::<Namespace>(&*namespace)?.status.phase != "Terminating" {
            return Ok(());
        }
        let why = format!("unable to create new content in namespace {name} because it is being terminated");
        let mut status = forbidden(attributes, Some(object), why).into_inner();
        status.details.get_or_insert_default().causes.push(StatusCause {
            type_: TERMINATING_CAUSE.to_owned(),
            message: format!("namespace {name} is being terminated"),
            field: "metadata.namespace".to_owned(),
        });
        Err(Status::from(status))
    }
}

impl Plugin for NamespaceLifecycle {
    fn mutate<'a>(
        &'a self,
        attributes: &'a Attributes<'a>,
        object: &'a mut dyn Record,
        _: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async move {
            // What an access review says about a namespace must not tell whether the namespace exists.
            let review = is_about(attributes, "authorization.k8s.io", "localsubjectaccessreviews");
            let exempt = attributes.namespace.is_empty() || is_about(attributes, "", "namespaces") || review;
            if attributes.operation != Operation::Create || exempt {
                return Ok(());
            }
            self.check_create(attributes, object).await
        })
    }

    fn validate<'a>(
        &'a self,
        attributes: &'a Attributes<'a>,
        _: Option<&'a dyn Record>,
        _: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        let immortal = attributes.operation == Operation::Delete
            && is_about(attributes, "", "namespaces")
            && IMMORTAL.contains(&attributes.name);
        Box::pin(async move {
            if immortal {
                let resource = GroupResource { group: "", resource: "namespaces" };
                return Err(Status::forbidden(
                    resource,
                    attributes.name,
                    "this namespace may not be deleted",
                ));
            }
            Ok(())
        })
    }
}
