//! One policy about one request, with one set of parameters.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use api_cel::{Budget, EvalError, Object, Program, Query, Value, limits};
use api_types::admissionregistration::v1::ValidatingAdmissionPolicy;
use client::Resource;
use serde_json::Value as Json;

use super::authorize::{Asking, own};
use super::compiled::Compiled;
use super::request;
use crate::Authorizer;
use crate::limits::{MATCH_BUDGET, MESSAGE_BYTES, POLICY_BUDGET};
use crate::matching::Subject;

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
}

/// What is evaluated.
pub(super) struct Evaluation<'a> {
    pub(super) subject: &'a Subject<'a>,
    /// The version that the object is looked at in.
    pub(super) resource: &'a Resource,
    pub(super) namespace: Value,
    pub(super) param: Option<Json>,
    pub(super) authorizer: &'a Authorizer,
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
        };
        let compiled = match compiled {
            Ok(compiled) => compiled,
            Err(why) => return vec![failed(why.clone())],
        };
        let values = self.values(policy, compiled);
        match applies(policy, compiled, &values) {
            Ok(true) => {}
            Ok(false) => return Vec::new(),
            Err(why) => return vec![failed(why)],
        }
        let mut budget = Spending { left: POLICY_BUDGET, values: &values };
        let mut decisions = Vec::new();
        for ((program, message), own) in compiled.validations.iter().zip(&policy.spec.validations) {
            decisions.push(match budget.evaluate(program) {
                Ok(Value::Bool(true)) => Decision { action: Action::Admit, ..failed(String::new()) },
                Ok(_) => Decision {
                    action: Action::Deny,
                    message: said(message.as_ref(), own, &mut budget),
                    reason: own.reason.clone().unwrap_or_else(|| "Invalid".to_owned()),
                    annotation: false,
                },
                Err(error) => failed(in_error(&own.expression, &error)),
            });
        }
        for (program, own) in compiled.annotations.iter().zip(&policy.spec.audit_annotations) {
            if let Err(error) = budget.evaluate(program) {
                let message = in_error(&own.value_expression, &error);
                decisions.push(Decision { annotation: true, ..failed(message) });
            }
        }
        decisions
    }

    /// The values of the variables, in the order of their environment.
    fn values(&self, policy: &ValidatingAdmissionPolicy, compiled: &Compiled) -> Values {
        let Subject { attributes, object, old, versions, .. } = self.subject;
        let shown = |object: &Option<&dyn api_record::Record>| {
            let shown = object.and_then(|object| versions.shown(self.resource, object));
            shown.map_or(Value::Null, |json| Value::from(&json))
        };
        let asking = Asking { authorizer: Arc::clone(self.authorizer), caller: attributes.caller.clone() };
        let asking: Arc<dyn api_cel::Authorize> = Arc::new(asking);
        let mut after = Vec::new();
        if policy.spec.param_kind.is_some() {
            after.push(self.param.as_ref().map_or(Value::Null, Value::from));
        }
        after.push(Query::authorizer(Arc::clone(&asking)));
        after.push(Query::resource(asking, own(attributes)));
        let before = [
            shown(object),
            shown(old),
            self.namespace.clone(),
            request::request(self.subject, self.resource),
        ];
        let programs =
            compiled.variables.iter().map(|(name, program)| (name.clone(), program.clone())).collect();
        Values::new(before.into(), after, programs)
    }
}

fn in_error(expression: &str, error: &EvalError) -> String {
    format!("expression '{expression}' resulted in error: {error}")
}

/// Whether the policy's conditions hold. One that does not hold decides, whatever went wrong with others.
fn applies(policy: &ValidatingAdmissionPolicy, compiled: &Compiled, values: &Values) -> Result<bool, String> {
    let mut budget = Spending { left: MATCH_BUDGET, values };
    let mut failed = None;
    for (program, own) in compiled.conditions.iter().zip(&policy.spec.match_conditions) {
        match budget.evaluate(program) {
            Ok(Value::Bool(true)) => {}
            Ok(_) => return Ok(false),
            Err(error) => {
                failed.get_or_insert_with(|| in_error(&own.expression, &error));
            }
        }
    }
    failed.map_or(Ok(true), Err)
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

/// What all expressions of a policy may cost together.
struct Spending<'a> {
    left: u64,
    values: &'a Values,
}

impl Spending<'_> {
    fn evaluate(&mut self, program: &Program) -> Result<Value, EvalError> {
        let before = self.values.spent();
        let allowed = self.left.min(limits::PER_CALL);
        let mut budget = Budget::new(allowed);
        let found = program.evaluate(&self.values.all, &mut budget);
        let spent = (allowed - budget.left()) + (self.values.spent() - before);
        self.left = self.left.saturating_sub(spent);
        found
    }
}

/// The values of an environment's variables.
struct Values {
    all: Vec<Value>,
    variables: Arc<Variables>,
}

impl Values {
    fn new(before: Vec<Value>, after: Vec<Value>, programs: BTreeMap<String, Arc<Program>>) -> Values {
        let variables = Arc::new_cyclic(|own: &Weak<Variables>| Variables {
            own: own.clone(),
            programs,
            before,
            after,
            known: Mutex::default(),
        });
        Values { all: variables.all(Arc::clone(&variables)), variables }
    }

    fn spent(&self) -> u64 {
        self.variables.known.lock().unwrap_or_else(PoisonError::into_inner).spent
    }
}

/// The policy's own variables, evaluated when they are asked for, and once.
struct Variables {
    own: Weak<Variables>,
    programs: BTreeMap<String, Arc<Program>>,
    before: Vec<Value>,
    after: Vec<Value>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    values: BTreeMap<String, Result<Value, EvalError>>,
    spent: u64,
}

impl Variables {
    fn all(&self, own: Arc<Variables>) -> Vec<Value> {
        let own: Arc<dyn Object> = own;
        self.before.iter().cloned().chain([Value::Object(own)]).chain(self.after.iter().cloned()).collect()
    }
}

impl Object for Variables {
    fn type_name(&self) -> &str {
        "kubernetes.variables"
    }

    fn field(&self, name: &str) -> Option<Result<Value, EvalError>> {
        let program = self.programs.get(name)?;
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known().values.get(name) {
            return Some(found.clone());
        }
        let own = self.own.upgrade()?;
        let mut budget = Budget::new(limits::PER_CALL);
        // Asks for variables before this one at most: they were checked in their order.
        let found = program.evaluate(&self.all(own), &mut budget);
        let mut known = known();
        known.spent += limits::PER_CALL - budget.left();
        known.values.insert(name.to_owned(), found.clone());
        Some(found)
    }
}
