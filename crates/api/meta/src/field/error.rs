//! One field's error, and lists of them.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::{Deref, DerefMut};

use super::{BadValue, Path};
use crate::quote;

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// A value that was looked up is not there.
    NotFound,
    /// It must be given.
    Required,
    /// It must be unique and is not.
    Duplicate,
    /// It is malformed.
    Invalid,
    /// It is not one of the values that are known.
    NotSupported,
    /// It is well-formed and not allowed here.
    Forbidden,
    /// It is too long.
    TooLong,
    /// It has too many items.
    TooMany,
    /// It has too few items.
    TooFew,
    /// It is too short.
    TooShort,
    /// The error is not the caller's.
    InternalError,
    /// It is of the wrong type.
    TypeInvalid,
}

impl ErrorKind {
    /// The cause's type in a Status.
    pub fn cause(self) -> &'static str {
        match self {
            ErrorKind::NotFound => "FieldValueNotFound",
            ErrorKind::Required => "FieldValueRequired",
            ErrorKind::Duplicate => "FieldValueDuplicate",
            ErrorKind::Invalid => "FieldValueInvalid",
            ErrorKind::NotSupported => "FieldValueNotSupported",
            ErrorKind::Forbidden => "FieldValueForbidden",
            ErrorKind::TooLong => "FieldValueTooLong",
            ErrorKind::TooMany => "FieldValueTooMany",
            ErrorKind::TooFew => "FieldValueTooFew",
            ErrorKind::TooShort => "FieldValueTooShort",
            ErrorKind::InternalError => "InternalError",
            ErrorKind::TypeInvalid => "FieldValueTypeInvalid",
        }
    }

    fn shows_value(self) -> bool {
        !matches!(
            self,
            ErrorKind::Required
                | ErrorKind::Forbidden
                | ErrorKind::TooLong
                | ErrorKind::TooShort
                | ErrorKind::InternalError
        )
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ErrorKind::NotFound => "Not found",
            ErrorKind::Required => "Required value",
            ErrorKind::Duplicate => "Duplicate value",
            ErrorKind::Invalid | ErrorKind::TypeInvalid => "Invalid value",
            ErrorKind::NotSupported => "Unsupported value",
            ErrorKind::Forbidden => "Forbidden",
            ErrorKind::TooLong => "Too long",
            ErrorKind::TooMany => "Too many",
            ErrorKind::TooFew => "Too few",
            ErrorKind::TooShort => "Too short",
            ErrorKind::InternalError => "Internal error",
        })
    }
}

/// An error of one field; displayed with the field's path in front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// What is wrong.
    pub kind: ErrorKind,
    /// The field's path.
    pub field: String,
    /// The field's value.
    pub value: BadValue,
    /// Why, in words; may be empty.
    pub detail: String,
}

impl FieldError {
    fn new(kind: ErrorKind, path: &Path, value: BadValue, detail: impl Into<String>) -> FieldError {
        FieldError { kind, field: path.to_string(), value, detail: detail.into() }
    }

    /// A value that must be given is not; `detail` may be empty.
    pub fn required(path: &Path, detail: impl Into<String>) -> FieldError {
        FieldError::new(ErrorKind::Required, path, BadValue::OMITTED, detail)
    }

    /// A malformed value.
    pub fn invalid(path: &Path, value: impl Into<BadValue>, detail: impl Into<String>) -> FieldError {
        FieldError::new(ErrorKind::Invalid, path, value.into(), detail)
    }

    /// A value of the wrong type.
    pub fn type_invalid(path: &Path, value: impl Into<BadValue>, detail: impl Into<String>) -> FieldError {
        FieldError::new(ErrorKind::TypeInvalid, path, value.into(), detail)
    }

    /// A value that is not among `supported`, which the message lists in the order given.
    pub fn not_supported(
        path: &Path,
        value: impl Into<BadValue>,
        supported: &[impl AsRef<str>],
    ) -> FieldError {
        let mut detail = String::new();
        if !supported.is_empty() {
            let quoted: Vec<String> = supported.iter().map(|value| quote::go(value.as_ref())).collect();
            detail = format!("supported values: {}", quoted.join(", "));
        }
        FieldError::new(ErrorKind::NotSupported, path, value.into(), detail)
    }

    /// A value that occurs twice.
    pub fn duplicate(path: &Path, value: impl Into<BadValue>) -> FieldError {
        FieldError::new(ErrorKind::Duplicate, path, value.into(), "")
    }

    /// A value that refers to nothing.
    pub fn not_found(path: &Path, value: impl Into<BadValue>) -> FieldError {
        FieldError::new(ErrorKind::NotFound, path, value.into(), "")
    }

    /// A value that is not allowed here.
    pub fn forbidden(path: &Path, detail: impl Into<String>) -> FieldError {
        FieldError::new(ErrorKind::Forbidden, path, BadValue::OMITTED, detail)
    }

    /// A value of more than `max_bytes` bytes.
    pub fn too_long(path: &Path, max_bytes: usize) -> FieldError {
        let unit = if max_bytes == 1 { "byte" } else { "bytes" };
        let detail = format!("may not be more than {max_bytes} {unit}");
        FieldError::new(ErrorKind::TooLong, path, BadValue::OMITTED, detail)
    }

    /// A value of more than `max_characters` characters.
    pub fn too_long_characters(path: &Path, max_characters: usize) -> FieldError {
        let unit = if max_characters == 1 { "character" } else { "characters" };
        let detail = format!("may not be more than {max_characters} {unit}");
        FieldError::new(ErrorKind::TooLong, path, BadValue::OMITTED, detail)
    }

    /// A value of fewer than `min_characters` characters.
    pub fn too_short(path: &Path, min_characters: usize) -> FieldError {
        let unit = if min_characters == 1 { "character" } else { "characters" };
        let detail = format!("must be at least {min_characters} {unit}");
        FieldError::new(ErrorKind::TooShort, path, BadValue::OMITTED, detail)
    }

    /// A list of more than `max` items; without `actual` the message does not say how many there are.
    pub fn too_many(path: &Path, actual: impl Into<Option<usize>>, max: usize) -> FieldError {
        let unit = if max == 1 { "item" } else { "items" };
        let actual = actual.into().map_or(BadValue::OMITTED, BadValue::from);
        FieldError::new(ErrorKind::TooMany, path, actual, format!("must have at most {max} {unit}"))
    }

    /// A list of fewer than `min` items.
    pub fn too_few(path: &Path, actual: usize, min: usize) -> FieldError {
        let unit = if min == 1 { "item" } else { "items" };
        FieldError::new(ErrorKind::TooFew, path, actual.into(), format!("must have at least {min} {unit}"))
    }

    /// An error that is not the caller's.
    pub fn internal(path: &Path, error: impl fmt::Display) -> FieldError {
        FieldError::new(ErrorKind::InternalError, path, BadValue::OMITTED, error.to_string())
    }

    /// The message without the field's path.
    pub fn body(&self) -> String {
        let mut text = self.kind.to_string();
        if let (true, Some(value)) = (self.kind.shows_value(), self.value.shown()) {
            text = format!("{text}: {value}");
        }
        if self.detail.is_empty() { text } else { format!("{text}: {}", self.detail) }
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.body())
    }
}

impl std::error::Error for FieldError {}

/// Errors of fields, in the order they were found; displayed as upstream's aggregate: one bare, several in brackets,
/// repeated ones once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorList(pub Vec<FieldError>);

impl ErrorList {
    /// No errors.
    pub const fn new() -> ErrorList {
        ErrorList(Vec::new())
    }

    /// An [`FieldError::invalid`] for each of these messages.
    pub fn invalid(path: &Path, value: &str, messages: Vec<String>) -> ErrorList {
        messages.into_iter().map(|message| FieldError::invalid(path, value, message)).collect()
    }

    /// `Ok` if there are none.
    ///
    /// # Errors
    /// The list itself if it has any.
    pub fn into_result(self) -> Result<(), ErrorList> {
        if self.is_empty() { Ok(()) } else { Err(self) }
    }
}

impl Deref for ErrorList {
    type Target = Vec<FieldError>;
    fn deref(&self) -> &Vec<FieldError> {
        &self.0
    }
}

impl DerefMut for ErrorList {
    fn deref_mut(&mut self) -> &mut Vec<FieldError> {
        &mut self.0
    }
}

impl From<FieldError> for ErrorList {
    fn from(error: FieldError) -> ErrorList {
        ErrorList(vec![error])
    }
}

impl FromIterator<FieldError> for ErrorList {
    fn from_iter<I: IntoIterator<Item = FieldError>>(errors: I) -> Self {
        ErrorList(errors.into_iter().collect())
    }
}

impl IntoIterator for ErrorList {
    type Item = FieldError;
    type IntoIter = std::vec::IntoIter<FieldError>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl fmt::Display for ErrorList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut seen = BTreeSet::new();
        let messages: Vec<String> =
            self.iter().map(ToString::to_string).filter(|message| seen.insert(message.clone())).collect();
        if messages.len() == 1 { f.write_str(&messages[0]) } else { write!(f, "[{}]", messages.join(", ")) }
    }
}

impl std::error::Error for ErrorList {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_read_as_upstreams() {
        let at = Path::new("spec").child("a");
        for (error, text) in [
            (FieldError::required(&at, ""), "spec.a: Required value"),
            (FieldError::required(&at, "say it"), "spec.a: Required value: say it"),
            (FieldError::invalid(&at, "x", "no"), "spec.a: Invalid value: \"x\": no"),
            (
                FieldError::invalid(&at, -1, "must be greater than or equal to 0"),
                "spec.a: Invalid value: -1: must be greater than or equal to 0",
            ),
            (
                FieldError::not_supported(&at, "x", &["a", "b"]),
                "spec.a: Unsupported value: \"x\": supported values: \"a\", \"b\"",
            ),
            (FieldError::duplicate(&at, "x"), "spec.a: Duplicate value: \"x\""),
            (FieldError::not_found(&at, "x"), "spec.a: Not found: \"x\""),
            (FieldError::forbidden(&at, "not here"), "spec.a: Forbidden: not here"),
            (FieldError::too_long(&at, 1), "spec.a: Too long: may not be more than 1 byte"),
            (FieldError::too_long_characters(&at, 5), "spec.a: Too long: may not be more than 5 characters"),
            (FieldError::too_many(&at, 3, 2), "spec.a: Too many: 3: must have at most 2 items"),
            (FieldError::too_many(&at, None, 1), "spec.a: Too many: must have at most 1 item"),
            (FieldError::too_few(&at, 0, 1), "spec.a: Too few: 0: must have at least 1 item"),
            (FieldError::too_short(&at, 2), "spec.a: Too short: must be at least 2 characters"),
            (FieldError::internal(&at, "boom"), "spec.a: Internal error: boom"),
            (
                FieldError::type_invalid(&at, 3, "must be a string"),
                "spec.a: Invalid value: 3: must be a string",
            ),
        ] {
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn lists_drop_repetitions_and_use_brackets_for_several() {
        let at = Path::new("a");
        let mut list = ErrorList::from(FieldError::required(&at, ""));
        list.push(FieldError::required(&at, ""));
        assert_eq!(list.to_string(), "a: Required value");
        list.push(FieldError::forbidden(&at, "x"));
        assert_eq!(list.to_string(), "[a: Required value, a: Forbidden: x]");
    }
}
