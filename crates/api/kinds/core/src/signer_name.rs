//! Names of signers, `example.com/signer`, what certificates of theirs may ask for, and how their bundles are called.
//!
//! Shared by the kinds of the group `certificates` and by the volumes that show what signers give.

use std::collections::BTreeMap;

use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::limits::ANNOTATIONS_BYTES;
use api_meta::names::{
    is_dns1123_label, is_dns1123_subdomain, is_domain_prefixed_key, name_is_dns_subdomain,
};
use api_meta::quote::go;

const DOMAIN_BYTES: usize = 253;
/// A domain, a slash, and room for a label, a dot and a subdomain.
const NAME_BYTES: usize = DOMAIN_BYTES + 1 + (253 + 63 + 1);

/// A certificate of a pod is asked for so many seconds at least.
pub const LEAST_SECONDS: i32 = 60 * 60;
const MOST_SECONDS: i32 = 91 * 24 * 60 * 60;
/// The signers of the project itself give certificates for a day at most.
const MOST_SECONDS_OF_OURS: i32 = 24 * 60 * 60;

/// For how many seconds at most a pod's certificate is asked of a signer.
pub fn most_seconds(name: &str) -> i32 {
    let host = name.split('/').next().unwrap_or_default();
    let ours = host == "kubernetes.io" || host.ends_with(".kubernetes.io");
    if ours { MOST_SECONDS_OF_OURS } else { MOST_SECONDS }
}

/// Checks what a user tells a signer.
pub fn annotations(errors: &mut ErrorList, path: &Path, annotations: &BTreeMap<String, String>) {
    for key in annotations.keys() {
        errors.extend(is_domain_prefixed_key(path, &key.to_lowercase()));
    }
    if annotations.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>() > ANNOTATIONS_BYTES {
        errors.push(FieldError::too_long(path, ANNOTATIONS_BYTES));
    }
}

/// What is wrong with the name of a signer's trust bundle, or with the beginning of one; a signer's bundles carry its name before their own.
pub fn bundle_name_faults(signer: &str, name: &str, prefix: bool) -> Vec<String> {
    if signer.is_empty() {
        if name.contains(':') {
            return vec!["ClusterTrustBundle without signer name must not have \":\" in its name".to_owned()];
        }
        return name_is_dns_subdomain(name, prefix);
    }
    let head = format!("{}:", signer.replace('/', ":"));
    match name.strip_prefix(&head) {
        None => vec![format!("ClusterTrustBundle for signerName {signer} must be named with prefix {head}")],
        Some(rest) => name_is_dns_subdomain(rest, prefix),
    }
}

/// The signer that a trust bundle's name speaks of, or none.
pub fn of_bundle(name: &str) -> String {
    name.rsplit_once(':').map(|(signer, _)| signer.replace(':', "/")).unwrap_or_default()
}

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
