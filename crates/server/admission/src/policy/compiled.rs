//! A policy's expressions, ready to be evaluated.

use std::sync::Arc;

use api_cel::{Program, Type};
use api_kinds_admission::expression::Uses;
use api_types::admissionregistration::v1::{MatchCondition, ParamKind, ValidatingAdmissionPolicy, Variable};

/// Those that policies of all sorts have.
pub(super) struct Basis {
    /// What must hold for the policy to apply.
    pub(super) conditions: Vec<Program>,
    /// Named values, of which each may use those before.
    pub(super) variables: Vec<(String, Arc<Program>)>,
}

impl Basis {
    /// Compiles them, and answers what the others may use. They were compiled when the policy was written; a policy that somebody else wrote
    /// may not be so lucky.
    pub(super) fn of(
        params: Option<&ParamKind>,
        conditions: &[MatchCondition],
        variables: &[Variable],
    ) -> Result<(Basis, Uses), String> {
        let base = Uses { params: params.is_some(), authorizer: true, ..Uses::default() };
        let conditions = conditions.iter().map(|own| base.compile(own.expression.trim(), &[Type::Bool]));
        let conditions = conditions.collect::<Result<_, _>>()?;
        let (uses, programs) = base.with_variables(variables)?;
        let names = variables.iter().map(|variable| variable.name.clone());
        let variables = names.zip(programs.into_iter().map(Arc::new)).collect();
        Ok((Basis { conditions, variables }, uses))
    }
}

/// All of them.
pub(super) struct Compiled {
    pub(super) basis: Basis,
    /// What must hold, and what is said where it does not.
    pub(super) validations: Vec<(Program, Option<Program>)>,
    /// The values of annotations of audit events.
    pub(super) annotations: Vec<Program>,
}

impl Compiled {
    /// Compiles them.
    pub(super) fn of(policy: &ValidatingAdmissionPolicy) -> Result<Compiled, String> {
        let spec = &policy.spec;
        let kind = spec.param_kind.as_deref();
        let (basis, uses) = Basis::of(kind, &spec.match_conditions, &spec.variables)?;
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
            basis,
            validations: spec.validations.iter().map(validation).collect::<Result<_, _>>()?,
            annotations: annotations.collect::<Result<_, _>>()?,
        })
    }
}
