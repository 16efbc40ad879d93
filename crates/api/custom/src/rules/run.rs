//! Carrying rules out: each within a limit, all of an object within a budget. What was so before an update and does not hold is let
//! pass, unless the rule looks at what was.

use api_cel::{Budget, EvalError, Program, Value, limits::PER_CALL};
use api_meta::field::{BadValue, ErrorList, FieldError, Path};
use api_record::Tree;
use api_types::apiextensions::v1::ValidationRule;
use serde_json::Value as Json;

use super::{Compiled, Rules, value};
use crate::before::{Before, is_same};
use crate::check::shown;
use crate::limits::{MESSAGE_BYTES, RULES_BUDGET};
use crate::{Additional, Node};

/// Judging an object by its rules.
#[derive(Debug)]
pub struct Run {
    /// What is wrong.
    pub errors: ErrorList,
    /// What is wrong, and was so before.
    pub passed: Vec<FieldError>,
    /// What may still be spent.
    budget: u64,
}

/// No more rules are run.
#[derive(Debug)]
pub struct Spent;

/// Whether rules may go on.
pub type Judged = Result<(), Spent>;

impl Default for Run {
    fn default() -> Run {
        Run::within(RULES_BUDGET)
    }
}

/// A place in an object, and the same place in what the object was.
#[derive(Clone, Copy, Default)]
enum Place<'a> {
    /// There is none.
    #[default]
    Nowhere,
    /// The whole, which has always changed: its metadata has.
    Root,
    /// These two values.
    Both(&'a Json, &'a Json, &'a Node),
}

impl Place<'_> {
    fn is_same(&self) -> bool {
        match self {
            Place::Nowhere | Place::Root => false,
            Place::Both(new, old, node) => is_same(new, old, Some(node)),
        }
    }
}

/// What the old object says of a place: the place itself if it can be found there, and the nearest above it that can.
#[derive(Clone, Copy, Default)]
struct Ratchet<'a> {
    here: Place<'a>,
    above: Place<'a>,
}

impl<'a> Ratchet<'a> {
    fn lets_pass(&self) -> bool {
        match self.here {
            Place::Nowhere => self.above.is_same(),
            here => here.is_same(),
        }
    }

    /// Of something below.
    fn below(self, both: Option<(&'a Json, &'a Json, &'a Node)>) -> Ratchet<'a> {
        match self.here {
            Place::Nowhere => self,
            here => {
                let below = both.map_or(Place::Nowhere, |(new, old, node)| Place::Both(new, old, node));
                Ratchet { here: below, above: here }
            }
        }
    }
}

/// A whole object: its fields, and its kind and metadata beside them.
#[derive(Clone, Copy)]
pub struct Whole<'a> {
    /// All other fields.
    pub fields: &'a Tree,
    /// Its kind, version and metadata.
    pub meta: &'a Tree,
}

impl<'a> Whole<'a> {
    fn iter(self) -> impl Iterator<Item = (&'a String, &'a Json)> {
        self.fields.iter().chain(self.meta)
    }

    fn get(self, name: &str) -> Option<&'a Json> {
        self.fields.get(name).or_else(|| self.meta.get(name))
    }
}

impl Run {
    /// One that may spend this much.
    pub(super) fn within(budget: u64) -> Run {
        Run { errors: ErrorList::new(), passed: Vec::new(), budget }
    }

    /// Judges a whole object, of which `old` is what it was.
    ///
    /// # Errors
    /// If the budget is spent; that is among the errors as well.
    pub fn whole(&mut self, rules: &Rules, node: &Node, new: Whole<'_>, old: Option<Whole<'_>>) -> Judged {
        let ratchet = match old {
            Some(_) => Ratchet { here: Place::Root, above: Place::Nowhere },
            None => Ratchet::default(),
        };
        let subject = Subject {
            rules,
            node,
            shown: None,
            value: value::object(new.iter(), node, true, &rules.used),
            old: old.map(|old| value::object(old.iter(), node, true, &rules.used_old)),
        };
        self.own(&Path::NONE, &subject, ratchet)?;
        for (name, json) in new.iter() {
            let (Some(rules), Some(schema)) = (rules.properties.get(name), node.properties.get(name)) else {
                continue;
            };
            let before = old.and_then(|old| old.get(name));
            let below = match name.as_str() {
                // Nobody sees whether these were others.
                "apiVersion" | "kind" => Ratchet::default(),
                _ => ratchet.below(before.map(|before| (json, before, schema))),
            };
            self.value_below(&Path::new(name.clone()), rules, schema, json, before, below)?;
        }
        Ok(())
    }

    /// Judges one value, which was another. Nothing is let pass.
    ///
    /// # Errors
    /// If the budget is spent; that is among the errors as well.
    pub fn value(
        &mut self,
        path: &Path,
        rules: &Rules,
        node: &Node,
        new: &Json,
        old: Option<&Json>,
    ) -> Judged {
        self.value_below(path, rules, node, new, old, Ratchet::default())
    }

    fn value_below<'a>(
        &mut self,
        path: &Path,
        rules: &Rules,
        node: &'a Node,
        new: &'a Json,
        old: Option<&'a Json>,
        ratchet: Ratchet<'a>,
    ) -> Judged {
        if new.is_null() {
            return Ok(());
        }
        let old = old.filter(|old| !old.is_null());
        if rules.own.as_ref().is_ok_and(Vec::is_empty) {
            return self.inside(path, rules, node, new, old, ratchet);
        }
        let made = |json: &Json, used| match json {
            Json::Object(fields) => value::object(fields.iter(), node, rules.root, used),
            json => value::value(json, node, used).unwrap_or(Value::Null),
        };
        let subject = Subject {
            rules,
            node,
            shown: (!new.is_object() && !new.is_array()).then_some(new),
            value: made(new, &rules.used),
            old: old.map(|old| made(old, &rules.used_old)),
        };
        self.own(path, &subject, ratchet)?;
        self.inside(path, rules, node, new, old, ratchet)
    }

    fn inside<'a>(
        &mut self,
        path: &Path,
        rules: &Rules,
        node: &'a Node,
        new: &'a Json,
        old: Option<&'a Json>,
        ratchet: Ratchet<'a>,
    ) -> Judged {
        match new {
            Json::Object(fields) => {
                let old = old.and_then(Json::as_object);
                for (name, json) in fields {
                    let before = old.and_then(|old| old.get(name));
                    let (rules, schema, path) =
                        match (rules.properties.get(name), &rules.additional, &node.additional) {
                            (Some(rules), _, _) => {
                                (rules, node.properties.get(name), path.child(name.clone()))
                            }
                            (None, Some(rules), Additional::Schema(schema)) => {
                                (&**rules, Some(&**schema), path.key(name))
                            }
                            _ => continue,
                        };
                    let Some(schema) = schema else { continue };
                    let below = ratchet.below(before.map(|before| (json, before, schema)));
                    self.value_below(&path, rules, schema, json, before, below)?;
                }
            }
            Json::Array(items) => {
                let (Some(rules), Some(schema)) = (&rules.items, node.items.as_deref()) else {
                    return Ok(());
                };
                let before = Before::of(old, &node.elements);
                for (index, item) in items.iter().enumerate() {
                    let old = before.element(item);
                    let below = ratchet.below(old.map(|old| (item, old, schema)));
                    self.value_below(&path.index(index), rules, schema, item, old, below)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn own(&mut self, path: &Path, subject: &Subject<'_>, ratchet: Ratchet<'_>) -> Judged {
        let type_name = subject.rules.type_name(subject.node);
        let compiled = match &subject.rules.own {
            Ok(compiled) if compiled.is_empty() => return Ok(()),
            Ok(compiled) => compiled,
            Err(why) => {
                let why = format!("rule compiler initialization error: {why}");
                self.errors.push(FieldError::invalid(path, type_name, why));
                return Ok(());
            }
        };
        if self.budget == 0 {
            return self.out_of_budget(path, type_name);
        }
        let uses_old = compiled.iter().any(|rule| rule.uses_old);
        for (compiled, rule) in compiled.iter().zip(&subject.node.rules) {
            if let Some(why) = &compiled.error {
                self.errors.push(FieldError::invalid(path, type_name, format!("rule compile error: {why}")));
                continue;
            }
            let Some(program) = &compiled.program else { continue };
            let is_optional = rule.optional_old_self == Some(true);
            if compiled.uses_old && subject.old.is_none() && !is_optional {
                continue;
            }
            let mut variables = vec![subject.value.clone()];
            let old = subject.old.clone().filter(|_| uses_old);
            if is_optional {
                variables.push(Value::Optional(old.map(Into::into)));
            } else {
                variables.extend(old);
            }
            let holds = match self.evaluate(program, &variables) {
                Outcome::OutOfBudget => return self.out_of_budget(path, type_name),
                Outcome::Answer(Ok(value)) => matches!(value, Value::Bool(true)),
                Outcome::Answer(Err(error)) => {
                    let (why, spent) = failure(&error, rule);
                    self.errors.push(FieldError::invalid(path, type_name, why));
                    if spent {
                        return Err(Spent);
                    }
                    continue;
                }
            };
            if !holds {
                self.broken(path, subject, compiled, rule, ratchet)?;
            }
        }
        Ok(())
    }

    /// A rule does not hold: says so in its words.
    fn broken(
        &mut self,
        path: &Path,
        subject: &Subject<'_>,
        compiled: &Compiled,
        rule: &ValidationRule,
        ratchet: Ratchet<'_>,
    ) -> Judged {
        let at = compiled.field_path.as_ref().map_or_else(|| path.clone(), |own| path.child(own.clone()));
        let message = match &compiled.message {
            Some(program) => self.message(program, subject, &rule.message_expression),
            None => Ok(None),
        };
        let (error, judged) = match message {
            Err(why) => (FieldError::invalid(&at, subject.rules.type_name(subject.node), why), Err(Spent)),
            Ok(message) => {
                let detail = message.unwrap_or_else(|| match rule.message.as_str() {
                    "" => format!("failed rule: {}", rule.rule.trim()),
                    message => message.trim().to_owned(),
                });
                let value = subject.shown.map_or(BadValue::OMITTED, shown);
                let error = match rule.reason.as_deref() {
                    Some("FieldValueForbidden") => FieldError::forbidden(&at, detail),
                    Some("FieldValueRequired") => FieldError::required(&at, detail),
                    Some("FieldValueDuplicate") => FieldError::duplicate(&at, value),
                    _ => FieldError::invalid(&at, value, detail),
                };
                (error, Ok(()))
            }
        };
        if !compiled.uses_old && ratchet.lets_pass() {
            self.passed.push(error);
        } else {
            self.errors.push(error);
        }
        judged
    }

    /// The message that an expression makes; none where it fails or makes no line of text. An error says that nothing more is run.
    fn message(
        &mut self,
        program: &Program,
        subject: &Subject<'_>,
        text: &str,
    ) -> Result<Option<String>, String> {
        let variables: Vec<Value> =
            [Some(subject.value.clone()), subject.old.clone()].into_iter().flatten().collect();
        match self.evaluate(program, &variables) {
            Outcome::OutOfBudget => {
                Err("messageExpression evaluation failed due to running out of cost budget, no further validation rules will be run".to_owned())
            }
            Outcome::Answer(Err(EvalError::CostExceeded)) => Err(format!(
                "no further validation rules will be run due to call cost exceeds limit for messageExpression: {}",
                api_meta::quote::go(text)
            )),
            Outcome::Answer(Ok(Value::String(message))) => {
                let message = message.trim();
                let is_line = !message.is_empty() && message.len() <= MESSAGE_BYTES && !message.contains('\n');
                Ok(is_line.then(|| message.to_owned()))
            }
            Outcome::Answer(_) => Ok(None),
        }
    }

    fn evaluate(&mut self, program: &Program, variables: &[Value]) -> Outcome {
        let mut budget = Budget::new(PER_CALL);
        let answer = program.evaluate(variables, &mut budget);
        let cost = PER_CALL - budget.left();
        match self.budget.checked_sub(cost) {
            Some(left) => {
                self.budget = left;
                Outcome::Answer(answer)
            }
            None => Outcome::OutOfBudget,
        }
    }

    fn out_of_budget(&mut self, path: &Path, type_name: &str) -> Judged {
        let why =
            "validation failed due to running out of cost budget, no further validation rules will be run";
        self.errors.push(FieldError::invalid(path, type_name, why));
        self.budget = 0;
        Err(Spent)
    }
}

/// What is judged.
struct Subject<'a> {
    rules: &'a Rules,
    node: &'a Node,
    /// What errors show of it; no objects and no lists.
    shown: Option<&'a Json>,
    value: Value,
    old: Option<Value>,
}

enum Outcome {
    Answer(Result<Value, EvalError>),
    OutOfBudget,
}

/// Why a rule has no answer, and whether no further rule is run.
fn failure(error: &EvalError, rule: &ValidationRule) -> (String, bool) {
    let text = match rule.message.as_str() {
        "" => rule.rule.trim(),
        message => message.trim(),
    };
    match error {
        EvalError::NoSuchOverload => {
            let why =
                "call arguments did not match a supported operator, function or macro signature for rule";
            (format!("'{error}': {why}: {text}"), false)
        }
        EvalError::CostExceeded => {
            let why = "no further validation rules will be run due to call cost exceeds limit for rule";
            (format!("'{error}': {why}: {text}"), true)
        }
        error => (format!("{error} evaluating rule: {text}"), false),
    }
}
