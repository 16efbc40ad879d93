//! What can be done through a part of an object's path.

pub(crate) mod approval;
pub(crate) mod binding;
pub(crate) mod eviction;
pub(crate) mod finalize;
pub(crate) mod scale;
pub mod tokens;

use std::sync::Arc;

use client::{Answer, Caller, Request, Status, Verb};
use server_registry::Served;

use crate::direct::{Direct, missing};

/// Carries out a request for a subresource other than the status.
pub(crate) async fn answer(
    direct: &Direct,
    who: &Caller,
    served: &Arc<Served>,
    request: Request,
) -> Result<Answer, Status> {
    let plural = &*served.resource.plural;
    let known = served.resource.subresource(&request.target.subresource).ok_or_else(missing)?;
    if !known.verbs.contains(&request.verb.name()) {
        return Err(Status::method_not_supported(served.group_resource(), request.verb.name()));
    }
    match (plural, known.name) {
        (_, "scale") => scale::answer(direct, who, served, request).await,
        ("pods", "binding") => binding::answer(direct, who, served, request).await,
        ("pods", "eviction") => eviction::answer(direct, who, served, request).await,
        // These are the whole object, seen through the part.
        ("pods", "ephemeralcontainers" | "resize") | ("certificatesigningrequests", "approval")
            if request.verb == Verb::Get =>
        {
            direct.get(served, &request.target).await
        }
        ("pods", "ephemeralcontainers" | "resize") => direct.change(who, served, request).await,
        ("namespaces", "finalize") => finalize::answer(direct, who, served, request).await,
        ("certificatesigningrequests", "approval") => approval::answer(direct, who, served, request).await,
        ("serviceaccounts", "token") => tokens::answer(direct, who, served, request).await,
        _ => Err(missing()),
    }
}
