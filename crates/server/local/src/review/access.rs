//! SubjectAccessReview and its kin: may somebody do something?
//!
//! Upstream: `pkg/registry/authorization/{subjectaccessreview,localsubjectaccessreview,selfsubjectaccessreview,util}` and
//! `pkg/apis/authorization/validation`.

use api_meta::field::{BadValue, ErrorList, FieldError, Path};
use api_meta::gvk::GroupKind;
use api_meta::labels::{Operator, Requirement};
use api_meta::names::is_label_key;
use api_meta::{Status, fields};
use api_record::Record;
use api_types::authorization::v1::{
    LocalSubjectAccessReview, NonResourceAttributes, ResourceAttributes, SelfSubjectAccessReview,
    SubjectAccessReview, SubjectAccessReviewSpec, SubjectAccessReviewStatus,
};
use api_types::meta::v1::{FieldSelectorRequirement, LabelSelectorRequirement, ObjectMeta};
use client::Caller;
use server_authz::{Attributes, Decision};

use crate::Policy;
use crate::attributes::Selectors;

/// Fills in the status of a review of anybody.
pub(super) fn answer(policy: &Policy, review: &mut SubjectAccessReview) -> Result<(), Status> {
    let mut errors = check_subject(&review.spec);
    check_metadata(&mut errors, &review.metadata, &ObjectMeta::default(), "must be empty");
    refuse("SubjectAccessReview", &errors)?;
    review.status = decide_on(policy, &review.spec);
    Ok(())
}

/// Fills in the status of a review of anybody within a namespace.
pub(super) fn answer_local(policy: &Policy, review: &mut LocalSubjectAccessReview) -> Result<(), Status> {
    let (metadata, spec) = (&review.metadata, &review.spec);
    let mut errors = check_subject(spec);
    let empty = ObjectMeta { namespace: metadata.namespace.clone(), ..ObjectMeta::default() };
    check_metadata(&mut errors, metadata, &empty, "must be empty except for namespace");
    let other = spec.resource_attributes.as_ref().map(|wanted| &wanted.namespace);
    if let Some(other) = other.filter(|other| **other != metadata.namespace) {
        let at = Path::new("spec.resourceAttributes.namespace");
        errors.push(FieldError::invalid(&at, other, "must match metadata.namespace"));
    }
    if let Some(wanted) = spec.non_resource_attributes.as_deref() {
        let at = Path::new("spec.nonResourceAttributes");
        errors.push(FieldError::invalid(&at, shown(wanted), "disallowed on this kind of request"));
    }
    refuse("LocalSubjectAccessReview", &errors)?;
    if metadata.namespace.is_empty() {
        return Err(Status::bad_request("namespace is required on this type: "));
    }
    review.status = decide_on(policy, spec);
    Ok(())
}

/// Fills in the status of a review of whoever asks.
pub(super) fn answer_own(
    policy: &Policy,
    who: &Caller,
    review: &mut SelfSubjectAccessReview,
) -> Result<(), Status> {
    let spec = &review.spec;
    let (resource, path) = (spec.resource_attributes.as_deref(), spec.non_resource_attributes.as_deref());
    let mut errors = ErrorList::new();
    check_attributes(&mut errors, resource, path);
    check_selectors(&mut errors, resource);
    check_metadata(&mut errors, &review.metadata, &ObjectMeta::default(), "must be empty");
    refuse("SelfSubjectAccessReview", &errors)?;
    review.status = decide(policy, who, resource, path);
    Ok(())
}

fn refuse(kind: &str, errors: &ErrorList) -> Result<(), Status> {
    let kind = GroupKind { group: "authorization.k8s.io", kind };
    if errors.is_empty() { Ok(()) } else { Err(Status::invalid(kind, "", errors)) }
}

fn shown(record: &dyn Record) -> BadValue {
    let mut json = Vec::new();
    api_codec::json::encode(record, None, &mut json);
    BadValue::json(String::from_utf8_lossy(&json))
}

fn check_metadata(errors: &mut ErrorList, own: &ObjectMeta, wanted: &ObjectMeta, why: &str) {
    let own = ObjectMeta { managed_fields: Vec::new(), ..own.clone() };
    let (record, empty): (&dyn Record, &dyn Record) = (&own, wanted);
    if record != empty {
        errors.push(FieldError::invalid(&Path::new("metadata"), shown(&own), why));
    }
}

fn check_subject(spec: &SubjectAccessReviewSpec) -> ErrorList {
    let mut errors = ErrorList::new();
    let resource = spec.resource_attributes.as_deref();
    check_attributes(&mut errors, resource, spec.non_resource_attributes.as_deref());
    if spec.user.is_empty() && spec.groups.is_empty() {
        let at = Path::new("spec").child("user");
        errors.push(FieldError::invalid(&at, "", "at least one of user or group must be specified"));
    }
    check_selectors(&mut errors, resource);
    errors
}

fn check_attributes(
    errors: &mut ErrorList,
    resource: Option<&ResourceAttributes>,
    path: Option<&NonResourceAttributes>,
) {
    let at = Path::new("spec");
    match (resource, path) {
        (Some(_), Some(path)) => {
            let why = "cannot be specified in combination with resourceAttributes";
            errors.push(FieldError::invalid(&at.child("nonResourceAttributes"), shown(path), why));
        }
        (None, None) => {
            let why = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
            errors.push(FieldError::invalid(&at.child("resourceAttributes"), BadValue::null(), why));
        }
        _ => {}
    }
}

/// Operators that are not known pass: a newer client's question is then answered more broadly.
fn check_selectors(errors: &mut ErrorList, resource: Option<&ResourceAttributes>) {
    let Some(wanted) = resource else { return };
    let at = Path::new("spec.resourceAttributes");
    if let Some(fields) = wanted.field_selector.as_deref() {
        let at = at.child("fieldSelector");
        check_raw(errors, &at, &fields.raw_selector, fields.requirements.is_empty());
        for (index, requirement) in fields.requirements.iter().enumerate() {
            let at = at.child("requirements").index(index);
            if requirement.key.is_empty() {
                errors.push(FieldError::required(&at.child("key"), "must be specified"));
            }
            check_values(errors, &at, &requirement.operator, &requirement.values);
        }
    }
    if let Some(labels) = wanted.label_selector.as_deref() {
        let at = at.child("labelSelector");
        check_raw(errors, &at, &labels.raw_selector, labels.requirements.is_empty());
        for (index, requirement) in labels.requirements.iter().enumerate() {
            let at = at.child("requirements").index(index);
            check_values(errors, &at, &requirement.operator, &requirement.values);
            let faults = is_label_key(&requirement.key);
            errors.extend(ErrorList::invalid(&at.child("key"), &requirement.key, faults));
        }
    }
}

fn check_raw(errors: &mut ErrorList, at: &Path, raw: &str, no_requirements: bool) {
    if !raw.is_empty() && !no_requirements {
        let why = "may not specified at the same time as requirements";
        errors.push(FieldError::invalid(&at.child("rawSelector"), raw, why));
    }
    if raw.is_empty() && no_requirements {
        let why = format!("when {at} is specified, requirements or rawSelector is required");
        errors.push(FieldError::required(&at.child("requirements"), why));
    }
}

fn check_values(errors: &mut ErrorList, at: &Path, operator: &str, values: &[String]) {
    let at = at.child("values");
    match operator {
        "In" | "NotIn" if values.is_empty() => {
            errors.push(FieldError::required(&at, "must be specified when `operator` is 'In' or 'NotIn'"));
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            let why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
            errors.push(FieldError::forbidden(&at, why));
        }
        _ => {}
    }
}

fn decide_on(policy: &Policy, spec: &SubjectAccessReviewSpec) -> SubjectAccessReviewStatus {
    let subject = Caller {
        name: spec.user.clone(),
        uid: spec.uid.clone(),
        groups: spec.groups.clone(),
        extra: spec.extra.clone(),
        ..Caller::default()
    };
    let path = spec.non_resource_attributes.as_deref();
    decide(policy, &subject, spec.resource_attributes.as_deref(), path)
}

fn decide(
    policy: &Policy,
    who: &Caller,
    resource: Option<&ResourceAttributes>,
    path: Option<&NonResourceAttributes>,
) -> SubjectAccessReviewStatus {
    let subject = Attributes { uid: &who.uid, extra: &who.extra, ..Attributes::of(&who.name, &who.groups) };
    let (decision, errors) = match (resource, path) {
        (Some(wanted), _) => {
            let (selectors, errors) = selectors(wanted);
            let decision = selectors.lend(|fields, labels| {
                policy.decide(&Attributes {
                    verb: &wanted.verb,
                    is_resource_request: true,
                    api_group: &wanted.group,
                    api_version: if wanted.version.is_empty() { "*" } else { &wanted.version },
                    resource: &wanted.resource,
                    subresource: &wanted.subresource,
                    name: &wanted.name,
                    namespace: &wanted.namespace,
                    field_selector: fields,
                    label_selector: labels,
                    ..subject
                })
            });
            (decision, errors)
        }
        (None, Some(wanted)) => (policy.decide(&subject.at(&wanted.verb, &wanted.path)), Vec::new()),
        (None, None) => (Decision::no_opinion(""), Vec::new()),
    };
    SubjectAccessReviewStatus {
        allowed: decision.is_allowed(),
        denied: matches!(decision, Decision::Deny { .. }),
        reason: decision.reason().to_owned(),
        evaluation_error: errors.join("; "),
    }
}

/// What the selectors of a question require. What cannot be understood is left out and told: requirements narrow what is asked
/// for, so leaving one out asks for more.
fn selectors(wanted: &ResourceAttributes) -> (Selectors, Vec<String>) {
    let mut selectors = Selectors::default();
    let mut errors = Vec::new();
    let mut tell = |field: &str, understood: usize| {
        let partially = if understood > 0 { "partially " } else { "" };
        errors.push(format!("spec.resourceAttributes.{field} {partially}ignored due to parse error"));
    };
    if let Some(own) = wanted.field_selector.as_deref() {
        let parsed = fields::Selector::parse(&own.raw_selector);
        let raw = parsed.as_ref().map(fields::Selector::terms).unwrap_or_default();
        selectors.fields = own.requirements.iter().filter_map(field_term).collect();
        if parsed.is_err() || selectors.fields.len() < own.requirements.len() {
            tell("fieldSelector", selectors.fields.len());
        }
        selectors.fields.extend_from_slice(raw);
    }
    if let Some(own) = wanted.label_selector.as_deref() {
        let parsed = api_meta::labels::Selector::parse(&own.raw_selector, &Path::NONE);
        let raw = parsed.as_ref().ok().and_then(|parsed| parsed.requirements()).unwrap_or_default();
        selectors.labels = own.requirements.iter().filter_map(label_requirement).collect();
        if parsed.is_err() || selectors.labels.len() < own.requirements.len() {
            tell("labelSelector", selectors.labels.len());
        }
        selectors.labels.extend_from_slice(raw);
    }
    (selectors, errors)
}

fn field_term(requirement: &FieldSelectorRequirement) -> Option<fields::Term> {
    let ([value], "In" | "NotIn") = (&requirement.values[..], requirement.operator.as_str()) else {
        return None;
    };
    let equal = requirement.operator == "In";
    Some(fields::Term { field: requirement.key.clone(), equal, value: value.clone() })
}

fn label_requirement(requirement: &LabelSelectorRequirement) -> Option<Requirement> {
    let operator = match requirement.operator.as_str() {
        "In" => Operator::In,
        "NotIn" => Operator::NotIn,
        "Exists" => Operator::Exists,
        "DoesNotExist" => Operator::DoesNotExist,
        _ => return None,
    };
    Requirement::new(&requirement.key, operator, requirement.values.clone(), &Path::NONE).ok()
}
