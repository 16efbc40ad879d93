//! Random configurations to apply to an object: parts of it as they are or changed, and more.

use api_record::{Field, ListKind, Schema, Shape};
use serde_json::{Map, Value};

use super::{Dice, Maker, Style, flatten};

/// A configuration of an object of this schema.
pub fn configuration(object: &Value, schema: &Schema, dice: &mut Dice, style: Style) -> Value {
    Writer { dice, style }.record(object, schema, &[], 0)
}

struct Writer<'a> {
    dice: &'a mut Dice,
    style: Style,
}

impl Writer<'_> {
    /// The fields named by `keys` tell the record from others of its list, and stay.
    fn record(&mut self, object: &Value, schema: &Schema, keys: &[&str], depth: usize) -> Value {
        let mut fields = Vec::new();
        flatten(schema, &mut fields);
        let mut map = Map::new();
        for field in &fields {
            let Some(old) = object.get(&*field.name) else { continue };
            if keys.contains(&&*field.name) {
                map.insert(field.name.to_string(), old.clone());
            } else if !self.dice.one_in(3) {
                let value = self.field(field, old, depth);
                map.insert(field.name.to_string(), value);
            }
        }
        if self.dice.one_in(4) && !fields.is_empty() {
            let field = fields[self.dice.below(fields.len())];
            if !map.contains_key(&*field.name) {
                let value = self.fresh(field, depth);
                map.insert(field.name.to_string(), value);
            }
        }
        Value::Object(map)
    }

    fn fresh(&mut self, field: &Field, depth: usize) -> Value {
        Maker::new(self.dice, self.style).field(field, depth + 6)
    }

    fn field(&mut self, field: &Field, old: &Value, depth: usize) -> Value {
        match (&field.shape, old) {
            (Shape::Record(schema), Value::Object(_)) => self.record(old, schema, &[], depth + 1),
            (Shape::List(element) | Shape::Items(element), Value::Array(items)) => {
                self.list(field, element, items, depth)
            }
            (Shape::Map(_), Value::Object(entries)) => {
                let mut kept = entries.clone();
                kept.retain(|_, _| !self.dice.one_in(3));
                if let (Value::Object(more), true) = (self.fresh(field, depth), self.dice.one_in(2)) {
                    kept.extend(more);
                }
                Value::Object(kept)
            }
            _ if self.dice.one_in(3) => self.fresh(field, depth),
            _ => old.clone(),
        }
    }

    fn list(&mut self, field: &Field, element: &Shape, items: &[Value], depth: usize) -> Value {
        let mut list = Vec::new();
        for item in items {
            match (element, &field.list) {
                _ if self.dice.one_in(3) => {}
                (Shape::Record(schema), ListKind::Map(keys)) => {
                    list.push(self.record(item, schema, keys, depth + 1));
                }
                _ => list.push(item.clone()),
            }
        }
        if self.dice.one_in(3)
            && let Value::Array(more) = self.fresh(field, depth)
        {
            list.extend(more);
        }
        if self.dice.one_in(6) {
            list.reverse();
        }
        Value::Array(list)
    }
}
