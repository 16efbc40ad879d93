//! Random objects of any schema: sparse ones with a few fields at each level, and full ones. The same seed makes the same objects.

mod cluster;
mod configuration;
mod patch;
mod words;

use api_record::{Field, JsonForm, Schema, Shape};
use serde_json::{Map, Value, json};

pub use cluster::cluster;
pub use configuration::configuration;
pub use patch::patch;

/// A sequence of numbers that looks random (splitmix64).
pub struct Dice(u64);

impl Dice {
    /// Made from a seed and words that tell its uses apart.
    pub fn of(seed: u64, words: &[&str]) -> Dice {
        // FNV-1a.
        let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ seed;
        for byte in words.iter().flat_map(|word| word.bytes().chain([0])) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Dice(hash)
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `sides`.
    pub fn below(&mut self, sides: usize) -> usize {
        (self.roll() % sides.max(1) as u64) as usize
    }

    /// Whether one of `sides` sides came up.
    pub fn one_in(&mut self, sides: usize) -> bool {
        self.below(sides) == 0
    }

    /// One of some.
    pub fn pick<'a, T: ?Sized>(&mut self, some: &[&'a T]) -> &'a T {
        some[self.below(some.len())]
    }
}

/// How objects are made.
#[derive(Clone, Copy)]
pub struct Style {
    /// Every field is there, as long as the object does not become too large.
    pub full: bool,
    /// One in so many values is odd: of an unlikely content.
    pub odd: usize,
    /// Nulls and unknown fields are among the odd ones.
    pub broken: bool,
}

/// How many values an object has before only required fields are added.
const FULL: usize = 1_500;

/// How deeply objects nest before only required fields are added.
const DEPTH: usize = 14;

/// Makes objects.
pub struct Maker<'a> {
    dice: &'a mut Dice,
    style: Style,
    values: usize,
}

impl<'a> Maker<'a> {
    /// With these dice.
    pub fn new(dice: &'a mut Dice, style: Style) -> Maker<'a> {
        Maker { dice, style, values: 0 }
    }

    /// An object of a kind: with metadata, and mostly with a spec.
    pub fn object(&mut self, schema: &Schema) -> Value {
        let mut map = Map::new();
        for field in schema.fields.iter() {
            let there = match &*field.name {
                "metadata" => !self.dice.one_in(12),
                "status" => self.dice.one_in(4),
                "spec" => !self.dice.one_in(8),
                _ => self.style.full || !self.dice.one_in(3),
            };
            if there {
                map.insert(field.name.to_string(), self.field(field, 1));
            }
        }
        Value::Object(map)
    }

    fn record(&mut self, schema: &Schema, depth: usize) -> Value {
        match schema.json {
            JsonForm::Object => {}
            JsonForm::SchemaOrList | JsonForm::BoolOrSchema => {
                let field = &schema.fields[self.dice.below(2)];
                return self.filled(&field.name, &field.shape, field.values, depth);
            }
        }
        let mut fields = Vec::new();
        flatten(schema, &mut fields);
        let spent = self.values > FULL || depth > DEPTH;
        let few = 1 + self.dice.below(3);
        let chosen: Vec<usize> = (0..few).map(|_| self.dice.below(fields.len())).collect();
        let mut map = Map::new();
        for (index, field) in fields.iter().enumerate() {
            let there = if field.required && (depth < DEPTH + 4) {
                !self.dice.one_in(10)
            } else if spent {
                false
            } else {
                self.style.full || chosen.contains(&index)
            };
            if there {
                map.insert(field.name.to_string(), self.field(field, depth + 1));
            }
        }
        if self.style.broken && self.dice.one_in(40) {
            map.insert("unheardOf".into(), json!({"a": [1, null]}));
        }
        Value::Object(map)
    }

    fn field(&mut self, field: &Field, depth: usize) -> Value {
        if self.style.broken && self.dice.one_in(self.style.odd * 2) {
            return Value::Null;
        }
        self.filled(&field.name, &field.shape, field.values, depth)
    }

    /// A value of a field by this name.
    fn filled(&mut self, name: &str, shape: &Shape, known: &[&str], depth: usize) -> Value {
        self.values += 1;
        let odd = self.dice.one_in(self.style.odd);
        match shape {
            Shape::Record(schema) => self.record(schema, depth),
            Shape::List(element) | Shape::Items(element) => {
                let count = match (self.style.full, self.dice.below(8)) {
                    (_, 0) if odd => 0,
                    (true, _) => 1,
                    (false, 0) => 0,
                    (false, 1 | 2) => 2,
                    (false, _) => 1,
                };
                (0..count).map(|_| self.filled(name, element, known, depth + 1)).collect()
            }
            Shape::Map(entry) => {
                let count = if self.style.full { 1 } else { self.dice.below(3) };
                let mut map = Map::new();
                for _ in 0..count {
                    let key = words::key(self.dice, matches!(**entry, Shape::Quantity), odd);
                    map.insert(key.to_owned(), self.filled("", entry, &[], depth + 1));
                }
                Value::Object(map)
            }
            scalar if odd => words::odd(self.dice, scalar),
            Shape::String if !known.is_empty() => self.dice.pick(known).into(),
            scalar => words::likely(self.dice, scalar, name),
        }
    }
}

/// The fields of a record as JSON has them: those of inlined records among them.
fn flatten<'s>(schema: &'s Schema, fields: &mut Vec<&'s Field>) {
    for field in schema.fields.iter() {
        match &field.shape {
            Shape::Record(inlined) if field.inline => flatten(inlined, fields),
            _ => fields.push(field),
        }
    }
}
