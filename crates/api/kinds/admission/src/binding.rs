//! What bindings of policies of either sort have in common.

use api_kind::checks::supported;
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::labels::{SelectorLeniency, validate_label_selector};
use api_meta::names::{is_path_segment_name, name_is_dns_subdomain};
use api_types::admissionregistration::v1::ParamRef;

/// The name of the policy, where there is one.
pub(crate) fn policy_name(errors: &mut ErrorList, path: &Path, name: &str) {
    for message in if name.is_empty() { Vec::new() } else { name_is_dns_subdomain(name, false) } {
        errors.push(FieldError::invalid(path, name, message));
    }
}

/// How a table shows which objects are the parameters. Where their kind is not known, neither is whether they have a namespace.
pub(crate) fn shown_ref(own: Option<&ParamRef>) -> String {
    let Some(of) = own else { return "<unset>".to_owned() };
    match (of.name.as_str(), of.namespace.as_str()) {
        ("", _) => {
            of.selector.as_ref().map_or_else(|| "<unset>".to_owned(), |selector| format!("{selector:?}"))
        }
        (name, "") => format!("*/{name}"),
        (name, namespace) => format!("{namespace}/{name}"),
    }
}

/// Which objects are the parameters.
pub(crate) fn param_ref(errors: &mut ErrorList, path: &Path, own: &ParamRef) {
    for message in if own.name.is_empty() { Vec::new() } else { is_path_segment_name(&own.name) } {
        errors.push(FieldError::invalid(&path.child("name"), own.name.as_str(), message));
    }
    let exclusive = "name and selector are mutually exclusive";
    if let Some(selector) = &own.selector {
        if !own.name.is_empty() {
            errors.push(FieldError::forbidden(&path.child("name"), exclusive));
        }
        let lenient = SelectorLeniency::default();
        errors.extend(validate_label_selector(Some(selector), lenient, &path.child("selector")));
        if !own.name.is_empty() {
            errors.push(FieldError::forbidden(&path.child("selector"), exclusive));
        }
    } else if own.name.is_empty() {
        errors.push(FieldError::required(path, "one of name or selector must be specified"));
    }
    let path = path.child("parameterNotFoundAction");
    match own.parameter_not_found_action.as_deref() {
        None | Some("") => errors.push(FieldError::required(&path, "")),
        Some(action) => supported(errors, &path, action, &["Deny", "Allow"]),
    }
}
