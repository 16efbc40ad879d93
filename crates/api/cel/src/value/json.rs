//! From JSON to values, and back.

use serde_json::{Map, Number, Value as Json};

use super::{Key, Value};
use crate::functions::text_of as text;

impl From<&Json> for Value {
    fn from(json: &Json) -> Value {
        match json {
            Json::Null => Value::Null,
            Json::Bool(value) => Value::Bool(*value),
            Json::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(value), _) => Value::Int(value),
                (None, Some(value)) => Value::Uint(value),
                (None, None) => Value::Double(number.as_f64().unwrap_or(f64::NAN)),
            },
            Json::String(text) => Value::text(text),
            Json::Array(list) => Value::List(list.iter().map(Value::from).collect()),
            Json::Object(map) => Value::object(map.iter().map(|(key, value)| (key, Value::from(value)))),
        }
    }
}

impl Value {
    /// What JSON says of it; `None` for what JSON cannot say, such as a function's own types.
    pub fn to_json(&self) -> Option<Json> {
        Some(match self {
            Value::Null | Value::Optional(None) => Json::Null,
            Value::Optional(Some(value)) => value.to_json()?,
            Value::Bool(value) => Json::Bool(*value),
            Value::Int(value) => Json::Number((*value).into()),
            Value::Uint(value) => Json::Number((*value).into()),
            Value::Double(value) => Json::Number(Number::from_f64(*value)?),
            Value::String(text) => Json::String(text.to_string()),
            Value::List(list) => Json::Array(list.iter().map(Value::to_json).collect::<Option<_>>()?),
            Value::Map(map) => {
                let entry = |(key, value): (&Key, &Value)| Some((key.to_string(), value.to_json()?));
                Json::Object(map.iter().map(entry).collect::<Option<Map<_, _>>>()?)
            }
            Value::Message(message) => {
                let entry = |(name, value): (&std::sync::Arc<str>, &Value)| {
                    Some((name.to_string(), value.to_json()?))
                };
                Json::Object(message.fields.iter().map(entry).collect::<Option<Map<_, _>>>()?)
            }
            Value::Quantity(value) => Json::String(value.to_string()),
            Value::Timestamp(_) | Value::Duration(_) => Json::String(text(self)?),
            _ => return None,
        })
    }
}
