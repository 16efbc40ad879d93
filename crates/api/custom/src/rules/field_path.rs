//! The path to a field that a rule names in its errors: fields and entries of maps, no elements of lists (`ValidFieldPath`).

use api_meta::field::Path;

use crate::{Additional, Node};

const ENDS: &str = "unexpected end of JSON path";

/// The path as errors show it.
///
/// # Errors
/// If it is no path, or does not lead to a field of the schema.
pub fn normalized(text: &str, node: &Node) -> Result<String, String> {
    let (mut path, mut at, mut rest) = (Path::NONE, node, text);
    while let Some(mark) = rest.chars().next() {
        match mark {
            '.' => {
                let name = &rest[1..];
                let end = name.find(['.', '[', ']']).unwrap_or(name.len());
                // A mark is taken for the name, of which there is no field.
                let Some(end) = name.chars().next().map(|first| end.max(first.len_utf8())) else {
                    return Err(ENDS.to_owned());
                };
                (path, at) = step(&path, at, name[..end].to_owned())?;
                rest = &name[end..];
            }
            '[' if rest.len() == 1 => return Err(ENDS.to_owned()),
            '[' => {
                let (name, after) = quoted(&rest[1..])?;
                (path, at) = step(&path, at, name)?;
                rest = match after.strip_prefix(']') {
                    Some(after) => after,
                    None if after.is_empty() => return Err(ENDS.to_owned()),
                    None => return Err(format!("expected ] but got {after}")),
                };
            }
            _ => {
                let end = rest.find(['.', '[', ']']).unwrap_or(rest.len()).max(1);
                return Err(format!("expected [ or . but got: {}", rest.get(..end).unwrap_or(rest)));
            }
        }
    }
    Ok(path.to_string())
}

fn step<'a>(path: &Path, at: &'a Node, name: String) -> Result<(Path, &'a Node), String> {
    let missing = || "does not refer to a valid field".to_owned();
    match &at.additional {
        _ if !at.properties.is_empty() => {
            let below = at.properties.get(&name).ok_or_else(missing)?;
            Ok((path.child(name), below))
        }
        Additional::Schema(schema) => Ok((path.key(name), schema)),
        _ => Err(missing()),
    }
}

/// A name in single quotes, and what comes behind it.
fn quoted(text: &str) -> Result<(String, &str), String> {
    let Some(inner) = text.strip_prefix('\'') else {
        let end = text.find(['.', '[', ']']).unwrap_or(text.len());
        return Err(format!("expected single quoted string but got {}", &text[..end]));
    };
    let mut name = String::new();
    let mut letters = inner.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\'' => return Ok((name, &inner[at + 1..])),
            '\\' => name.push(match letters.next().map(|(_, letter)| letter) {
                Some('a') => '\u{7}',
                Some('b') => '\u{8}',
                Some('f') => '\u{c}',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some('v') => '\u{b}',
                Some('\'') => '\'',
                Some('\\') => '\\',
                other => {
                    let other = other.map(String::from).unwrap_or_default();
                    return Err(format!("invalid string literal: invalid escape char \\{other}"));
                }
            }),
            letter => name.push(letter),
        }
    }
    Err(format!("expected single quoted string but got '{inner}"))
}
