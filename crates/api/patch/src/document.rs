//! Reading JSON into a tree, noticing fields that occur twice.

use std::fmt;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::PatchError;
use crate::limits::{PATCH_BYTES, STRICT};

/// JSON with the presence and the order of its fields kept.
pub type Tree = Value;

/// JSON that has been read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    /// The value; of a field that occurs twice, the last.
    pub tree: Tree,
    /// `duplicate field "spec.a[0].b"` for each field that occurs twice, up to a bound.
    pub duplicates: Vec<String>,
}

impl Document {
    /// Reads one JSON value. Nesting is bounded by `limits::DEPTH`.
    ///
    /// # Errors
    /// If it is too large, malformed, or nested too deeply.
    pub fn parse(bytes: &[u8]) -> Result<Document, PatchError> {
        if bytes.len() > PATCH_BYTES {
            return Err(PatchError::TooLarge);
        }
        let mut duplicates = Vec::new();
        let mut path = String::new();
        let mut decoder = serde_json::Deserializer::from_slice(bytes);
        let seed = Node { root: true, path: &mut path, duplicates: &mut duplicates };
        let tree = seed.deserialize(&mut decoder).map_err(|_| PatchError::Syntax)?;
        decoder.end().map_err(|_| PatchError::Syntax)?;
        Ok(Document { tree, duplicates })
    }
}

struct Node<'a> {
    root: bool,
    path: &'a mut String,
    duplicates: &'a mut Vec<String>,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;
    fn deserialize<D: serde::Deserializer<'de>>(self, decoder: D) -> Result<Value, D::Error> {
        decoder.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        let length = self.path.len();
        loop {
            self.path.push_str(&format!("[{}]", list.len()));
            let item = items.next_element_seed(Node {
                root: false,
                path: self.path,
                duplicates: self.duplicates,
            })?;
            self.path.truncate(length);
            match item {
                Some(item) => list.push(item),
                None => return Ok(Value::Array(list)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        let length = self.path.len();
        while let Some(key) = entries.next_key::<String>()? {
            if !self.root {
                self.path.push('.');
            }
            self.path.push_str(&key);
            if map.contains_key(&key) && self.duplicates.len() < STRICT {
                let complaint = format!("duplicate field {}", api_meta::quote::go(self.path));
                if !self.duplicates.contains(&complaint) {
                    self.duplicates.push(complaint);
                }
            }
            let value = entries.next_value_seed(Node {
                root: false,
                path: self.path,
                duplicates: self.duplicates,
            })?;
            self.path.truncate(length);
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}
