//! What a policy is bound to: to which requests, with which parameters, and with which consequences.

use api_kind::checks::supported;
use api_kind::{Column, Ctx, Kind};
use api_meta::field::{BadValue, ErrorList, FieldError, Path};
use api_types::admissionregistration::v1::ValidatingAdmissionPolicyBinding;

use crate::{binding, defaults, matching, static_names};

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
.warnings(|ctx, own, old| static_names::warnings(ctx, &own.metadata.name, old.is_some()))
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
        |own, _| binding::shown_ref(own.spec.param_ref.as_deref()).into(),
    ),
    Column::<ValidatingAdmissionPolicyBinding>::age(),
]);

fn validate(
    ctx: &Ctx<'_>,
    own: &ValidatingAdmissionPolicyBinding,
    _: Option<&ValidatingAdmissionPolicyBinding>,
    errors: &mut ErrorList,
) {
    let (path, spec) = (Path::new("spec"), &own.spec);
    binding::policy_name(errors, &path.child("policyName"), &spec.policy_name);
    if let Some(of) = &spec.param_ref {
        binding::param_ref(errors, &path.child("paramRef"), of);
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
    static_names::check(ctx, errors, &own.metadata.name);
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
