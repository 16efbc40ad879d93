//! Attributes that are links, and their values as HTML writes them.

use std::borrow::Cow;

use super::tag::Tag;
use crate::proxy::links::Links;

/// Whether an element's attribute is a link that upstream rewrites.
fn is_link(element: &[u8], attribute: &[u8]) -> bool {
    let attributes: &[&[u8]] = match element {
        b"a" | b"area" | b"base" | b"link" => &[b"href"],
        b"applet" => &[b"codebase"],
        b"audio" | b"script" | b"source" | b"embed" => &[b"src"],
        b"blockquote" | b"del" | b"ins" | b"q" => &[b"cite"],
        b"body" => &[b"background"],
        b"button" => &[b"formaction"],
        b"command" => &[b"icon"],
        b"form" => &[b"action"],
        b"frame" | b"iframe" => &[b"longdesc", b"src"],
        b"head" => &[b"profile"],
        b"html" => &[b"manifest"],
        b"img" => &[b"longdesc", b"src", b"usemap"],
        b"input" => &[b"src", b"usemap", b"formaction"],
        b"object" => &[b"classid", b"codebase", b"data", b"usemap"],
        b"video" => &[b"poster", b"src"],
        _ => return false,
    };
    attributes.contains(&attribute)
}

/// Appends a tag with its links rewritten.
pub(super) fn write(bytes: &[u8], tag: &Tag, element: &[u8], links: &Links, out: &mut Vec<u8>) {
    let mut written = 0;
    for attribute in &tag.attributes {
        let key = bytes[attribute.key.clone()].to_ascii_lowercase();
        // What is not UTF-8 or cannot be read is nothing that could be made better.
        let Ok(value) = std::str::from_utf8(&bytes[attribute.value.clone()]) else { continue };
        if !is_link(element, &key) {
            continue;
        }
        let quotes = usize::from(attribute.quote.is_some());
        let (begin, end) = (attribute.value.start - quotes, attribute.value.end + quotes);
        let replaced = match decoded(value) {
            Some(link) => links.rewrite(&link).ok().flatten().map(|link| format!("\"{}\"", encoded(&link))),
            // With a letter that is written by a name that is not known here, so that it stays written.
            None => links.rewrite(value).ok().flatten().map(|link| {
                let quote = attribute.quote.map(char::from).map(String::from).unwrap_or_default();
                format!("{quote}{link}{quote}")
            }),
        };
        if let Some(replaced) = replaced {
            out.extend_from_slice(&bytes[written..begin]);
            out.extend_from_slice(replaced.as_bytes());
            written = end;
        }
    }
    out.extend_from_slice(&bytes[written..tag.end]);
}

/// A value without its character references; `None` if one has a name that is not known here.
fn decoded(value: &str) -> Option<Cow<'_, str>> {
    if !value.contains('&') {
        return Some(value.into());
    }
    let mut text = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = rest.find('&') {
        text += &rest[..at];
        let after = &rest[at + 1..];
        let name = after.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '#').next()?;
        let closed = after[name.len()..].starts_with(';');
        let letter = match (name, closed) {
            ("amp", true) => Some('&'),
            ("lt", true) => Some('<'),
            ("gt", true) => Some('>'),
            ("quot", true) => Some('"'),
            ("apos", true) => Some('\''),
            (name, _) if name.starts_with('#') => number(&name[1..]),
            ("", _) | (_, false) => None,
            (_, true) => return None,
        };
        match letter {
            Some(letter) => {
                text.push(letter);
                rest = &after[name.len() + usize::from(closed)..];
            }
            None => {
                text.push('&');
                rest = after;
            }
        }
    }
    text += rest;
    Some(text.into())
}

fn number(text: &str) -> Option<char> {
    let number = match text.strip_prefix(['x', 'X']) {
        Some(digits) => u32::from_str_radix(digits, 16).ok()?,
        None => text.parse().ok()?,
    };
    char::from_u32(number).filter(|letter| *letter != '\0')
}

/// A value as Go's `html.EscapeString` writes it.
fn encoded(text: &str) -> String {
    let mut value = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => value += "&amp;",
            '<' => value += "&lt;",
            '>' => value += "&gt;",
            '"' => value += "&#34;",
            '\'' => value += "&#39;",
            letter => value.push(letter),
        }
    }
    value
}
