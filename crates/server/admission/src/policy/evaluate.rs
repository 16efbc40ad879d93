//! One policy about one request, with one set of parameters.

use std::time::Duration;

use api_cel::{Program, Value};
use api_types::admissionregistration::v1::ValidatingAdmissionPolicy;
use base::time::Clock;
use client::Resource;
use serde_json::Value as Json;

use super::compiled::Compiled;
use super::metrics::{EXHAUSTED, Outcome};
use crate::expression::{About, Spending, Values, in_error};
use crate::limits::{ANNOTATION_BYTES, MESSAGE_BYTES, POLICY_BUDGET};
use crate::matching::{Subject, operation};
use crate::{Authorizer, Metrics};

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Admit,
    Deny,
}

/// What one expression leads to.
pub(super) struct Decision {
    pub(super) action: Action,
    pub(super) message: String,
    /// Why, as the status says it; empty for the usual.
    pub(super) reason: String,
    /// Whether it is about an annotation of an audit event.
    pub(super) annotation: bool,
    /// The annotation, if there is one: its key and its value.
    pub(super) note: Option<(String, String)>,
    /// Whether there was no answer.
    pub(super) failed: bool,
    /// How long it took.
    pub(super) took: Duration,
}

impl Decision {
    /// What it is for those who count.
    pub(super) fn outcome(&self) -> Outcome {
        match self.message.as_str() {
            text if text.starts_with("compilation") => Outcome::Uncompiled,
            text if text.starts_with(EXHAUSTED) => Outcome::Exhausted,
            _ => Outcome::Invalid,
        }
    }
}

/// What is evaluated.
pub(super) struct Evaluation<'a> {
    pub(super) subject: &'a Subject<'a>,
    /// The version that the object is looked at in.
    pub(super) resource: &'a Resource,
    pub(super) namespace: Value,
    pub(super) param: Option<Json>,
    pub(super) authorizer: &'a Authorizer,
    pub(super) clock: &'a dyn Clock,
    pub(super) metrics: &'a Metrics,
}

impl Evaluation<'_> {
    /// What the policy makes of it.
    pub(super) fn of(
        &self,
        policy: &ValidatingAdmissionPolicy,
        compiled: &Result<Compiled, String>,
    ) -> Vec<Decision> {
        let ignored = policy.spec.failure_policy.as_deref() == Some("Ignore");
        let failed = |message: String| Decision {
            action: if ignored { Action::Admit } else { Action::Deny },
            message,
            reason: String::new(),
            annotation: false,
            note: None,
            failed: true,
            took: Duration::ZERO,
        };
        let compiled = match compiled {
            Ok(compiled) => compiled,
            Err(why) => return vec![failed(why.clone())],
        };
        let params = policy.spec.param_kind.is_some();
        let params = params.then(|| self.param.as_ref().map_or(Value::Null, Value::from));
        let programs = compiled.basis.variables.iter().cloned().collect();
        let values = Values::of(
            self.subject,
            self.resource,
            self.namespace.clone(),
            params,
            self.authorizer,
            programs,
        );
        let about = About {
            name: &policy.metadata.name,
            kind: "policy",
            step: "validate",
            operation: operation(self.subject.attributes.operation),
        };
        let own = &policy.spec.match_conditions;
        match self.metrics.conditions.hold(about, self.clock, &compiled.basis.conditions, own, &values) {
            Ok(true) => {}
            Ok(false) => return Vec::new(),
            Err(why) => return vec![failed(why)],
        }
        let mut budget = Spending::new(POLICY_BUDGET, &values);
        let mut decisions = Vec::new();
        for ((program, message), own) in compiled.validations.iter().zip(&policy.spec.validations) {
            let begun = self.clock.now();
            let found = budget.evaluate(program);
            let took = self.clock.now().since(begun);
            decisions.push(match found {
                Ok(Value::Bool(true)) => {
                    Decision { action: Action::Admit, failed: false, took, ..failed(String::new()) }
                }
                Ok(_) => Decision {
                    action: Action::Deny,
                    message: said(message.as_ref(), own, &mut budget),
                    reason: own.reason.clone().unwrap_or_else(|| "Invalid".to_owned()),
                    annotation: false,
                    note: None,
                    failed: false,
                    took,
                },
                Err(error) => Decision { took, ..failed(in_error(&own.expression, &error)) },
            });
        }
        for (program, own) in compiled.annotations.iter().zip(&policy.spec.audit_annotations) {
            match budget.evaluate(program) {
                Err(error) => {
                    let message = in_error(&own.value_expression, &error);
                    decisions.push(Decision { annotation: true, ..failed(message) });
                }
                Ok(Value::String(text)) if !text.trim().is_empty() => {
                    let note = Some((own.key.clone(), cut(text.trim()).to_owned()));
                    let admitted = failed(String::new());
                    let (action, failed) = (Action::Admit, false);
                    decisions.push(Decision { action, annotation: true, note, failed, ..admitted });
                }
                // Null and nothing but space are no annotation.
                Ok(_) => {}
            }
        }
        decisions
    }
}

/// As much of an annotation's value as is kept.
fn cut(text: &str) -> &str {
    let end = (0..=ANNOTATION_BYTES.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

/// What is said of a validation that does not hold.
fn said(
    message: Option<&Program>,
    own: &api_types::admissionregistration::v1::Validation,
    budget: &mut Spending<'_>,
) -> String {
    let computed = message.and_then(|program| match budget.evaluate(program) {
        Ok(Value::String(text)) => Some(text.trim().to_owned()),
        _ => None,
    });
    let fits = |text: &String| !text.is_empty() && text.len() <= MESSAGE_BYTES && !text.contains('\n');
    if let Some(text) = computed.filter(fits) {
        return text;
    }
    match own.message.trim() {
        "" => format!("failed expression: {}", own.expression.trim()),
        text => text.to_owned(),
    }
}
