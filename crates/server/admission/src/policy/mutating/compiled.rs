//! A policy's expressions, ready to be evaluated.

use std::sync::Arc;

use api_cel::{Program, Type};
use api_kinds_admission::expression::{Uses, configuration, operations};
use api_types::admissionregistration::v1::{MutatingAdmissionPolicy, Mutation as Own};

/// All of them.
pub(super) struct Compiled {
    /// What must hold for the policy to apply.
    pub(super) conditions: Vec<Program>,
    /// Named values, of which each may use those before.
    pub(super) variables: Vec<(String, Arc<Program>)>,
    /// What is done to objects, in this order.
    pub(super) mutations: Vec<Mutation>,
}

/// What is done to an object.
pub(super) struct Mutation {
    /// As it is written.
    pub(super) expression: String,
    /// What answers it.
    pub(super) program: Program,
    /// Whether that is the operations of a JSON patch; a configuration otherwise.
    pub(super) is_json_patch: bool,
}

impl Compiled {
    /// Compiles them. They were compiled when the policy was written; a policy that somebody else wrote may not be so lucky.
    pub(super) fn of(policy: &MutatingAdmissionPolicy) -> Result<Compiled, String> {
        let spec = &policy.spec;
        let base = Uses { params: spec.param_kind.is_some(), authorizer: true, ..Uses::default() };
        let conditions = spec.match_conditions.iter();
        let conditions = conditions.map(|own| base.compile(own.expression.trim(), &[Type::Bool]));
        let conditions = conditions.collect::<Result<_, _>>()?;
        let (uses, programs) = base.with_variables(&spec.variables)?;
        let names = spec.variables.iter().map(|variable| variable.name.clone());
        let uses = Uses { patches: true, ..uses };
        let mutation = |own: &Own| {
            let (text, is_json_patch) = match own.patch_type.as_str() {
                "JSONPatch" => (own.json_patch.as_ref().map(|of| &of.expression), true),
                _ => (own.apply_configuration.as_ref().map(|of| &of.expression), false),
            };
            let expression = text.cloned().unwrap_or_default();
            let of = if is_json_patch { operations() } else { configuration() };
            Ok::<_, String>(Mutation {
                program: uses.compile(&expression, &[of])?,
                expression,
                is_json_patch,
            })
        };
        Ok(Compiled {
            conditions,
            variables: names.zip(programs.into_iter().map(Arc::new)).collect(),
            mutations: spec.mutations.iter().map(mutation).collect::<Result<_, _>>()?,
        })
    }
}
