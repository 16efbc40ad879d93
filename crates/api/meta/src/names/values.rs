//! Ports, identifiers, environment variables, keys of config maps, percentages, ids.

use super::{inclusive_range_error, max_len_error, regex_error};
use crate::limits::{DNS_SUBDOMAIN_BYTES, PORT_NAME_BYTES};

fn every(text: &str, allowed: impl Fn(u8) -> bool) -> bool {
    !text.is_empty() && text.bytes().all(allowed)
}

fn faults(fault: Option<String>) -> Vec<String> {
    fault.into_iter().collect()
}

/// An identifier of C.
pub fn is_c_identifier(text: &str) -> Vec<String> {
    let fits =
        every(text, |b| b.is_ascii_alphanumeric() || b == b'_') && !text.as_bytes()[0].is_ascii_digit();
    faults((!fits).then(|| {
        regex_error(
            "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_'",
            "[A-Za-z_][A-Za-z0-9_]*",
            &["my_name", "MY_NAME", "MyName"],
        )
    }))
}

/// A number between two others.
pub fn is_in_range(value: i64, low: i64, high: i64) -> Vec<String> {
    faults((!(low..=high).contains(&value)).then(|| inclusive_range_error(low, high)))
}

/// A port other than 0.
pub fn is_valid_port_num(port: i64) -> Vec<String> {
    is_in_range(port, 1, 65535)
}

/// A Unix group's number.
pub fn is_valid_group_id(gid: i64) -> Vec<String> {
    is_in_range(gid, 0, i64::from(i32::MAX))
}

/// A Unix user's number.
pub fn is_valid_user_id(uid: i64) -> Vec<String> {
    is_in_range(uid, 0, i64::from(i32::MAX))
}

/// A port's name, an IANA service name in lower case.
pub fn is_valid_port_name(port: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if port.len() > PORT_NAME_BYTES {
        errors.push(max_len_error(PORT_NAME_BYTES));
    }
    if !every(port, |b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
        errors.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".to_owned());
    }
    if !port.bytes().any(|b| b.is_ascii_lowercase()) {
        errors.push("must contain at least one letter (a-z)".to_owned());
    }
    if port.contains("--") {
        errors.push("must not contain consecutive hyphens".to_owned());
    }
    if port.starts_with('-') || port.ends_with('-') {
        errors.push("must not begin or end with a hyphen".to_owned());
    }
    errors
}

/// A percentage such as `25%`.
pub fn is_valid_percent(text: &str) -> Vec<String> {
    let fits = text.strip_suffix('%').is_some_and(|digits| every(digits, |b| b.is_ascii_digit()));
    faults((!fits).then(|| {
        let message = "a valid percent string must be a numeric string followed by an ending '%'";
        regex_error(message, "[0-9]+%", &["1%", "93%"])
    }))
}

/// A header's name in HTTP.
pub fn is_http_header_name(text: &str) -> Vec<String> {
    faults((!every(text, |b| b.is_ascii_alphanumeric() || b == b'-')).then(|| {
        let message = "a valid HTTP header must consist of alphanumeric characters or '-'";
        regex_error(message, "[-A-Za-z0-9]+", &["X-Header-Name"])
    }))
}

fn key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')
}

fn upwards(text: &str) -> Option<String> {
    let fault = match text {
        "." => "must not be '.'",
        ".." => "must not be '..'",
        _ if text.starts_with("..") => "must not start with '..'",
        _ => return None,
    };
    Some(fault.to_owned())
}

/// The strict form of an environment variable's name.
pub fn is_env_var_name(text: &str) -> Vec<String> {
    let fits = every(text, key_byte) && !text.as_bytes()[0].is_ascii_digit();
    let fault = (!fits).then(|| {
        regex_error(
            "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must not start with a digit",
            "[-._a-zA-Z][-._a-zA-Z0-9]*",
            &["my.env-name", "MY_ENV.NAME", "MyEnvName1"],
        )
    });
    fault.into_iter().chain(upwards(text)).collect()
}

/// An environment variable's name.
pub fn is_relaxed_env_var_name(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if text.is_empty() {
        errors.push("environment variable name must be non-empty".to_owned());
    }
    if !text.bytes().all(|b| matches!(b, b' '..=b'~') && b != b'=') {
        errors.push("a valid environment variable name must consist only of printable ASCII characters other than '='".to_owned());
    }
    errors
}

/// A key of a config map or a secret.
pub fn is_config_map_key(text: &str) -> Vec<String> {
    let long = (text.len() > DNS_SUBDOMAIN_BYTES).then(|| max_len_error(DNS_SUBDOMAIN_BYTES));
    let fault = (!every(text, key_byte)).then(|| {
        let message = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'";
        regex_error(message, "[-._a-zA-Z0-9]+", &["key.name", "KEY_NAME", "key-name"])
    });
    long.into_iter().chain(fault).chain(upwards(text)).collect()
}
