//! `'%s has %d'.format([name, count])`, as cel-go's extension of strings does it.

use crate::error::EvalError;
use crate::functions::{Answer, conversions};
use crate::value::{Key, Value};

pub(super) fn format(text: &str, values: &[Value]) -> Answer {
    let mut values = values.iter().enumerate();
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        let (precision, after) = precision(rest)?;
        let verb = after.chars().next().ok_or_else(|| EvalError::other("unexpected end of string"))?;
        let (index, value) =
            values.next().ok_or_else(|| EvalError::other(format!("index {} out of range", count(text))))?;
        out.push_str(
            &written(verb, precision, value).map_err(|why| {
                EvalError::other(format!("error during formatting: {why} at index {index}"))
            })?,
        );
        rest = &after[verb.len_utf8()..];
    }
    out.push_str(rest);
    Ok(Value::text(out))
}

fn count(text: &str) -> usize {
    text.matches('%').count().saturating_sub(1)
}

/// `.3` before a verb.
fn precision(text: &str) -> Result<(Option<usize>, &str), EvalError> {
    let Some(rest) = text.strip_prefix('.') else { return Ok((None, text)) };
    let end = rest.find(|digit: char| !digit.is_ascii_digit()).unwrap_or(rest.len());
    let number = rest[..end].parse::<usize>().ok().filter(|number| *number <= 100);
    let number = number.ok_or_else(|| EvalError::other("error while converting precision to integer"))?;
    Ok((Some(number), &rest[end..]))
}

fn written(verb: char, precision: Option<usize>, value: &Value) -> Result<String, String> {
    let places = precision.unwrap_or(6);
    let wrong = || format!("%{verb} cannot show {}", value.type_name());
    match (verb, value) {
        ('s', value) => shown(value).ok_or_else(wrong),
        ('d', Value::Int(value)) => Ok(value.to_string()),
        ('d', Value::Uint(value)) => Ok(value.to_string()),
        ('d', Value::Double(value)) if !value.is_finite() => Ok(conversions::double(*value)),
        ('f', value) => number(value).map(|value| format!("{value:.places$}")).ok_or_else(wrong),
        ('e', value) => number(value).map(|value| exponent(value, places)).ok_or_else(wrong),
        ('b', Value::Int(value)) => Ok(signed(*value, |value| format!("{value:b}"))),
        ('b', Value::Uint(value)) => Ok(format!("{value:b}")),
        ('b', Value::Bool(value)) => Ok(u8::from(*value).to_string()),
        ('o', Value::Int(value)) => Ok(signed(*value, |value| format!("{value:o}"))),
        ('o', Value::Uint(value)) => Ok(format!("{value:o}")),
        ('x', Value::Int(value)) => Ok(signed(*value, |value| format!("{value:x}"))),
        ('X', Value::Int(value)) => Ok(signed(*value, |value| format!("{value:X}"))),
        ('x', Value::Uint(value)) => Ok(format!("{value:x}")),
        ('X', Value::Uint(value)) => Ok(format!("{value:X}")),
        ('x', Value::String(text)) => Ok(text.bytes().map(|byte| format!("{byte:02x}")).collect()),
        ('X', Value::String(text)) => Ok(text.bytes().map(|byte| format!("{byte:02X}")).collect()),
        ('x', Value::Bytes(bytes)) => Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
        ('X', Value::Bytes(bytes)) => Ok(bytes.iter().map(|byte| format!("{byte:02X}")).collect()),
        ('d' | 'b' | 'o' | 'x' | 'X', _) => Err(wrong()),
        (verb, _) => Err(format!("unrecognized formatting clause \"{verb}\"")),
    }
}

fn signed(value: i64, write: impl Fn(u64) -> String) -> String {
    let digits = write(value.unsigned_abs());
    if value < 0 { format!("-{digits}") } else { digits }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Double(value) => Some(*value),
        Value::Int(value) => Some(*value as f64),
        Value::Uint(value) => Some(*value as f64),
        _ => None,
    }
}

/// As C writes it: at least two digits, and a sign.
fn exponent(value: f64, places: usize) -> String {
    let text = format!("{value:.places$e}");
    let Some((mantissa, power)) = text.split_once('e') else { return text };
    let (sign, digits) = power.strip_prefix('-').map_or(('+', power), |digits| ('-', digits));
    format!("{mantissa}e{sign}{digits:0>2}")
}

fn shown(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some("null".to_owned()),
        Value::List(list) => {
            let all: Option<Vec<String>> = list.iter().map(shown).collect();
            Some(format!("[{}]", all?.join(", ")))
        }
        Value::Map(map) => {
            let entry = |(key, value): (&Key, &Value)| Some(format!("{key}: {}", shown(value)?));
            let all: Option<Vec<String>> = map.iter().map(entry).collect();
            Some(format!("{{{}}}", all?.join(", ")))
        }
        Value::Type(name) => Some(name.to_string()),
        value => conversions::text(value),
    }
}
