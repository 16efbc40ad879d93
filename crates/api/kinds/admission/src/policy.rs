//! What policies of either sort have in common.

use api_cel::Type;
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::names::{is_dns1035_label, is_dns1123_subdomain};
use api_record::equal;
use api_types::admissionregistration::v1::{MatchCondition, MatchResources, ParamKind, Variable};

use crate::expression::Uses;
use crate::matching::{self, FAILURE_POLICIES};

/// What becomes of a request when a policy cannot be asked.
pub(crate) fn failure_policy(errors: &mut ErrorList, path: &Path, own: Option<&str>) {
    match own {
        Some(policy) => api_kind::checks::supported(errors, path, policy, &FAILURE_POLICIES),
        None => errors.push(FieldError::required(path, "")),
    }
}

/// Which requests a policy is about: at least one rule says what the objects are of.
pub(crate) fn constraints(errors: &mut ErrorList, path: &Path, own: Option<&MatchResources>) {
    let Some(resources) = own else {
        errors.push(FieldError::required(path, ""));
        return;
    };
    matching::resources(errors, path, resources);
    if resources.resource_rules.is_empty() {
        errors.push(FieldError::required(&path.child("resourceRules"), ""));
    }
}

/// Whether nothing that match conditions depend on is another: what was once good may stay, whatever the rules for new expressions have
/// become.
pub(crate) fn same_conditions(
    (old_kind, old): (Option<&ParamKind>, &[MatchCondition]),
    (new_kind, new): (Option<&ParamKind>, &[MatchCondition]),
) -> bool {
    let kinds = match (old_kind, new_kind) {
        (Some(old), Some(new)) => equal(old, new),
        (None, None) => true,
        _ => false,
    };
    kinds && old.len() == new.len() && old.iter().zip(new).all(|(old, new)| equal(old, new))
}

/// Variables, each of which may use those before it; `uses` has them from then on.
pub(crate) fn variables(errors: &mut ErrorList, path: &Path, all: &[Variable], uses: &mut Uses) {
    for (index, own) in all.iter().enumerate() {
        if let Some(of) = variable(errors, &path.index(index), own, uses) {
            uses.variables.push((own.name.clone(), of));
        }
    }
}

/// How a table shows the kind of a policy's parameters.
pub(crate) fn shown_kind(own: Option<&ParamKind>) -> String {
    own.map_or_else(|| "<unset>".to_owned(), |of| format!("{}/{}", of.api_version, of.kind))
}

/// The kind of a policy's parameters.
pub(crate) fn param_kind(errors: &mut ErrorList, path: &Path, own: &ParamKind) {
    let at = path.child("apiVersion");
    let (group, version) = own.api_version.split_once('/').unwrap_or(("", &own.api_version));
    if own.api_version.is_empty() {
        errors.push(FieldError::required(&at, ""));
    } else if version.contains('/') {
        let why = format!("unexpected GroupVersion string: {}", own.api_version);
        errors.push(FieldError::invalid(&at, own.api_version.as_str(), why));
    } else {
        let faults = if group.is_empty() { Vec::new() } else { is_dns1123_subdomain(group) };
        if !faults.is_empty() {
            errors.push(FieldError::invalid(&at, group, faults.join(",")));
        }
        let faults = is_dns1035_label(version);
        if version.is_empty() {
            errors.push(FieldError::invalid(&at, own.api_version.as_str(), "version must be specified"));
        } else if !faults.is_empty() {
            errors.push(FieldError::invalid(&at, version, faults.join(",")));
        }
    }
    let faults = is_dns1035_label(&own.kind.to_lowercase());
    if own.kind.is_empty() {
        errors.push(FieldError::required(&path.child("kind"), ""));
    } else if !faults.is_empty() {
        let why = format!("may have mixed case, but should otherwise match: {}", faults.join(","));
        errors.push(FieldError::invalid(&path.child("kind"), own.kind.as_str(), why));
    }
}

fn variable(errors: &mut ErrorList, path: &Path, own: &Variable, uses: &Uses) -> Option<Type> {
    let name = own.name.as_str();
    if name.trim().is_empty() {
        errors.push(FieldError::required(&path.child("name"), "name is not specified"));
    } else if !api_cel::is_identifier(name) {
        errors.push(FieldError::invalid(&path.child("name"), name, "must be a valid CEL identifier"));
    }
    let path = path.child("expression");
    if own.expression.trim().is_empty() {
        errors.push(FieldError::required(&path, "expression is not specified"));
        return None;
    }
    match uses.compile(&own.expression, &[]) {
        Ok(program) => Some(program.result().clone()),
        Err(why) => {
            errors.push(FieldError::invalid(&path, own.expression.as_str(), why));
            None
        }
    }
}
