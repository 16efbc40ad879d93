//! What server-side apply is to know of the fields of a definition's objects: upstream derives it from the OpenAPI that it
//! publishes (`controller/openapi/builder`, `kube-openapi/pkg/schemaconv`), this from the definition itself.

use std::sync::{Arc, OnceLock};

use api_patch::apply::Element;
use api_patch::apply::atom::{Atom, Elements, Fields, List, NamedField, Plain, Type};
use api_record::Record;
use api_types::apiextensions::v1::{CustomResourceDefinition, CustomResourceDefinitionSpec, JSONSchemaProps};
use api_types::meta::v1::OBJECT_META;

use crate::node;

/// The versions of a definition, served or not: who owns what is told apart by them. Worked out when it is first needed.
pub struct AllFields {
    definition: Arc<dyn Record>,
    versions: Vec<OnceLock<Arc<Fields>>>,
}

impl AllFields {
    /// Of a definition; none if that is no definition.
    pub fn of(definition: &Arc<dyn Record>) -> AllFields {
        let count =
            definition.downcast_ref::<CustomResourceDefinition>().map_or(0, |own| own.spec.versions.len());
        let versions = std::iter::repeat_with(OnceLock::new).take(count).collect();
        AllFields { definition: Arc::clone(definition), versions }
    }

    /// Where the numbers of replicas are in a version, which is nowhere if it has no scale; `None` if there is no such version.
    pub fn replicas(&self, api_version: &str) -> Option<Vec<Element>> {
        let (spec, at) = self.find(api_version)?;
        let scale = spec.versions[at].subresources.as_deref().and_then(|parts| parts.scale.as_deref());
        Some(scale.map(|scale| steps(&scale.spec_replicas_path)).unwrap_or_default())
    }

    fn find(&self, api_version: &str) -> Option<(&CustomResourceDefinitionSpec, usize)> {
        let spec = &self.definition.downcast_ref::<CustomResourceDefinition>()?.spec;
        let (group, version) = api_version.split_once('/')?;
        let at = spec.versions.iter().position(|own| own.name == version && spec.group == group)?;
        Some((spec, at))
    }

    /// What the fields are in a version (`group/version`); `None` if the definition has no such version.
    pub fn in_version(&self, api_version: &str) -> Option<Arc<Fields>> {
        let (spec, at) = self.find(api_version)?;
        let made = self.versions.get(at)?.get_or_init(|| {
            let schema = spec.versions[at].schema.as_deref().and_then(|own| own.open_apiv3_schema.as_deref());
            Arc::new(fields(schema, spec.preserve_unknown_fields))
        });
        Some(Arc::clone(made))
    }
}

/// A path such as `.spec.replicas`.
fn steps(path: &str) -> Vec<Element> {
    path.trim_start_matches('.').split('.').map(|name| Element::Field(name.to_owned().into())).collect()
}

/// The fields of an object; without a schema all of them are as they come.
fn fields(schema: Option<&JSONSchemaProps>, preserves: bool) -> Fields {
    let Some(schema) = schema else {
        return Fields { rest: Some(Box::new(Type::Deduced)), ..Fields::default() };
    };
    let mut fields = object(schema, preserves, true);
    fields.named.insert("metadata".to_owned(), metadata());
    fields
}

fn metadata() -> NamedField {
    NamedField { type_: Type::Record(&OBJECT_META), default: None }
}

/// `preserves` is said for all that is below it.
fn atom(props: &JSONSchemaProps, preserves: bool) -> Atom {
    let one = |plain| Atom { scalar: Some(plain), ..Atom::default() };
    let type_ = if props.x_int_or_string { "" } else { &*props.type_ };
    match type_ {
        "object" => Atom { map: Some(object(props, preserves, false)), ..Atom::default() },
        "array" => Atom { list: Some(list(props, preserves)), ..Atom::default() },
        "integer" | "number" => one(Plain::Numeric),
        "boolean" => one(Plain::Boolean),
        "string" if matches!(&*props.format, "" | "byte") => one(Plain::Text),
        "string" => one(Plain::Untyped),
        _ => Atom {
            scalar: Some(Plain::Untyped),
            list: Some(list(props, preserves)),
            map: Some(object(props, preserves, false)),
        },
    }
}

fn object(props: &JSONSchemaProps, preserves: bool, is_root: bool) -> Fields {
    let preserves = preserves || props.x_preserve_unknown_fields == Some(true);
    let named = props.properties.iter().map(|(name, field)| {
        let default = field.default_.as_ref().map(node::value);
        (name.clone(), NamedField { type_: Type::Atom(atom(field, preserves)), default })
    });
    let mut fields =
        Fields { named: named.collect(), rest: None, atomic: props.x_map_type.as_deref() == Some("atomic") };
    if props.x_embedded_resource {
        let text = || NamedField {
            type_: Type::Atom(Atom { scalar: Some(Plain::Text), ..Atom::default() }),
            default: None,
        };
        fields.named.insert("apiVersion".to_owned(), text());
        fields.named.insert("kind".to_owned(), text());
        fields.named.insert("metadata".to_owned(), metadata());
    }
    let is_bare = fields.named.is_empty() && !is_root;
    fields.rest = match props.additional_properties.as_deref() {
        None => (preserves || is_bare).then_some(Type::Deduced),
        Some(own) => match &own.schema {
            Some(schema) => Some(Type::Atom(atom(schema, preserves))),
            None => own.allows.then_some(Type::Deduced),
        },
    }
    .map(Box::new);
    fields
}

fn list(props: &JSONSchemaProps, preserves: bool) -> List {
    let preserves = preserves || props.x_preserve_unknown_fields == Some(true);
    let items = props.items.as_deref().and_then(|items| items.schema.as_deref());
    let elements = match props.x_list_type.as_deref() {
        Some("set") => Elements::Set,
        Some("map") => Elements::Keyed(props.x_list_map_keys.iter().cloned().map(Into::into).collect()),
        _ => Elements::Atomic,
    };
    let each = items.map_or(Type::Untyped, |items| Type::Atom(atom(items, preserves)));
    List { elements, each: Box::new(each) }
}

#[cfg(test)]
mod tests;
