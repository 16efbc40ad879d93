//! Why bytes are no object.

use crate::limits::MAX_STRICT_ERRORS;

/// Why a document could not be decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It is larger than its reader allows.
    #[error("limit is {limit} bytes, the document has {size}")]
    TooLarge {
        /// The size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// Its records would take more memory than a document of its size may.
    #[error("the document would take more than {limit} bytes of memory")]
    TooCostly {
        /// The limit in bytes.
        limit: usize,
    },
    /// It nests deeper than its reader allows.
    #[error("exceeded max depth")]
    TooDeep,
    /// It is not well-formed; the text says how, and where.
    #[error("{0}")]
    Syntax(String),
    /// A value has another type than its field.
    #[error("json: cannot unmarshal {found} into Go {place} of type {wanted}")]
    Type {
        /// What was found: `string`, `number 1.5`, `object`…
        found: String,
        /// `struct field PodSpec.spec.containers`, or `value` at the top.
        place: String,
        /// The Go type of the field.
        wanted: String,
    },
    /// A scalar's text cannot be read; the text is that of upstream's parser.
    #[error("{0}")]
    Scalar(String),
}

/// Collects what strict decoding objects to: unknown and duplicate fields, with their paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Strictness {
    errors: Vec<String>,
}

impl Strictness {
    /// What was objected to, such as `unknown field "spec.foo"`.
    pub fn errors(&self) -> &[String] {
        &self.errors
    }

    pub(crate) fn report(&mut self, error: String) {
        if self.errors.len() < MAX_STRICT_ERRORS && !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }
}
