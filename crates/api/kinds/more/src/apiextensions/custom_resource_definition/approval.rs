//! Groups of the community's own: their definitions say where they were approved (KEP-1111).

use api_meta::field::{ErrorList, FieldError, Path};
use api_types::apiextensions::v1::CustomResourceDefinition;

const ANNOTATION: &str = "api-approved.kubernetes.io";

/// How a definition stands to approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approval {
    /// It says where it was approved.
    Approved,
    /// It says that it was not.
    Bypassed,
    /// It says nothing.
    Missing,
    /// It says something else.
    Invalid,
}

/// Whether a group is one whose definitions must be approved.
pub fn under_protection(group: &str) -> bool {
    let within = |domain: &str| group == domain || group.ends_with(&format!(".{domain}"));
    within("k8s.io") || within("kubernetes.io")
}

/// How a definition stands to approval, and why, in words.
pub fn state(definition: &CustomResourceDefinition) -> (Approval, String) {
    let said = definition.metadata.annotations.get(ANNOTATION).map(String::as_str).unwrap_or_default();
    let kep = "see https://github.com/kubernetes/enhancements/pull/1111";
    if said.is_empty() {
        let why = format!("protected groups must have approval annotation \"{ANNOTATION}\", {kep}");
        (Approval::Missing, why)
    } else if said.starts_with("unapproved") {
        (Approval::Bypassed, format!("not approved: {}", api_meta::quote::go(said)))
    } else if is_url(said) {
        (Approval::Approved, format!("approved in {said}"))
    } else {
        let why = format!(
            "protected groups must have approval annotation \"{ANNOTATION}\" with either a URL or a reason starting with \"unapproved\", {kep}"
        );
        (Approval::Invalid, why)
    }
}

fn is_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(letters)
        && !host.is_empty()
        && !text.contains(char::is_control)
        && !host.contains(' ')
}

pub(super) fn check(
    definition: &CustomResourceDefinition,
    old: Option<&CustomResourceDefinition>,
    errors: &mut ErrorList,
) {
    if !under_protection(&definition.spec.group) {
        return;
    }
    let (now, why) = state(definition);
    if old.is_some_and(|old| state(old).0 == now) {
        return;
    }
    let at = Path::new("metadata").child("annotations").key(ANNOTATION);
    match now {
        Approval::Approved | Approval::Bypassed => {}
        Approval::Missing => errors.push(FieldError::required(&at, why)),
        Approval::Invalid => {
            errors.push(FieldError::invalid(&at, definition.metadata.annotations.get(ANNOTATION), why));
        }
    }
}
