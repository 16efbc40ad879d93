//! Reading and writing single objects as the server itself.

use std::sync::Arc;

use api_record::Record;
use api_record::scalar::Time;
use api_types::object_meta;
use client::{Caller, DeleteOptions, ListOptions, Precondition, Resource, Status, WriteOptions};
use server_registry::{Offered, Registry, Served};

/// The registry, used as the server itself, whom admission lets do what is needed.
pub(crate) struct Writer<'a> {
    registry: &'a Registry,
    caller: Caller,
    options: WriteOptions,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(registry: &'a Registry) -> Writer<'a> {
        let caller = Caller::new("system:apiserver", &["system:masters", "system:authenticated"]);
        Writer { registry, caller, options: WriteOptions::default() }
    }

    /// Which built-in resources are served.
    pub(crate) fn offered(&self) -> &Offered {
        self.registry.catalog().offered()
    }

    fn served(&self, resource: &Resource) -> Result<&Arc<Served>, Status> {
        let found = self.registry.catalog().find(&resource.group, &resource.version, &resource.plural);
        found.ok_or_else(|| Status::internal_error(format!("{resource} is not served")))
    }

    /// The server's time.
    pub(crate) fn now(&self) -> Option<Time> {
        Some(self.registry.now().into())
    }

    /// An object, if it is there.
    pub(crate) async fn get<T: Record + Clone>(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
    ) -> Result<Option<T>, Status> {
        match self.registry.get_hub(self.served(resource)?, namespace, name).await {
            Ok(object) => match object.downcast_ref::<T>() {
                Some(object) => Ok(Some(object.clone())),
                None => Err(Status::internal_error(format!("{resource} are not of the expected type"))),
            },
            Err(status) if status.is_not_found() => Ok(None),
            Err(status) => Err(status),
        }
    }

    /// All objects of a namespace.
    pub(crate) async fn all<T: Record + Clone>(
        &self,
        resource: &Resource,
        namespace: &str,
    ) -> Result<Vec<T>, Status> {
        let list = self.registry.list(self.served(resource)?, namespace, &ListOptions::default()).await?;
        Ok(list.items.iter().filter_map(|object| object.downcast_ref::<T>().cloned()).collect())
    }

    /// Makes an object; answers whether it was not there yet.
    pub(crate) async fn create(&self, resource: &Resource, object: Box<dyn Record>) -> Result<bool, Status> {
        let namespace = object_meta(&*object).map(|meta| meta.namespace.clone()).unwrap_or_default();
        let served = self.served(resource)?;
        match self.registry.create(served, &self.caller, &namespace, object, &self.options).await {
            Ok(_) => Ok(true),
            Err(status) if status.is_already_exists() => Ok(false),
            Err(status) => Err(status),
        }
    }

    /// Makes an object unless it is there.
    pub(crate) async fn ensure(&self, resource: &Resource, object: Box<dyn Record>) -> Result<(), Status> {
        let served = self.served(resource)?;
        let meta = object_meta(&*object);
        let (namespace, name) = meta.map_or(("", ""), |meta| (&meta.namespace, &meta.name));
        match self.registry.get_hub(served, namespace, name).await {
            Ok(_) => Ok(()),
            Err(status) if status.is_not_found() => self.create(resource, object).await.map(|_| ()),
            Err(status) => Err(status),
        }
    }

    /// Replaces an object, or its `subresource`; answers whether it was still as `object` is based on.
    pub(crate) async fn update(
        &self,
        resource: &Resource,
        subresource: &str,
        object: &dyn Record,
    ) -> Result<bool, Status> {
        let meta = object_meta(object);
        let (namespace, name) = meta.map_or(("", ""), |meta| (&meta.namespace, &meta.name));
        let change = |_: Option<&dyn Record>| Ok(object.boxed_clone());
        let (served, any) = (self.served(resource)?, Precondition::default());
        let done = self
            .registry
            .update(served, &self.caller, namespace, name, subresource, &change, &any, &self.options)
            .await;
        match done {
            Ok(_) => Ok(true),
            Err(status) if status.is_conflict() || status.is_not_found() => Ok(false),
            Err(status) => Err(status),
        }
    }

    /// Deletes just this object; it may be gone already.
    pub(crate) async fn delete(&self, resource: &Resource, object: &dyn Record) -> Result<(), Status> {
        let Some(meta) = object_meta(object) else { return Ok(()) };
        let precondition = Precondition { uid: Some(meta.uid.clone()), version: None };
        let options = DeleteOptions { precondition, ..DeleteOptions::default() };
        let served = self.served(resource)?;
        let (namespace, name) = (&meta.namespace, &meta.name);
        match self.registry.delete(served, &self.caller, namespace, name, &options, false).await {
            Ok(_) => Ok(()),
            Err(status) if status.is_not_found() || status.is_conflict() => Ok(()),
            Err(status) => Err(status),
        }
    }
}

/// Too many lost races.
pub(crate) fn contended(resource: &Resource, name: &str) -> Status {
    Status::internal_error(format!("{resource} {name:?} is written by others all the time"))
}
