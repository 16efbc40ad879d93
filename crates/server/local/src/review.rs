//! Questions that are asked by making an object which is never kept.

use std::sync::Arc;

use api_meta::Status;
use api_record::Record;
use api_types::authentication::v1::{SelfSubjectReview, UserInfo};
use api_types::authorization::v1::{
    LocalSubjectAccessReview, NonResourceAttributes, ResourceAttributes, SelfSubjectAccessReview,
    SelfSubjectRulesReview, SubjectAccessReview, SubjectAccessReviewStatus,
};
use client::{Answer, Caller, Request, Resource, Verb};
use server_authz::{Attributes, Decision};

use crate::Policy;
use crate::direct::{Direct, missing, object_answer, object_of};

/// Whether a resource is such a question.
pub(crate) fn is_review(resource: &Resource) -> bool {
    matches!(
        (&*resource.group, &*resource.plural),
        ("authentication.k8s.io", "selfsubjectreviews")
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
pub(crate) fn answer(_: &Direct, policy: &Policy, who: &Caller, request: Request) -> Result<Answer, Status> {
    if request.verb != Verb::Create {
        return Err(missing());
    }
    let namespace = request.target.namespace.clone();
    let mut question = object_of(request.body)?;
    if let Some(review) = question.downcast_mut::<SelfSubjectReview>() {
        review.status.user_info = user_info(who);
    } else if let Some(review) = question.downcast_mut::<SelfSubjectAccessReview>() {
        let spec = &review.spec;
        review.status = decide(
            policy,
            who,
            spec.resource_attributes.as_deref(),
            spec.non_resource_attributes.as_deref(),
        )?;
    } else if let Some(review) = question.downcast_mut::<SubjectAccessReview>() {
        let spec = &review.spec;
        let subject = subject(&spec.user, &spec.uid, &spec.groups, spec.extra.clone());
        review.status = decide(
            policy,
            &subject,
            spec.resource_attributes.as_deref(),
            spec.non_resource_attributes.as_deref(),
        )?;
    } else if let Some(review) = question.downcast_mut::<LocalSubjectAccessReview>() {
        let spec = &review.spec;
        if spec.resource_attributes.as_deref().is_none_or(|wanted| wanted.namespace != namespace) {
            return Err(Status::bad_request(
                "spec.resourceAttributes.namespace must match the namespace of the request",
            ));
        }
        let subject = subject(&spec.user, &spec.uid, &spec.groups, spec.extra.clone());
        review.status = decide(
            policy,
            &subject,
            spec.resource_attributes.as_deref(),
            spec.non_resource_attributes.as_deref(),
        )?;
    } else if let Some(review) = question.downcast_mut::<SelfSubjectRulesReview>() {
        if review.spec.namespace.is_empty() {
            return Err(Status::bad_request("no namespace on request"));
        }
        review.status = policy.rules_for(who, &review.spec.namespace);
    }
    let answered: Arc<dyn Record> = Arc::from(question);
    let mut answer = object_answer(answered);
    answer.created = true;
    Ok(answer)
}

fn user_info(who: &Caller) -> UserInfo {
    UserInfo {
        username: who.name.clone(),
        uid: who.uid.clone(),
        groups: who.groups.clone(),
        extra: who.extra.clone(),
    }
}

fn subject(
    name: &str,
    uid: &str,
    groups: &[String],
    extra: std::collections::BTreeMap<String, Vec<String>>,
) -> Caller {
    Caller { name: name.to_owned(), uid: uid.to_owned(), groups: groups.to_vec(), extra }
}

fn decide(
    policy: &Policy,
    who: &Caller,
    resource: Option<&ResourceAttributes>,
    path: Option<&NonResourceAttributes>,
) -> Result<SubjectAccessReviewStatus, Status> {
    let subject = Attributes { uid: &who.uid, extra: &who.extra, ..Attributes::of(&who.name, &who.groups) };
    let attributes = match (resource, path) {
        (Some(wanted), None) => Attributes {
            verb: &wanted.verb,
            is_resource_request: true,
            api_group: &wanted.group,
            api_version: &wanted.version,
            resource: &wanted.resource,
            subresource: &wanted.subresource,
            name: &wanted.name,
            namespace: &wanted.namespace,
            ..subject
        },
        (None, Some(wanted)) => Attributes { verb: &wanted.verb, path: &wanted.path, ..subject },
        _ => {
            return Err(Status::bad_request(
                "exactly one of nonResourceAttributes or resourceAttributes must be specified",
            ));
        }
    };
    let decision = policy.decide(&attributes);
    Ok(SubjectAccessReviewStatus {
        allowed: decision.is_allowed(),
        denied: matches!(decision, Decision::Deny { .. }),
        reason: decision.reason().to_owned(),
        ..SubjectAccessReviewStatus::default()
    })
}
