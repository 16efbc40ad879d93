//! Typed calls to the API: one place that knows how a request is put together.

use std::sync::Arc;

use api_record::{Record, Typed};
use base::time::{Clock, timeout};
use client::{
    Answer, Api, Body, Caller, Outcome, Precondition, RawView, Request, Resource, Scope, Target, Verb,
};

use crate::error::AgentError;
use crate::limits;

pub(crate) const PODS: Resource = Resource::of("", "v1", "pods");
pub(crate) const NODES: Resource = Resource::of("", "v1", "nodes");
pub(crate) const EVENTS: Resource = Resource::of("", "v1", "events");
pub(crate) const CONFIG_MAPS: Resource = Resource::of("", "v1", "configmaps");
pub(crate) const SECRETS: Resource = Resource::of("", "v1", "secrets");
pub(crate) const PERSISTENT_VOLUMES: Resource = Resource::of("", "v1", "persistentvolumes");
pub(crate) const PERSISTENT_VOLUME_CLAIMS: Resource = Resource::of("", "v1", "persistentvolumeclaims");
pub(crate) const SERVICES: Resource = Resource::of("", "v1", "services");
pub(crate) const SERVICE_ACCOUNTS: Resource = Resource::of("", "v1", "serviceaccounts");
pub(crate) const RESOURCE_CLAIMS: Resource = Resource::of("resource.k8s.io", "v1", "resourceclaims");
pub(crate) const LEASES: Resource = Resource::of("coordination.k8s.io", "v1", "leases");

/// The API, as this node.
#[derive(Clone)]
pub(crate) struct Calls {
    pub(crate) api: Arc<dyn Api>,
    pub(crate) caller: Caller,
    pub(crate) clock: Arc<dyn Clock>,
}

pub(crate) fn target(resource: Resource, namespace: &str, name: &str, subresource: &str) -> Target {
    Target {
        resource,
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        subresource: subresource.to_owned(),
    }
}

impl Calls {
    async fn call(&self, request: Request) -> Result<Answer, AgentError> {
        let answered = timeout(self.clock.as_ref(), limits::CALL, self.api.call(&self.caller, request)).await;
        match answered {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(AgentError::Timeout { seconds: limits::CALL.as_secs() }),
        }
    }

    /// Opens a view of a scope.
    pub(crate) async fn view(&self, scope: Scope) -> Result<RawView, AgentError> {
        Ok(self.api.view(&self.caller, scope).await?)
    }

    async fn object<T: Typed + Clone>(&self, request: Request) -> Result<T, AgentError> {
        match self.call(request).await?.outcome {
            Outcome::Object(object) => object
                .downcast_ref::<T>()
                .cloned()
                .ok_or(AgentError::Unexpected { wanted: "the object asked for" }),
            _ => Err(AgentError::Unexpected { wanted: "an object" }),
        }
    }

    pub(crate) async fn get<T: Typed + Clone>(
        &self,
        resource: Resource,
        namespace: &str,
        name: &str,
    ) -> Result<T, AgentError> {
        self.object(Request::new(Verb::Get, target(resource, namespace, name, ""))).await
    }

    /// Creates an object, or what a subresource of `name` takes.
    pub(crate) async fn create<T: Typed + Clone>(
        &self,
        resource: Resource,
        (namespace, name, subresource): (&str, &str, &str),
        object: T,
    ) -> Result<T, AgentError> {
        let mut request = Request::new(Verb::Create, target(resource, namespace, name, subresource));
        request.body = Body::Object(Box::new(object) as Box<dyn Record>);
        self.object(request).await
    }

    pub(crate) async fn update<T: Typed + Clone>(
        &self,
        resource: Resource,
        (namespace, name, subresource): (&str, &str, &str),
        object: T,
    ) -> Result<T, AgentError> {
        let mut request = Request::new(Verb::Update, target(resource, namespace, name, subresource));
        request.body = Body::Object(Box::new(object) as Box<dyn Record>);
        self.object(request).await
    }

    /// Deletes an object at once, if it still is the one with this uid.
    pub(crate) async fn delete_now(
        &self,
        resource: Resource,
        namespace: &str,
        name: &str,
        uid: &str,
    ) -> Result<(), AgentError> {
        let mut request = Request::new(Verb::Delete, target(resource, namespace, name, ""));
        request.delete.grace_seconds = Some(0);
        request.delete.precondition = Precondition { uid: Some(uid.to_owned()), version: None };
        self.call(request).await.map(drop)
    }
}
