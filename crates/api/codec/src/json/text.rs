//! Strings, floats and kept JSON as Go's encoder writes them.

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Writes a JSON string with Go's escapes, which keep HTML's and JavaScript's special characters out.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    write_escaped(out, text.as_bytes(), true);
    out.push(b'"');
}

/// Writes JSON that came from elsewhere, with HTML's and JavaScript's special characters escaped, as Go does.
pub(super) fn write_raw(out: &mut Vec<u8>, json: &[u8]) {
    write_escaped(out, json, false);
}

fn write_escaped(out: &mut Vec<u8>, bytes: &[u8], quotes: bool) {
    let mut from = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        let unicode = match byte {
            b'<' | b'>' | b'&' => Some(u32::from(byte)),
            0xe2 if bytes[at..].starts_with(&[0xe2, 0x80, 0xa8]) => Some(0x2028),
            0xe2 if bytes[at..].starts_with(&[0xe2, 0x80, 0xa9]) => Some(0x2029),
            b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c if quotes => None,
            0..0x20 if quotes => Some(u32::from(byte)),
            _ => continue,
        };
        out.extend_from_slice(&bytes[from..at]);
        from = at + if unicode >= Some(0x2028) { 3 } else { 1 };
        let Some(unicode) = unicode else {
            let short = match byte {
                b'\n' => b'n',
                b'\r' => b'r',
                b'\t' => b't',
                0x08 => b'b',
                0x0c => b'f',
                other => other,
            };
            out.extend_from_slice(&[b'\\', short]);
            continue;
        };
        out.extend_from_slice(b"\\u");
        for shift in [12, 8, 4, 0] {
            out.push(HEX[(unicode >> shift & 15) as usize]);
        }
    }
    out.extend_from_slice(&bytes[from..]);
}

/// A float in the shortest form, with an exponent where Go uses one. What JSON cannot say becomes `null`.
pub(crate) fn write_float(out: &mut Vec<u8>, float: f64) {
    let size = float.abs();
    let text = if !float.is_finite() {
        "null".to_owned()
    } else if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let text = format!("{float:e}");
        if size >= 1e21 { text.replace('e', "e+") } else { text }
    } else {
        format!("{float}")
    };
    out.extend_from_slice(text.as_bytes());
}

/// Text in double quotes as Go's `strconv.Quote` writes it.
pub(crate) fn go_quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\x07' => out += "\\a",
            '\x08' => out += "\\b",
            '\x0c' => out += "\\f",
            '\n' => out += "\\n",
            '\r' => out += "\\r",
            '\t' => out += "\\t",
            '\x0b' => out += "\\v",
            '\0'..=' ' | '\x7f' if c != ' ' => out += &format!("\\x{:02x}", u32::from(c)),
            // What Rust would print plainly is what Go would; combining marks are, though Rust escapes them.
            _ if c.is_control() || (c != ' ' && c.is_whitespace()) || u32::from(c) == 0xad => {
                out += &format!("\\u{:04x}", u32::from(c));
            }
            _ => out.push(c),
        }
    }
    out + "\""
}
