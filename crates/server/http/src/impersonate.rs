//! Acting as somebody else: who may, and as whom the request goes on.

use api_meta::Status;
use api_meta::gvk::GroupResource;
use client::Caller;
use http::HeaderMap;
use server_authn::impersonation::{self, Attempt, Check, Step};
use server_authz::Attributes;
use server_local::{Policy, forbidden};

use crate::path::{Info, Place};

/// As whom a request goes on.
pub(crate) struct Other {
    pub(crate) caller: Caller,
    /// The right that the requester has it by, as the audit log names it.
    pub(crate) constraint: String,
}

/// Whoever the headers name, if they name anybody and the policy allows it.
pub(crate) fn caller(
    policy: &Policy,
    caller: &Caller,
    headers: &HeaderMap,
    info: &Info,
) -> Result<Option<Other>, Status> {
    let wanted = impersonation::parse(headers).map_err(|error| Status::bad_request(error.to_string()))?;
    let Some(wanted) = wanted else { return Ok(None) };
    let mut refusal = None;
    for attempt in wanted.attempts(caller, info.verb) {
        match check(policy, caller, &attempt, info) {
            Ok(()) => {
                let constraint = attempt.mode.constraint();
                return Ok(Some(Other { caller: attempt.user, constraint }));
            }
            Err(status) => refusal = refusal.or(Some(status)),
        }
    }
    Err(refusal.unwrap_or_else(|| {
        Status::forbidden(
            GroupResource { group: "", resource: "users" },
            &wanted.user.name,
            "it cannot be acted as",
        )
    }))
}

fn check(policy: &Policy, caller: &Caller, attempt: &Attempt, info: &Info) -> Result<(), Status> {
    let seen = attempt.requester.as_ref();
    let (name, uid) = seen.map_or((&caller.name, &caller.uid), |user| (&user.name, &user.uid));
    let (groups, extra) = seen.map_or((&caller.groups, &caller.extra), |user| (&user.groups, &user.extra));
    let requester = Attributes { uid, extra, ..Attributes::of(name, groups) };
    for step in &attempt.steps {
        match step {
            Step::Request { verb } => decide(policy, &of_request(requester, verb, info))?,
            Step::All { shortcut, each } => {
                let short = shortcut.as_ref().map(|check| policy.decide(&of_check(requester, check)));
                if !short.is_some_and(|decision| decision.is_allowed()) {
                    for check in each {
                        decide(policy, &of_check(requester, check))?;
                    }
                }
            }
            Step::Refuse { check, message } => {
                let resource = GroupResource { group: check.group, resource: check.resource };
                return Err(Status::forbidden(resource, &check.name, message));
            }
        }
    }
    Ok(())
}

fn decide(policy: &Policy, attributes: &Attributes<'_>) -> Result<(), Status> {
    let decision = policy.decide(attributes);
    if decision.is_allowed() { Ok(()) } else { Err(forbidden(attributes, decision.reason())) }
}

fn of_check<'a>(requester: Attributes<'a>, check: &'a Check) -> Attributes<'a> {
    Attributes {
        verb: &check.verb,
        is_resource_request: true,
        api_group: check.group,
        api_version: check.version,
        resource: check.resource,
        subresource: &check.subresource,
        namespace: &check.namespace,
        name: &check.name,
        ..requester
    }
}

fn of_request<'a>(requester: Attributes<'a>, verb: &'a str, info: &'a Info) -> Attributes<'a> {
    match &info.place {
        Place::Path(path) => requester.at(verb, path),
        Place::Resource { target, .. } => Attributes {
            verb,
            is_resource_request: true,
            api_group: &target.resource.group,
            api_version: &target.resource.version,
            resource: &target.resource.plural,
            subresource: &target.subresource,
            namespace: &target.namespace,
            name: &target.name,
            ..requester
        },
    }
}
