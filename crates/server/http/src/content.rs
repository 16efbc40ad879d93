//! What answers are made of: bytes that are there already, or what comes from somewhere else and may break off.

use std::convert::Infallible;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use thiserror::Error;

/// An answer's body. It fails where what it is taken from broke off, so that no client takes a part for the whole.
pub type Body = UnsyncBoxBody<Bytes, Broken>;

/// What an answer is taken from broke off.
#[derive(Debug, Error)]
#[error("what is passed on broke off")]
pub struct Broken(#[source] Box<dyn std::error::Error + Send + Sync>);

impl Broken {
    /// It broke off for this reason.
    pub fn new(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Broken {
        Broken(error.into())
    }
}

/// A body that is there already.
pub(crate) fn whole(bytes: impl Into<Bytes>) -> Body {
    unfailing(Full::new(bytes.into()))
}

/// A body that cannot break off.
pub(crate) fn unfailing(
    body: impl hyper::body::Body<Data = Bytes, Error = Infallible> + Send + 'static,
) -> Body {
    body.map_err(|never| match never {}).boxed_unsync()
}

/// A line of text for an answer, as Go's `http.Error` writes it: what is refused before it is known which form the caller wants.
pub(crate) fn error(code: StatusCode, why: &str) -> Response<Body> {
    let mut response = Response::new(whole(format!("{why}\n")));
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
