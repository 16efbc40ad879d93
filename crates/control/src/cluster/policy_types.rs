//! What is wrong with the types of policies' expressions: they are checked by the schemas of what a policy matches, and the status says what
//! was found.
//!
//! Upstream: `pkg/controller/validatingadmissionpolicystatus`, `apiserver/pkg/admission/plugin/policy/validating/typechecking.go`. A policy
//! is checked once for each generation, as upstream does: a definition that comes later changes nothing.

mod kinds;
#[cfg(test)]
mod tests;

use api_cel::{Program, Type};
use api_kinds_admission::expression::{Uses, types};
use api_types::admissionregistration::v1::{ExpressionWarning, TypeChecking, ValidatingAdmissionPolicy};
use api_types::apiextensions::v1::CustomResourceDefinition;
use base::time::Time;
use client::reconcile::{Controller, Name, Plan, Wires, World, Write};

use kinds::Found;

/// The controller of policies' types.
pub struct PolicyTypes;

impl Controller for PolicyTypes {
    const NAME: &'static str = "validatingadmissionpolicy-status-controller";
    type Key = Name;

    fn wire(&self, wires: &mut Wires<Name>) {
        wires.primary::<ValidatingAdmissionPolicy>();
        wires.reads::<CustomResourceDefinition>();
    }

    fn plan(&self, (_, key): &Name, world: &World, _: Time) -> Plan {
        let mut plan = Plan::default();
        let Some(policy) = world.get::<ValidatingAdmissionPolicy>("", key) else { return plan };
        let generation = policy.metadata.generation;
        if policy.metadata.deletion_timestamp.is_some() || generation <= policy.status.observed_generation {
            return plan;
        }
        let mut checked = policy.clone();
        checked.status.observed_generation = generation;
        checked.status.type_checking =
            Some(Box::new(TypeChecking { expression_warnings: warnings(policy, world) }));
        plan.stage([Write::status(checked)]);
        plan
    }
}

/// What is wrong, expression after expression; each is checked with every kind that the policy is about.
fn warnings(policy: &ValidatingAdmissionPolicy, world: &World) -> Vec<ExpressionWarning> {
    let spec = &policy.spec;
    let matched = spec.match_constraints.as_deref();
    let objects = matched.map(|matched| kinds::matched(&matched.resource_rules, world)).unwrap_or_default();
    let params = spec.param_kind.as_deref().map(|kind| kinds::params(kind, world).unwrap_or(Type::Dyn));
    let mut warnings = Vec::new();
    for (index, own) in spec.validations.iter().enumerate() {
        let message = Some(&own.message_expression).filter(|text| !text.is_empty());
        let texts = [("expression", Some(&own.expression)), ("messageExpression", message)];
        for (field, text) in texts {
            let Some(text) = text else { continue };
            let found: Vec<String> = objects
                .iter()
                .filter_map(|object| {
                    let issues = issues(text, object, params.as_ref(), policy)?;
                    Some(format!("{}: {issues}\n", object.shown))
                })
                .collect();
            if !found.is_empty() {
                warnings.push(ExpressionWarning {
                    field_ref: format!("spec.validations[{index}].{field}"),
                    warning: found.join("\n"),
                });
            }
        }
    }
    warnings
}

/// What is wrong with an expression about objects of a kind.
fn issues(
    text: &str,
    object: &Found,
    params: Option<&Type>,
    policy: &ValidatingAdmissionPolicy,
) -> Option<String> {
    let mut uses = Uses::default();
    for variable in &policy.spec.variables {
        let environment = types::environment(&object.of, params, &uses);
        // Of one that is wrong nothing is known: what is said of it was said when the policy was written.
        let of = Program::compile(&variable.expression, &environment)
            .map_or(Type::Dyn, |program| program.result().clone());
        uses.variables.push((variable.name.clone(), of));
    }
    let environment = types::environment(&object.of, params, &uses);
    Program::compile(text, &environment).err().map(|error| error.to_string())
}
