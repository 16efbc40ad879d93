//! Rules in CEL: what can be said of them without an object. Each must compile, may look at what was only where that can be found
//! again, and may cost no more than its share (`cel_validation.go`).

use api_custom::limits::{RULE_ESTIMATE, SCHEMA_ESTIMATE};
use api_custom::rules::{Compiled, Declared, cardinality, compile_rules, field_path};
use api_custom::{Additional, Node};
use api_meta::field::{BadValue, ErrorList, FieldError, Path};
use api_meta::quote;
use api_types::apiextensions::v1::{JSONSchemaProps, ValidationRule};

const FIELD: &str = "x-kubernetes-validations";

/// A schema within the whole, and what is known there.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    node: &'a Node,
    /// What rules may know of its values, if that follows from what is above.
    declared: Option<&'a Declared>,
    root: bool,
    /// How many of it there may be, where a number is given at every step.
    count: Option<u64>,
}

impl<'a> Scope<'a> {
    /// The whole.
    pub(super) fn root(node: &'a Node, declared: Option<&'a Declared>) -> Scope<'a> {
        Scope { node, declared, root: true, count: Some(1) }
    }

    /// A property, in a schema.
    pub(super) fn property(self, schema: &JSONSchemaProps, name: &str) -> Option<Scope<'a>> {
        let declared = self.declared.and_then(|declared| declared.field(name));
        self.below(schema, self.node.properties.get(name)?, declared)
    }

    /// The other properties, in a schema.
    pub(super) fn additional(self, schema: &JSONSchemaProps) -> Option<Scope<'a>> {
        let Additional::Schema(node) = &self.node.additional else { return None };
        self.below(schema, node, self.declared.and_then(Declared::content))
    }

    /// The items, in a schema.
    pub(super) fn items(self, schema: &JSONSchemaProps) -> Option<Scope<'a>> {
        self.below(schema, self.node.items.as_deref()?, self.declared.and_then(Declared::content))
    }

    fn below(
        self,
        schema: &JSONSchemaProps,
        node: &'a Node,
        declared: Option<&'a Declared>,
    ) -> Option<Scope<'a>> {
        let most = match schema.type_.as_str() {
            "object" if schema.additional_properties.is_some() => schema.max_properties,
            "array" => schema.max_items,
            _ => Some(1),
        };
        let count =
            self.count.zip(most).map(|(count, most)| count.saturating_mul(u64::try_from(most).unwrap_or(0)));
        Some(Scope { node, declared, root: false, count })
    }
}

/// What there is to say of rules, and what they cost.
#[derive(Default)]
pub(super) struct Tally {
    errors: ErrorList,
    /// An unchanged schema may cost what it does.
    unchanged: bool,
    total: u64,
    /// The most expensive, the first of them first.
    dearest: Vec<(Path, u64)>,
}

impl Tally {
    /// Of a schema, which may be what it was.
    pub(super) fn new(unchanged: bool) -> Tally {
        Tally { unchanged, ..Tally::default() }
    }

    fn add(&mut self, path: Path, cost: u64) {
        self.total = self.total.saturating_add(cost);
        if cost >= SCHEMA_ESTIMATE / 100 {
            self.dearest.push((path, cost));
            self.dearest.sort_by_key(|(_, cost)| std::cmp::Reverse(*cost));
            self.dearest.truncate(4);
        }
    }

    /// Everything that is wrong, the whole being at a path.
    pub(super) fn into_errors(mut self, path: &Path) -> ErrorList {
        if self.total > SCHEMA_ESTIMATE {
            let why =
                "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema";
            for (at, _) in &self.dearest {
                self.errors.push(FieldError::forbidden(at, why));
            }
            let what = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema";
            self.errors.push(FieldError::forbidden(path, too_dear(what, self.total, SCHEMA_ESTIMATE)));
        }
        self.errors
    }

    /// Judges the rules of a schema in which nothing else is wrong. `lost` is where what was can be found no more.
    pub(super) fn judge(
        &mut self,
        path: &Path,
        schema: &JSONSchemaProps,
        scope: Scope<'_>,
        lost: Option<&Path>,
    ) {
        let at = path.child(FIELD);
        let made;
        let declared = match scope.declared {
            Some(declared) => declared,
            None => match Declared::of(scope.node, scope.root || scope.node.embedded) {
                Some(declared) => {
                    made = declared;
                    &made
                }
                None => {
                    let why = "internal error: failed to construct type information for x-kubernetes-validations rules: unable to convert structural schema to CEL declarations";
                    self.errors.push(FieldError::internal(&at, why));
                    return;
                }
            },
        };
        let count = scope.count.unwrap_or_else(|| cardinality(declared));
        for (index, (rule, compiled)) in
            schema.x_validations.iter().zip(compile_rules(scope.node, declared)).enumerate()
        {
            self.one(&at.index(index), rule, &compiled, count, lost);
        }
    }

    fn one(
        &mut self,
        at: &Path,
        rule: &ValidationRule,
        compiled: &Compiled,
        count: u64,
        lost: Option<&Path>,
    ) {
        let (rule_at, message_at) = (at.child("rule"), at.child("messageExpression"));
        let cost = compiled.cost.saturating_mul(count);
        if !self.unchanged && cost > RULE_ESTIMATE {
            let why = too_dear("estimated rule cost", cost, RULE_ESTIMATE);
            self.errors.push(FieldError::forbidden(&rule_at, why));
        }
        self.add(rule_at.clone(), cost);
        if let Some(why) = &compiled.error {
            self.errors.push(FieldError::invalid(&rule_at, shown(rule), why.as_str()));
        }
        if let Some(why) = &compiled.message_error {
            self.errors.push(FieldError::invalid(&message_at, shown(rule), why.as_str()));
        } else if !rule.message_expression.is_empty() && compiled.error.is_none() {
            if !self.unchanged && compiled.message_cost > RULE_ESTIMATE {
                let why = too_dear("estimated messageExpression cost", compiled.message_cost, RULE_ESTIMATE);
                self.errors.push(FieldError::forbidden(&message_at, why));
            }
            self.add(message_at, compiled.message_cost);
        }
        match (compiled.uses_old, lost, rule.optional_old_self) {
            (true, Some(lost), _) => {
                let why = format!(
                    "oldSelf cannot be used on the uncorrelatable portion of the schema within {lost}"
                );
                self.errors.push(FieldError::invalid(&rule_at, rule.rule.as_str(), why));
            }
            (false, _, Some(optional)) => {
                let why = "may not be set if oldSelf is not used in rule";
                self.errors.push(FieldError::invalid(&at.child("optionalOldSelf"), optional, why));
            }
            _ => {}
        }
    }
}

/// By how much something costs too much.
#[allow(clippy::cast_precision_loss, reason = "it is shown with one digit")]
fn too_dear(what: &str, cost: u64, limit: u64) -> String {
    let factor = cost as f64 / limit as f64;
    let factor = if factor > 100.0 {
        "more than 100x".to_owned()
    } else if factor < 1.5 {
        format!("{factor:.6}x")
    } else {
        format!("{factor:.1}x")
    };
    format!(
        "{what} exceeds budget by factor of {factor} (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)"
    )
}

/// A rule as errors show it: upstream writes down its own struct.
fn shown(rule: &ValidationRule) -> BadValue {
    let text = |text: &str| quote::json(text);
    let reason = rule.reason.as_deref().map_or_else(|| "null".to_owned(), text);
    let optional = rule.optional_old_self.map_or_else(|| "null".to_owned(), |optional| optional.to_string());
    BadValue::json(format!(
        r#"{{"Rule":{},"Message":{},"MessageExpression":{},"Reason":{reason},"FieldPath":{},"OptionalOldSelf":{optional}}}"#,
        text(&rule.rule),
        text(&rule.message),
        text(&rule.message_expression),
        text(&rule.field_path),
    ))
}

const REASONS: [&str; 4] =
    ["FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"];

/// What is wrong with how rules are written down.
pub(super) fn written(path: &Path, schema: &JSONSchemaProps, errors: &mut ErrorList) {
    let has_breaks = |text: &str| text.contains(['\n', '\r']);
    for (index, rule) in schema.x_validations.iter().enumerate() {
        let at = path.child(FIELD).index(index);
        let (expression, message) = (rule.rule.trim(), rule.message.trim());
        if expression.is_empty() {
            errors.push(FieldError::required(&at.child("rule"), "rule is not specified"));
        } else if !rule.message.is_empty() && message.is_empty() {
            let why = "must be non-empty if specified";
            errors.push(FieldError::invalid(&at.child("message"), rule.message.as_str(), why));
        } else if has_breaks(message) {
            let why = "must not contain line breaks";
            errors.push(FieldError::invalid(&at.child("message"), rule.message.as_str(), why));
        } else if has_breaks(expression) && message.is_empty() {
            let why = "message must be specified if rule contains line breaks";
            errors.push(FieldError::required(&at.child("message"), why));
        }
        if !rule.message_expression.is_empty() && rule.message_expression.trim().is_empty() {
            let why = "messageExpression must be non-empty if specified";
            errors.push(FieldError::required(&at.child("messageExpression"), why));
        }
        if let Some(reason) = rule.reason.as_deref().filter(|reason| !REASONS.contains(reason)) {
            errors.push(FieldError::not_supported(&at.child("reason"), reason, &REASONS));
        }
        let own = rule.field_path.as_str();
        let mut wrong = |why: &str| errors.push(FieldError::invalid(&at.child("fieldPath"), own, why));
        if !own.is_empty() && own.trim().is_empty() {
            wrong("must be non-empty if specified");
        }
        if has_breaks(own) {
            wrong("must not contain line breaks");
        }
        // What cannot be compiled is reported as such.
        let leads = |node: Node| field_path(own, &node).is_ok();
        if !own.is_empty() && !api_custom::compile(schema).map_or(true, leads) {
            wrong("must be a valid path");
        }
    }
}
