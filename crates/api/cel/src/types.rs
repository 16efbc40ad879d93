//! The types of expressions, as far as they are known before an evaluation.

use std::fmt;
use std::sync::Arc;

/// A type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// Not known.
    Dyn,
    /// Of `null`.
    Null,
    /// A boolean.
    Bool,
    /// A signed integer of 64 bits.
    Int,
    /// An unsigned integer of 64 bits.
    Uint,
    /// A double.
    Double,
    /// Text.
    String,
    /// Bytes.
    Bytes,
    /// A moment.
    Timestamp,
    /// A span of time.
    Duration,
    /// Of types.
    Type,
    /// A list of elements of a type.
    List(Arc<Type>),
    /// A map of keys and values of types.
    Map(Arc<Type>, Arc<Type>),
    /// A value that may be absent.
    Optional(Arc<Type>),
    /// An object with declared fields.
    Object(Arc<Object>),
    /// One of the libraries' own, by its name: `kubernetes.Quantity`.
    Opaque(&'static str),
    /// Stands for any type in a declaration, the same wherever it is named.
    Parameter(char),
    /// Of what an empty list or map holds: any type will do, whichever is wanted. Never the type of a whole expression.
    Open,
}

/// An object's type.
#[derive(Debug)]
pub struct Object {
    /// Its name.
    pub name: Arc<str>,
    /// Its fields, in the order of their names.
    pub fields: Vec<(Arc<str>, Type)>,
    /// It has any other field too, of which nothing is known.
    pub free: bool,
}

impl PartialEq for Object {
    fn eq(&self, other: &Object) -> bool {
        self.name == other.name
    }
}

impl Eq for Object {}

impl Object {
    /// A type of this name with these fields.
    pub fn of<'a>(name: &str, fields: impl IntoIterator<Item = (&'a str, Type)>) -> Type {
        let mut fields: Vec<(Arc<str>, Type)> =
            fields.into_iter().map(|(name, of)| (name.into(), of)).collect();
        fields.sort_by(|(one, _), (other, _)| one.cmp(other));
        Type::Object(Arc::new(Object { name: name.into(), fields, free: false }))
    }

    /// A type of this name with whatever fields there may be.
    pub fn free(name: &str) -> Type {
        Type::Object(Arc::new(Object { name: name.into(), fields: Vec::new(), free: true }))
    }

    /// A field's type.
    pub fn field(&self, name: &str) -> Option<&Type> {
        match self.fields.binary_search_by(|(known, _)| (**known).cmp(name)) {
            Ok(index) => Some(&self.fields[index].1),
            Err(_) => self.free.then_some(&Type::Dyn),
        }
    }
}

impl Type {
    /// A list of this.
    pub fn list(element: Type) -> Type {
        Type::List(Arc::new(element))
    }

    /// A map from text to this.
    pub fn map(value: Type) -> Type {
        Type::Map(Arc::new(Type::String), Arc::new(value))
    }

    /// The same with nothing left open.
    pub(crate) fn settled(&self) -> Type {
        match self {
            Type::Open => Type::Dyn,
            Type::List(element) => Type::list(element.settled()),
            Type::Map(key, value) => Type::Map(Arc::new(key.settled()), Arc::new(value.settled())),
            Type::Optional(content) => Type::optional(content.settled()),
            other => other.clone(),
        }
    }

    /// What may be this.
    pub fn optional(content: Type) -> Type {
        Type::Optional(Arc::new(content))
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Dyn | Type::Open => f.write_str("dyn"),
            Type::Null => f.write_str("null_type"),
            Type::Bool => f.write_str("bool"),
            Type::Int => f.write_str("int"),
            Type::Uint => f.write_str("uint"),
            Type::Double => f.write_str("double"),
            Type::String => f.write_str("string"),
            Type::Bytes => f.write_str("bytes"),
            Type::Timestamp => f.write_str("timestamp"),
            Type::Duration => f.write_str("duration"),
            Type::Type => f.write_str("type"),
            Type::List(element) => write!(f, "list({element})"),
            Type::Map(key, value) => write!(f, "map({key}, {value})"),
            Type::Optional(content) => write!(f, "optional_type({content})"),
            Type::Object(object) => f.write_str(&object.name),
            Type::Opaque(name) => f.write_str(name),
            Type::Parameter(letter) => write!(f, "{letter}"),
        }
    }
}
