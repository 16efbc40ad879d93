//! How plugins look other objects up.

use std::sync::Arc;

use api_meta::Status;
use api_record::Record;
use api_types::core::v1::{Node, Pod};
use client::{BoxFuture, ListOptions, Resource};
use server_registry::admit::Attributes;
use server_registry::{Catalog, Registry, Served};

use crate::forbidden;

const NODES: Resource = Resource::of("", "v1", "nodes");

/// The objects that plugins decide by. Answers are of the hub's type and not older than the question.
pub trait Lookup: Send + Sync {
    /// One object; not found is upstream's 404.
    fn get<'a>(
        &'a self,
        resource: &'a Resource,
        namespace: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Arc<dyn Record>, Status>>;

    /// All objects of a resource in a namespace, or, if that is empty, everywhere.
    fn list<'a>(
        &'a self,
        resource: &'a Resource,
        namespace: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Arc<dyn Record>>, Status>>;
}

/// Looks objects up in the store.
pub struct Stored {
    registry: Registry,
}

impl Stored {
    /// Reads through `registry`, which must not be the one behind this admission: they would hold on to each other.
    pub fn new(registry: Registry) -> Stored {
        Stored { registry }
    }

    /// By which it looks.
    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// What is served.
    pub(crate) fn catalog(&self) -> &Catalog {
        self.registry.catalog()
    }

    pub(crate) fn find(&self, resource: &Resource) -> Option<Arc<Served>> {
        self.catalog().resolve(&resource.group, &resource.version, &resource.plural)
    }

    fn served(&self, resource: &Resource) -> Result<Arc<Served>, Status> {
        self.find(resource).ok_or_else(|| Status::internal_error(format!("{resource} is not served")))
    }
}

impl Lookup for Stored {
    fn get<'a>(
        &'a self,
        resource: &'a Resource,
        namespace: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Arc<dyn Record>, Status>> {
        Box::pin(async move {
            let served = self.served(resource)?;
            self.registry.get_hub(&served, namespace, name).await
        })
    }

    fn list<'a>(
        &'a self,
        resource: &'a Resource,
        namespace: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Arc<dyn Record>>, Status>> {
        Box::pin(async move {
            let served = self.served(resource)?;
            let list = self.registry.list(&served, namespace, &ListOptions::default()).await?;
            Ok(list.items)
        })
    }
}

/// The node that a pod is on, for who judges a change of the pod by it: without it the change is refused.
pub(crate) async fn pods_node(
    lookup: &dyn Lookup,
    attributes: &Attributes<'_>,
    pod: &Pod,
) -> Result<Node, Status> {
    let name = &pod.spec.node_name;
    let refused = |why: String| forbidden(attributes, Some(pod), why);
    let node = lookup.get(&NODES, "", name).await.map_err(|status| {
        if status.is_not_found() {
            refused(format!("node {name:?} not found"))
        } else {
            refused(format!("failed to get node {name:?}: {}", status.into_inner().message))
        }
    })?;
    typed::<Node>(&*node).cloned()
}

/// The object as what it must be.
pub(crate) fn typed<T: Record>(object: &dyn Record) -> Result<&T, Status> {
    object.downcast_ref().ok_or_else(|| Status::internal_error("an object is not of its kind's type"))
}
