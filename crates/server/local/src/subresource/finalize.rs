//! `namespaces/finalize`: taking finalizers off a namespace's spec.

use std::sync::Arc;

use api_meta::Status;
use api_record::Record;
use api_types::core::v1::Namespace;
use client::{Answer, Caller, Precondition, Request};
use server_registry::Served;

use crate::direct::{Direct, missing, object_of, written_answer};

/// Replaces the spec's finalizers by those of the request's namespace.
pub(crate) async fn answer(
    direct: &Direct,
    who: &Caller,
    served: &Arc<Served>,
    request: Request,
) -> Result<Answer, Status> {
    let Request { target, body, write, .. } = request;
    let wanted = object_of(body)?;
    let wanted: &Namespace =
        wanted.downcast_ref().ok_or_else(|| Status::bad_request("not a Namespace object"))?;
    let change = |current: Option<&dyn Record>| -> Result<Box<dyn Record>, Status> {
        let current: &Namespace = current.and_then(|current| current.downcast_ref()).ok_or_else(missing)?;
        let mut namespace = current.clone();
        namespace.spec.finalizers.clone_from(&wanted.spec.finalizers);
        namespace.metadata.resource_version.clone_from(&wanted.metadata.resource_version);
        Ok(Box::new(namespace))
    };
    let precondition =
        Precondition { uid: Some(wanted.metadata.uid.clone()).filter(|uid| !uid.is_empty()), version: None };
    let written = direct
        .registry()
        .update(served, who, "", &target.name, "finalize", &change, &precondition, &write)
        .await?;
    Ok(written_answer(written))
}
