//! Random strategic merge patches for an object.

use api_record::{Field, Schema, Shape};
use serde_json::{Map, Value, json};

use super::{Dice, Maker, Style, flatten};

/// A patch for an object of this schema: changes of what is there, additions, removals, and directives.
pub fn patch(object: &Value, schema: &Schema, dice: &mut Dice, style: Style) -> Value {
    Patcher { dice, style }.record(object, schema, 0)
}

struct Patcher<'a> {
    dice: &'a mut Dice,
    style: Style,
}

impl Patcher<'_> {
    fn record(&mut self, object: &Value, schema: &Schema, depth: usize) -> Value {
        let mut fields = Vec::new();
        flatten(schema, &mut fields);
        let mut patch = Map::new();
        let present: Vec<&&Field> =
            fields.iter().filter(|field| object.get(&*field.name).is_some()).collect();
        for field in &present {
            if !self.dice.one_in(if depth == 0 { 4 } else { 2 }) {
                let old = &object[&*field.name];
                self.field(field, old, depth, &mut patch);
            }
        }
        if self.dice.one_in(3) && !fields.is_empty() {
            let field = fields[self.dice.below(fields.len())];
            if !patch.contains_key(&*field.name) {
                let value = self.fresh(field, depth);
                patch.insert(field.name.to_string(), value);
            }
        }
        match self.dice.below(40) {
            0 => drop(patch.insert("$patch".into(), json!("replace"))),
            1 if depth > 0 => drop(patch.insert("$patch".into(), json!("delete"))),
            2 => drop(patch.insert("$patch".into(), json!("merge"))),
            3 | 4 if depth > 0 => {
                let mut keys: Vec<Value> = patch.keys().map(|key| json!(key)).collect();
                keys.extend(present.iter().take(1).map(|field| json!(&*field.name)));
                patch.insert("$retainKeys".into(), Value::Array(keys));
            }
            _ => {}
        }
        Value::Object(patch)
    }

    fn fresh(&mut self, field: &Field, depth: usize) -> Value {
        Maker::new(self.dice, self.style).field(field, depth + 6)
    }

    fn field(&mut self, field: &Field, old: &Value, depth: usize, patch: &mut Map<String, Value>) {
        let name = field.name.to_string();
        match (self.dice.below(12), &field.shape, old) {
            (0, _, _) => drop(patch.insert(name, Value::Null)),
            (1, _, _) => {
                let value = self.fresh(field, depth);
                patch.insert(name, value);
            }
            (_, Shape::Record(schema), Value::Object(_)) => {
                let value = self.record(old, schema, depth + 1);
                patch.insert(name, value);
            }
            (roll, Shape::List(element) | Shape::Items(element), Value::Array(items)) => match &**element {
                Shape::Record(schema) => self.records(field, schema, items, depth, patch),
                _ => self.scalars(field, roll, items, depth, patch),
            },
            (_, Shape::Map(_), Value::Object(entries)) => {
                let mut value = self.fresh(field, depth);
                if let (Value::Object(map), Some(key), true) =
                    (&mut value, entries.keys().next(), self.dice.one_in(2))
                {
                    map.insert(key.clone(), Value::Null);
                }
                patch.insert(name, value);
            }
            _ => {
                let value = self.fresh(field, depth);
                patch.insert(name, value);
            }
        }
    }

    fn records(
        &mut self,
        field: &Field,
        schema: &Schema,
        items: &[Value],
        depth: usize,
        patch: &mut Map<String, Value>,
    ) {
        let key = field.merge.key;
        let mut changes = Vec::new();
        for item in items {
            match self.dice.below(5) {
                0 if !key.is_empty() && item.get(key).is_some() => {
                    changes.push(json!({"$patch": "delete", key: item[key]}));
                }
                0 | 1 => {}
                _ => {
                    let mut change = self.record(item, schema, depth + 1);
                    if let (Some(map), Some(value), false) =
                        (change.as_object_mut(), item.get(key), self.dice.one_in(12))
                    {
                        map.insert(key.to_owned(), value.clone());
                    }
                    changes.push(change);
                }
            }
        }
        if self.dice.one_in(3)
            && let Value::Array(fresh) = self.fresh(field, depth)
        {
            changes.extend(fresh);
        }
        if self.dice.one_in(12) {
            changes.push(json!({"$patch": "replace"}));
        }
        if field.merge.merge && self.dice.one_in(3) {
            let mut order: Vec<Value> = Vec::new();
            for item in changes.iter().chain(items).filter(|item| item.get("$patch").is_none()) {
                if let Some(value) = item.get(key)
                    && !order.iter().any(|known| known[key] == *value)
                {
                    order.push(json!({key: value}));
                }
            }
            if self.dice.one_in(2) {
                order.reverse();
            }
            patch.insert(format!("$setElementOrder/{}", &*field.name), Value::Array(order));
        }
        patch.insert(field.name.to_string(), Value::Array(changes));
    }

    fn scalars(
        &mut self,
        field: &Field,
        roll: usize,
        items: &[Value],
        depth: usize,
        patch: &mut Map<String, Value>,
    ) {
        let fresh = self.fresh(field, depth);
        if roll < 4 {
            let gone: Vec<Value> = items.iter().take(1).cloned().collect();
            patch.insert(format!("$deleteFromPrimitiveList/{}", &*field.name), Value::Array(gone));
        }
        if roll > 2 {
            if field.merge.merge && self.dice.one_in(2) {
                let mut order: Vec<Value> = Vec::new();
                for item in fresh.as_array().into_iter().flatten().chain(items) {
                    if !order.contains(item) {
                        order.push(item.clone());
                    }
                }
                patch.insert(format!("$setElementOrder/{}", &*field.name), Value::Array(order));
            }
            patch.insert(field.name.to_string(), fresh);
        }
    }
}
