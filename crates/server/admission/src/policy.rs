//! ValidatingAdmissionPolicy: what is written is refused, or only remarked upon, as policies in CEL say.
//! (`apiserver/pkg/admission/plugin/policy`.)
//!
//! Policies and their bindings are followed by views, so that a request costs nothing where there are none; a policy takes effect soon after
//! it is written, as upstream's does. What a policy looks up besides (parameters, the namespace) is read when it is evaluated.

mod active;
mod asked;
mod compiled;
mod evaluate;
pub(crate) mod metrics;
mod mutating;
mod params;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use api_meta::Status;
use api_record::Record;
use api_types::admissionregistration::v1::{
    MatchResources, ParamKind, ParamRef, ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use base::time::Clock;
use client::{BoxFuture, RawView, Resource};
use server_registry::admit::Attributes;

use crate::limits::NOTED_FAILURES;
use crate::matching::{Subject, is_exempt};
use crate::webhook::note;
use crate::{Authorizer, Lookup, Metrics, Plugin, Versions, expression, forbidden};

use active::{Active, Policies, Sort};
use asked::Way;
use compiled::Compiled;
use evaluate::{Action, Evaluation};

pub use metrics::Checks;
pub use mutating::{MUTATING_BINDINGS, MUTATING_POLICIES, MutatingPolicies};

/// Policies.
pub const POLICIES: Resource =
    Resource::of("admissionregistration.k8s.io", "v1", "validatingadmissionpolicies");
/// What they are bound to.
pub const BINDINGS: Resource =
    Resource::of("admissionregistration.k8s.io", "v1", "validatingadmissionpolicybindings");

/// What policies of all sorts need to be evaluated.
#[derive(Clone)]
pub struct PolicyParts {
    /// Where parameters and namespaces are read.
    pub lookup: Arc<dyn Lookup>,
    /// What is served, and in which versions.
    pub versions: Arc<dyn Versions>,
    /// Whom expressions ask what somebody may do.
    pub authorizer: Authorizer,
    /// By which it is measured how long they take.
    pub clock: Arc<dyn Clock>,
    /// Counts what policies decide.
    pub checks: Arc<Checks>,
    /// Counts what their conditions do.
    pub metrics: Arc<Metrics>,
}

/// Refuses as policies say.
pub struct ValidatingPolicies {
    parts: PolicyParts,
    active: Policies<Validating>,
}

/// Policies that refuse.
struct Validating;

impl Sort for Validating {
    type Policy = ValidatingAdmissionPolicy;
    type Binding = ValidatingAdmissionPolicyBinding;
    type Compiled = Result<Compiled, String>;

    fn name(policy: &ValidatingAdmissionPolicy) -> &str {
        &policy.metadata.name
    }

    fn constraints(policy: &ValidatingAdmissionPolicy) -> Option<&MatchResources> {
        policy.spec.match_constraints.as_deref()
    }

    fn param_kind(policy: &ValidatingAdmissionPolicy) -> Option<&ParamKind> {
        policy.spec.param_kind.as_deref()
    }

    fn bound(binding: &ValidatingAdmissionPolicyBinding) -> &str {
        &binding.spec.policy_name
    }

    fn limits(binding: &ValidatingAdmissionPolicyBinding) -> Option<&MatchResources> {
        binding.spec.match_resources.as_deref()
    }

    fn param_ref(binding: &ValidatingAdmissionPolicyBinding) -> Option<&ParamRef> {
        binding.spec.param_ref.as_deref()
    }

    fn compile(policy: &ValidatingAdmissionPolicy) -> Result<Compiled, String> {
        Compiled::of(policy)
    }
}

/// A refusal, before it is known whether anybody is refused.
struct Denial {
    message: String,
    reason: String,
}

impl ValidatingPolicies {
    /// Without any policy yet: [`ValidatingPolicies::follow`] brings them.
    pub fn new(parts: PolicyParts) -> ValidatingPolicies {
        ValidatingPolicies { parts, active: Policies::default() }
    }

    /// Follows [`POLICIES`] and [`BINDINGS`] until their views end. What these show counts from the call on.
    pub fn follow(self: Arc<Self>, policies: RawView, bindings: RawView) -> impl Future<Output = ()> + Send {
        self.active.update(policies.snapshot().iter().cloned(), bindings.snapshot().iter().cloned());
        async move { self.active.follow(policies, bindings).await }
    }

    async fn judge(
        &self,
        attributes: &Attributes<'_>,
        object: Option<&dyn Record>,
        old: Option<&dyn Record>,
    ) -> Result<(), Status> {
        let active = self.active.load();
        if active.is_empty() || is_exempt(attributes) {
            return Ok(());
        }
        let (lookup, versions) = (&*self.parts.lookup, &*self.parts.versions);
        let subject = Subject { attributes, object, old, lookup, versions };
        let (mut denials, mut failures) = (Vec::new(), Vec::new());
        for active in active.iter() {
            denials.extend(self.one(active, &subject, &mut failures).await?);
        }
        if !failures.is_empty() {
            failures.truncate(NOTED_FAILURES);
            let value = serde_json::Value::Array(failures).to_string();
            attributes.caller.trail.annotate("validation.policy.admission.k8s.io/validation_failure", value);
        }
        match denials.into_iter().next() {
            None => Ok(()),
            Some(denial) => Err(refused(attributes, object.or(old), &denial)),
        }
    }

    async fn one(
        &self,
        active: &Active<Validating>,
        subject: &Subject<'_>,
        failures: &mut Vec<serde_json::Value>,
    ) -> Result<Vec<Denial>, Status> {
        let Some(policy) = active.policy() else { return Ok(Vec::new()) };
        let ways = asked::ways(&self.parts, active, policy, subject).await;
        if ways.is_empty() {
            return Ok(Vec::new());
        }
        let namespace = expression::namespace(subject).await?;
        let (mut denials, mut notes) = (Vec::new(), Vec::new());
        for way in ways {
            let (binding, resource, param) = match way {
                Way::For { binding, resource, param } => (binding, resource, param),
                Way::Misconfigured(binding, why) => {
                    denials.extend(misconfigured(policy, binding, &why));
                    continue;
                }
            };
            let evaluation = Evaluation {
                subject,
                resource: &resource,
                namespace: namespace.clone(),
                param,
                authorizer: &self.parts.authorizer,
                clock: &*self.parts.clock,
                metrics: &self.parts.metrics,
            };
            let decisions = evaluation.of(policy, &active.compiled);
            notes.extend(decisions.iter().filter_map(|decision| decision.note.clone()));
            denials.extend(self.consequences(
                policy,
                binding,
                decisions,
                (subject.attributes, &mut *failures),
            ));
        }
        annotate(subject.attributes, &policy.metadata.name, notes);
        Ok(denials)
    }

    /// What a binding makes of what its policy found.
    fn consequences(
        &self,
        policy: &ValidatingAdmissionPolicy,
        binding: &ValidatingAdmissionPolicyBinding,
        decisions: Vec<evaluate::Decision>,
        (attributes, failures): (&Attributes<'_>, &mut Vec<serde_json::Value>),
    ) -> Vec<Denial> {
        let mut denials = Vec::new();
        let (name, bound) = (&policy.metadata.name, &binding.metadata.name);
        for (index, decision) in decisions.into_iter().enumerate() {
            let message = &decision.message;
            let count = |action| {
                self.parts.checks.observe(name, bound, decision.outcome(), Some(action), decision.took);
            };
            if decision.action == Action::Admit {
                if decision.failed {
                    count("allow");
                }
                continue;
            }
            // An annotation of an audit event that cannot be made denies, whatever the binding says.
            let always = decision.annotation.then_some("Deny");
            let actions = binding.spec.validation_actions.iter().map(String::as_str);
            for action in always.into_iter().chain(actions.filter(|_| always.is_none())) {
                match action {
                    "Deny" => {
                        denials.push(Denial {
                            message: format!("{} denied request: {message}", named(policy, Some(binding))),
                            reason: decision.reason.clone(),
                        });
                        count("deny");
                    }
                    "Warn" => {
                        attributes.notes.warn(format!(
                            "Validation failed for ValidatingAdmissionPolicy '{name}' with binding '{bound}': {message}"
                        ));
                        count("warn");
                    }
                    _ => {
                        failures.push(serde_json::json!({
                            "message": message,
                            "policy": name,
                            "binding": bound,
                            "expressionIndex": index,
                            "validationActions": binding.spec.validation_actions,
                        }));
                        count("audit");
                    }
                }
            }
        }
        denials
    }
}

/// Notes what a policy annotates with all its bindings and parameters: different values under one key one after the other.
fn annotate(attributes: &Attributes<'_>, policy: &str, notes: Vec<(String, String)>) {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (key, value) in notes {
        let values = all.entry(key).or_default();
        if !values.contains(&value) {
            values.push(value);
        }
    }
    for (key, values) in all {
        note(attributes, policy, &key, &values.join(", "));
    }
}

fn named(policy: &ValidatingAdmissionPolicy, binding: Option<&ValidatingAdmissionPolicyBinding>) -> String {
    let policy = &policy.metadata.name;
    match binding {
        Some(binding) => {
            format!("ValidatingAdmissionPolicy '{policy}' with binding '{}'", binding.metadata.name)
        }
        None => format!("ValidatingAdmissionPolicy '{policy}'"),
    }
}

/// A policy that cannot be asked refuses, unless it says that it may be ignored then.
fn misconfigured(
    policy: &ValidatingAdmissionPolicy,
    binding: Option<&ValidatingAdmissionPolicyBinding>,
    why: &str,
) -> Vec<Denial> {
    if policy.spec.failure_policy.as_deref() == Some("Ignore") {
        return Vec::new();
    }
    let what = if binding.is_some() { "binding" } else { "policy" };
    let message = format!("{} denied request: failed to configure {what}: {why}", named(policy, binding));
    vec![Denial { message, reason: String::new() }]
}

fn refused(attributes: &Attributes<'_>, object: Option<&dyn Record>, denial: &Denial) -> Status {
    let mut status = forbidden(attributes, object, &denial.message).into_inner();
    let (reason, code) = match denial.reason.as_str() {
        "Unauthorized" => ("Unauthorized", 401),
        "Forbidden" => ("Forbidden", 403),
        "RequestEntityTooLarge" => ("RequestEntityTooLarge", 413),
        _ => ("Invalid", 422),
    };
    reason.clone_into(&mut status.reason);
    status.code = code;
    if let Some(details) = &mut status.details {
        let cause =
            api_types::meta::v1::StatusCause { message: denial.message.clone(), ..Default::default() };
        details.causes.push(cause);
    }
    Status::from(status)
}

impl Plugin for ValidatingPolicies {
    fn validate<'a>(
        &'a self,
        attributes: &'a Attributes<'a>,
        object: Option<&'a dyn Record>,
        old: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(self.judge(attributes, object, old))
    }
}
