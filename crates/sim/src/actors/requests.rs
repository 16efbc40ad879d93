//! Requests as nodes and users make them: typed, one at a time.

use std::sync::Arc;

use api_codec::json;
use api_codec::limits::Limits;
use api_record::{Record, Typed};
use api_types::meta::v1::ObjectMeta;
use api_types::object_meta;
use client::reconcile::resource_of;
use client::{Api as _, Body, Caller, Outcome, Precondition, Propagation, Request, Status, Target, Verb};

use crate::line::Line;

/// Somebody with a line.
pub struct Hand {
    /// The line.
    pub line: Line,
    /// As whom.
    pub who: Caller,
}

/// An object of its JSON.
///
/// # Panics
/// If the JSON is not of that type.
pub fn object<T: Typed + Default>(value: &serde_json::Value) -> T {
    let mut object = T::default();
    let text = value.to_string();
    json::decode(text.as_bytes(), &mut object, None, Limits::REQUEST)
        .expect("the simulator writes valid objects");
    object
}

fn target<T: Typed>(namespace: &str, name: &str, subresource: &str) -> Target {
    Target {
        resource: resource_of::<T>().clone(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        subresource: subresource.to_owned(),
    }
}

impl Hand {
    async fn ask<T: Typed + Clone>(&self, request: Request) -> Result<T, Status> {
        match self.line.call(&self.who, request).await?.outcome {
            Outcome::Object(object) => match object.downcast_ref::<T>() {
                Some(object) => Ok(object.clone()),
                None => Err(Status::internal_error("the answer is of another type")),
            },
            _ => Err(Status::internal_error("the answer is no object")),
        }
    }

    /// Reads an object.
    pub async fn get<T: Typed + Clone>(&self, namespace: &str, name: &str) -> Result<T, Status> {
        self.ask(Request::new(Verb::Get, target::<T>(namespace, name, ""))).await
    }

    /// Reads all objects of a namespace.
    pub async fn list<T: Typed>(&self, namespace: &str) -> Result<Vec<Arc<dyn Record>>, Status> {
        let request = Request::new(Verb::List, target::<T>(namespace, "", ""));
        match self.line.call(&self.who, request).await?.outcome {
            Outcome::List(list) => Ok(list.items),
            _ => Err(Status::internal_error("the answer is no list")),
        }
    }

    /// Makes an object.
    pub async fn create<T: Typed + Clone>(&self, object: T) -> Result<T, Status> {
        let namespace = object_meta(&object).map(|meta| meta.namespace.clone()).unwrap_or_default();
        let mut request = Request::new(Verb::Create, target::<T>(&namespace, "", ""));
        request.body = Body::Object(Box::new(object));
        self.ask(request).await
    }

    /// Replaces an object, or a part of it.
    pub async fn update<T: Typed + Clone>(&self, object: T, subresource: &str) -> Result<T, Status> {
        let meta: ObjectMeta = object_meta(&object).cloned().unwrap_or_default();
        let mut request = Request::new(Verb::Update, target::<T>(&meta.namespace, &meta.name, subresource));
        request.body = Body::Object(Box::new(object));
        self.ask(request).await
    }

    /// Deletes an object.
    pub async fn delete<T: Typed>(
        &self,
        (namespace, name): (&str, &str),
        uid: Option<&str>,
        grace_seconds: Option<i64>,
        propagation: Option<Propagation>,
    ) -> Result<(), Status> {
        let mut request = Request::new(Verb::Delete, target::<T>(namespace, name, ""));
        request.delete.grace_seconds = grace_seconds;
        request.delete.propagation = propagation;
        request.delete.precondition = Precondition { uid: uid.map(str::to_owned), version: None };
        self.line.call(&self.who, request).await.map(drop)
    }
}
