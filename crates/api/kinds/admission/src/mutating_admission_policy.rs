//! Policies that change what is written, in CEL.

use api_cel::Type;
use api_kind::checks::{required, supported};
use api_kind::{Column, Ctx, Kind, structural};
use api_meta::field::{ErrorList, FieldError, Path};
use api_types::admissionregistration::v1::{MutatingAdmissionPolicy, MutatingAdmissionPolicySpec, Mutation};
use api_types::admissionregistration::v1beta1;

use crate::expression::{self, Uses};
use crate::{defaults, matching, policy, static_names};

const PATCHES: [&str; 2] = ["ApplyConfiguration", "JSONPatch"];
const REINVOCATIONS: [&str; 2] = ["IfNeeded", "Never"];

/// The row.
pub const KIND: Kind<MutatingAdmissionPolicy> =
    Kind::<MutatingAdmissionPolicy>::of("admissionregistration.k8s.io", "v1", "mutatingadmissionpolicies")
        .versions(&[structural::<v1beta1::MutatingAdmissionPolicy, MutatingAdmissionPolicy>(
            "admissionregistration.k8s.io",
            "v1beta1",
        )])
        .generation()
        .conditional_update()
        .defaults(|_, own| defaults::fill(own))
        .validate(validate)
        .warnings(|ctx, own, old| static_names::warnings(ctx, &own.metadata.name, old.is_some()))
        .columns(&[
            Column::<MutatingAdmissionPolicy>::name(),
            Column::<MutatingAdmissionPolicy>::number(
                "Mutations",
                "Mutation indicates the number of mutations rules defined in this configuration",
                |own, _| (own.spec.mutations.len() as i64).into(),
            ),
            Column::<MutatingAdmissionPolicy>::text(
                "ParamKind",
                "ParamKind specifies the kind of resources used to parameterize this policy",
                |own, _| policy::shown_kind(own.spec.param_kind.as_deref()).into(),
            ),
            Column::<MutatingAdmissionPolicy>::age(),
        ]);

fn validate(
    ctx: &Ctx<'_>,
    own: &MutatingAdmissionPolicy,
    old: Option<&MutatingAdmissionPolicy>,
    errors: &mut ErrorList,
) {
    let (path, spec) = (Path::new("spec"), &own.spec);
    policy::failure_policy(errors, &path.child("failurePolicy"), spec.failure_policy.as_deref());
    if let Some(kind) = &spec.param_kind {
        policy::param_kind(errors, &path.child("paramKind"), kind);
    }
    let at = path.child("matchConstraints");
    policy::constraints(errors, &at, spec.match_constraints.as_deref());
    if let Some(constraints) = &spec.match_constraints {
        matching::only_changes(errors, &at, &constraints.resource_rules);
    }
    let params = spec.param_kind.is_some();
    let is_same = |old: &MutatingAdmissionPolicySpec| {
        policy::same_conditions(
            (old.param_kind.as_deref(), &old.match_conditions),
            (spec.param_kind.as_deref(), &spec.match_conditions),
        )
    };
    if !old.is_some_and(|old| is_same(&old.spec)) {
        expression::conditions(errors, &path.child("matchConditions"), &spec.match_conditions, params);
    }
    let mut uses = Uses { params, authorizer: true, ..Uses::default() };
    policy::variables(errors, &path.child("variables"), &spec.variables, &mut uses);
    uses.patches = true;
    if spec.mutations.is_empty() {
        errors
            .push(FieldError::required(&path.child("mutations"), "mutations must contain at least one item"));
    }
    for (index, own) in spec.mutations.iter().enumerate() {
        mutation(errors, &path.child("mutations").index(index), own, &uses);
    }
    let at = path.child("reinvocationPolicy");
    if required(errors, &at, &spec.reinvocation_policy) {
        supported(errors, &at, &spec.reinvocation_policy, &REINVOCATIONS);
    }
    static_names::check(ctx, errors, &own.metadata.name);
}

fn mutation(errors: &mut ErrorList, path: &Path, own: &Mutation, uses: &Uses) {
    let patch = own.json_patch.as_ref().map(|of| of.expression.as_str());
    let apply = own.apply_configuration.as_ref().map(|of| of.expression.as_str());
    let ((name, given, of), (other, other_given)) = match own.patch_type.as_str() {
        "JSONPatch" => {
            (("jsonPatch", patch, expression::operations()), ("applyConfiguration", apply.is_some()))
        }
        "ApplyConfiguration" => {
            (("applyConfiguration", apply, expression::configuration()), ("jsonPatch", patch.is_some()))
        }
        "" => {
            errors.push(FieldError::required(&path.child("patchType"), ""));
            return;
        }
        unknown => return supported(errors, &path.child("patchType"), unknown, &PATCHES),
    };
    let chosen = own.patch_type.as_str();
    match given {
        Some(text) => patch_expression(errors, &path.child(name).child("expression"), text, uses, &of),
        None => {
            let why = format!("must be specified when patchType is {chosen}");
            errors.push(FieldError::required(&path.child(name), why));
        }
    }
    if other_given {
        let why = format!("must not be specified when patchType is {chosen}");
        errors.push(FieldError::invalid(&path.child(other), format!("{{{other}}}"), why));
    }
}

fn patch_expression(errors: &mut ErrorList, path: &Path, text: &str, uses: &Uses, of: &Type) {
    let text = text.trim();
    if required(errors, path, text)
        && let Err(why) = uses.compile(text, std::slice::from_ref(of))
    {
        errors.push(FieldError::invalid(path, text, why));
    }
}

#[cfg(test)]
mod tests {
    use api_kind::trial::create;

    use super::*;

    const RULES: &str = "matchConstraints: {resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: [CREATE], resources: [deployments]}]}, reinvocationPolicy: Never";

    #[test]
    fn a_policy_is_defaulted_and_compiled() {
        let made = create(
            &KIND,
            &format!(
                "spec: {{{RULES}, paramKind: {{apiVersion: v1, kind: ConfigMap}}, variables: [{{name: count, expression: object.spec.replicas}}], mutations: [{{patchType: ApplyConfiguration, applyConfiguration: {{expression: 'Object{{spec: Object.spec{{replicas: variables.count + int(params.data.more)}}}}'}}}}, {{patchType: JSONPatch, jsonPatch: {{expression: 'variables.count > 1 ? [] : [JSONPatch{{op: \"remove\", path: \"/spec\"}}]'}}}}]}}"
            ),
        );
        assert_eq!(made.errors, [""; 0]);
        assert_eq!(made.cells(&KIND), "x|2|v1/ConfigMap|<unknown>");
    }

    #[test]
    fn what_is_no_patch_is_refused_where_it_stands() {
        let made = create(
            &KIND,
            &format!(
                "spec: {{{RULES}, mutations: [{{patchType: ApplyConfiguration, applyConfiguration: {{expression: '[]'}}, jsonPatch: {{expression: x}}}}, {{patchType: JSONPatch}}, {{patchType: Merge}}, {{}}, {{patchType: JSONPatch, jsonPatch: {{expression: ' '}}}}]}}"
            ),
        );
        assert_eq!(
            made.errors,
            [
                "spec.mutations[0].applyConfiguration.expression: Invalid value: \"[]\": must evaluate to Object but got list(dyn)",
                "spec.mutations[0].jsonPatch: Invalid value: \"{jsonPatch}\": must not be specified when patchType is ApplyConfiguration",
                "spec.mutations[1].jsonPatch: Required value: must be specified when patchType is JSONPatch",
                "spec.mutations[2].patchType: Unsupported value: \"Merge\": supported values: \"ApplyConfiguration\", \"JSONPatch\"",
                "spec.mutations[3].patchType: Required value",
                "spec.mutations[4].jsonPatch.expression: Required value",
            ]
        );
    }

    #[test]
    fn nothing_is_changed_in_what_is_deleted() {
        let made = create(&KIND, &format!("spec: {{{}}}", RULES.replace("CREATE", "DELETE")));
        assert_eq!(
            made.errors,
            [
                "spec.matchConstraints.resourceRules.operations: Unsupported value: \"DELETE\": supported values: \"*\", \"CONNECT\", \"CREATE\", \"UPDATE\"",
                "spec.mutations: Required value: mutations must contain at least one item",
            ]
        );
        let made = create(&KIND, "metadata: {name: a.static.k8s.io}");
        let last = made.errors.last().map(String::as_str).unwrap_or_default();
        assert!(
            last.starts_with("metadata.name: Invalid value: \"a.static.k8s.io\": names ending with"),
            "{last}"
        );
    }
}
