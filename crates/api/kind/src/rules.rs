//! Declarative validation: the rules that the types themselves carry.

use api_codec::json;
use api_meta::field::{BadValue, ErrorList, FieldError, Path};
use api_meta::names;
use api_record::{Constraint, Field, Level, Record, Shape, Value};

use crate::{Ctx, Verb};

/// Reports what breaks the rules of the fields. On update, what has not changed is left alone.
pub(crate) fn check(
    ctx: &Ctx<'_>,
    path: &Path,
    record: &dyn Record,
    old: Option<&dyn Record>,
    errors: &mut ErrorList,
) {
    if !record.schema().carries.rules {
        return;
    }
    for (index, field) in record.schema().fields.iter().enumerate() {
        let value = record.get(index);
        let before = old.map(|old| old.get(index));
        if ctx.verb == Verb::Update && before == Some(value) {
            continue;
        }
        let path = if field.inline { path.clone() } else { path.child(field.name.to_string()) };
        check_field(ctx, field, &path, &value, before.as_ref(), errors);
        descend(ctx, &path, &value, before.as_ref(), errors);
    }
}

fn descend(ctx: &Ctx<'_>, path: &Path, value: &Value<'_>, old: Option<&Value<'_>>, errors: &mut ErrorList) {
    match value {
        Value::Record(record) => {
            let old = match old {
                Some(Value::Record(old)) => Some(*old),
                _ => None,
            };
            check(ctx, path, *record, old, errors);
        }
        Value::List(list) => {
            for index in 0..list.len() {
                if let Value::Record(element) = list.at(index) {
                    check(ctx, &path.index(index), element, None, errors);
                }
            }
        }
        Value::Map(map) => {
            for (key, value) in map.entries() {
                if let Value::Record(element) = value {
                    check(ctx, &path.key(key), element, None, errors);
                }
            }
        }
        _ => {}
    }
}

fn counts(ctx: &Ctx<'_>, level: Level) -> bool {
    match level {
        Level::Alpha => false,
        Level::Beta => ctx.gates.is_on("DeclarativeValidationBeta"),
        Level::Stable => true,
    }
}

fn check_field(
    ctx: &Ctx<'_>,
    field: &Field,
    path: &Path,
    value: &Value<'_>,
    old: Option<&Value<'_>>,
    errors: &mut ErrorList,
) {
    let rules = || field.rules.iter().filter(|rule| counts(ctx, rule.level)).map(|rule| &rule.constraint);
    let absent = if field.pointer { matches!(value, Value::Nil) } else { value.is_empty() };
    if rules().any(|rule| *rule == Constraint::Immutable)
        && old.is_some_and(|old| ctx.verb == Verb::Update && old != value)
    {
        errors.push(FieldError::invalid(path, shown(value), "field is immutable"));
    }
    if absent {
        if rules().any(|rule| *rule == Constraint::Required) {
            errors.push(FieldError::required(path, ""));
        }
        return;
    }
    for rule in rules() {
        errors.extend(broken(rule, path, value, &field.shape));
    }
}

fn broken(rule: &Constraint, path: &Path, value: &Value<'_>, shape: &Shape) -> Option<FieldError> {
    let length = match value {
        Value::List(list) => list.len(),
        Value::Map(map) => map.len(),
        Value::Str(text) => text.chars().count(),
        _ => 0,
    };
    let list = matches!(shape, Shape::List(_) | Shape::Items(_) | Shape::Map(_));
    match (rule, value) {
        (Constraint::Forbidden, _) => Some(FieldError::forbidden(path, "")),
        (Constraint::Minimum(minimum), Value::Int(number)) if number < minimum => {
            Some(FieldError::invalid(path, *number, format!("must be greater than or equal to {minimum}")))
        }
        (Constraint::Maximum(maximum), Value::Int(number)) if number > maximum => {
            Some(FieldError::invalid(path, *number, format!("must be less than or equal to {maximum}")))
        }
        (Constraint::MaxItems(max), _) if list && length > *max => {
            Some(FieldError::too_many(path, length, *max))
        }
        (Constraint::MinItems(min), _) if list && length < *min => {
            Some(FieldError::too_few(path, length, *min))
        }
        (Constraint::MaxLength(max), Value::Str(_)) if length > *max => {
            Some(FieldError::too_long_characters(path, *max))
        }
        (Constraint::MinLength(min), Value::Str(_)) if length < *min => {
            Some(FieldError::too_short(path, *min))
        }
        (Constraint::MaxBytes(max), Value::Str(text)) if text.len() > *max => {
            Some(FieldError::too_long(path, *max))
        }
        // An enumeration whose values the generator did not find says nothing.
        (Constraint::Enum(known), Value::Str(text)) if !known.is_empty() && !known.contains(text) => {
            let mut known = known.to_vec();
            known.sort_unstable();
            Some(FieldError::not_supported(path, *text, &known))
        }
        (Constraint::Format(format), Value::Str(text)) => {
            malformed(format, text).map(|message| FieldError::invalid(path, *text, message))
        }
        _ => None,
    }
}

/// What is wrong with a text of a named format; formats that are checked by a kind's own validation answer nothing.
fn malformed(format: &str, text: &str) -> Option<String> {
    let messages = match format {
        "k8s-short-name" => names::content::is_dns1123_label(text),
        "k8s-long-name" => names::content::is_dns1123_subdomain(text),
        "k8s-long-name-caseless" => names::content::is_dns1123_subdomain_caseless(text),
        "k8s-label-key" => names::content::is_label_key(text),
        "k8s-label-value" => names::content::is_label_value(text),
        _ => Vec::new(),
    };
    messages.into_iter().next()
}

fn shown(value: &Value<'_>) -> BadValue {
    match value {
        Value::Nil => BadValue::null(),
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => (*value).into(),
        Value::Str(value) => (*value).into(),
        Value::Record(record) => {
            let mut text = Vec::new();
            json::encode(*record, None, &mut text);
            BadValue::json(String::from_utf8_lossy(&text).into_owned())
        }
        other => BadValue::json(format!("{other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use api_types::core::v1::ReplicationController;

    use super::*;
    use crate::Gates;

    #[test]
    fn an_optional_field_is_checked_only_when_it_is_there() {
        let gates = Gates::default();
        let ctx = Ctx { gates: &gates, verb: Verb::Create, subresource: "", group: "" };
        let mut controller = ReplicationController::default();
        let mut errors = ErrorList::new();
        controller.spec.replicas = Some(1);
        check(&ctx, &Path::NONE, &controller, None, &mut errors);
        assert!(errors.is_empty(), "{errors:?}");
        controller.spec.replicas = Some(-1);
        check(&ctx, &Path::NONE, &controller, None, &mut errors);
        let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["spec.replicas: Invalid value: -1: must be greater than or equal to 0"]);
    }
}
