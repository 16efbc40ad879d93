//! Documents that the server has ready: its version, OpenAPI, keys.

use bytes::Bytes;
use http::HeaderMap;
use http::header::{ACCEPT, ACCEPT_ENCODING, IF_NONE_MATCH};

/// A request for a document.
#[derive(Clone, Copy, Debug)]
pub struct DocumentRequest<'a> {
    /// The path.
    pub path: &'a str,
    /// The parameter `hash` of the query.
    pub hash: Option<&'a str>,
    /// The header `Accept`, empty if there is none.
    pub accept: &'a str,
    /// The header `If-None-Match`, empty if there is none.
    pub if_none_match: &'a str,
    /// Whether `Accept-Encoding` names gzip.
    pub gzip: bool,
}

impl<'a> DocumentRequest<'a> {
    pub(crate) fn new(path: &'a str, hash: Option<&'a str>, headers: &'a HeaderMap) -> DocumentRequest<'a> {
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let gzip = header(ACCEPT_ENCODING).split(',').any(|coding| coding.trim().starts_with("gzip"));
        DocumentRequest { path, hash, accept: header(ACCEPT), if_none_match: header(IF_NONE_MATCH), gzip }
    }
}

/// A document, or what is to be known of it.
#[derive(Clone, Debug)]
pub struct Document {
    /// The status code.
    pub status: u16,
    /// The headers, the content type among them.
    pub headers: Vec<(&'static str, String)>,
    /// The bytes.
    pub body: Bytes,
}

/// Where documents are found.
pub trait Documents: Send + Sync {
    /// The answer to a request; `None` if there is no document at its path.
    fn find(&self, request: &DocumentRequest<'_>) -> Option<Document>;

    /// The paths that there are documents at.
    fn paths(&self) -> Vec<String>;
}
