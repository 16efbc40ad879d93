//! What a policy is bound to: to which requests, with which parameters, and with which consequences.

use api_kind::checks::supported;
use api_kind::{Column, Ctx, Kind};
use api_meta::field::{BadValue, ErrorList, FieldError, Path};
use api_meta::labels::{SelectorLeniency, validate_label_selector};
use api_meta::names::{is_path_segment_name, name_is_dns_subdomain};
use api_types::admissionregistration::v1::{ParamRef, ValidatingAdmissionPolicyBinding};

use crate::{defaults, matching};

const ACTIONS: [&str; 3] = ["Audit", "Deny", "Warn"];

/// The row.
pub const KIND: Kind<ValidatingAdmissionPolicyBinding> = Kind::<ValidatingAdmissionPolicyBinding>::of(
    "admissionregistration.k8s.io",
    "v1",
    "validatingadmissionpolicybindings",
)
.generation()
.conditional_update()
.defaults(|_, own| defaults::fill(own))
.validate(validate)
.columns(&[
    Column::<ValidatingAdmissionPolicyBinding>::name(),
    Column::<ValidatingAdmissionPolicyBinding>::text(
        "PolicyName",
        "PolicyName indicates the policy definition which the policy binding binded to",
        |own, _| own.spec.policy_name.as_str().into(),
    ),
    Column::<ValidatingAdmissionPolicyBinding>::text(
        "ParamRef",
        "ParamRef indicates the param resource which sets the configuration param",
        |own, _| own.spec.param_ref.as_deref().map_or_else(|| "<unset>".to_owned(), param).into(),
    ),
    Column::<ValidatingAdmissionPolicyBinding>::age(),
]);

/// Where the kind of the parameters is not known, neither is whether they have a namespace.
fn param(of: &ParamRef) -> String {
    match (of.name.as_str(), of.namespace.as_str()) {
        ("", _) => {
            of.selector.as_ref().map_or_else(|| "<unset>".to_owned(), |selector| format!("{selector:?}"))
        }
        (name, "") => format!("*/{name}"),
        (name, namespace) => format!("{namespace}/{name}"),
    }
}

fn validate(
    _: &Ctx<'_>,
    own: &ValidatingAdmissionPolicyBinding,
    _: Option<&ValidatingAdmissionPolicyBinding>,
    errors: &mut ErrorList,
) {
    let (path, spec) = (Path::new("spec"), &own.spec);
    if !spec.policy_name.is_empty() {
        for message in name_is_dns_subdomain(&spec.policy_name, false) {
            errors.push(FieldError::invalid(&path.child("policyName"), spec.policy_name.as_str(), message));
        }
    }
    if let Some(of) = &spec.param_ref {
        param_ref(errors, &path.child("paramRef"), of);
    }
    if let Some(resources) = &spec.match_resources {
        matching::resources(errors, &path.child("matchResources"), resources);
    }
    let (path, actions) = (path.child("validationActions"), &spec.validation_actions);
    for (index, action) in actions.iter().enumerate() {
        supported(errors, &path.index(index), action, &ACTIONS);
        if actions[..index].contains(action) {
            errors.push(FieldError::duplicate(&path.index(index), action.as_str()));
        }
    }
    let has = |wanted: &str| actions.iter().any(|action| action == wanted);
    if has("Deny") && has("Warn") {
        let all: Vec<String> = actions.iter().map(|action| format!("{action:?}")).collect();
        let why = "must not contain both Deny and Warn (repeating the same validation failure information in the API \
                   response and headers serves no purpose)";
        errors.push(FieldError::invalid(&path, BadValue::json(format!("[{}]", all.join(","))), why));
    }
}

fn param_ref(errors: &mut ErrorList, path: &Path, own: &ParamRef) {
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

#[cfg(test)]
mod tests {
    use api_kind::trial::create;

    use super::*;

    #[test]
    fn a_binding_says_what_follows() {
        let made = create(
            &KIND,
            "spec: {policyName: p, validationActions: [Deny], matchResources: {}, paramRef: {name: c, parameterNotFoundAction: Deny}}",
        );
        assert_eq!(made.errors, [""; 0]);
        assert_eq!(made.cells(&KIND), "x|p|*/c|<unknown>");
        let made = create(
            &KIND,
            "spec: {policyName: P, validationActions: [Deny, Warn, Deny, X], paramRef: {name: c, selector: {}}}",
        );
        assert_eq!(made.errors.len(), 7, "{:?}", made.errors);
    }
}
