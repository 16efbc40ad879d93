//! A policy's expressions, ready to be evaluated.

use std::sync::Arc;

use api_cel::{Program, Type};
use api_kinds_admission::expression::Uses;
use api_types::admissionregistration::v1::ValidatingAdmissionPolicy;

/// All of them.
pub(super) struct Compiled {
    /// What must hold for the policy to apply.
    pub(super) conditions: Vec<Program>,
    /// Named values, of which each may use those before.
    pub(super) variables: Vec<(String, Arc<Program>)>,
    /// What must hold, and what is said where it does not.
    pub(super) validations: Vec<(Program, Option<Program>)>,
    /// The values of annotations of audit events.
    pub(super) annotations: Vec<Program>,
}

impl Compiled {
    /// Compiles them. They were compiled when the policy was written; a policy that somebody else wrote may not be so lucky.
    pub(super) fn of(policy: &ValidatingAdmissionPolicy) -> Result<Compiled, String> {
        let spec = &policy.spec;
        let base = Uses { params: spec.param_kind.is_some(), authorizer: true, ..Uses::default() };
        let conditions = spec.match_conditions.iter();
        let conditions = conditions.map(|own| base.compile(own.expression.trim(), &[Type::Bool]));
        let conditions = conditions.collect::<Result<_, _>>()?;
        let (uses, programs) = base.with_variables(&spec.variables)?;
        let names = spec.variables.iter().map(|variable| variable.name.clone());
        let says = Uses { authorizer: false, ..uses.clone() };
        let validation = |own: &api_types::admissionregistration::v1::Validation| {
            let message = Some(own.message_expression.as_str()).filter(|text| !text.trim().is_empty());
            let message = message.map(|text| says.compile(text, &[Type::String])).transpose()?;
            Ok::<_, String>((uses.compile(&own.expression, &[Type::Bool])?, message))
        };
        let annotations = spec.audit_annotations.iter();
        let annotations =
            annotations.map(|own| uses.compile(own.value_expression.trim(), &[Type::String, Type::Null]));
        Ok(Compiled {
            conditions,
            variables: names.zip(programs.into_iter().map(Arc::new)).collect(),
            validations: spec.validations.iter().map(validation).collect::<Result<_, _>>()?,
            annotations: annotations.collect::<Result<_, _>>()?,
        })
    }
}
