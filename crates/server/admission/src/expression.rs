//! Evaluating the expressions of policies and webhooks: what they know of a request, and what they may cost.
//! (`apiserver/pkg/admission/plugin/{cel,webhook/matchconditions}`.)

mod authorize;
mod conditions;
mod seen;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use api_cel::{Budget, EvalError, Object, Program, Query, Value, limits};
use api_record::Record;
use client::Resource;

use crate::Authorizer;
use crate::matching::Subject;
use authorize::{Asking, own};

pub(crate) use conditions::{About, Conditions};
pub(crate) use seen::namespace;

/// What is said of an expression that cannot be evaluated.
pub(crate) fn in_error(expression: &str, error: &EvalError) -> String {
    format!("expression '{expression}' resulted in error: {error}")
}

/// What all expressions of a policy may cost together.
pub(crate) struct Spending<'a> {
    left: u64,
    values: &'a Values,
}

impl<'a> Spending<'a> {
    pub(crate) fn new(left: u64, values: &'a Values) -> Spending<'a> {
        Spending { left, values }
    }

    /// Whether nothing is left.
    pub(crate) fn is_spent(&self) -> bool {
        self.left == 0
    }

    pub(crate) fn evaluate(&mut self, program: &Program) -> Result<Value, EvalError> {
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
pub(crate) struct Values {
    all: Vec<Value>,
    variables: Arc<Variables>,
}

impl Values {
    /// What is known of a request whose object is looked at in the version of `resource`. Parameters are there where there can be any;
    /// `programs` are named values that are evaluated when they are asked for.
    pub(crate) fn of(
        subject: &Subject<'_>,
        resource: &Resource,
        namespace: Value,
        params: Option<Value>,
        authorizer: &Authorizer,
        programs: BTreeMap<String, Arc<Program>>,
    ) -> Values {
        let Subject { attributes, object, old, versions, .. } = *subject;
        let shown = |object: Option<&dyn Record>| {
            let part = attributes.subresource;
            let shown = object.and_then(|object| versions.shown(resource, part, object));
            shown.map_or(Value::Null, |json| Value::from(&json))
        };
        let asking = Asking { authorizer: Arc::clone(authorizer), caller: attributes.caller.clone() };
        let asking: Arc<dyn api_cel::Authorize> = Arc::new(asking);
        let mut after: Vec<Value> = params.into_iter().collect();
        after.push(Query::authorizer(Arc::clone(&asking)));
        after.push(Query::resource(asking, own(attributes)));
        let before = [shown(object), shown(old), namespace, seen::request(subject, resource)];
        Values::new(before.into(), after, programs)
    }

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
