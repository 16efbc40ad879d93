//! Documents that the server has ready: its version, OpenAPI, keys.

use bytes::Bytes;

/// A document in the form that was asked for.
#[derive(Clone, Debug)]
pub struct Document {
    /// The content type.
    pub content_type: String,
    /// The bytes.
    pub bytes: Bytes,
    /// What changes with the content, quoted; empty if nobody asks whether it has changed.
    pub etag: String,
}

/// Where documents are found.
pub trait Documents: Send + Sync {
    /// The document at a path, in the best form that `accept` allows; `None` if there is none.
    fn find(&self, path: &str, accept: &str) -> Option<Document>;

    /// The paths that there are documents at.
    fn paths(&self) -> Vec<String>;
}
