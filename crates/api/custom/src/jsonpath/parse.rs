//! Text to paths.

use super::filter::{Filter, Operand, Operator};
use super::{PathError, Step};

/// Reads the steps of a path.
pub(super) fn steps(text: &str) -> Result<Vec<Step>, PathError> {
    let mut steps = Vec::new();
    let mut rest = text.trim();
    rest = rest.strip_prefix(['$', '@']).unwrap_or(rest);
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("..") {
            steps.push(Step::Deep);
            rest = field(after, &mut steps)?;
        } else if let Some(after) = rest.strip_prefix('.') {
            rest = field(after, &mut steps)?;
        } else if let Some(after) = rest.strip_prefix('[') {
            let end = closing(after).ok_or(PathError::Unterminated)?;
            steps.push(bracket(after[..end].trim())?);
            rest = &after[end + 1..];
        } else if steps.is_empty() {
            rest = field(rest, &mut steps)?;
        } else {
            return Err(PathError::Unrecognized(rest.to_owned()));
        }
    }
    Ok(steps)
}

/// Reads a field's name, in which a backslash keeps the next character from meaning anything.
fn field<'a>(text: &'a str, steps: &mut Vec<Step>) -> Result<&'a str, PathError> {
    let mut name = String::new();
    let mut characters = text.char_indices();
    let mut end = text.len();
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => name.extend(characters.next().map(|(_, c)| c)),
            '.' | '[' => {
                end = at;
                break;
            }
            c if c.is_whitespace() => return Err(PathError::Unrecognized(text[at..].to_owned())),
            c => name.push(c),
        }
    }
    match name.as_str() {
        "" => {}
        "*" => steps.push(Step::All),
        _ => steps.push(Step::Field(name)),
    }
    Ok(&text[end..])
}

/// Where the bracket that has been opened is closed; what is quoted or opened in between does not count.
fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut quote, mut escaped) = (0, None, false);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '[') => depth += 1,
            (None, ']') if depth == 0 => return Some(at),
            (None, ']') => depth -= 1,
            (None, _) => {}
        }
    }
    None
}

fn quoted(text: &str) -> Option<String> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
    let mut out = String::new();
    let mut characters = inner.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => out.extend(characters.next()),
            c => out.push(c),
        }
    }
    Some(out)
}

fn bracket(text: &str) -> Result<Step, PathError> {
    let wrong = || PathError::Unrecognized(text.to_owned());
    if text == "*" {
        return Ok(Step::All);
    }
    if let Some(condition) = text.strip_prefix("?(").and_then(|rest| rest.strip_suffix(')')) {
        return filter(condition.trim());
    }
    let parts = split(text, ',');
    if parts.len() > 1 {
        let one = |part: &str| bracket(part.trim()).map(|step| vec![step]);
        return Ok(Step::Union(parts.into_iter().map(one).collect::<Result<_, _>>()?));
    }
    if let Some(name) = quoted(text) {
        return Ok(Step::Field(name));
    }
    if text.contains(':') {
        let number = |part: &str| match part.trim() {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| wrong()),
        };
        let parts = text.split(':').map(number).collect::<Result<Vec<_>, _>>()?;
        let [from, to, every] = [0, 1, 2].map(|at| parts.get(at).copied().flatten());
        return Ok(Step::Slice(from, to, every.unwrap_or(1)));
    }
    if let Ok(index) = text.parse() {
        return Ok(Step::Index(index));
    }
    Err(wrong())
}

/// The parts between separators that are not quoted.
fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut parts, mut start, mut quote) = (Vec::new(), 0, None);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, c) if c == separator => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            (None, _) => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn filter(text: &str) -> Result<Step, PathError> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => continue,
            (None, '\'' | '"') => quote = Some(c),
            (None, '=' | '!' | '<' | '>') => {
                let (left, rest) = text.split_at(at);
                let known = Operator::ALL.iter().find(|(sign, _)| rest.starts_with(sign));
                let (sign, operator) = known.ok_or_else(|| PathError::Unrecognized(rest.to_owned()))?;
                let right = &rest[sign.len()..];
                return Ok(Step::Filter(Filter::Compare(operand(left)?, *operator, operand(right)?)));
            }
            _ => {}
        }
    }
    Ok(Step::Filter(Filter::Exists(operand(text)?)))
}

fn operand(text: &str) -> Result<Operand, PathError> {
    let text = text.trim();
    if let Some(text) = quoted(text) {
        return Ok(Operand::Value(text.into()));
    }
    if text.starts_with(['@', '$', '.']) {
        return Ok(Operand::Path(steps(text)?));
    }
    serde_json::from_str(text).map(Operand::Value).map_err(|_| PathError::Unrecognized(text.to_owned()))
}
