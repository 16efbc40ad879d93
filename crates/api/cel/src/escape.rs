//! Names of properties as names in expressions (`apiserver/pkg/cel/escaping.go`).

use std::borrow::Cow;

use crate::parse::RESERVED;

/// The name that a property has in expressions; `None` if it cannot be named there.
pub fn escape(name: &str) -> Option<Cow<'_, str>> {
    if name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    if RESERVED.contains(&name) || ["true", "false", "null", "in"].contains(&name) {
        return Some(format!("__{name}__").into());
    }
    if !name.contains("__") && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Some(name.into());
    }
    let mut escaped = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(next) = rest.chars().next() {
        let (written, length) = match next {
            '_' if rest.starts_with("__") => ("__underscores__", 2),
            '.' => ("__dot__", 1),
            '-' => ("__dash__", 1),
            '/' => ("__slash__", 1),
            _ if next.is_ascii_alphanumeric() || next == '_' => (&rest[..1], 1),
            _ => return None,
        };
        escaped.push_str(written);
        rest = &rest[length..];
    }
    Some(escaped.into())
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn names_are_escaped_as_upstream_does() {
        for (name, wanted) in [
            ("plain_9", Some("plain_9")),
            ("namespace", Some("__namespace__")),
            ("true", Some("__true__")),
            ("a.b-c/d", Some("a__dot__b__dash__c__slash__d")),
            ("a__b", Some("a__underscores__b")),
            ("a___b", Some("a__underscores___b")),
            ("int", Some("int")),
            ("", None),
            ("1a", None),
            ("$a", None),
            ("añb", None),
        ] {
            assert_eq!(escape(name).as_deref(), wanted, "{name}");
        }
    }
}
