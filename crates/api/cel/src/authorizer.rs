//! Questions to the authorizer, put together step by step: `authorizer.group('').resource('pods').check('get').allowed()`.
//! (`apiserver/pkg/cel/library/authz.go`.)

use std::sync::Arc;

use crate::error::EvalError;
use crate::value::Value;

/// Whoever answers them. What it asks itself must be at hand: an evaluation waits for nothing.
pub trait Authorize: Send + Sync {
    /// Whether somebody may do something.
    fn decide(&self, check: &Check) -> Decision;
}

/// What is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Check {
    /// The namespace and name of a service account, in place of the caller.
    pub service_account: Option<(String, String)>,
    /// A path that is no resource's.
    pub path: Option<String>,
    /// The resource's group.
    pub group: String,
    /// The resource.
    pub resource: String,
    /// Its subresource, or empty.
    pub subresource: String,
    /// The namespace, or empty.
    pub namespace: String,
    /// The object's name, or empty.
    pub name: String,
    /// The verb.
    pub verb: String,
}

/// What is answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// Whether it is allowed.
    pub allowed: bool,
    /// Why, if it is said.
    pub reason: String,
    /// What went wrong.
    pub error: Option<String>,
}

/// A question as far as it is put together, or its answer.
#[derive(Clone)]
pub struct Query {
    authorizer: Arc<dyn Authorize>,
    check: Check,
    stage: Stage,
}

#[derive(Clone, PartialEq, Eq)]
enum Stage {
    Authorizer,
    Path,
    Group,
    Resource,
    Decision(Decision),
}

impl Query {
    /// The variable `authorizer`.
    pub fn authorizer(authorizer: Arc<dyn Authorize>) -> Value {
        Value::Query(Arc::new(Query { authorizer, check: Check::default(), stage: Stage::Authorizer }))
    }

    /// The variable `authorizer.requestResource`: all is said but the verb.
    pub fn resource(authorizer: Arc<dyn Authorize>, check: Check) -> Value {
        Value::Query(Arc::new(Query { authorizer, check, stage: Stage::Resource }))
    }

    pub(crate) fn type_name(&self) -> &'static str {
        match self.stage {
            Stage::Authorizer => "kubernetes.authorization.Authorizer",
            Stage::Path => "kubernetes.authorization.PathCheck",
            Stage::Group => "kubernetes.authorization.GroupCheck",
            Stage::Resource => "kubernetes.authorization.ResourceCheck",
            Stage::Decision(_) => "kubernetes.authorization.Decision",
        }
    }

    /// One step further.
    pub(crate) fn step(&self, function: &str, words: &[&str]) -> Result<Value, EvalError> {
        let mut next = self.clone();
        match (&self.stage, function, words) {
            (Stage::Authorizer, "path", [path]) => {
                next.check.path = Some((*path).to_owned());
                next.stage = Stage::Path;
            }
            (Stage::Authorizer, "group", [group]) => {
                (*group).clone_into(&mut next.check.group);
                next.stage = Stage::Group;
            }
            (Stage::Authorizer, "serviceAccount", [namespace, name]) => {
                next.check.service_account = Some(((*namespace).to_owned(), (*name).to_owned()));
            }
            (Stage::Group, "resource", [resource]) => {
                (*resource).clone_into(&mut next.check.resource);
                next.stage = Stage::Resource;
            }
            (Stage::Resource, "subresource", [word]) => (*word).clone_into(&mut next.check.subresource),
            (Stage::Resource, "namespace", [word]) => (*word).clone_into(&mut next.check.namespace),
            (Stage::Resource, "name", [word]) => (*word).clone_into(&mut next.check.name),
            // No rule of ours looks at selectors: what is allowed without is allowed with them, and nothing else.
            (Stage::Resource, "fieldSelector" | "labelSelector", [_]) => {}
            (Stage::Path | Stage::Resource, "check", [verb]) => {
                (*verb).clone_into(&mut next.check.verb);
                next.stage = Stage::Decision(self.authorizer.decide(&next.check));
            }
            (Stage::Decision(decision), "allowed", []) => return Ok(Value::Bool(decision.allowed)),
            (Stage::Decision(decision), "reason", []) => return Ok(Value::text(&decision.reason)),
            (Stage::Decision(decision), "errored", []) => return Ok(Value::Bool(decision.error.is_some())),
            (Stage::Decision(decision), "error", []) => {
                return Ok(Value::text(decision.error.as_deref().unwrap_or_default()));
            }
            _ => return Err(EvalError::NoSuchOverload),
        }
        Ok(Value::Query(Arc::new(next)))
    }
}
