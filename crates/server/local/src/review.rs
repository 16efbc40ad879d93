//! Questions that are asked by making an object which is never kept.
//!
//! Upstream: `pkg/registry/{authentication,authorization}`. Nodes and webhooks ask these on behalf of their own callers.

mod access;
#[cfg(test)]
pub(crate) mod tests;
mod token;

use std::sync::Arc;

use api_meta::Status;
use api_record::Record;
use api_types::authentication::v1::{SelfSubjectReview, TokenReview, UserInfo};
use api_types::authorization::v1::{
    LocalSubjectAccessReview, SelfSubjectAccessReview, SelfSubjectRulesReview, SubjectAccessReview,
};
use api_types::{object_meta, object_meta_mut};
use client::{Answer, Caller, Request, Resource, Verb};

use crate::Policy;
use crate::direct::{Direct, missing, object_answer, object_of};
pub use token::{Reviewed, TokenReviewer};

/// Whether a resource is such a question.
pub(crate) fn is_review(resource: &Resource) -> bool {
    matches!(
        (&*resource.group, &*resource.plural),
        ("authentication.k8s.io", "selfsubjectreviews" | "tokenreviews")
            | (
                "authorization.k8s.io",
                "subjectaccessreviews"
                    | "selfsubjectaccessreviews"
                    | "localsubjectaccessreviews"
                    | "selfsubjectrulesreviews"
            )
    )
}

/// Answers the question.
pub(crate) fn answer(
    direct: &Direct,
    policy: &Policy,
    who: &Caller,
    request: Request,
) -> Result<Answer, Status> {
    if request.verb != Verb::Create {
        return Err(missing());
    }
    let mut question = object_of(request.body)?;
    placed(&mut *question, &request.target.namespace)?;
    let answered: Arc<dyn Record> = if let Some(review) = question.downcast_mut::<TokenReview>() {
        token::answer(direct.token_reviewer(), review)?;
        Arc::from(question)
    } else if question.downcast_ref::<SelfSubjectReview>().is_some() {
        let mut review = SelfSubjectReview::default();
        review.metadata.creation_timestamp = Some(direct.clock().now().into());
        review.status.user_info = user_info(who);
        Arc::new(review)
    } else if let Some(review) = question.downcast_mut::<SelfSubjectAccessReview>() {
        access::answer_own(policy, who, review)?;
        Arc::from(question)
    } else if let Some(review) = question.downcast_mut::<SubjectAccessReview>() {
        access::answer(policy, review)?;
        Arc::from(question)
    } else if let Some(review) = question.downcast_mut::<LocalSubjectAccessReview>() {
        access::answer_local(policy, review)?;
        Arc::from(question)
    } else if let Some(asked) = question.downcast_ref::<SelfSubjectRulesReview>() {
        if asked.spec.namespace.is_empty() {
            return Err(Status::bad_request("no namespace on request"));
        }
        let status = policy.rules_for(who, &asked.spec.namespace);
        Arc::new(SelfSubjectRulesReview { status, ..SelfSubjectRulesReview::default() })
    } else {
        return Err(missing());
    };
    let mut answer = object_answer(answered);
    answer.created = true;
    Ok(answer)
}

/// Puts the question into the namespace of its request, as every object that is made.
fn placed(question: &mut dyn Record, namespace: &str) -> Result<(), Status> {
    let own = object_meta(question).map(|meta| meta.namespace.clone()).unwrap_or_default();
    if !own.is_empty() && !namespace.is_empty() && own != namespace {
        return Err(Status::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    if let Some(meta) = object_meta_mut(question) {
        namespace.clone_into(&mut meta.namespace);
    }
    Ok(())
}

fn user_info(who: &Caller) -> UserInfo {
    UserInfo {
        username: who.name.clone(),
        uid: who.uid.clone(),
        groups: who.groups.clone(),
        extra: who.extra.clone(),
    }
}
