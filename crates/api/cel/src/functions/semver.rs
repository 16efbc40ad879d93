//! Semantic versions (`library/semverlib.go`): version 2 of their specification, and a lenient reading of what is nearly one.

use std::cmp::Ordering;
use std::sync::Arc;

use super::{Answer, bool, failed};
use crate::value::Value;

/// A version. What stands behind `+` does not count.
#[derive(Debug, PartialEq, Eq)]
pub struct Semver {
    numbers: [u64; 3],
    pre: Vec<String>,
}

impl Semver {
    fn parse(text: &str) -> Option<Semver> {
        let (text, build) = text.split_once('+').map_or((text, None), |(text, build)| (text, Some(build)));
        let (core, pre) = text.split_once('-').map_or((text, None), |(core, pre)| (core, Some(pre)));
        let words = |text: &str| text.split('.').map(str::to_owned).collect::<Vec<String>>();
        if build.is_some_and(|build| !words(build).iter().all(|word| is_word(word))) {
            return None;
        }
        let pre = pre.map(words).unwrap_or_default();
        let numeric = |word: &str| word.bytes().all(|digit| digit.is_ascii_digit());
        if !pre.iter().all(|word| is_word(word) && (!numeric(word) || number(word).is_some())) {
            return None;
        }
        let mut numbers = [0; 3];
        let parts: Vec<&str> = core.split('.').collect();
        if parts.len() != 3 {
            return None;
        }
        for (place, part) in numbers.iter_mut().zip(parts) {
            *place = number(part)?;
        }
        Some(Semver { numbers, pre })
    }

    /// `v1.2` and `01.02.03` are let pass.
    fn normalized(text: &str) -> Option<Semver> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let end = text.find(['-', '+']).unwrap_or(text.len());
        let mut parts: Vec<String> = text[..end]
            .split('.')
            .map(|part| {
                let trimmed = part.trim_start_matches('0');
                if trimmed.is_empty() && !part.is_empty() { "0".to_owned() } else { trimmed.to_owned() }
            })
            .collect();
        while parts.len() < 3 {
            parts.push("0".to_owned());
        }
        Semver::parse(&format!("{}{}", parts.join("."), &text[end..]))
    }

    fn order(&self, other: &Semver) -> Ordering {
        self.numbers.cmp(&other.numbers).then_with(|| match (self.pre.is_empty(), other.pre.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => {
                let pairs = self.pre.iter().zip(&other.pre).map(|(a, b)| words(a, b));
                pairs.fold(Ordering::Equal, Ordering::then).then(self.pre.len().cmp(&other.pre.len()))
            }
        })
    }
}

/// Numbers are less than words.
fn words(a: &str, b: &str) -> Ordering {
    match (a.parse::<u64>(), b.parse::<u64>()) {
        (Ok(a), Ok(b)) => a.cmp(&b),
        (Ok(_), Err(_)) => Ordering::Less,
        (Err(_), Ok(_)) => Ordering::Greater,
        (Err(_), Err(_)) => a.cmp(b),
    }
}

fn is_word(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn number(text: &str) -> Option<u64> {
    let plain = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    (plain && (text == "0" || !text.starts_with('0'))).then(|| text.parse().ok()).flatten()
}

pub(super) fn call(name: &str, values: &[Value]) -> Option<Answer> {
    let read =
        |text: &str, lenient: bool| if lenient { Semver::normalized(text) } else { Semver::parse(text) };
    let made = |text: &str, lenient| match read(text, lenient) {
        Some(version) => Ok(Value::Semver(Arc::new(version))),
        None => failed(format!(
            "semver parse error during conversion from string: {text:?} is no semantic version"
        )),
    };
    Some(match (name, values) {
        ("semver", [Value::String(text)]) => made(text, false),
        ("semver", [Value::String(text), Value::Bool(lenient)]) => made(text, *lenient),
        ("isSemver", [Value::String(text)]) => bool(read(text, false).is_some()),
        ("isSemver", [Value::String(text), Value::Bool(lenient)]) => bool(read(text, *lenient).is_some()),
        ("major", [Value::Semver(version)]) => Ok(Value::Int(version.numbers[0] as i64)),
        ("minor", [Value::Semver(version)]) => Ok(Value::Int(version.numbers[1] as i64)),
        ("patch", [Value::Semver(version)]) => Ok(Value::Int(version.numbers[2] as i64)),
        ("isGreaterThan", [Value::Semver(a), Value::Semver(b)]) => bool(a.order(b) == Ordering::Greater),
        ("isLessThan", [Value::Semver(a), Value::Semver(b)]) => bool(a.order(b) == Ordering::Less),
        ("compareTo", [Value::Semver(a), Value::Semver(b)]) => Ok(Value::Int(a.order(b) as i64)),
        _ => return None,
    })
}
