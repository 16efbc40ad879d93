//! Values, and what any two of them have to do with each other.

pub(crate) mod compare;
mod json;
mod key;
mod list;
mod message;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use api_record::scalar::Quantity;

use crate::authorizer::Query;
use crate::error::EvalError;
use crate::functions;
use crate::functions::format::Format;
use crate::functions::network::Cidr;
use crate::functions::semver::Semver;
use crate::functions::url::Url;
use crate::types::Type;

pub use key::Key;
pub use list::{List, Told};
pub use message::{JSON_PATCH, Message, OBJECT};

/// A value.
#[derive(Clone)]
pub enum Value {
    /// `null`
    Null,
    /// A boolean.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// An unsigned integer.
    Uint(u64),
    /// A double.
    Double(f64),
    /// Text.
    String(Arc<str>),
    /// Bytes.
    Bytes(Arc<[u8]>),
    /// A list.
    List(List),
    /// A map.
    Map(Arc<BTreeMap<Key, Value>>),
    /// An object whose fields are looked up as they are asked for.
    Object(Arc<dyn Object>),
    /// A message that the expression wrote down.
    Message(Arc<Message>),
    /// A moment, in nanoseconds since the Unix epoch.
    Timestamp(i128),
    /// A span of time, in nanoseconds.
    Duration(i64),
    /// A type, by its name.
    Type(Arc<str>),
    /// A value that may be absent.
    Optional(Option<Arc<Value>>),
    /// A resource quantity.
    Quantity(Quantity),
    /// A URL.
    Url(Arc<Url>),
    /// An address.
    Ip(IpAddr),
    /// A range of addresses.
    Cidr(Cidr),
    /// A semantic version.
    Semver(Arc<Semver>),
    /// A named format of text.
    Format(&'static Format),
    /// A question to the authorizer, as far as it is put together.
    Query(Arc<Query>),
}

/// An object whose fields are looked up as they are asked for.
pub trait Object: Send + Sync {
    /// The name of its type.
    fn type_name(&self) -> &str;

    /// A field; `None` if there is none.
    fn field(&self, name: &str) -> Option<Result<Value, EvalError>>;

    /// Whether the operator `in` finds it: what has a default for fields that are not there does not have them.
    fn contains(&self, name: &str) -> bool {
        self.field(name).is_some()
    }
}

impl Value {
    /// Text.
    pub fn text(text: impl AsRef<str>) -> Value {
        Value::String(text.as_ref().into())
    }

    /// A moment as RFC 3339 has it; `None` if the text is none.
    pub fn timestamp(text: &str) -> Option<Value> {
        functions::call("timestamp", &[Value::text(text)]).ok()
    }

    /// A semantic version; `None` if the text is none.
    pub fn semver(text: &str) -> Option<Value> {
        functions::call("semver", &[Value::text(text)]).ok()
    }

    /// A map with text as keys.
    pub fn object(entries: impl IntoIterator<Item = (impl AsRef<str>, Value)>) -> Value {
        let entries = entries.into_iter().map(|(key, value)| (Key::String(key.as_ref().into()), value));
        Value::Map(Arc::new(entries.collect()))
    }

    /// The name of its type.
    pub fn type_name(&self) -> Arc<str> {
        match self {
            Value::Type(_) => "type".into(),
            Value::Map(_) => "map".into(),
            Value::List(_) => "list".into(),
            Value::Optional(_) => "optional_type".into(),
            Value::Object(object) => object.type_name().into(),
            Value::Message(message) => message.name.clone(),
            Value::Query(query) => query.type_name().into(),
            Value::Timestamp(_) => "google.protobuf.Timestamp".into(),
            Value::Duration(_) => "google.protobuf.Duration".into(),
            other => other.simple_type().to_string().into(),
        }
    }

    /// The type of a value that holds no others.
    pub(crate) fn simple_type(&self) -> Type {
        match self {
            Value::Null => Type::Null,
            Value::Bool(_) => Type::Bool,
            Value::Int(_) => Type::Int,
            Value::Uint(_) => Type::Uint,
            Value::Double(_) => Type::Double,
            Value::String(_) => Type::String,
            Value::Bytes(_) => Type::Bytes,
            Value::Timestamp(_) => Type::Timestamp,
            Value::Duration(_) => Type::Duration,
            Value::Type(_) => Type::Type,
            Value::Quantity(_) => Type::Opaque("kubernetes.Quantity"),
            Value::Url(_) => Type::Opaque("kubernetes.URL"),
            Value::Ip(_) => Type::Opaque("net.IP"),
            Value::Cidr(_) => Type::Opaque("net.CIDR"),
            Value::Semver(_) => Type::Opaque("kubernetes.Semver"),
            Value::Format(_) => Type::Opaque("kubernetes.NamedFormat"),
            Value::List(_)
            | Value::Map(_)
            | Value::Object(_)
            | Value::Message(_)
            | Value::Optional(_)
            | Value::Query(_) => Type::Dyn,
        }
    }

    /// How large it is, as costs count: characters, bytes, elements; one for what has no size.
    pub(crate) fn size(&self) -> u64 {
        let size = match self {
            Value::String(text) => text.chars().count(),
            Value::Bytes(bytes) => bytes.len(),
            Value::List(list) => list.len(),
            Value::Map(map) => map.len(),
            _ => 1,
        };
        size as u64
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("null"),
            Value::Bool(value) => value.fmt(f),
            Value::Int(value) => value.fmt(f),
            Value::Uint(value) => write!(f, "{value}u"),
            Value::Double(value) => value.fmt(f),
            Value::String(value) => value.fmt(f),
            Value::Bytes(value) => value.fmt(f),
            Value::List(value) => f.debug_list().entries(value.iter()).finish(),
            Value::Map(value) => f.debug_map().entries(value.iter()).finish(),
            Value::Optional(None) => f.write_str("optional.none()"),
            Value::Optional(Some(value)) => write!(f, "optional.of({value:?})"),
            Value::Timestamp(nanos) => write!(f, "timestamp({nanos})"),
            Value::Duration(nanos) => write!(f, "duration({nanos})"),
            Value::Type(name) => f.write_str(name),
            Value::Quantity(value) => write!(f, "quantity({value})"),
            Value::Ip(value) => write!(f, "ip({value})"),
            other => f.write_str(&other.type_name()),
        }
    }
}
