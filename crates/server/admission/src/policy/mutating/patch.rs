//! What a policy makes of an object: its expression is evaluated, and the configuration or the JSON patch that it answers is carried out.
//! (`plugin/policy/mutating/patch`.)

use api_cel::{JSON_PATCH, Message, Value};
use api_meta::Status;
use api_patch::PatchError;
use api_record::Record;
use api_types::admissionregistration::v1::MutatingAdmissionPolicy;
use base::time::Clock;
use client::Resource;
use serde_json::{Map, Value as Json};

use super::compiled::{Compiled, Mutation};
use crate::expression::{About, Spending, Values, in_error};
use crate::limits::POLICY_BUDGET;
use crate::matching::{Subject, operation};
use crate::policy::metrics::{EXHAUSTED, Outcome};
use crate::{Authorizer, Metrics};

/// Why an object is not changed.
pub(super) enum Failure {
    /// The policy is to blame, and says itself what follows.
    Policy(String),
    /// The request ends here.
    Own(Status),
}

impl Failure {
    /// What it is for those who count.
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Failure::Policy(why) if why.starts_with("compilation") => Outcome::Uncompiled,
            Failure::Policy(why) if why == EXHAUSTED => Outcome::Exhausted,
            _ => Outcome::Invalid,
        }
    }
}

/// With what a policy is asked.
pub(super) struct Asked<'a> {
    pub(super) compiled: &'a Compiled,
    /// The version that the object is looked at in.
    pub(super) resource: &'a Resource,
    pub(super) namespace: &'a Value,
    /// Its parameters, if it can have any.
    pub(super) param: Option<Option<&'a Json>>,
    pub(super) authorizer: &'a Authorizer,
    pub(super) clock: &'a dyn Clock,
    pub(super) metrics: &'a Metrics,
}

impl Asked<'_> {
    /// What expressions know of the object as it is now.
    fn values(&self, subject: &Subject<'_>) -> Values {
        let params = self.param.map(|param| param.map_or(Value::Null, Value::from));
        let programs = self.compiled.basis.variables.iter().cloned().collect();
        Values::of(subject, self.resource, self.namespace.clone(), params, self.authorizer, programs)
    }

    /// Whether the policy's conditions hold.
    pub(super) fn holds(
        &self,
        subject: &Subject<'_>,
        policy: &MutatingAdmissionPolicy,
    ) -> Result<bool, String> {
        let own = &policy.spec.match_conditions;
        if own.is_empty() {
            return Ok(true);
        }
        let about = About {
            name: &policy.metadata.name,
            kind: "policy",
            // Upstream says so of these, too.
            step: "validate",
            operation: operation(subject.attributes.operation),
        };
        let values = self.values(subject);
        self.metrics.conditions.hold(about, self.clock, &self.compiled.basis.conditions, own, &values)
    }

    /// The object as a mutation leaves it, without defaults; `None` if it leaves it as it is.
    pub(super) fn patched(
        &self,
        subject: &Subject<'_>,
        mutation: &Mutation,
    ) -> Result<Option<Box<dyn Record>>, Failure> {
        let values = self.values(subject);
        let mut budget = Spending::new(POLICY_BUDGET, &values);
        let found = budget.evaluate(&mutation.program);
        if budget.is_spent() {
            return Err(Failure::Policy(EXHAUSTED.to_owned()));
        }
        let found = found.map_err(|error| Failure::Policy(in_error(&mutation.expression, &error)))?;
        let live = self.shown(subject)?;
        let patched = if mutation.is_json_patch {
            json_patched(live, &found).map_err(Failure::Policy)?
        } else {
            Some(self.merged(subject, live, &found).map_err(Failure::Policy)?)
        };
        let Some(patched) = patched else { return Ok(None) };
        let (versions, part) = (subject.versions, subject.attributes.subresource);
        let text = patched.to_string();
        if mutation.is_json_patch {
            let read = versions.read_strictly(self.resource, part, text.as_bytes());
            return read.map(Some).map_err(|why| Failure::Own(Status::internal_error(why)));
        }
        let read = versions.read(self.resource, part, text.as_bytes());
        read.map(Some).map_err(|why| {
            let why = format!("failed to convert typed object to object: {why}");
            Failure::Policy(format!("error applying patch: {why}"))
        })
    }

    fn shown(&self, subject: &Subject<'_>) -> Result<Json, Failure> {
        let part = subject.attributes.subresource;
        let shown = subject.object.and_then(|object| subject.versions.shown(self.resource, part, object));
        shown.ok_or_else(|| {
            let why = format!("unable to convert to {}: unknown kind", self.resource);
            Failure::Own(Status::internal_error(why))
        })
    }

    /// The object with a configuration merged into it.
    fn merged(&self, subject: &Subject<'_>, mut live: Json, found: &Value) -> Result<Json, String> {
        let Value::Message(message) = found else {
            let of = found.type_name();
            return Err(format!("unsupported return type from ApplyConfiguration expression: {of}"));
        };
        if let Some(why) = message.misnamed() {
            return Err(format!("type mismatch: {why}"));
        }
        let Some(mut configuration) = found.to_json() else {
            return Err("invalid return type: a field has a value that JSON cannot say".to_owned());
        };
        // Both are of the request's kind, whatever the configuration says.
        let mut whole = Map::new();
        for name in ["apiVersion", "kind"] {
            if let Some(own) = live.as_object_mut().and_then(|live| live.shift_remove(name)) {
                whole.insert(name.to_owned(), own);
            }
            configuration.as_object_mut().and_then(|configuration| configuration.shift_remove(name));
        }
        let part = subject.attributes.subresource;
        let merged = subject.versions.merge(self.resource, part, &live, &configuration);
        let merged = merged.map_err(|why| format!("error applying patch: {why}"))?;
        if let Json::Object(merged) = merged {
            whole.extend(merged);
        }
        Ok(Json::Object(whole))
    }
}

/// The object with a JSON patch carried out; `None` if a test of it fails.
fn json_patched(live: Json, found: &Value) -> Result<Option<Json>, String> {
    const LIST: &str = "type mismatch: JSONPatchType.expression should evaluate to array";
    let Value::List(list) = found else { return Err(LIST.to_owned()) };
    let operations = list.iter().map(|item| match item {
        Value::Message(message) if *message.name == *JSON_PATCH => written(message),
        other => Err(format!("{LIST} of JSONPatch, got element of {}", other.type_name())),
    });
    let operations = Json::Array(operations.collect::<Result<_, _>>()?).to_string();
    match api_patch::json_patch(live, operations.as_bytes()) {
        Ok(patched) => Ok(Some(patched.tree)),
        Err(PatchError::Operation(why)) if why.ends_with(": test failed") => Ok(None),
        Err(error) => Err(format!("JSON Patch: {error}")),
    }
}

fn written(message: &Message) -> Result<Json, String> {
    let text = |name: &str| match message.fields.get(name) {
        Some(Value::String(text)) => text.to_string(),
        _ => String::new(),
    };
    let mut operation = Map::new();
    operation.insert("op".to_owned(), text("op").into());
    operation.insert("path".to_owned(), text("path").into());
    if !text("from").is_empty() {
        operation.insert("from".to_owned(), text("from").into());
    }
    if let Some(value) = message.fields.get("value") {
        if let Value::Message(message) = value
            && let Some(why) = message.misnamed()
        {
            return Err(format!("type mismatch: {why}"));
        }
        let Some(json) = value.to_json() else {
            let of = value.type_name();
            return Err(format!(
                "JSONPath valueExpression evaluated to a type that could not marshal to JSON: {of}"
            ));
        };
        operation.insert("value".to_owned(), json);
    }
    Ok(Json::Object(operation))
}
