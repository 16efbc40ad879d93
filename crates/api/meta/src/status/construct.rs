//! One constructor for each of upstream's errors.

use std::fmt::Display;

use api_types::meta::v1;

use super::{Status, cause, reason};
use crate::field::ErrorList;
use crate::gvk::{GroupKind, GroupResource};
use crate::quote;

const FAILURE: &str = "Failure";

fn resource_details(resource: GroupResource<'_>, name: &str) -> v1::StatusDetails {
    v1::StatusDetails {
        group: resource.group.to_owned(),
        kind: resource.resource.to_owned(),
        name: name.to_owned(),
        ..Default::default()
    }
}

fn retry_details(retry_after_seconds: i32) -> v1::StatusDetails {
    v1::StatusDetails { retry_after_seconds, ..Default::default() }
}

impl Status {
    /// A failure of any reason and code.
    pub fn failure(
        code: i32,
        reason: &str,
        message: impl Into<String>,
        details: Option<v1::StatusDetails>,
    ) -> Status {
        Status::from(v1::Status {
            status: FAILURE.to_owned(),
            code,
            reason: reason.to_owned(),
            message: message.into(),
            details: details.map(Box::new),
            ..Default::default()
        })
    }

    /// The object does not exist (404).
    pub fn not_found(resource: GroupResource<'_>, name: &str) -> Status {
        let message = format!("{resource} {} not found", quote::go(name));
        Status::failure(404, reason::NOT_FOUND, message, Some(resource_details(resource, name)))
    }

    /// The object exists already (409).
    pub fn already_exists(resource: GroupResource<'_>, name: &str) -> Status {
        let message = format!("{resource} {} already exists", quote::go(name));
        Status::failure(409, reason::ALREADY_EXISTS, message, Some(resource_details(resource, name)))
    }

    /// No generated name was free (409).
    pub fn generate_name_conflict(
        resource: GroupResource<'_>,
        name: &str,
        retry_after_seconds: i32,
    ) -> Status {
        let message = format!(
            "{resource} {} already exists, the server was not able to generate a unique name for the object",
            quote::go(name)
        );
        let details = v1::StatusDetails { retry_after_seconds, ..resource_details(resource, name) };
        Status::failure(409, reason::ALREADY_EXISTS, message, Some(details))
    }

    /// The caller is not known (401).
    pub fn unauthorized(message: &str) -> Status {
        let message = if message.is_empty() { "not authorized" } else { message };
        Status::failure(401, reason::UNAUTHORIZED, message, None)
    }

    /// The caller may not do this (403); resource and name may be empty.
    pub fn forbidden(resource: GroupResource<'_>, name: &str, why: impl Display) -> Status {
        let message = if resource.is_empty() {
            format!("forbidden: {why}")
        } else if name.is_empty() {
            format!("{resource} is forbidden: {why}")
        } else {
            format!("{resource} {} is forbidden: {why}", quote::go(name))
        };
        Status::failure(403, reason::FORBIDDEN, message, Some(resource_details(resource, name)))
    }

    /// The update does not fit what is there (409).
    pub fn conflict(resource: GroupResource<'_>, name: &str, why: impl Display) -> Status {
        let message = format!("Operation cannot be fulfilled on {resource} {}: {why}", quote::go(name));
        Status::failure(409, reason::CONFLICT, message, Some(resource_details(resource, name)))
    }

    /// A server-side apply would take fields away from other managers (409).
    pub fn apply_conflict(causes: Vec<v1::StatusCause>, message: impl Into<String>) -> Status {
        let details = v1::StatusDetails { causes, ..Default::default() };
        Status::failure(409, reason::CONFLICT, message, Some(details))
    }

    /// What was asked for is gone for good (410).
    pub fn gone(message: impl Into<String>) -> Status {
        Status::failure(410, reason::GONE, message, None)
    }

    /// The resource version is too old (410).
    pub fn resource_expired(message: impl Into<String>) -> Status {
        Status::failure(410, reason::EXPIRED, message, None)
    }

    /// The object is not valid (422).
    pub fn invalid(kind: GroupKind<'_>, name: &str, errors: &ErrorList) -> Status {
        let causes = errors.iter().map(|error| v1::StatusCause {
            type_: error.kind.cause().to_owned(),
            message: error.body(),
            field: error.field.clone(),
        });
        let details = v1::StatusDetails {
            group: kind.group.to_owned(),
            kind: kind.kind.to_owned(),
            name: name.to_owned(),
            causes: causes.collect(),
            ..Default::default()
        };
        let mut message = format!("{kind} {} is invalid", quote::go(name));
        if !errors.is_empty() {
            message = format!("{message}: {errors}");
        }
        Status::failure(422, reason::INVALID, message, Some(details))
    }

    /// The request makes no sense (400).
    pub fn bad_request(message: impl Into<String>) -> Status {
        Status::failure(400, reason::BAD_REQUEST, message, None)
    }

    /// The caller is to try again later (429), in these words.
    pub fn too_many_requests(message: impl Into<String>, retry_after_seconds: i32) -> Status {
        Status::failure(429, reason::TOO_MANY_REQUESTS, message, Some(retry_details(retry_after_seconds)))
    }

    /// The server has too much to do (429), without a time to wait.
    pub fn too_many_requests_error(message: impl Display) -> Status {
        Status::failure(429, reason::TOO_MANY_REQUESTS, format!("Too many requests: {message}"), None)
    }

    /// The service is not there (503).
    pub fn service_unavailable(message: impl Into<String>) -> Status {
        Status::failure(503, reason::SERVICE_UNAVAILABLE, message, None)
    }

    /// The resource does not know the verb (405).
    pub fn method_not_supported(resource: GroupResource<'_>, action: &str) -> Status {
        let message =
            format!("{action} is not supported on resources of kind {}", quote::go(&resource.to_string()));
        Status::failure(405, reason::METHOD_NOT_ALLOWED, message, Some(resource_details(resource, "")))
    }

    /// The operation failed for now (500); the caller is to try again.
    pub fn server_timeout(resource: GroupResource<'_>, operation: &str, retry_after_seconds: i32) -> Status {
        let message = format!(
            "The {operation} operation against {resource} could not be completed at this time, please try again."
        );
        let details = v1::StatusDetails { retry_after_seconds, ..resource_details(resource, operation) };
        Status::failure(500, reason::SERVER_TIMEOUT, message, Some(details))
    }

    /// The server is at fault (500).
    pub fn internal_error(error: impl Display) -> Status {
        let error = error.to_string();
        let message = format!("Internal error occurred: {error}");
        let causes = vec![v1::StatusCause { message: error, ..Default::default() }];
        let details = v1::StatusDetails { causes, ..Default::default() };
        Status::failure(500, reason::INTERNAL_ERROR, message, Some(details))
    }

    /// The request took too long (504) and may still be carried out.
    pub fn timeout(message: impl Display, retry_after_seconds: i32) -> Status {
        let message = format!("Timeout: {message}");
        Status::failure(504, reason::TIMEOUT, message, Some(retry_details(retry_after_seconds)))
    }

    /// The resource version lies in the future (504): the cache is to catch up first.
    pub fn resource_version_too_large(wanted: u64, current: u64, retry_after_seconds: i32) -> Status {
        let message = format!("Too large resource version: {wanted}, current: {current}");
        let mut status = Status::timeout(message, retry_after_seconds);
        if let Some(details) = &mut status.details {
            details.causes.push(v1::StatusCause {
                type_: cause::RESOURCE_VERSION_TOO_LARGE.to_owned(),
                message: "Too large resource version".to_owned(),
                ..Default::default()
            });
        }
        status
    }

    /// The body is too large (413).
    pub fn request_entity_too_large(message: impl Display) -> Status {
        let message = format!("Request entity too large: {message}");
        Status::failure(413, reason::REQUEST_ENTITY_TOO_LARGE, message, None)
    }

    /// The body's media type is not accepted (415).
    pub fn unsupported_media_type(accepted: &[&str]) -> Status {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {}",
            accepted.join(", ")
        );
        Status::failure(415, reason::UNSUPPORTED_MEDIA_TYPE, message, None)
    }

    /// No representation that the caller accepts can be made (406).
    pub fn not_acceptable(accepted: &[&str]) -> Status {
        let message = format!("only the following media types are accepted: {}", accepted.join(", "));
        Status::failure(406, reason::NOT_ACCEPTABLE, message, None)
    }

    /// A success without an object.
    pub fn success() -> Status {
        Status::from(v1::Status { status: "Success".to_owned(), code: 200, ..Default::default() })
    }

    /// What a client makes of an answer that is no Status.
    pub fn generic_server_response(response: &ServerResponse<'_>) -> Status {
        let (reason, mut message) = response.words();
        let verb = response.verb.to_lowercase();
        match (response.resource.is_empty(), response.name.is_empty()) {
            (false, false) => message = format!("{message} ({verb} {} {})", response.resource, response.name),
            (false, true) => message = format!("{message} ({verb} {})", response.resource),
            _ => {}
        }
        let mut details = resource_details(response.resource, response.name);
        details.retry_after_seconds = response.retry_after_seconds;
        if response.unexpected {
            details.causes.push(v1::StatusCause {
                type_: cause::UNEXPECTED_SERVER_RESPONSE.to_owned(),
                message: response.message.to_owned(),
                ..Default::default()
            });
        }
        Status::failure(i32::from(response.code), reason, message, Some(details))
    }
}

/// An answer that is no Status, and the request it answers.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServerResponse<'a> {
    /// The HTTP code.
    pub code: u16,
    /// The HTTP method.
    pub verb: &'a str,
    /// The resource asked for, if any.
    pub resource: GroupResource<'a>,
    /// The name asked for, if any.
    pub name: &'a str,
    /// The answer's body.
    pub message: &'a str,
    /// What the answer's `Retry-After` says.
    pub retry_after_seconds: i32,
    /// The body is not what the API would send.
    pub unexpected: bool,
}

impl ServerResponse<'_> {
    fn words(&self) -> (&'static str, String) {
        let (reason, words) = match self.code {
            409 if self.verb == "POST" => (reason::ALREADY_EXISTS, "the server reported a conflict"),
            409 => (reason::CONFLICT, "the server reported a conflict"),
            404 => (reason::NOT_FOUND, "the server could not find the requested resource"),
            400 => (reason::BAD_REQUEST, "the server rejected our request for an unknown reason"),
            401 => (reason::UNAUTHORIZED, "the server has asked for the client to provide credentials"),
            403 => (reason::FORBIDDEN, self.message),
            406 if self.message.is_empty() || self.message == "unknown" => (
                reason::NOT_ACCEPTABLE,
                "the server was unable to respond with a content type that the client supports",
            ),
            406 => (reason::NOT_ACCEPTABLE, self.message),
            415 => (reason::UNSUPPORTED_MEDIA_TYPE, self.message),
            405 => (
                reason::METHOD_NOT_ALLOWED,
                "the server does not allow this method on the requested resource",
            ),
            422 => (reason::INVALID, "the server rejected our request due to an error in our request"),
            503 => (reason::SERVICE_UNAVAILABLE, "the server is currently unable to handle the request"),
            504 => (
                reason::TIMEOUT,
                "the server was unable to return a response in the time allotted, but may still be processing the request",
            ),
            429 => (
                reason::TOO_MANY_REQUESTS,
                "the server has received too many requests and has asked us to try again later",
            ),
            500.. => {
                let quoted = quote::go(self.message);
                let words =
                    format!("an error on the server ({quoted}) has prevented the request from succeeding");
                return (reason::INTERNAL_ERROR, words);
            }
            code => {
                let words = format!(
                    "the server responded with the status code {code} but did not return more information"
                );
                return ("", words);
            }
        };
        (reason, words.to_owned())
    }
}
