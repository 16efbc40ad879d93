//! The bounds of decoding.

/// How deeply records, lists and maps may nest where each level is decoded by a call.
pub const MAX_RECORD_DEPTH: usize = 256;

/// How deeply JSON may nest where it is skipped or kept as text: what Go's decoder allows.
pub const MAX_JSON_DEPTH: usize = 10_000;

/// How many unknown or duplicate fields are reported for one document.
pub const MAX_STRICT_ERRORS: usize = 100;

/// How large a document may be, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest document that is looked at.
    pub bytes: usize,
}

impl Limits {
    /// What a client may send: upstream's limit of a request's body, 3 MiB.
    pub const REQUEST: Limits = Limits { bytes: 3 << 20 };
    /// What a server or the store may answer: 2 GiB.
    pub const RESPONSE: Limits = Limits { bytes: 2 << 30 };
}
