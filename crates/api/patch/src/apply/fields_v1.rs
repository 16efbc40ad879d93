//! Field sets as JSON, `FieldsV1`: byte for byte as structured-merge-diff writes them.
//!
//! Names of steps are `f:name`, `k:{"name":"web"}`, `v:"value"` and `i:0`; `.` says that the step itself is a member where it
//! also has members below it.

use std::fmt;

use api_codec::json::write_string;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::element::{Element, Scalar};
use super::set::Set;

/// Why field sets cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FieldsError(String);

/// Writes a set.
pub fn encode(set: &Set) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    write(set, false, &mut Vec::new(), &mut out);
    out
}

/// Reads a set. Steps of a kind that nobody knows are passed over.
///
/// # Errors
/// If it is no JSON object, or a step's name is malformed.
pub fn decode(json: &[u8]) -> Result<Set, FieldsError> {
    let mut decoder = serde_json::Deserializer::from_slice(json);
    let read = Level.deserialize(&mut decoder).map_err(|error| FieldsError(error.to_string()))?;
    decoder.end().map_err(|error| FieldsError(error.to_string()))?;
    Ok(read.below)
}

fn write(set: &Set, own: bool, step: &mut Vec<u8>, out: &mut Vec<u8>) {
    out.push(b'{');
    if own && !set.is_empty() {
        out.extend_from_slice(b"\".\":{}");
    }
    for (index, node) in set.nodes.iter().enumerate() {
        if index > 0 || own {
            out.push(b',');
        }
        step.clear();
        write_step(&node.element, step);
        write_name(step, out);
        out.push(b':');
        write(&node.below, node.member, step, out);
    }
    out.push(b'}');
}

/// Writes the name of a step, its quotes included.
pub(super) fn write_step_name(element: &Element, out: &mut Vec<u8>) {
    let mut step = Vec::new();
    write_step(element, &mut step);
    write_name(&step, out);
}

fn write_step(element: &Element, out: &mut Vec<u8>) {
    match element {
        Element::Field(name) => {
            out.extend_from_slice(b"f:");
            out.extend_from_slice(name.as_bytes());
        }
        Element::Key(fields) => {
            out.extend_from_slice(b"k:{");
            for (index, (name, value)) in fields.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_name(name.as_bytes(), out);
                out.push(b':');
                write_scalar(value, out);
            }
            out.push(b'}');
        }
        Element::Value(value) => {
            out.extend_from_slice(b"v:");
            write_scalar(value, out);
        }
        Element::Index(index) => {
            out.extend_from_slice(b"i:");
            out.extend_from_slice(index.to_string().as_bytes());
        }
    }
}

/// Values are escaped as Go's encoder does, HTML's characters among them.
fn write_scalar(value: &Scalar, out: &mut Vec<u8>) {
    match value {
        Scalar::Text(text) => write_string(out, text),
        other => out.extend_from_slice(other.value().to_string().as_bytes()),
    }
}

/// A name, unlike a value, keeps HTML's characters as they are.
fn write_name(name: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for &byte in name {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..0x20 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

/// What stands below a step, and whether the step is a member.
struct Read {
    below: Set,
    member: bool,
}

struct Level;

impl<'de> DeserializeSeed<'de> for Level {
    type Value = Read;
    fn deserialize<D: serde::Deserializer<'de>>(self, decoder: D) -> Result<Read, D::Error> {
        decoder.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level {
    type Value = Read;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a set of fields")
    }

    fn visit_unit<E>(self) -> Result<Read, E> {
        Ok(Read { below: Set::EMPTY, member: true })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Read, A::Error> {
        let (mut below, mut member) = (Set::EMPTY, false);
        while let Some(name) = entries.next_key::<std::borrow::Cow<'_, str>>()? {
            if name == "." {
                member = true;
                entries.next_value::<IgnoredAny>()?;
                continue;
            }
            match step(&name).map_err(serde::de::Error::custom)? {
                Some(element) => {
                    let read = entries.next_value_seed(Level)?;
                    below.push(element, read.member, read.below);
                }
                None => drop(entries.next_value::<IgnoredAny>()?),
            }
        }
        below.sort();
        Ok(Read { member: member || below.is_empty(), below })
    }
}

/// The step of a name; `None` for a kind of step that is not known.
fn step(name: &str) -> Result<Option<Element>, String> {
    let bytes = name.as_bytes();
    if bytes.len() < 2 {
        return Err("key must be 2 characters long:".to_owned());
    }
    if bytes[1] != b':' {
        return Err(format!("missing colon: {name}"));
    }
    // The colon before it is one byte, so that this is the border of a character.
    let rest = &name[2..];
    Ok(match bytes[0] {
        b'f' => Some(Element::Field(rest.to_owned().into())),
        b'i' => Some(Element::Index(rest.parse().map_err(|_| format!("invalid index: {name}"))?)),
        b'v' => {
            let value: Value = serde_json::from_str(rest).map_err(|error| error.to_string())?;
            Scalar::of(&value).map(Element::Value)
        }
        b'k' => {
            let fields: serde_json::Map<String, Value> =
                serde_json::from_str(rest).map_err(|error| error.to_string())?;
            let fields: Option<Vec<_>> = fields
                .into_iter()
                .map(|(name, value)| Scalar::of(&value).map(|value| (name.into(), value)))
                .collect();
            fields.map(|mut fields| {
                fields.sort_by(|(a, _): &(super::Name, Scalar), (b, _)| a.cmp(b));
                Element::Key(fields)
            })
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(json: &str) -> String {
        String::from_utf8(encode(&decode(json.as_bytes()).expect("a set"))).expect("UTF-8")
    }

    #[test]
    fn sets_are_written_in_upstreams_order_and_escapes() {
        for (read, written) in [
            ("{}", "{}"),
            ("null", "{}"),
            (r#"{"f:b":{},"f:a":{}}"#, r#"{"f:a":{},"f:b":{}}"#),
            (r#"{"f:a":{".":{}}}"#, r#"{"f:a":{}}"#),
            (r#"{"f:a":{"f:x":{},".":{}}}"#, r#"{"f:a":{".":{},"f:x":{}}}"#),
            (
                r#"{"v:\"x\"":{},"k:{\"name\":\"a\"}":{},"i:2":{},"f:z":{}}"#,
                r#"{"f:z":{},"k:{\"name\":\"a\"}":{},"v:\"x\"":{},"i:2":{}}"#,
            ),
            (
                r#"{"k:{\"protocol\":\"TCP\",\"port\":80}":{"f:port":{}}}"#,
                r#"{"k:{\"port\":80,\"protocol\":\"TCP\"}":{"f:port":{}}}"#,
            ),
            (
                r#"{"v:true":{},"v:\"b\"":{},"v:10":{},"v:9":{},"v:1.5":{}}"#,
                r#"{"v:1.5":{},"v:9":{},"v:10":{},"v:\"b\"":{},"v:true":{}}"#,
            ),
            // Values have HTML's characters escaped, names of fields have not.
            (r#"{"f:a<b":{},"v:\"a<b&c\"":{}}"#, r#"{"f:a<b":{},"v:\"a\\u003cb\\u0026c\"":{}}"#),
            (r#"{"f:a\"b\\c\td":{}}"#, r#"{"f:a\"b\\c\td":{}}"#),
            // A kind of step that a later version knows is dropped, and its parent is then a member.
            (r#"{"f:a":{"x:1":{}},"z:":{}}"#, r#"{"f:a":{}}"#),
        ] {
            assert_eq!(round(read), written, "{read}");
        }
    }

    #[test]
    fn what_is_no_set_is_refused() {
        for bad in [
            "",
            "[]",
            "1",
            r#"{"a":{}}"#,
            r#"{"f":{}}"#,
            r#"{"fx":{}}"#,
            r#"{"v:":{}}"#,
            r#"{"v:{":{}}"#,
            r#"{"k:[]":{}}"#,
            r#"{"i:x":{}}"#,
            r#"{"f:a":1}"#,
            "{}x",
        ] {
            assert!(decode(bad.as_bytes()).is_err(), "{bad}");
        }
        let deep = format!("{}{}", r#"{"f:a":"#.repeat(10_000), "}".repeat(10_000));
        assert!(decode(deep.as_bytes()).is_err());
    }
}
