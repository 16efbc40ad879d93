//! Policies that refuse what is written, in CEL.

use api_cel::Type;
use api_kind::checks::{qualified_name, shown, supported};
use api_kind::{Column, Ctx, Kind};
use api_meta::field::{ErrorList, FieldError, Path};
use api_types::admissionregistration::v1::{
    AuditAnnotation, ValidatingAdmissionPolicy, ValidatingAdmissionPolicySpec, Validation,
};

use crate::expression::{self, Uses};
use crate::{defaults, policy, static_names};

/// How many annotations of audit events there may be, and how long the expressions of their values.
const AUDIT_ANNOTATIONS: usize = 20;
const AUDIT_EXPRESSION: usize = 5 * 1024;

const REASONS: [&str; 3] = ["Forbidden", "Invalid", "RequestEntityTooLarge"];

/// The row.
pub const KIND: Kind<ValidatingAdmissionPolicy> = Kind::<ValidatingAdmissionPolicy>::of(
    "admissionregistration.k8s.io",
    "v1",
    "validatingadmissionpolicies",
)
.generation()
.conditional_update()
.defaults(|_, own| defaults::fill(own))
.validate(validate)
.warnings(|ctx, own, old| static_names::warnings(ctx, &own.metadata.name, old.is_some()))
.columns(&[
    Column::<ValidatingAdmissionPolicy>::name(),
    Column::<ValidatingAdmissionPolicy>::number(
        "Validations",
        "Validations indicates the number of validation rules defined in this configuration",
        |own, _| (own.spec.validations.len() as i64).into(),
    ),
    Column::<ValidatingAdmissionPolicy>::text(
        "ParamKind",
        "ParamKind specifies the kind of resources used to parameterize this policy",
        |own, _| policy::shown_kind(own.spec.param_kind.as_deref()).into(),
    ),
    Column::<ValidatingAdmissionPolicy>::age(),
]);

fn validate(
    ctx: &Ctx<'_>,
    own: &ValidatingAdmissionPolicy,
    old: Option<&ValidatingAdmissionPolicy>,
    errors: &mut ErrorList,
) {
    if ctx.subresource == "status" {
        let checked = own.status.type_checking.iter().flat_map(|checking| &checking.expression_warnings);
        let path = Path::new("status").child("typeChecking").child("expressionWarnings");
        for (index, warning) in checked.enumerate() {
            for (name, text) in [("warning", &warning.warning), ("fieldRef", &warning.field_ref)] {
                if text.trim().is_empty() {
                    errors.push(FieldError::required(&path.index(index).child(name), ""));
                }
            }
        }
        return;
    }
    let (path, spec) = (Path::new("spec"), &own.spec);
    policy::failure_policy(errors, &path.child("failurePolicy"), spec.failure_policy.as_deref());
    if let Some(kind) = &spec.param_kind {
        policy::param_kind(errors, &path.child("paramKind"), kind);
    }
    policy::constraints(errors, &path.child("matchConstraints"), spec.match_constraints.as_deref());
    let params = spec.param_kind.is_some();
    let is_same = |old: &ValidatingAdmissionPolicySpec| {
        policy::same_conditions(
            (old.param_kind.as_deref(), &old.match_conditions),
            (spec.param_kind.as_deref(), &spec.match_conditions),
        )
    };
    if !old.is_some_and(|old| is_same(&old.spec)) {
        expression::conditions(errors, &path.child("matchConditions"), &spec.match_conditions, params);
    }
    expressions(errors, &path, &own.metadata.name, spec);
    static_names::check(ctx, errors, &own.metadata.name);
}

fn expressions(errors: &mut ErrorList, path: &Path, name: &str, spec: &ValidatingAdmissionPolicySpec) {
    let params = spec.param_kind.is_some();
    let mut uses = Uses { params, authorizer: true, ..Uses::default() };
    policy::variables(errors, &path.child("variables"), &spec.variables, &mut uses);
    if spec.validations.is_empty() && spec.audit_annotations.is_empty() {
        for name in ["validations", "auditAnnotations"] {
            let why = "validations or auditAnnotations must contain at least one item";
            errors.push(FieldError::required(&path.child(name), why));
        }
    }
    for (index, own) in spec.validations.iter().enumerate() {
        validation(errors, &path.child("validations").index(index), own, &uses);
    }
    let path = path.child("auditAnnotations");
    if spec.audit_annotations.len() > AUDIT_ANNOTATIONS {
        let why = format!("must not have more than {AUDIT_ANNOTATIONS} auditAnnotations");
        let all: Vec<String> =
            spec.audit_annotations.iter().filter_map(|own| Some(shown(own).shown()?.to_owned())).collect();
        let all = api_meta::field::BadValue::json(format!("[{}]", all.join(",")));
        errors.push(FieldError::invalid(&path, all, why));
    }
    for (index, own) in spec.audit_annotations.iter().enumerate() {
        audit_annotation(errors, &path.index(index), name, own, &uses);
        if spec.audit_annotations[..index].iter().any(|before| before.key == own.key) {
            errors.push(FieldError::duplicate(&path.index(index).child("key"), own.key.as_str()));
        }
    }
}

fn validation(errors: &mut ErrorList, path: &Path, own: &Validation, uses: &Uses) {
    let at = path.child("expression");
    if own.expression.trim().is_empty() {
        errors.push(FieldError::required(&at, "expression is not specified"));
    } else if let Err(why) = uses.compile(&own.expression, &[Type::Bool]) {
        errors.push(FieldError::invalid(&at, own.expression.as_str(), why));
    }
    let (at, text) = (path.child("messageExpression"), own.message_expression.as_str());
    if !text.is_empty() && text.trim().is_empty() {
        errors.push(FieldError::invalid(&at, text, "must be non-empty if specified"));
    } else if !text.is_empty() {
        let uses = Uses { authorizer: false, ..uses.clone() };
        if let Err(why) = uses.compile(text, &[Type::String]) {
            errors.push(FieldError::invalid(&at, text, why));
        }
    }
    let (at, text) = (path.child("message"), own.message.as_str());
    if !text.is_empty() && text.trim().is_empty() {
        errors.push(FieldError::invalid(&at, text, "must be non-empty if specified"));
    } else if text.trim().contains(['\n', '\r']) {
        errors.push(FieldError::invalid(&at, text, "must not contain line breaks"));
    }
    if let Some(reason) = &own.reason {
        supported(errors, &path.child("reason"), reason, &REASONS);
    }
}

fn audit_annotation(errors: &mut ErrorList, path: &Path, policy: &str, own: &AuditAnnotation, uses: &Uses) {
    if policy.is_empty() {
        errors.push(FieldError::invalid(
            &path.child("key"),
            own.key.as_str(),
            "requires metadata.name be non-empty",
        ));
    } else {
        qualified_name(errors, &path.child("key"), &format!("{policy}/{}", own.key));
    }
    let (path, text) = (path.child("valueExpression"), own.value_expression.trim());
    if text.is_empty() {
        errors.push(FieldError::required(&path, "valueExpression is not specified"));
    } else if text.len() > AUDIT_EXPRESSION {
        errors
            .push(FieldError::required(&path, format!("must not exceed {AUDIT_EXPRESSION} bytes in length")));
    } else if let Err(why) = uses.compile(text, &[Type::String, Type::Null]) {
        errors.push(FieldError::invalid(&path, own.value_expression.as_str(), why));
    }
}

#[cfg(test)]
mod tests {
    use api_kind::trial::create;

    use super::*;

    const RULES: &str = "matchConstraints: {resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: [CREATE], resources: [deployments]}]}";

    #[test]
    fn a_policy_is_defaulted_and_compiled() {
        let made = create(
            &KIND,
            &format!(
                "spec: {{{RULES}, variables: [{{name: count, expression: object.spec.replicas}}, {{name: m, expression: 'variables.count + 1'}}], validations: [{{expression: 'variables.m > 1 && request.operation == \"CREATE\"', messageExpression: '\"too few: \" + string(variables.count)'}}]}}"
            ),
        );
        assert_eq!(made.errors, [""; 0]);
        assert_eq!(made.cells(&KIND), "x|1|<unset>|<unknown>");
    }

    #[test]
    fn what_cannot_be_evaluated_is_refused_where_it_stands() {
        let made = create(
            &KIND,
            &format!(
                "spec: {{{RULES}, variables: [{{name: loop, expression: '1'}}], matchConditions: [{{name: a, expression: 'object.spec'}}], validations: [{{expression: 'nobody.knows', message: ' '}}, {{expression: 'params.x > 1'}}]}}"
            ),
        );
        let wrong: Vec<&str> =
            made.errors.iter().map(|error| error.split(": ").next().unwrap_or_default()).collect();
        assert_eq!(
            wrong,
            [
                "spec.matchConditions[0].expression",
                "spec.variables[0].name",
                "spec.validations[0].expression",
                "spec.validations[0].message",
                "spec.validations[1].expression"
            ],
            "{:?}",
            made.errors
        );
        assert!(made.errors[0].ends_with("must evaluate to bool but got dyn"), "{}", made.errors[0]);
        assert!(
            made.errors[2]
                .contains("compilation failed: ERROR: <input>:1:1: undeclared reference to 'nobody'")
        );
        let made = create(&KIND, "spec: {paramKind: {apiVersion: a/b/c, kind: ''}}");
        assert_eq!(made.errors.len(), 5, "{:?}", made.errors);
    }
}
