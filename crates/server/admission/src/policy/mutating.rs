//! MutatingAdmissionPolicy: what is written is changed as policies in CEL say. (`apiserver/pkg/admission/plugin/policy/mutating`.)
//!
//! They come before the webhooks that change objects. Each is asked with each set of parameters that its bindings bring, one after the other,
//! with what those before it made of the object; which of them are asked is settled by the object as it came.

mod compiled;
mod patch;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use api_meta::Status;
use api_record::Record;
use api_types::admissionregistration::v1::{
    MatchResources, MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding, ParamKind, ParamRef,
};
use client::{BoxFuture, RawView, Resource};
use serde_json::Value as Json;
use server_registry::admit::Attributes;

use super::PolicyParts;
use super::active::{Active, Policies, Sort};
use super::asked::{self, Way};
use super::metrics::Outcome;
use crate::matching::{Subject, is_exempt};
use crate::reinvocation::Reinvocation;
use crate::{Plugin, expression, forbidden};

use compiled::Compiled;
use patch::{Asked, Failure};

/// By which its state of a request is found.
const NAME: &str = "MutatingAdmissionPolicy";

/// Policies.
pub const MUTATING_POLICIES: Resource =
    Resource::of("admissionregistration.k8s.io", "v1", "mutatingadmissionpolicies");
/// What they are bound to.
pub const MUTATING_BINDINGS: Resource =
    Resource::of("admissionregistration.k8s.io", "v1", "mutatingadmissionpolicybindings");

/// Changes objects as policies say.
pub struct MutatingPolicies {
    parts: PolicyParts,
    active: Policies<Mutating>,
}

/// Policies that change objects.
struct Mutating;

impl Sort for Mutating {
    type Policy = MutatingAdmissionPolicy;
    type Binding = MutatingAdmissionPolicyBinding;
    type Compiled = Result<Compiled, String>;

    fn name(policy: &MutatingAdmissionPolicy) -> &str {
        &policy.metadata.name
    }

    fn constraints(policy: &MutatingAdmissionPolicy) -> Option<&MatchResources> {
        policy.spec.match_constraints.as_deref()
    }

    fn param_kind(policy: &MutatingAdmissionPolicy) -> Option<&ParamKind> {
        policy.spec.param_kind.as_deref()
    }

    fn bound(binding: &MutatingAdmissionPolicyBinding) -> &str {
        &binding.spec.policy_name
    }

    fn limits(binding: &MutatingAdmissionPolicyBinding) -> Option<&MatchResources> {
        binding.spec.match_resources.as_deref()
    }

    fn param_ref(binding: &MutatingAdmissionPolicyBinding) -> Option<&ParamRef> {
        binding.spec.param_ref.as_deref()
    }

    fn compile(policy: &MutatingAdmissionPolicy) -> Result<Compiled, String> {
        Compiled::of(policy)
    }
}

/// A policy that is asked, with a set of parameters.
struct Invocation<'a> {
    policy: &'a MutatingAdmissionPolicy,
    binding: &'a MutatingAdmissionPolicyBinding,
    compiled: &'a Result<Compiled, String>,
    /// The version that the object is looked at in.
    resource: Resource,
    param: Option<Json>,
}

impl Invocation<'_> {
    /// Tells it from others of the same request.
    fn key(&self) -> String {
        let meta = |field: &str| self.param.as_ref().and_then(|param| param["metadata"][field].as_str());
        let (namespace, name) = (meta("namespace").unwrap_or_default(), meta("name").unwrap_or_default());
        format!("{}/{}/{namespace}/{name}", self.policy.metadata.name, self.binding.metadata.name)
    }

    fn ignores_failure(&self) -> bool {
        self.policy.spec.failure_policy.as_deref() == Some("Ignore")
    }
}

/// What is wrong with policies, in their order: what it is, and the status's reason where it is not the usual.
#[derive(Default)]
struct Errors(Vec<(String, &'static str)>);

impl Errors {
    /// Something that is not configured as it must be.
    fn configuration(
        &mut self,
        policy: &MutatingAdmissionPolicy,
        binding: Option<&MutatingAdmissionPolicyBinding>,
        why: &str,
    ) {
        let what = if binding.is_some() { "binding" } else { "policy" };
        self.push(policy, binding, &format!("failed to configure {what}: {why}"), "");
    }

    fn push(
        &mut self,
        policy: &MutatingAdmissionPolicy,
        binding: Option<&MutatingAdmissionPolicyBinding>,
        why: &str,
        reason: &'static str,
    ) {
        if policy.spec.failure_policy.as_deref() == Some("Ignore") {
            return;
        }
        let name = &policy.metadata.name;
        let message = match binding {
            Some(binding) => {
                format!("policy '{name}' with binding '{}' denied request: {why}", binding.metadata.name)
            }
            None => format!("policy {} denied request: {why}", api_meta::quote::go(name)),
        };
        self.0.push((message, reason));
    }

    /// The refusal that they come to.
    fn status(self, attributes: &Attributes<'_>, object: &dyn Record) -> Result<(), Status> {
        let Some((message, reason)) = self.0.first() else { return Ok(()) };
        let mut status =
            forbidden(attributes, Some(object), "admission request denied by policy").into_inner();
        status.message.clone_from(message);
        if !reason.is_empty() {
            (*reason).clone_into(&mut status.reason);
        }
        if let Some(details) = &mut status.details {
            let cause = |(message, _): &(String, _)| api_types::meta::v1::StatusCause {
                message: message.clone(),
                ..Default::default()
            };
            details.causes.extend(self.0.iter().map(cause));
        }
        Err(Status::from(status))
    }
}

impl MutatingPolicies {
    /// Without any policy yet: [`MutatingPolicies::follow`] brings them.
    pub fn new(parts: PolicyParts) -> MutatingPolicies {
        MutatingPolicies { parts, active: Policies::default() }
    }

    /// Follows [`MUTATING_POLICIES`] and [`MUTATING_BINDINGS`] until their views end. What these show counts from the call on.
    pub fn follow(self: Arc<Self>, policies: RawView, bindings: RawView) -> impl Future<Output = ()> + Send {
        self.active.update(policies.snapshot().iter().cloned(), bindings.snapshot().iter().cloned());
        async move { self.active.follow(policies, bindings).await }
    }

    fn subject<'a>(
        &'a self,
        attributes: &'a Attributes<'a>,
        object: &'a dyn Record,
        old: Option<&'a dyn Record>,
    ) -> Subject<'a> {
        let (lookup, versions) = (&*self.parts.lookup, &*self.parts.versions);
        Subject { attributes, object: Some(object), old, lookup, versions }
    }

    async fn dispatch(
        &self,
        attributes: &Attributes<'_>,
        object: &mut dyn Record,
        old: Option<&dyn Record>,
        rounds: &mut Reinvocation,
    ) -> Result<(), Status> {
        let active = self.active.load();
        if active.is_empty() || is_exempt(attributes) {
            return Ok(());
        }
        let mut errors = Errors::default();
        let mut invocations = Vec::new();
        for active in active.iter() {
            let subject = self.subject(attributes, object, old);
            invocations.extend(self.invocations(active, &subject, &mut errors).await);
        }
        if !invocations.is_empty() {
            self.invoke(&invocations, attributes, object, old, rounds, &mut errors).await?;
        }
        errors.status(attributes, object)
    }

    /// How a policy is to be asked of a request.
    async fn invocations<'a>(
        &self,
        active: &'a Active<Mutating>,
        subject: &Subject<'_>,
        errors: &mut Errors,
    ) -> Vec<Invocation<'a>> {
        let Some(policy) = active.policy() else { return Vec::new() };
        let mut invocations = Vec::new();
        for way in asked::ways(&self.parts, active, policy, subject).await {
            match way {
                Way::For { binding, resource, param } => {
                    let compiled = &*active.compiled;
                    invocations.push(Invocation { policy, binding, compiled, resource, param });
                }
                Way::Misconfigured(binding, why) => errors.configuration(policy, binding, &why),
            }
        }
        invocations
    }

    async fn invoke(
        &self,
        invocations: &[Invocation<'_>],
        attributes: &Attributes<'_>,
        object: &mut dyn Record,
        old: Option<&dyn Record>,
        rounds: &mut Reinvocation,
        errors: &mut Errors,
    ) -> Result<(), Status> {
        let second = rounds.is_second();
        if second {
            rounds.of(NAME).resume(Some(object));
        }
        let namespace = expression::namespace(&self.subject(attributes, object, old)).await?;
        let mut applied = false;
        for invocation in invocations {
            let own = |why: &str, errors: &mut Errors| {
                errors.push(invocation.policy, Some(invocation.binding), why, "Invalid");
            };
            let compiled = match invocation.compiled {
                Ok(compiled) => compiled,
                Err(why) => {
                    own(why, errors);
                    continue;
                }
            };
            let asked = Asked {
                compiled,
                resource: &invocation.resource,
                namespace: &namespace,
                param: invocation.policy.spec.param_kind.is_some().then_some(invocation.param.as_ref()),
                authorizer: &self.parts.authorizer,
                clock: &*self.parts.clock,
                metrics: &self.parts.metrics,
            };
            match asked.holds(&self.subject(attributes, object, old), invocation.policy) {
                Ok(true) => {}
                Ok(false) => continue,
                Err(_) if invocation.ignores_failure() => continue,
                Err(why) => {
                    own(&why, errors);
                    continue;
                }
            }
            if second && !rounds.of(NAME).is_asked_again(&invocation.key()) {
                continue;
            }
            let before = object.boxed_clone();
            applied |= self.carry_out(invocation, &asked, attributes, object, old, errors)?;
            if *before != *object {
                rounds.of(NAME).ask_again();
                rounds.want();
            }
            if invocation.policy.spec.reinvocation_policy == "IfNeeded" {
                rounds.of(NAME).asked(&invocation.key());
            }
        }
        if applied {
            // Upstream takes an object that was patched for another, whatever the patch did.
            rounds.of(NAME).ask_again();
            rounds.want();
        }
        rounds.of(NAME).end(Some(object));
        Ok(())
    }

    /// Carries out what a policy does to an object; answers whether any of it was.
    fn carry_out(
        &self,
        invocation: &Invocation<'_>,
        asked: &Asked<'_>,
        attributes: &Attributes<'_>,
        object: &mut dyn Record,
        old: Option<&dyn Record>,
        errors: &mut Errors,
    ) -> Result<bool, Status> {
        let mut applied = false;
        for mutation in &asked.compiled.mutations {
            let begun = self.parts.clock.now();
            let patched = asked.patched(&self.subject(attributes, object, old), mutation);
            let outcome = patched.as_ref().map_or_else(Failure::outcome, |_| Outcome::Fine);
            let took = self.parts.clock.now().since(begun);
            let [policy, binding] = [&invocation.policy.metadata.name, &invocation.binding.metadata.name];
            self.parts.checks.observe(policy, binding, outcome, None, took);
            match patched {
                Ok(new) => {
                    applied = true;
                    if let Some(mut new) = new {
                        let part = attributes.subresource;
                        self.parts.versions.fill(&invocation.resource, part, &mut *new);
                        object.assign(&*new);
                    }
                }
                Err(Failure::Policy(why)) => {
                    errors.push(invocation.policy, Some(invocation.binding), &why, "Invalid");
                }
                Err(Failure::Own(status)) => return Err(status),
            }
        }
        Ok(applied)
    }
}

impl Plugin for MutatingPolicies {
    fn mutate_again<'a>(
        &'a self,
        attributes: &'a Attributes<'a>,
        object: &'a mut dyn Record,
        old: Option<&'a dyn Record>,
        rounds: &'a mut Reinvocation,
    ) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(self.dispatch(attributes, object, old, rounds))
    }
}
