//! Wording, codes and reasons of every constructor.

use super::*;
use crate::field::{ErrorList, FieldError, Path};
use crate::gvk::{GroupKind, GroupResource};

const PODS: GroupResource<'static> = GroupResource::new("", "pods");
const DEPLOYMENTS: GroupResource<'static> = GroupResource::new("apps", "deployments");

#[test]
fn constructors_speak_as_upstream() {
    for (status, code, reason, message) in [
        (Status::not_found(DEPLOYMENTS, "x"), 404, "NotFound", "deployments.apps \"x\" not found"),
        (Status::already_exists(PODS, "x"), 409, "AlreadyExists", "pods \"x\" already exists"),
        (
            Status::generate_name_conflict(PODS, "x", 1),
            409,
            "AlreadyExists",
            "pods \"x\" already exists, the server was not able to generate a unique name for the object",
        ),
        (Status::unauthorized(""), 401, "Unauthorized", "not authorized"),
        (Status::forbidden(PODS, "x", "no"), 403, "Forbidden", "pods \"x\" is forbidden: no"),
        (Status::forbidden(PODS, "", "no"), 403, "Forbidden", "pods is forbidden: no"),
        (Status::forbidden(GroupResource::default(), "", "no"), 403, "Forbidden", "forbidden: no"),
        (
            Status::conflict(PODS, "x", "stale"),
            409,
            "Conflict",
            "Operation cannot be fulfilled on pods \"x\": stale",
        ),
        (Status::gone("gone"), 410, "Gone", "gone"),
        (Status::resource_expired("old"), 410, "Expired", "old"),
        (Status::bad_request("bad"), 400, "BadRequest", "bad"),
        (Status::too_many_requests("wait", 5), 429, "TooManyRequests", "wait"),
        (Status::too_many_requests_error("wait"), 429, "TooManyRequests", "Too many requests: wait"),
        (Status::service_unavailable("off"), 503, "ServiceUnavailable", "off"),
        (
            Status::method_not_supported(DEPLOYMENTS, "get"),
            405,
            "MethodNotAllowed",
            "get is not supported on resources of kind \"deployments.apps\"",
        ),
        (
            Status::server_timeout(PODS, "list", 2),
            500,
            "ServerTimeout",
            "The list operation against pods could not be completed at this time, please try again.",
        ),
        (Status::internal_error("boom"), 500, "InternalError", "Internal error occurred: boom"),
        (Status::timeout("slow", 0), 504, "Timeout", "Timeout: slow"),
        (
            Status::resource_version_too_large(9, 3, 1),
            504,
            "Timeout",
            "Timeout: Too large resource version: 9, current: 3",
        ),
        (
            Status::request_entity_too_large("limit is 3"),
            413,
            "RequestEntityTooLarge",
            "Request entity too large: limit is 3",
        ),
        (
            Status::unsupported_media_type(&["a/b", "c/d"]),
            415,
            "UnsupportedMediaType",
            "the body of the request was in an unknown format - accepted media types include: a/b, c/d",
        ),
        (
            Status::not_acceptable(&["a/b"]),
            406,
            "NotAcceptable",
            "only the following media types are accepted: a/b",
        ),
    ] {
        assert_eq!((status.code, &*status.reason, status.to_string()), (code, reason, message.to_owned()));
        assert_eq!(status.status, "Failure");
    }
}

#[test]
fn invalid_names_each_cause() {
    let errors = ErrorList(vec![
        FieldError::required(&Path::new("spec").child("a"), ""),
        FieldError::invalid(&Path::new("spec").child("b"), "x", "no"),
    ]);
    let status = Status::invalid(GroupKind::new("apps", "Deployment"), "x", &errors);
    assert_eq!(
        status.message,
        "Deployment.apps \"x\" is invalid: [spec.a: Required value, spec.b: Invalid value: \"x\": no]"
    );
    let details = status.details.as_deref().expect("details");
    assert_eq!((&*details.group, &*details.kind, &*details.name), ("apps", "Deployment", "x"));
    assert_eq!(details.causes[1].type_, "FieldValueInvalid");
    assert_eq!(details.causes[1].field, "spec.b");
    assert_eq!(details.causes[1].message, "Invalid value: \"x\": no");
    let empty = Status::invalid(GroupKind::new("", "Pod"), "x", &ErrorList::new());
    assert_eq!(empty.message, "Pod \"x\" is invalid");
}

#[test]
fn predicates_go_by_reason_and_by_code_only_where_that_is_unknown() {
    assert!(Status::not_found(PODS, "x").is_not_found());
    assert!(!Status::resource_expired("old").is_gone());
    assert!(Status::resource_expired("old").is_resource_expired());
    assert!(!Status::already_exists(PODS, "x").is_conflict());
    assert!(Status::failure(409, "Odd", "", None).is_conflict());
    assert!(Status::failure(429, "Timeout", "", None).is_too_many_requests());
    assert_eq!(Status::server_timeout(PODS, "get", 0).retry_after_seconds(), Some(0));
    assert_eq!(Status::timeout("slow", 0).retry_after_seconds(), None);
    assert_eq!(Status::too_many_requests("wait", 7).retry_after_seconds(), Some(7));
    assert!(Status::resource_version_too_large(2, 1, 1).cause(cause::RESOURCE_VERSION_TOO_LARGE).is_some());
}

#[test]
fn answers_that_are_no_status_are_put_into_words() {
    let response = ServerResponse {
        code: 502,
        verb: "GET",
        resource: PODS,
        name: "x",
        message: "a \"b\"",
        ..Default::default()
    };
    let status = Status::generic_server_response(&response);
    assert_eq!(
        status.message,
        "an error on the server (\"a \\\"b\\\"\") has prevented the request from succeeding (get pods x)"
    );
    assert!(status.is_internal_error());
    let status = Status::generic_server_response(&ServerResponse {
        unexpected: true,
        code: 418,
        ..Default::default()
    });
    assert_eq!(
        status.message,
        "the server responded with the status code 418 but did not return more information"
    );
    assert!(status.is_unexpected_server_error());
}

#[test]
fn codes_that_http_lacks_become_500() {
    assert_eq!(Status::failure(0, "", "", None).http_code(), 500);
    assert_eq!(Status::gone("").http_code(), 410);
}
