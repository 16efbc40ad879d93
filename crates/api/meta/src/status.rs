//! `Status`, the only error that the API speaks.
//!
//! The wrapper around the generated struct is an error of one pointer's size; its constructors are those of upstream's
//! `pkg/api/errors`, with the same reasons, codes, details and wording. What a Status becomes on the wire is the codec's.

mod construct;
mod inspect;

use std::fmt;
use std::ops::{Deref, DerefMut};

use api_types::meta::v1;

pub use construct::ServerResponse;

/// An answer that is an error (or, rarely, a success without an object).
#[derive(Clone, PartialEq)]
pub struct Status(Box<v1::Status>);

/// Upstream's machine-readable reasons.
pub mod reason {
    /// 401.
    pub const UNAUTHORIZED: &str = "Unauthorized";
    /// 403.
    pub const FORBIDDEN: &str = "Forbidden";
    /// 404.
    pub const NOT_FOUND: &str = "NotFound";
    /// 409 on create.
    pub const ALREADY_EXISTS: &str = "AlreadyExists";
    /// 409.
    pub const CONFLICT: &str = "Conflict";
    /// 410.
    pub const GONE: &str = "Gone";
    /// 422.
    pub const INVALID: &str = "Invalid";
    /// 500, to be retried.
    pub const SERVER_TIMEOUT: &str = "ServerTimeout";
    /// 500: stored data cannot be read.
    pub const STORE_READ_ERROR: &str = "StorageReadError";
    /// 504.
    pub const TIMEOUT: &str = "Timeout";
    /// 429.
    pub const TOO_MANY_REQUESTS: &str = "TooManyRequests";
    /// 400.
    pub const BAD_REQUEST: &str = "BadRequest";
    /// 405.
    pub const METHOD_NOT_ALLOWED: &str = "MethodNotAllowed";
    /// 406.
    pub const NOT_ACCEPTABLE: &str = "NotAcceptable";
    /// 413.
    pub const REQUEST_ENTITY_TOO_LARGE: &str = "RequestEntityTooLarge";
    /// 415.
    pub const UNSUPPORTED_MEDIA_TYPE: &str = "UnsupportedMediaType";
    /// 500.
    pub const INTERNAL_ERROR: &str = "InternalError";
    /// 410: too old a resource version.
    pub const EXPIRED: &str = "Expired";
    /// 503.
    pub const SERVICE_UNAVAILABLE: &str = "ServiceUnavailable";

    /// All that are known.
    pub(super) const ALL: [&str; 19] = [
        UNAUTHORIZED,
        FORBIDDEN,
        NOT_FOUND,
        ALREADY_EXISTS,
        CONFLICT,
        GONE,
        INVALID,
        SERVER_TIMEOUT,
        STORE_READ_ERROR,
        TIMEOUT,
        TOO_MANY_REQUESTS,
        BAD_REQUEST,
        METHOD_NOT_ALLOWED,
        NOT_ACCEPTABLE,
        REQUEST_ENTITY_TOO_LARGE,
        UNSUPPORTED_MEDIA_TYPE,
        INTERNAL_ERROR,
        EXPIRED,
        SERVICE_UNAVAILABLE,
    ];
}

/// Upstream's types of causes that are no field errors.
pub mod cause {
    /// The server's answer was not of the API.
    pub const UNEXPECTED_SERVER_RESPONSE: &str = "UnexpectedServerResponse";
    /// Another manager owns the field.
    pub const FIELD_MANAGER_CONFLICT: &str = "FieldManagerConflict";
    /// The resource version lies in the future.
    pub const RESOURCE_VERSION_TOO_LARGE: &str = "ResourceVersionTooLarge";
    /// The namespace is going away.
    pub const NAMESPACE_TERMINATING: &str = "NamespaceTerminating";
    /// A disruption budget stands in the way of an eviction.
    pub const DISRUPTION_BUDGET: &str = "DisruptionBudget";
}

impl Status {
    /// The generated struct, to be encoded.
    pub fn into_inner(self) -> v1::Status {
        *self.0
    }

    /// The HTTP code to answer with: 500 where the Status names none, or one that HTTP does not have.
    pub fn http_code(&self) -> u16 {
        u16::try_from(self.0.code).ok().filter(|code| (100..600).contains(code)).unwrap_or(500)
    }
}

impl Deref for Status {
    type Target = v1::Status;
    fn deref(&self) -> &v1::Status {
        &self.0
    }
}

impl DerefMut for Status {
    fn deref_mut(&mut self) -> &mut v1::Status {
        &mut self.0
    }
}

impl From<v1::Status> for Status {
    fn from(status: v1::Status) -> Status {
        Status(Box::new(status))
    }
}

impl From<Status> for v1::Status {
    fn from(status: Status) -> v1::Status {
        *status.0
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Status {}

#[cfg(test)]
mod tests;
