//! The types that objects of built-in kinds have in expressions that are checked by them (`apiserver/pkg/cel/common/schemas.go`, on what
//! upstream's OpenAPI says of those kinds).

use api_cel::{Environment, ObjectType, Type, escape};
use api_record::{JsonForm, Schema, Shape};

use super::{Uses, namespace, request};

/// The type of whole objects of a schema. Types in it are told apart by names that are made of this one.
pub fn of_schema(schema: &Schema, name: &str) -> Type {
    record(schema, name, &mut Vec::new())
}

/// The environment of a policy's expressions where the types of objects and parameters are known: `None` says that a policy has no parameters.
/// Only the authorizer itself is there, as in upstream's.
pub fn environment(object: &Type, params: Option<&Type>, uses: &Uses) -> Environment {
    let variables = uses.variables.iter().map(|(name, of)| (name.as_str(), of.clone()));
    let mut all = vec![
        ("object", object.clone()),
        ("oldObject", object.clone()),
        ("namespaceObject", namespace()),
        ("request", request()),
        ("variables", ObjectType::of("kubernetes.variables", variables)),
    ];
    all.extend(params.map(|of| ("params", of.clone())));
    all.push(("authorizer", Type::Opaque("kubernetes.authorization.Authorizer")));
    Environment::new(all)
}

/// `within` has the schemas that this one is in: of what is in itself nothing more is said.
fn record(schema: &Schema, name: &str, within: &mut Vec<*const Schema>) -> Type {
    if within.contains(&std::ptr::from_ref(schema)) {
        return ObjectType::of(name, []);
    }
    within.push(std::ptr::from_ref(schema));
    let mut fields = Vec::new();
    if schema.type_meta {
        fields.extend(["apiVersion", "kind"].map(|name| (name.to_owned(), Type::String)));
    }
    collect(schema, name, within, &mut fields);
    within.pop();
    ObjectType::of(name, fields.iter().map(|(name, of)| (name.as_str(), of.clone())))
}

fn collect(schema: &Schema, name: &str, within: &mut Vec<*const Schema>, fields: &mut Vec<(String, Type)>) {
    for field in schema.fields.iter() {
        if let (true, Shape::Record(inlined)) = (field.inline, &field.shape) {
            collect(inlined, name, within, fields);
            continue;
        }
        let Some(escaped) = escape(&field.name) else { continue };
        if let Some(of) = shape(schema, &field.shape, &format!("{name}.{escaped}"), within) {
            fields.push((escaped.into_owned(), of));
        }
    }
}

/// `None` for what OpenAPI gives no one type: quantities, and the JSON of definitions.
fn shape(owner: &Schema, of: &Shape, name: &str, within: &mut Vec<*const Schema>) -> Option<Type> {
    Some(match of {
        Shape::Bool => Type::Bool,
        Shape::Int32 | Shape::Int64 => Type::Int,
        Shape::Float => Type::Double,
        Shape::String | Shape::Duration => Type::String,
        Shape::Bytes => Type::Bytes,
        Shape::Time | Shape::MicroTime => Type::Timestamp,
        Shape::IntOrString => Type::Dyn,
        Shape::Quantity => return None,
        Shape::Json if owner.package.contains("apiextensions") => return None,
        Shape::Json => ObjectType::of(name, []),
        Shape::Record(schema) if schema.json != JsonForm::Object => return None,
        Shape::Record(schema) => record(schema, name, within),
        Shape::List(element) | Shape::Items(element) => {
            Type::list(shape(owner, element, &format!("{name}.@idx"), within)?)
        }
        Shape::Map(entry) => Type::map(shape(owner, entry, &format!("{name}.@elem"), within)?),
    })
}

#[cfg(test)]
mod tests {
    use api_cel::Program;
    use api_record::Typed;
    use api_types::apps::v1::Deployment;

    use super::*;

    #[test]
    fn expressions_are_checked_by_the_types_of_fields() {
        let object = of_schema(Deployment::SCHEMA, "Deployment");
        let environment = environment(&object, None, &Uses::default());
        let of = |source: &str| match Program::compile(source, &environment) {
            Ok(program) => program.result().to_string(),
            Err(error) => error.to_string().lines().next().unwrap_or_default().to_owned(),
        };
        for (source, expected) in [
            ("object.spec.replicas", "int"),
            ("object.kind + object.metadata.name", "string"),
            ("object.metadata.creationTimestamp", "timestamp"),
            ("object.metadata.labels", "map(string, string)"),
            ("object.spec.template.spec.containers.map(c, c.image)", "list(string)"),
            ("object.spec.strategy.rollingUpdate.maxSurge", "dyn"),
            ("object.spec.template.spec.containers[0].resources.claims[0].name", "string"),
            (
                "object.spec.replicas > '1'",
                "ERROR: <input>:1:22: found no matching overload for '_>_' applied to '(int, string)'",
            ),
            ("object.spec.nothing", "ERROR: <input>:1:12: undefined field 'nothing'"),
        ] {
            assert_eq!(of(source), expected, "{source}");
        }
    }
}
