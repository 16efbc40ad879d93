//! What a policy that changes objects is bound to: to which requests, and with which parameters.

use api_kind::checks::required;
use api_kind::{Column, Ctx, Kind, structural};
use api_meta::field::{ErrorList, Path};
use api_types::admissionregistration::v1::MutatingAdmissionPolicyBinding;
use api_types::admissionregistration::v1beta1;

use crate::{binding, defaults, matching, static_names};

/// The row.
pub const KIND: Kind<MutatingAdmissionPolicyBinding> = Kind::<MutatingAdmissionPolicyBinding>::of(
    "admissionregistration.k8s.io",
    "v1",
    "mutatingadmissionpolicybindings",
)
.versions(&[structural::<v1beta1::MutatingAdmissionPolicyBinding, MutatingAdmissionPolicyBinding>(
    "admissionregistration.k8s.io",
    "v1beta1",
)])
.generation()
.conditional_update()
.defaults(|_, own| defaults::fill(own))
.validate(validate)
.warnings(|ctx, own, old| static_names::warnings(ctx, &own.metadata.name, old.is_some()))
.columns(&[
    Column::<MutatingAdmissionPolicyBinding>::name(),
    Column::<MutatingAdmissionPolicyBinding>::text(
        "PolicyName",
        "PolicyName indicates the policy definition which the policy binding binded to",
        |own, _| own.spec.policy_name.as_str().into(),
    ),
    Column::<MutatingAdmissionPolicyBinding>::text(
        "ParamRef",
        "ParamRef indicates the param resource which sets the configuration param",
        |own, _| binding::shown_ref(own.spec.param_ref.as_deref()).into(),
    ),
    Column::<MutatingAdmissionPolicyBinding>::age(),
]);

fn validate(
    ctx: &Ctx<'_>,
    own: &MutatingAdmissionPolicyBinding,
    _: Option<&MutatingAdmissionPolicyBinding>,
    errors: &mut ErrorList,
) {
    let (path, spec) = (Path::new("spec"), &own.spec);
    if required(errors, &path.child("policyName"), &spec.policy_name) {
        binding::policy_name(errors, &path.child("policyName"), &spec.policy_name);
    }
    if let Some(of) = &spec.param_ref {
        binding::param_ref(errors, &path.child("paramRef"), of);
    }
    if let Some(resources) = &spec.match_resources {
        let path = path.child("matchResources");
        matching::resources(errors, &path, resources);
        matching::only_changes(errors, &path, &resources.resource_rules);
    }
    static_names::check(ctx, errors, &own.metadata.name);
}

#[cfg(test)]
mod tests {
    use api_kind::trial::create;

    use super::*;

    #[test]
    fn a_binding_says_whom_it_is_about() {
        let made = create(
            &KIND,
            "spec: {policyName: p, matchResources: {}, paramRef: {name: c, namespace: shop, parameterNotFoundAction: Allow}}",
        );
        assert_eq!(made.errors, [""; 0]);
        assert_eq!(made.cells(&KIND), "x|p|shop/c|<unknown>");
        let made = create(
            &KIND,
            "spec: {matchResources: {resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [DELETE], resources: [pods]}]}}",
        );
        assert_eq!(made.errors.len(), 2, "{:?}", made.errors);
    }
}
