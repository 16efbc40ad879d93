//! JSON to the trees that custom resources hold: what no schema names, kept as it is.
//!
//! Numbers are read as upstream's `unstructured` reads them: integers of 64 bits, and doubles for all else.

use std::borrow::Cow;

use api_record::Tree;
use serde_json::{Number, Value};

use super::decode::{Decoder, Segment};
use super::read::Token;
use crate::DecodeError;
use crate::limits::MAX_RECORD_DEPTH;

impl<'a> Decoder<'a, '_> {
    /// Reads the value of a key into a tree. Of a key that comes twice the last value counts.
    pub(super) fn entry(&mut self, tree: &mut Tree, key: Cow<'a, str>) -> Result<(), DecodeError> {
        if tree.contains_key(&*key) {
            self.report("duplicate", &key);
        }
        let name = key.clone().into_owned();
        self.budget.spend(size_of::<(String, Value)>())?;
        self.path.push(Segment::Name(key));
        let value = self.tree()?;
        self.path.pop();
        tree.insert(name, value);
        Ok(())
    }

    fn tree(&mut self) -> Result<Value, DecodeError> {
        if self.path.len() > MAX_RECORD_DEPTH {
            return Err(DecodeError::TooDeep);
        }
        Ok(match self.reader.peek()? {
            Token::Null => {
                self.reader.null()?;
                Value::Null
            }
            Token::Bool => Value::Bool(self.reader.bool()?),
            Token::Number => number(self.reader.number()?),
            Token::String => Value::String(self.reader.string()?.into_owned()),
            Token::List => {
                let (mut items, mut first) = (Vec::new(), true);
                while self.reader.next(b']', &mut first)? {
                    self.budget.spend(size_of::<Value>())?;
                    self.path.push(Segment::Index(items.len()));
                    items.push(self.tree()?);
                    self.path.pop();
                }
                Value::Array(items)
            }
            Token::Object => {
                let (mut fields, mut first) = (Tree::new(), true);
                while self.reader.next(b'}', &mut first)? {
                    let key = self.reader.key()?;
                    self.entry(&mut fields, key)?;
                }
                fields.sort_keys();
                Value::Object(fields)
            }
        })
    }
}

/// What cannot be held is null, as JSON has no infinity.
fn number(text: &str) -> Value {
    if let Ok(integer) = text.parse::<i64>() {
        return integer.into();
    }
    text.parse().ok().and_then(Number::from_f64).map_or(Value::Null, Value::Number)
}
