//! Names that DNS knows: labels, subdomains, and what is made of them.

use super::content::is_label_key;
use super::{max_len_error, regex_error};
use crate::field::{ErrorList, FieldError, Path};
use crate::limits::{DNS_LABEL_BYTES, DNS_SUBDOMAIN_BYTES};

const LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const LABEL_MESSAGE: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character";
pub(super) const SUBDOMAIN: &str = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const SUBDOMAIN_MESSAGE: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character";
const UNDERSCORE: &str = r"_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*";
const UNDERSCORE_MESSAGE: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character";
const DNS1035: &str = "[a-z]([-a-z0-9]*[a-z0-9])?";
const DNS1035_MESSAGE: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character";
const WILDCARD_MESSAGE: &str = "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character";
const HTTP_PATH: &str = r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+";

fn alphanumeric(byte: &u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

fn label(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.first().is_some_and(alphanumeric)
        && bytes.last().is_some_and(alphanumeric)
        && bytes.iter().all(|byte| alphanumeric(byte) || *byte == b'-')
}

fn underscore_label(text: &str) -> bool {
    let bytes = text.strip_prefix('_').unwrap_or(text).as_bytes();
    bytes.first().is_some_and(alphanumeric)
        && bytes.last().is_some_and(alphanumeric)
        && bytes.iter().all(|byte| alphanumeric(byte) || matches!(byte, b'-' | b'_'))
}

fn subdomain(text: &str) -> bool {
    text.split('.').all(label)
}

/// The message if it is no label, whatever its length.
pub(super) fn label_fault(text: &str) -> Option<String> {
    if label(text) {
        None
    } else if subdomain(text) {
        Some("must not contain dots".to_owned())
    } else {
        Some(regex_error(LABEL_MESSAGE, LABEL, &["my-name", "123-abc"]))
    }
}

/// The message if it is no subdomain, whatever its length.
pub(super) fn subdomain_fault(text: &str) -> Option<String> {
    (!subdomain(text)).then(|| regex_error(SUBDOMAIN_MESSAGE, SUBDOMAIN, &["example.com"]))
}

fn checked(text: &str, max_bytes: usize, fault: Option<String>) -> Vec<String> {
    let long = (text.len() > max_bytes).then(|| max_len_error(max_bytes));
    long.into_iter().chain(fault).collect()
}

/// A lower-case label of RFC 1123.
pub fn is_dns1123_label(text: &str) -> Vec<String> {
    checked(text, DNS_LABEL_BYTES, label_fault(text))
}

/// A lower-case subdomain of RFC 1123.
pub fn is_dns1123_subdomain(text: &str) -> Vec<String> {
    checked(text, DNS_SUBDOMAIN_BYTES, subdomain_fault(text))
}

/// A lower-case subdomain of RFC 1123 that may have underscores.
pub fn is_dns1123_subdomain_with_underscore(text: &str) -> Vec<String> {
    let fits = text.split('.').all(underscore_label);
    let fault = (!fits).then(|| regex_error(UNDERSCORE_MESSAGE, UNDERSCORE, &["example.com"]));
    checked(text, DNS_SUBDOMAIN_BYTES, fault)
}

/// A lower-case label of RFC 1035, which starts with a letter.
pub fn is_dns1035_label(text: &str) -> Vec<String> {
    let fits = label(text) && text.starts_with(|first: char| first.is_ascii_lowercase());
    let fault = (!fits).then(|| regex_error(DNS1035_MESSAGE, DNS1035, &["my-name", "abc-123"]));
    checked(text, DNS_LABEL_BYTES, fault)
}

/// A subdomain after `*.`.
pub fn is_wildcard_dns1123_subdomain(text: &str) -> Vec<String> {
    let fits = text.strip_prefix("*.").is_some_and(subdomain);
    let fault = (!fits).then(|| {
        let regex = format!(r"\*\.{SUBDOMAIN}");
        regex_error(WILDCARD_MESSAGE, &regex, &["*.example.com"])
    });
    checked(text, DNS_SUBDOMAIN_BYTES, fault)
}

/// A subdomain of at least three parts.
pub fn is_fully_qualified_name(path: &Path, name: &str) -> ErrorList {
    if name.is_empty() {
        return FieldError::required(path, "").into();
    }
    let faults = is_dns1123_subdomain(name);
    if !faults.is_empty() {
        return FieldError::invalid(path, name, faults.join(",")).into();
    }
    if name.split('.').count() < 3 {
        let detail = "should be a domain with at least three segments separated by dots";
        return FieldError::invalid(path, name, detail).into();
    }
    ErrorList::new()
}

/// A subdomain of at least two parts, each a label; a dot at the end is fine.
pub fn is_fully_qualified_domain_name(path: &Path, name: &str) -> ErrorList {
    if name.is_empty() {
        return FieldError::required(path, "").into();
    }
    let name = name.strip_suffix('.').unwrap_or(name);
    let faults = is_dns1123_subdomain(name);
    if !faults.is_empty() {
        return FieldError::invalid(path, name, faults.join(",")).into();
    }
    if !name.contains('.') {
        let detail = "should be a domain with at least two segments separated by dots";
        return FieldError::invalid(path, name, detail).into();
    }
    for part in name.split('.') {
        let faults = is_dns1123_label(part);
        if !faults.is_empty() {
            return FieldError::invalid(path, part, faults.join(",")).into();
        }
    }
    ErrorList::new()
}

/// A subdomain, a slash and a path: `acme.io/foo`.
pub fn is_domain_prefixed_path(path: &Path, text: &str) -> ErrorList {
    if text.is_empty() {
        return FieldError::required(path, "").into();
    }
    let (host, rest) = text.split_once('/').unwrap_or((text, ""));
    if host.is_empty() || rest.is_empty() {
        let detail = "must be a domain-prefixed path (such as \"acme.io/foo\")";
        return FieldError::invalid(path, text, detail).into();
    }
    let mut errors = ErrorList::invalid(path, host, is_dns1123_subdomain(host));
    if !rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:".contains(&byte)) {
        errors.push(FieldError::invalid(path, rest, regex_error("Invalid path", HTTP_PATH, &[])));
    }
    errors
}

/// A label's key with a prefix: `acme.io/foo`.
pub fn is_domain_prefixed_key(path: &Path, key: &str) -> ErrorList {
    if key.is_empty() {
        return FieldError::required(path, "").into();
    }
    let errors = ErrorList::invalid(path, key, is_label_key(key));
    if errors.is_empty() && !key.contains('/') {
        let detail = "must be a domain-prefixed key (such as \"acme.io/foo\")";
        return FieldError::invalid(path, key, detail).into();
    }
    errors
}
