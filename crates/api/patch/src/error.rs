//! Why a patch is refused, and what the client is told.

use api_meta::Status;
use api_meta::status::ServerResponse;
use serde_json::Value;

use crate::limits::{OPERATIONS, PATCH_BYTES};

/// Why a patch is refused. Texts are upstream's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// The patch has too many bytes.
    #[error("limit is {PATCH_BYTES}")]
    TooLarge,
    /// The patch is no JSON, or nested too deeply.
    #[error("invalid JSON patch")]
    Syntax,
    /// The patch is JSON of the wrong shape.
    #[error("{0}")]
    Shape(String),
    /// The JSON patch has too many operations.
    #[error("The allowed maximum operations in a JSON patch is {OPERATIONS}, got {0}")]
    Operations(usize),
    /// An operation of a JSON patch does not apply. Upstream keeps the reason from the client.
    #[error("{0}")]
    Operation(String),
    /// `$deleteFromPrimitiveList` is malformed.
    #[error("invalid patch format of primitive list")]
    PrimitiveList,
    /// `$retainKeys` is malformed, or the patch sets a key that it does not retain.
    #[error("invalid patch format of retainKeys")]
    RetainKeys,
    /// `$setElementOrder` is malformed.
    #[error("invalid patch format of setElementOrder list")]
    ElementOrder,
    /// A list of lists is to be merged.
    #[error("lists of lists are not supported")]
    ListOfLists,
    /// The patch does not fit the object or its schema.
    #[error("{0}")]
    Mismatch(String),
    /// This kind of patch does not work on trees.
    #[error("strategic merge patch format is not supported")]
    Unsupported,
}

impl PatchError {
    pub(crate) fn wrong_type(expected: &str, actual: Option<&Value>) -> PatchError {
        let actual = actual.map_or("%!s(<nil>)", go_type);
        PatchError::Mismatch(format!("expected a {expected}, but received a {actual}"))
    }

    pub(crate) fn no_merge_key(element: &Value, key: &str) -> PatchError {
        PatchError::Mismatch(format!("map: {} does not contain declared merge key: {key}", go_text(element)))
    }

    /// What the client is told.
    pub fn status(&self) -> Status {
        match self {
            PatchError::TooLarge | PatchError::Operations(_) => Status::request_entity_too_large(self),
            PatchError::Syntax
            | PatchError::Shape(_)
            | PatchError::PrimitiveList
            | PatchError::RetainKeys
            | PatchError::ElementOrder
            | PatchError::Unsupported => Status::bad_request(self.to_string()),
            PatchError::Operation(reason) => unprocessable(reason),
            PatchError::ListOfLists => unprocessable(&self.to_string()),
            PatchError::Mismatch(_) => Status::failure(500, "", self.to_string(), None),
        }
    }
}

fn unprocessable(message: &str) -> Status {
    Status::generic_server_response(&ServerResponse { code: 422, message, ..Default::default() })
}

impl From<PatchError> for Status {
    fn from(error: PatchError) -> Status {
        error.status()
    }
}

/// What Go calls the type of a decoded value.
pub(crate) fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "%!s(<nil>)",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

/// A decoded value as Go's `%v` prints it.
pub(crate) fn go_text(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(go_text).collect::<Vec<_>>().join(" ")),
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            let entries: Vec<String> =
                entries.into_iter().map(|(key, value)| format!("{key}:{}", go_text(value))).collect();
            format!("map[{}]", entries.join(" "))
        }
    }
}

/// What Go's JSON decoder calls the kind of a value.
pub(crate) fn json_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
