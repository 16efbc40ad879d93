//! Names of pools, attributes, counters, and shares.

use api_kind::checks::{each, required};
use api_kinds_core::pod::volume::csi_driver;
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::names;

use crate::limits::{ID_BYTES, POOL_BYTES};

const UID: &str = "uid must be in RFC 4122 normalized form, `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` with lowercase hexadecimal characters";

/// A driver's name: those that attach volumes are named alike.
pub fn driver(errors: &mut ErrorList, path: &Path, name: &str) {
    csi_driver(errors, path, name);
}

/// A name within its parent: a device, a request, a counter.
pub fn label(errors: &mut ErrorList, path: &Path, name: &str) {
    each(errors, path, name, names::is_dns1123_label(name));
}

/// A pool's name: subdomains with slashes between them.
pub fn pool(errors: &mut ErrorList, path: &Path, name: &str) {
    if !required(errors, path, name) {
        return;
    }
    if name.len() > POOL_BYTES {
        errors.push(FieldError::too_long(path, POOL_BYTES));
    }
    for part in name.split('/') {
        each(errors, path, part, names::is_dns1123_subdomain(part));
    }
}

/// An identifier, perhaps behind a domain. What has more than one slash upstream takes as it is.
pub fn qualified(errors: &mut ErrorList, path: &Path, name: &str) {
    match name.split('/').collect::<Vec<_>>().as_slice() {
        [id] => identifier(errors, path, id),
        [domain, id] => {
            if domain.is_empty() {
                errors.push(FieldError::invalid(path, "", "the domain must not be empty"));
            } else {
                driver(errors, path, domain);
            }
            if id.is_empty() {
                errors.push(FieldError::invalid(path, "", "the name must not be empty"));
            } else {
                identifier(errors, path, id);
            }
        }
        _ => {}
    }
}

/// An identifier behind a domain.
pub fn fully_qualified(errors: &mut ErrorList, path: &Path, name: &str) {
    qualified(errors, path, name);
    if !name.contains('/') {
        let why = "a fully qualified name must be a domain and a name separated by a slash";
        errors.push(FieldError::invalid(path, name, why));
    }
}

fn identifier(errors: &mut ErrorList, path: &Path, id: &str) {
    if id.len() > ID_BYTES {
        errors.push(FieldError::too_long(path, ID_BYTES));
    }
    each(errors, path, id, names::is_c_identifier(id));
}

/// What tells shares of a device apart.
pub fn uid(errors: &mut ErrorList, path: &Path, uid: &str) {
    let fits = uid.len() == 36
        && uid.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        });
    if !fits {
        errors.push(FieldError::invalid(path, uid, UID));
    }
}

/// A key as paths show it: of a long one, both ends.
pub fn shortened(key: &str, bytes: usize) -> String {
    if key.len() <= bytes {
        return key.to_owned();
    }
    let kept = bytes - "...".len();
    let (head, tail) = (&key.as_bytes()[..kept.div_ceil(2)], &key.as_bytes()[key.len() - kept / 2..]);
    format!("{}...{}", String::from_utf8_lossy(head), String::from_utf8_lossy(tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_in_upstreams_words() {
        let said = |check: fn(&mut ErrorList, &Path, &str), name: &str| {
            let mut errors = ErrorList::new();
            check(&mut errors, &Path::new("n"), name);
            errors.len()
        };
        for (check, name, faults) in [
            (pool as fn(&mut ErrorList, &Path, &str), "a/b.c", 0),
            (pool, "", 1),
            (pool, "a//b", 1),
            (qualified, "memory", 0),
            (qualified, "a.b/memory", 0),
            (qualified, "a-b", 1),
            (qualified, "/", 2),
            (qualified, "a/b/c", 0),
            (fully_qualified, "memory", 1),
            (uid, "01234567-89ab-cdef-0123-456789abcdef", 0),
            (uid, "01234567-89AB-cdef-0123-456789abcdef", 1),
        ] {
            assert_eq!(said(check, name), faults, "{name}");
        }
        assert_eq!(shortened("abcdefghijklmnopqrstuvwxyz", 16), "abcdefg...uvwxyz");
    }
}
