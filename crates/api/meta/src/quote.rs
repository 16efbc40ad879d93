//! Text in quotation marks the way Go writes it, for messages that must read as upstream's.

use std::fmt::Write;

/// As `%q` and `strconv.Quote` write it.
pub fn go(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x0b' => out.push_str("\\v"),
            ' '..='~' => out.push(c),
            '\0'..='\x7f' => push(&mut out, format_args!("\\x{:02x}", u32::from(c))),
            c if printable(c) => out.push(c),
            c if u32::from(c) < 0x1_0000 => push(&mut out, format_args!("\\u{:04x}", u32::from(c))),
            c => push(&mut out, format_args!("\\U{:08x}", u32::from(c))),
        }
    }
    out.push('"');
    out
}

/// As `encoding/json` writes it, `<`, `>` and `&` escaped.
pub fn json(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\x1f' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                push(&mut out, format_args!("\\u{:04x}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Whether Go's `unicode.IsPrint` holds.
pub fn printable(c: char) -> bool {
    // Rust escapes what Go does not print; a leading letter keeps it from escaping combining marks too.
    c != '"' && c != '\\' && c != '\'' && format!("a{c}").escape_debug().count() == 2
        || (' '..='~').contains(&c)
}

fn push(out: &mut String, args: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = out.write_fmt(args);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_quotes() {
        for (text, quoted) in [
            ("", r#""""#),
            ("a\"b\\", r#""a\"b\\""#),
            ("\n\t\x07\x01\x7f", r#""\n\t\a\x01\x7f""#),
            ("ü世e\u{301}", "\"ü世e\u{301}\""),
            ("\u{a0}\u{feff}\u{10ffff}", r#""\u00a0\ufeff\U0010ffff""#),
            ("it's", "\"it's\""),
        ] {
            assert_eq!(go(text), quoted);
        }
    }

    #[test]
    fn json_quotes() {
        assert_eq!(json("<a>&\u{2028}\x01\"ü"), r#""\u003ca\u003e\u0026\u2028\u0001\"ü""#);
    }
}
