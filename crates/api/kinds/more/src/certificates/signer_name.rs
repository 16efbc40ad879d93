//! Names of signers: `example.com/signer`.

use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::names::{is_dns1123_label, is_dns1123_subdomain};
use api_meta::quote::go;

const DOMAIN_BYTES: usize = 253;
/// A domain, a slash, and room for a label, a dot and a subdomain.
const NAME_BYTES: usize = DOMAIN_BYTES + 1 + (253 + 63 + 1);

/// Checks a name that must be given.
pub fn check(errors: &mut ErrorList, path: &Path, name: &str) {
    if name.is_empty() {
        errors.push(FieldError::required(path, ""));
        return;
    }
    let parts: Vec<&str> = name.split('/').collect();
    let [domain, own] = parts.as_slice() else {
        let why = "must be a fully qualified domain and path of the form 'example.com/signer-name'";
        errors.push(FieldError::invalid(path, name, why));
        return;
    };
    if domain.len() > DOMAIN_BYTES {
        errors.push(FieldError::too_long(path, DOMAIN_BYTES));
    }
    first_fault(errors, path, domain, is_dns1123_label);
    if !domain.contains('.') {
        let why = "should be a domain with at least two segments separated by dots";
        errors.push(FieldError::invalid(path, *domain, why));
    }
    first_fault(errors, path, own, is_dns1123_subdomain);
    if name.len() > NAME_BYTES {
        errors.push(FieldError::too_long(path, NAME_BYTES));
    }
}

/// What is wrong with the first of the parts between dots that anything is wrong with.
fn first_fault(errors: &mut ErrorList, path: &Path, text: &str, check: fn(&str) -> Vec<String>) {
    let faults = text.split('.').map(|part| (part, check(part))).find(|(_, faults)| !faults.is_empty());
    if let Some((part, faults)) = faults {
        let faults = faults.into_iter().map(|fault| format!("validating label {}: {fault}", go(part)));
        errors.extend(ErrorList::invalid(path, text, faults.collect()));
    }
}
