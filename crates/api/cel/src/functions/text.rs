//! Text: the standard functions, cel-go's extension of strings (version 2), and Kubernetes' regular expressions. Places count characters.

mod format;

use regex::Regex;

use super::{Answer, bool, failed};
use crate::error::EvalError;
use crate::value::Value;

pub(super) fn call(name: &str, values: &[Value]) -> Option<Answer> {
    if let ("join", [Value::List(list), rest @ ..]) = (name, values) {
        return Some(join(list, rest));
    }
    let [Value::String(text), rest @ ..] = values else { return None };
    Some(match (name, rest) {
        ("size", []) => Ok(Value::Int(text.chars().count() as i64)),
        ("contains", [Value::String(part)]) => bool(text.contains(&**part)),
        ("startsWith", [Value::String(part)]) => bool(text.starts_with(&**part)),
        ("endsWith", [Value::String(part)]) => bool(text.ends_with(&**part)),
        ("matches", [Value::String(pattern)]) => regex(pattern).and_then(|regex| bool(regex.is_match(text))),
        ("find", [Value::String(pattern)]) => regex(pattern)
            .map(|regex| Value::text(regex.find(text).map(|found| found.as_str()).unwrap_or_default())),
        ("findAll", [Value::String(pattern), rest @ ..]) => find_all(text, pattern, rest),
        ("charAt", [Value::Int(place)]) => char_at(text, *place),
        ("indexOf", [Value::String(part), rest @ ..]) => index_of(text, part, rest),
        ("lastIndexOf", [Value::String(part), rest @ ..]) => last_index_of(text, part, rest),
        ("lowerAscii", []) => Ok(Value::text(text.to_ascii_lowercase())),
        ("upperAscii", []) => Ok(Value::text(text.to_ascii_uppercase())),
        ("trim", []) => Ok(Value::text(text.trim())),
        ("reverse", []) => Ok(Value::text(text.chars().rev().collect::<String>())),
        ("replace", [Value::String(from), Value::String(to)]) => Ok(Value::text(text.replace(&**from, to))),
        ("replace", [Value::String(from), Value::String(to), Value::Int(count)]) => {
            Ok(match usize::try_from(*count) {
                Ok(count) => Value::text(text.replacen(&**from, to, count)),
                Err(_) => Value::text(text.replace(&**from, to)),
            })
        }
        ("split", [Value::String(by), rest @ ..]) => split(text, by, rest),
        ("substring", [Value::Int(start), rest @ ..]) => substring(text, *start, rest),
        ("format", [Value::List(values)]) => format::format(text, values),
        ("strings.quote", []) => Ok(Value::text(format!("{text:?}"))),
        ("jsonpatch.escapeKey", []) => Ok(Value::text(text.replace('~', "~0").replace('/', "~1"))),
        _ => return None,
    })
}

/// RE2's syntax is that of the `regex` crate but for what neither has.
pub(crate) fn regex(pattern: &str) -> Result<Regex, EvalError> {
    Regex::new(pattern).map_err(|error| EvalError::other(format!("Illegal regex: {error}")))
}

fn texts<'a>(all: impl Iterator<Item = &'a str>) -> Answer {
    Ok(Value::List(all.map(Value::text).collect()))
}

fn find_all(text: &str, pattern: &str, rest: &[Value]) -> Answer {
    let regex = regex(pattern)?;
    let found = regex.find_iter(text).map(|found| found.as_str());
    match rest {
        [] => texts(found),
        [Value::Int(count)] => texts(found.take(usize::try_from(*count).unwrap_or(usize::MAX))),
        _ => Err(EvalError::NoSuchOverload),
    }
}

fn join(list: &[Value], rest: &[Value]) -> Answer {
    let by = match rest {
        [] => "",
        [Value::String(by)] => by,
        _ => return Err(EvalError::NoSuchOverload),
    };
    let texts: Option<Vec<&str>> = list.iter().map(super::as_text).collect();
    Ok(Value::text(texts.ok_or(EvalError::NoSuchOverload)?.join(by)))
}

fn char_at(text: &str, place: i64) -> Answer {
    let length = text.chars().count();
    match usize::try_from(place) {
        Ok(place) if place <= length => {
            Ok(Value::text(text.chars().nth(place).map(String::from).unwrap_or_default()))
        }
        _ => failed(format!("index out of range: {place}")),
    }
}

/// The characters, where a place counts.
fn letters(text: &str) -> Vec<char> {
    text.chars().collect()
}

fn index_of(text: &str, part: &str, rest: &[Value]) -> Answer {
    let (text, part) = (letters(text), letters(part));
    let from = match rest {
        [] => 0,
        [Value::Int(from)] => match usize::try_from(*from) {
            Ok(from) if from <= text.len() => from,
            _ => return failed(format!("index out of range: {from}")),
        },
        _ => return Err(EvalError::NoSuchOverload),
    };
    if part.is_empty() {
        return Ok(Value::Int(from as i64));
    }
    let found = text[from..].windows(part.len()).position(|window| window == part);
    Ok(Value::Int(found.map_or(-1, |place| (place + from) as i64)))
}

fn last_index_of(text: &str, part: &str, rest: &[Value]) -> Answer {
    let (text, part) = (letters(text), letters(part));
    let last = match rest {
        [] => text.len(),
        [Value::Int(last)] => match usize::try_from(*last) {
            Ok(last) if last < text.len() || (last == 0 && text.is_empty()) => last,
            _ => return failed(format!("index out of range: {last}")),
        },
        _ => return Err(EvalError::NoSuchOverload),
    };
    if part.is_empty() {
        return Ok(Value::Int(last as i64));
    }
    let found =
        text.windows(part.len()).enumerate().rev().find(|(place, window)| *place <= last && **window == part);
    Ok(Value::Int(found.map_or(-1, |(place, _)| place as i64)))
}

fn split(text: &str, by: &str, rest: &[Value]) -> Answer {
    let parts: Vec<&str> = if by.is_empty() {
        text.split("").filter(|part| !part.is_empty()).collect()
    } else {
        text.split(by).collect()
    };
    match rest {
        [] => texts(parts.into_iter()),
        [Value::Int(0)] => texts(std::iter::empty()),
        [Value::Int(count)] if *count > 0 && !by.is_empty() => texts(text.splitn(*count as usize, by)),
        [Value::Int(count)] if *count > 0 => {
            let count = *count as usize;
            if parts.len() <= count {
                return texts(parts.into_iter());
            }
            let head: usize = parts[..count - 1].iter().map(|part| part.len()).sum();
            texts(parts[..count - 1].iter().copied().chain([&text[head..]]))
        }
        [Value::Int(_)] => texts(parts.into_iter()),
        _ => Err(EvalError::NoSuchOverload),
    }
}

fn substring(text: &str, start: i64, rest: &[Value]) -> Answer {
    let text = letters(text);
    let end = match rest {
        [] => text.len() as i64,
        [Value::Int(end)] => *end,
        _ => return Err(EvalError::NoSuchOverload),
    };
    let length = text.len() as i64;
    if !(0..=length).contains(&start) {
        return failed(format!("index out of range: {start}"));
    }
    if !(0..=length).contains(&end) {
        return failed(format!("index out of range: {end}"));
    }
    if start > end {
        return failed(format!("invalid substring range. start: {start}, end: {end}"));
    }
    Ok(Value::text(text[start as usize..end as usize].iter().collect::<String>()))
}
