//! What kind of error a Status is: by its reason, or by its code where the reason is unknown.

use api_types::meta::v1::StatusCause;

use super::{Status, cause, reason};

impl Status {
    fn is(&self, wanted: &str, code: i32) -> bool {
        self.reason == wanted || (self.code == code && !reason::ALL.contains(&self.reason.as_str()))
    }

    /// The object does not exist.
    pub fn is_not_found(&self) -> bool {
        self.is(reason::NOT_FOUND, 404)
    }

    /// The object exists already.
    pub fn is_already_exists(&self) -> bool {
        self.reason == reason::ALREADY_EXISTS
    }

    /// The update does not fit what is there.
    pub fn is_conflict(&self) -> bool {
        self.is(reason::CONFLICT, 409)
    }

    /// The object is not valid.
    pub fn is_invalid(&self) -> bool {
        self.is(reason::INVALID, 422)
    }

    /// What was asked for is gone for good; not true of an expired resource version.
    pub fn is_gone(&self) -> bool {
        self.is(reason::GONE, 410)
    }

    /// The resource version is too old.
    pub fn is_resource_expired(&self) -> bool {
        self.reason == reason::EXPIRED
    }

    /// No representation that the caller accepts can be made.
    pub fn is_not_acceptable(&self) -> bool {
        self.is(reason::NOT_ACCEPTABLE, 406)
    }

    /// The body's media type is not accepted.
    pub fn is_unsupported_media_type(&self) -> bool {
        self.is(reason::UNSUPPORTED_MEDIA_TYPE, 415)
    }

    /// The resource does not know the verb.
    pub fn is_method_not_supported(&self) -> bool {
        self.is(reason::METHOD_NOT_ALLOWED, 405)
    }

    /// The service is not there.
    pub fn is_service_unavailable(&self) -> bool {
        self.is(reason::SERVICE_UNAVAILABLE, 503)
    }

    /// The request makes no sense.
    pub fn is_bad_request(&self) -> bool {
        self.is(reason::BAD_REQUEST, 400)
    }

    /// The caller is not known.
    pub fn is_unauthorized(&self) -> bool {
        self.is(reason::UNAUTHORIZED, 401)
    }

    /// The caller may not do this.
    pub fn is_forbidden(&self) -> bool {
        self.is(reason::FORBIDDEN, 403)
    }

    /// The request took too long.
    pub fn is_timeout(&self) -> bool {
        self.is(reason::TIMEOUT, 504)
    }

    /// The operation failed for now.
    pub fn is_server_timeout(&self) -> bool {
        self.reason == reason::SERVER_TIMEOUT
    }

    /// The server is at fault.
    pub fn is_internal_error(&self) -> bool {
        self.is(reason::INTERNAL_ERROR, 500)
    }

    /// The caller is to try again later.
    pub fn is_too_many_requests(&self) -> bool {
        self.reason == reason::TOO_MANY_REQUESTS || self.code == 429
    }

    /// The body is too large.
    pub fn is_request_entity_too_large(&self) -> bool {
        self.reason == reason::REQUEST_ENTITY_TOO_LARGE || self.code == 413
    }

    /// The answer was not of the API.
    pub fn is_unexpected_server_error(&self) -> bool {
        self.cause(cause::UNEXPECTED_SERVER_RESPONSE).is_some()
    }

    /// Stored data cannot be read.
    pub fn is_store_read_error(&self) -> bool {
        self.reason == reason::STORE_READ_ERROR
    }

    /// The first cause of this type.
    pub fn cause(&self, type_: &str) -> Option<&StatusCause> {
        self.details.as_ref()?.causes.iter().find(|cause| cause.type_ == type_)
    }

    /// The seconds to wait before trying again, if the Status says so.
    pub fn retry_after_seconds(&self) -> Option<i32> {
        let seconds = self.details.as_ref()?.retry_after_seconds;
        (seconds > 0 || self.is_server_timeout()).then_some(seconds)
    }
}
