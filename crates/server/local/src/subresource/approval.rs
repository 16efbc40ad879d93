//! `certificatesigningrequests/approval`: approving or denying a request for a certificate.

use std::sync::Arc;

use api_meta::Status;
use api_record::Record;
use api_types::certificates::v1::CertificateSigningRequest;
use client::{Answer, Body, Caller, Request};
use server_registry::Served;

use crate::direct::{Direct, missing};

/// Replaces the conditions by those of the request's object; everything else stays.
pub(crate) async fn answer(
    direct: &Direct,
    who: &Caller,
    served: &Arc<Served>,
    request: Request,
) -> Result<Answer, Status> {
    if !matches!(request.body, Body::Object(_)) {
        return direct.change(who, served, request).await;
    }
    let Request { target, body, write, .. } = request;
    let wanted = crate::direct::object_of(body)?;
    let wanted: &CertificateSigningRequest =
        wanted.downcast_ref().ok_or_else(|| Status::bad_request("not a CertificateSigningRequest object"))?;
    let change = |current: Option<&dyn Record>| -> Result<Box<dyn Record>, Status> {
        let current: &CertificateSigningRequest =
            current.and_then(|current| current.downcast_ref()).ok_or_else(missing)?;
        let mut request = current.clone();
        request.status.conditions.clone_from(&wanted.status.conditions);
        request.metadata.resource_version.clone_from(&wanted.metadata.resource_version);
        Ok(Box::new(request))
    };
    let registry = direct.registry();
    let name = &target.name;
    let precondition = client::Precondition::default();
    let written = registry.update(served, who, "", name, "approval", &change, &precondition, &write).await?;
    Ok(crate::direct::written_answer(written))
}
