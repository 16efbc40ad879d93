//! In what two answers differ: by place, so that many objects with one defect count as one finding.

use std::collections::BTreeSet;

use serde_json::Value;

use super::knarr::PANIC;
use super::question::Answer;

/// One thing in which Knarr's answer is not upstream's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// Where: a path without indices, or the words of a message without its values.
    pub place: String,
    /// What Knarr has there; empty if nothing.
    pub ours: String,
    /// What upstream has there.
    pub theirs: String,
}

/// How much of a value is shown.
const SHOWN: usize = 160;

fn shown(value: &str) -> String {
    let mut text: String = value.chars().take(SHOWN).collect();
    if text.len() < value.len() {
        text.push('…');
    }
    text
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let word = |text: &str| if text.is_empty() { "nothing".to_owned() } else { shown(text) };
        write!(f, "{}: ours {}, upstream's {}", self.place, word(&self.ours), word(&self.theirs))
    }
}

/// All of them.
pub fn differences(ours: &Answer, theirs: &Answer) -> Vec<Difference> {
    let mut found = Vec::new();
    // Never among what is known.
    if ours.unanswered == PANIC {
        return vec![at(PANIC, PANIC, "")];
    }
    for (place, ours, theirs) in
        [("unanswered", &ours.unanswered, &theirs.unanswered), ("error", &ours.error, &theirs.error)]
    {
        // Where one of them has no answer or no result, there is nothing more to say.
        if lines(ours) != lines(theirs) {
            return vec![at(place, ours, theirs)];
        }
    }
    for (place, ours, theirs) in [
        ("strict", &ours.strict, &theirs.strict),
        ("errors", &ours.errors, &theirs.errors),
        ("warnings", &ours.warnings, &theirs.warnings),
    ] {
        messages(place, ours, theirs, &mut found);
    }
    if let (Some(ours), Some(theirs)) = (&ours.object, &theirs.object) {
        values(&mut "object".to_owned(), ours, theirs, &mut found);
    }
    if ours.text != theirs.text {
        let before = found.len();
        let [left, right] = [&ours.text, &theirs.text].map(|text| serde_json::from_str::<Value>(text));
        if let (Ok(left), Ok(right)) = (left, right) {
            values(&mut "json".to_owned(), &left, &right, &mut found);
        }
        if found.len() == before {
            found.push(at("json", &ours.text, &theirs.text));
        }
    }
    if !theirs.proto.is_empty() && ours.proto != theirs.proto {
        found.push(at("protobuf", &ours.proto, &theirs.proto));
    }
    found
}

/// Several errors come in any order.
fn lines(text: &str) -> BTreeSet<&str> {
    text.lines().collect()
}

fn at(place: &str, ours: &str, theirs: &str) -> Difference {
    Difference { place: place.to_owned(), ours: ours.to_owned(), theirs: theirs.to_owned() }
}

/// Messages come in any order, and once.
fn messages(place: &str, ours: &[String], theirs: &[String], found: &mut Vec<Difference>) {
    let [ours, theirs] =
        [ours, theirs].map(|texts| texts.iter().map(|text| told(text)).collect::<BTreeSet<String>>());
    for text in ours.difference(&theirs) {
        found.push(at(&format!("{place} {}", general(text)), text, ""));
    }
    for text in theirs.difference(&ours) {
        found.push(at(&format!("{place} {}", general(text)), "", text));
    }
}

/// A message without values that are records: upstream shows its internal types there.
fn told(text: &str) -> String {
    // Go shows texts of named types as JSON for browsers, and others not; which is which is not known here.
    let mut text = text.replace("\\u003c", "<").replace("\\u003e", ">").replace("\\u0026", "&");
    for word in ["Invalid value: {", "Unsupported value: {", "Duplicate value: {", "Invalid value: [{"] {
        if let Some(at) = text.find(word) {
            text.truncate(at + word.len());
        }
    }
    text
}

/// A message without indices, keys and quoted values.
pub fn general(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['[', '"']) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let close = if from.starts_with('[') { ']' } else { '"' };
        match from[1..].find(close) {
            Some(end) => {
                out.push_str(if close == ']' { "[]" } else { "\"\"" });
                rest = &from[end + 2..];
            }
            None => {
                rest = "";
            }
        }
    }
    out.push_str(rest);
    out
}

/// A key of managed fields without the values in it.
fn managed(key: &str) -> &str {
    ["k:", "v:"].into_iter().find(|prefix| key.starts_with(prefix)).unwrap_or(key)
}

/// In what two values differ, below a path.
pub fn values(path: &mut String, ours: &Value, theirs: &Value, found: &mut Vec<Difference>) {
    match (ours, theirs) {
        (Value::Object(left), Value::Object(right)) => {
            let keys: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
            for key in keys {
                let length = path.len();
                path.push('.');
                path.push_str(managed(key));
                match (left.get(key), right.get(key)) {
                    (Some(left), Some(right)) => values(path, left, right, found),
                    (left, right) => {
                        let word = |value: Option<&Value>| value.map(Value::to_string).unwrap_or_default();
                        found.push(at(path, &word(left), &word(right)));
                    }
                }
                path.truncate(length);
            }
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            let length = path.len();
            path.push_str("[]");
            for (left, right) in left.iter().zip(right) {
                values(path, left, right, found);
            }
            path.truncate(length);
        }
        // Go writes a double without a fraction as an integer; what else can be said of texts is said to the byte.
        (Value::Number(left), Value::Number(right)) if left.as_f64() == right.as_f64() => {}
        (left, right) if left != right => found.push(at(path, &left.to_string(), &right.to_string())),
        _ => {}
    }
}
