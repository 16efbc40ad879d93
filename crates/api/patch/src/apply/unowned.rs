//! Configurations that nobody comes to own: policies merge what they want into objects (`admission/plugin/policy/mutating/patch/smd.go`).

use api_record::{Schema, Shape};
use serde_json::Value;

use super::atom::Fields;
use super::check::check;
use super::kind::{Form, Kind};
use super::{Tree, merge};

/// Merges a configuration into an object, as applying it would, but that it may not hold anything that is one value although it is made of
/// parts: what is left out of that would be lost. Both are trees without `apiVersion` and `kind`, of objects of the schema, or of a definition's
/// fields where there are any.
///
/// # Errors
/// Upstream's words, when the configuration does not fit the schema or holds what it may not.
pub fn merged(
    schema: &Schema,
    fields: Option<&Fields>,
    live: &Tree,
    configuration: &Tree,
) -> Result<Tree, String> {
    let kind = fields.map_or(Kind::Record(schema), Kind::Fields);
    if let Some(wrong) = check(kind, configuration) {
        return Err(format!("failed to convert patch object to typed object: {wrong}"));
    }
    let mut wholes = Vec::new();
    look(kind, configuration, "", &mut wholes);
    if !wholes.is_empty() {
        let wholes = wholes.join(", ");
        return Err(format!(
            "invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: {wholes}"
        ));
    }
    Ok(merge::merge(kind, live, configuration))
}

/// Finds what is one value although it is made of parts, also in each other. Entries of maps are not looked into, as upstream does not.
fn look(kind: Kind<'_>, tree: &Tree, path: &str, wholes: &mut Vec<String>) {
    let kind = kind.given(super::data::Data::made(tree));
    match tree {
        Value::Object(map) => {
            let inner = match kind {
                Kind::Atomic(Shape::Record(schema)) => Kind::Record(schema),
                other => other,
            };
            if kind.form() == Form::Leaf {
                wholes.push(path.to_owned());
            }
            for (name, value) in map {
                if let Some((kind, true)) = inner.field(name) {
                    look(kind, value, &format!("{path}.{name}"), wholes);
                }
            }
        }
        Value::Array(items) => {
            let element = match kind {
                Kind::Atomic(Shape::List(element) | Shape::Items(element)) => Some(Kind::within(element)),
                other => other.element(),
            };
            if kind.form() == Form::Leaf {
                wholes.push(path.to_owned());
            }
            for (index, item) in items.iter().enumerate() {
                if let Some(kind) = element {
                    look(kind, item, &format!("{path}[{index}]"), wholes);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use api_record::Typed;
    use api_types::apps::v1::Deployment;
    use serde_json::json;

    use super::*;

    fn deployment(live: &Tree, configuration: &Tree) -> Result<Tree, String> {
        merged(Deployment::SCHEMA, None, live, configuration)
    }

    #[test]
    fn fields_entries_and_elements_are_merged() {
        let live = json!({
            "metadata": {"name": "web", "labels": {"a": "b"}},
            "spec": {"replicas": 1, "template": {"spec": {"containers": [{"name": "one", "image": "x"}]}}},
        });
        let configuration = json!({
            "metadata": {"labels": {"c": "d"}},
            "spec": {"replicas": 3, "template": {"spec": {"containers": [{"name": "two", "image": "y"}, {"name": "one", "tty": true}]}}},
        });
        let expected = json!({
            "metadata": {"name": "web", "labels": {"a": "b", "c": "d"}},
            "spec": {"replicas": 3, "template": {"spec": {"containers": [{"name": "two", "image": "y"}, {"name": "one", "image": "x", "tty": true}]}}},
        });
        assert_eq!(deployment(&live, &configuration), Ok(expected));
    }

    #[test]
    fn what_is_one_value_is_not_put_together_from_parts() {
        for (configuration, expected) in [
            (
                json!({"spec": {"selector": {"matchLabels": {"a": "b"}}}}),
                "invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: .spec.selector",
            ),
            (
                json!({"spec": {"template": {"spec": {"nodeSelector": {"a": "b"}, "containers": [{"name": "c", "args": ["-g"]}]}}}}),
                "invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: .spec.template.spec.nodeSelector, \
                 .spec.template.spec.containers[0].args",
            ),
            (
                json!({"spec": {"nothing": 1}}),
                "failed to convert patch object to typed object: .spec.nothing: field not declared in schema",
            ),
            (
                json!({"spec": {"replicas": "3"}}),
                "failed to convert patch object to typed object: .spec.replicas: expected numeric (int or float), got string",
            ),
        ] {
            assert_eq!(deployment(&json!({}), &configuration), Err(expected.to_owned()));
        }
    }
}
