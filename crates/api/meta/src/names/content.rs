//! The second generation of checks, whose limits speak of bytes: labels, path segments, and the formats of `+k8s:format`.

use super::{dns, regex_error};
use crate::limits::{DNS_LABEL_BYTES, DNS_SUBDOMAIN_BYTES, LABEL_BYTES};

const LABEL: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const LABEL_MESSAGE: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
const LABEL_EXAMPLES: &[&str] = &["MyName", "my.name", "123-abc"];
const LABEL_VALUE_MESSAGE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
const CASELESS_MESSAGE: &str = "an RFC 1123 subdomain must consist of alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character";

/// `must be no more than … bytes`.
pub fn max_len_error(bytes: usize) -> String {
    format!("must be no more than {bytes} bytes")
}

fn label_text(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

/// A label's key, upstream's "qualified name": `name` or `example.com/name`.
pub fn is_label_key(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    let name = match text.split_once('/') {
        None => text,
        Some((_, rest)) if rest.contains('/') => {
            let message = regex_error(LABEL_MESSAGE, LABEL, LABEL_EXAMPLES);
            return vec![format!(
                "a valid label key {message} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            )];
        }
        Some(("", name)) => {
            errors.push("prefix part must be non-empty".to_owned());
            name
        }
        Some((prefix, name)) => {
            let messages = is_dns1123_subdomain(prefix);
            errors.extend(messages.into_iter().map(|message| format!("prefix part {message}")));
            name
        }
    };
    if name.is_empty() {
        errors.push("name part must be non-empty".to_owned());
    } else if name.len() > LABEL_BYTES {
        errors.push(format!("name part {}", max_len_error(LABEL_BYTES)));
    }
    if !label_text(name) {
        errors.push(format!("name part {}", regex_error(LABEL_MESSAGE, LABEL, LABEL_EXAMPLES)));
    }
    errors
}

/// A label's key with a prefix.
pub fn is_prefixed_label_key(text: &str) -> Vec<String> {
    let errors = is_label_key(text);
    if errors.is_empty() && !text.contains('/') {
        return vec!["must include a prefix (e.g. 'example.com/key')".to_owned()];
    }
    errors
}

/// A label's value.
pub fn is_label_value(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if text.len() > LABEL_BYTES {
        errors.push(max_len_error(LABEL_BYTES));
    }
    if !text.is_empty() && !label_text(text) {
        let regex = format!("({LABEL})?");
        errors.push(regex_error(LABEL_VALUE_MESSAGE, &regex, &["MyValue", "my_value", "12345"]));
    }
    errors
}

/// A DNS label (`k8s-short-name`).
pub fn is_dns1123_label(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if text.len() > DNS_LABEL_BYTES {
        errors.push(max_len_error(DNS_LABEL_BYTES));
    }
    errors.extend(dns::label_fault(text));
    errors
}

/// A DNS subdomain (`k8s-long-name`).
pub fn is_dns1123_subdomain(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if text.len() > DNS_SUBDOMAIN_BYTES {
        errors.push(max_len_error(DNS_SUBDOMAIN_BYTES));
    }
    errors.extend(dns::subdomain_fault(text));
    errors
}

/// A DNS subdomain that may have capitals (`k8s-long-name-caseless`).
pub fn is_dns1123_subdomain_caseless(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if text.len() > DNS_SUBDOMAIN_BYTES {
        errors.push(max_len_error(DNS_SUBDOMAIN_BYTES));
    }
    if dns::subdomain_fault(&text.to_ascii_lowercase()).is_some() {
        errors.push(regex_error(CASELESS_MESSAGE, dns::SUBDOMAIN, &["Example.com"]));
    }
    errors
}

/// A name that fits into a path, whole.
pub fn is_path_segment_name(name: &str) -> Vec<String> {
    match name {
        "." | ".." => vec![format!("may not be '{name}'")],
        _ => is_path_segment_prefix(name),
    }
}

/// A name that fits into a path once something is appended.
pub fn is_path_segment_prefix(name: &str) -> Vec<String> {
    let illegal = ["/", "%"].iter().filter(|part| name.contains(**part));
    illegal.map(|part| format!("may not contain '{part}'")).collect()
}

/// A decimal integer without leading zeros or a plus sign.
pub fn is_decimal_integer(text: &str) -> Vec<String> {
    if text.is_empty() {
        return vec!["must be non-empty".to_owned()];
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    let canonical =
        digits.bytes().all(|b| b.is_ascii_digit()) && !digits.is_empty() && !digits.starts_with('0');
    if canonical || text == "0" {
        return Vec::new();
    }
    vec!["must be a valid decimal integer in canonical form".to_owned()]
}
