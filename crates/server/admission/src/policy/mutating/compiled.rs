//! A policy's expressions, ready to be evaluated.

use api_cel::Program;
use api_kinds_admission::expression::{Uses, configuration, operations};
use api_types::admissionregistration::v1::{MutatingAdmissionPolicy, Mutation as Own};

use crate::policy::compiled::Basis;

/// All of them.
pub(super) struct Compiled {
    pub(super) basis: Basis,
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
    /// Compiles them.
    pub(super) fn of(policy: &MutatingAdmissionPolicy) -> Result<Compiled, String> {
        let spec = &policy.spec;
        let kind = spec.param_kind.as_deref();
        let (basis, uses) = Basis::of(kind, &spec.match_conditions, &spec.variables)?;
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
        Ok(Compiled { basis, mutations: spec.mutations.iter().map(mutation).collect::<Result<_, _>>()? })
    }
}
