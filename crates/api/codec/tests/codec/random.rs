//! Random documents and records of any schema, from a seed that a property test shrinks and prints.

use std::collections::BTreeSet;

use api_codec::json;
use api_record::scalar::{Duration, IntOrString, MicroTime, RawJson, Time};
use api_record::{Bytes, JsonForm, Record, Schema, Shape, Slot};

/// A sequence of numbers that looks random (splitmix64).
pub struct Dice(pub u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `sides`.
    pub fn below(&mut self, sides: usize) -> usize {
        (self.roll() % sides as u64) as usize
    }

    /// One of some.
    pub fn pick<'a, T: ?Sized>(&mut self, some: &[&'a T]) -> &'a T {
        some[self.below(some.len())]
    }
}

const TEXTS: [&str; 14] = [
    "",
    "a",
    "web-0",
    "<&>",
    "é\u{2028}",
    "line\nline\n",
    " ",
    "yes",
    "0644",
    "null",
    "1e3",
    "\"\\",
    "~",
    "- a: b",
];
const QUANTITIES: [&str; 12] =
    ["0", "", "1", "100m", "1Gi", "1.5", "1e3", "1000m", "0.5Ki", "+5", "1536Mi", "12E"];
const TIMES: [&str; 5] = [
    "2008-01-01T01:01:01Z",
    "0001-01-01T00:00:00Z",
    "1969-12-31T23:59:59.999999Z",
    "2008-01-01T02:01:01+01:00",
    "9999-12-31T23:59:59Z",
];
const DURATIONS: [&str; 4] = ["0s", "1h2m3s", "1.5s", "-1ns"];
const KEPT: [&str; 8] =
    ["null", "{}", "[]", "\"\"", "0", "{\"a\": {\"b\": [1, null]}}", "{\"<\":\"&\"}", "[ {} ]"];

/// JSON of a schema: sparse, with nulls, empties and zeros where they can be.
pub fn document(schema: &Schema, dice: &mut Dice) -> String {
    let mut out = String::new();
    object(schema, dice, 0, &mut out);
    out
}

fn object(schema: &Schema, dice: &mut Dice, depth: usize, out: &mut String) {
    match schema.json {
        JsonForm::Object => {}
        JsonForm::SchemaOrList => {
            let which = dice.below(2);
            return member(&schema.fields[which].shape, dice, depth, out);
        }
        JsonForm::BoolOrSchema => {
            let which = dice.below(2);
            return member(&schema.fields[which].shape, dice, depth, out);
        }
    }
    out.push('{');
    members(schema, dice, depth, out);
    out.push('}');
}

fn members(schema: &Schema, dice: &mut Dice, depth: usize, out: &mut String) {
    for field in schema.fields.iter() {
        if let (true, Shape::Record(inlined)) = (field.inline, &field.shape) {
            members(inlined, dice, depth, out);
        } else if dice.below(if depth > 6 { 40 } else { 2 + depth }) == 0 {
            if !out.ends_with('{') {
                out.push(',');
            }
            quoted(&field.name, out);
            out.push(':');
            value(&field.shape, dice, depth + 1, out);
        }
    }
}

fn value(shape: &Shape, dice: &mut Dice, depth: usize, out: &mut String) {
    if dice.below(8) == 0 { out.push_str("null") } else { member(shape, dice, depth, out) }
}

fn member(shape: &Shape, dice: &mut Dice, depth: usize, out: &mut String) {
    match shape {
        Shape::Bool => out.push_str(dice.pick(&["true", "false"])),
        Shape::Int32 => out.push_str(dice.pick(&["0", "1", "-1", "80", "2147483647"])),
        Shape::Int64 => out.push_str(dice.pick(&["0", "30", "-1", "9223372036854775807"])),
        Shape::Float => out.push_str(dice.pick(&["0", "1.5", "1e21", "-1e-7", "100"])),
        Shape::String => quoted(dice.pick(&TEXTS), out),
        Shape::Bytes => quoted(dice.pick(&["", "YQ==", "AP8="]), out),
        Shape::Quantity if dice.below(4) == 0 => out.push_str(dice.pick(&["0", "2", "1.5"])),
        Shape::Quantity => quoted(dice.pick(&QUANTITIES), out),
        Shape::IntOrString => out.push_str(dice.pick(&["0", "80", "\"\"", "\"http\"", "\"25%\""])),
        Shape::Time => quoted(dice.pick(&TIMES), out),
        Shape::MicroTime => {
            quoted(dice.pick(&["2008-01-01T01:01:01.000001Z", "0001-01-01T00:00:00.000000Z"]), out);
        }
        Shape::Duration => quoted(dice.pick(&DURATIONS), out),
        Shape::Json => out.push_str(dice.pick(&KEPT)),
        Shape::Record(schema) => object(schema, dice, depth, out),
        Shape::List(element) | Shape::Items(element) => {
            out.push('[');
            for index in 0..dice.below(3) {
                out.push_str(if index > 0 { "," } else { "" });
                value(element, dice, depth + 1, out);
            }
            out.push(']');
        }
        Shape::Map(entry) => {
            out.push('{');
            for index in 0..dice.below(3) {
                out.push_str(["\"b\":", ",\"a/<x>\":"][index]);
                value(entry, dice, depth + 1, out);
            }
            out.push('}');
        }
    }
}

fn quoted(text: &str, out: &mut String) {
    let mut bytes = Vec::new();
    json::write_string(&mut bytes, text);
    out.push_str(&String::from_utf8(bytes).expect("JSON is UTF-8"));
}

/// Fills a record at random, down to a depth.
pub fn fill(record: &mut dyn Record, dice: &mut Dice, depth: usize) {
    let form = record.schema().json;
    let fields: BTreeSet<usize> = match form {
        JsonForm::Object => (0..record.schema().fields.len()).collect(),
        // Of a union one side is set.
        JsonForm::SchemaOrList | JsonForm::BoolOrSchema => BTreeSet::from([dice.below(2)]),
    };
    for index in fields {
        let field = &record.schema().fields[index];
        let (shape, inline) = (field.shape.clone(), field.inline);
        if inline || dice.below(1 + depth) == 0 {
            slot(record.slot(index), &shape, dice, depth + 1);
        }
    }
}

fn slot(slot: Slot<'_>, shape: &Shape, dice: &mut Dice, depth: usize) {
    match (slot, shape) {
        (Slot::Bool(value), _) => *value = dice.below(2) == 0,
        (Slot::Int32(value), _) => *value = [0, 1, -1, i32::MAX, i32::MIN][dice.below(5)],
        (Slot::Int64(value), _) => *value = [0, 1, -1, i64::MAX, i64::MIN][dice.below(5)],
        (Slot::Float(value), _) => *value = [0.0, 1.5, -1e-7, 1e21, 1e300][dice.below(5)],
        (Slot::Str(value), _) => *value = dice.pick(&TEXTS).to_owned(),
        (Slot::Bytes(value), _) => *value = Bytes::copy_from_slice(dice.pick(&[&b"a"[..], &b"\0\xff"[..]])),
        (Slot::Quantity(value), _) => {
            *value = dice.pick(&["0", "1500m", "1Gi", "1e3", "-5"]).parse().expect("a quantity");
        }
        (Slot::IntOrString(value), _) => {
            *value = match dice.below(3) {
                0 => IntOrString::Int(0),
                1 => IntOrString::Int(-80),
                _ => IntOrString::String(dice.pick(&TEXTS).to_owned()),
            }
        }
        (Slot::Time(value), _) => *value = Time { seconds: [0, -1, 1_199_149_261][dice.below(3)] },
        (Slot::MicroTime(value), _) => {
            *value = MicroTime { micros: [0, -1, 1_199_149_261_000_001][dice.below(3)] };
        }
        (Slot::Duration(value), _) => *value = Duration { nanos: [0, 1, -1_500_000_000][dice.below(3)] },
        (Slot::Json(value), _) => {
            let text =
                *["{}", "[]", "\"a\"", "{\"a\":{\"b\":[1,null]}}"].get(dice.below(4)).expect("one of four");
            *value = RawJson(Some(Bytes::copy_from_slice(text.as_bytes())));
        }
        (Slot::Record(nested), _) => fill(nested, dice, depth),
        (Slot::Nullable(nullable), _) => {
            if dice.below(4) > 0 {
                self::slot(nullable.fill(), shape, dice, depth);
            }
        }
        (Slot::List(list), Shape::List(element) | Shape::Items(element)) => {
            for _ in 0..dice.below(3) {
                self::slot(list.push(), element, dice, depth + 1);
            }
        }
        (Slot::Map(map), Shape::Map(entry)) => {
            for name in ["a", "b/<x>"].into_iter().take(dice.below(3)) {
                self::slot(map.insert(name.to_owned()), entry, dice, depth + 1);
            }
        }
        (Slot::List(_) | Slot::Map(_), _) => unreachable!("a slot fits its field's shape"),
    }
}
