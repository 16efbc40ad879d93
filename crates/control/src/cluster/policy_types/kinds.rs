//! The kinds that policies are about, and what their objects are.

use std::collections::BTreeMap;

use api_cel::{ObjectType, Type};
use api_custom::rules::Declared;
use api_kinds_admission::expression::types;
use api_record::Typed;
use api_types::admissionregistration::v1::{NamedRuleWithOperations, ParamKind};
use api_types::apiextensions::v1::CustomResourceDefinition;
use api_types::meta::v1::ObjectMeta;
use api_types::{object_type, resources};
use client::reconcile::World;

/// How many kinds of each rule are looked at (`maxTypesToCheck`).
const KINDS: usize = 10;

/// A kind, as messages show it, and the type of its objects.
pub(super) struct Found {
    pub(super) shown: String,
    pub(super) of: Type,
}

/// A group, a version and a kind.
type Named = (String, String, String);

/// Those that rules name, in the order of their names. What has a star in it names nothing.
pub(super) fn matched(rules: &[NamedRuleWithOperations], world: &World) -> Vec<Found> {
    let mut all: BTreeMap<Named, Type> = BTreeMap::new();
    for rule in rules.iter().map(|named| &named.rule_with_operations.rule) {
        let starred = |texts: &[String]| texts.iter().any(|text| text.contains('*'));
        if starred(&rule.api_groups) || starred(&rule.api_versions) {
            continue;
        }
        let sorted = |texts: &[String]| {
            let mut texts = texts.to_vec();
            texts.sort();
            texts
        };
        let mut count = 0;
        for group in &sorted(&rule.api_groups) {
            for version in &sorted(&rule.api_versions) {
                for plural in sorted(&rule.resources).iter().filter(|name| !name.contains(['*', '/'])) {
                    let Some(kind) = kind_of(group, version, plural, world) else { continue };
                    if let Some(of) = type_of(group, version, &kind, world) {
                        all.insert((group.clone(), version.clone(), kind), of);
                    }
                    count += 1;
                    if count == KINDS {
                        return shown(all);
                    }
                }
            }
        }
    }
    shown(all)
}

/// What parameters are, if that is known.
pub(super) fn params(kind: &ParamKind, world: &World) -> Option<Type> {
    let (group, version) = kind.api_version.split_once('/').unwrap_or(("", &kind.api_version));
    type_of(group, version, &kind.kind, world)
}

fn shown(all: BTreeMap<Named, Type>) -> Vec<Found> {
    let shown = |((group, version, kind), of)| Found { shown: format!("{group}/{version}, Kind={kind}"), of };
    all.into_iter().map(shown).collect()
}

fn kind_of(group: &str, version: &str, plural: &str, world: &World) -> Option<String> {
    let built_in = resources().iter().find(|own| {
        own.served_by_default && (own.kind.group, own.kind.version, own.plural) == (group, version, plural)
    });
    let defined = || {
        world
            .all::<CustomResourceDefinition>()
            .find(|own| own.spec.group == group && own.spec.names.plural == plural && serves(own, version))
    };
    built_in.map(|own| own.kind.kind.to_owned()).or_else(|| Some(defined()?.spec.names.kind.clone()))
}

fn serves(own: &CustomResourceDefinition, version: &str) -> bool {
    own.spec.versions.iter().any(|known| known.served && known.name == version)
}

fn type_of(group: &str, version: &str, kind: &str, world: &World) -> Option<Type> {
    if let Some(built_in) = object_type(group, version, kind) {
        return Some(types::of_schema(built_in.schema, kind));
    }
    let definition = world
        .all::<CustomResourceDefinition>()
        .find(|own| own.spec.group == group && own.spec.names.kind == kind && serves(own, version))?;
    let own = definition.spec.versions.iter().find(|known| known.name == version)?;
    let schema = own.schema.as_deref()?.open_apiv3_schema.as_deref()?;
    let declared = Declared::of(&api_custom::compile(schema).ok()?, true)?.type_(kind);
    let Type::Object(object) = declared else { return None };
    // OpenAPI says of these what metadata is, all of it.
    let metadata = types::of_schema(ObjectMeta::SCHEMA, &format!("{kind}.metadata"));
    let fields = object.fields.iter().map(|(name, of)| match &**name {
        "metadata" => ("metadata", metadata.clone()),
        name => (name, of.clone()),
    });
    Some(ObjectType::of(kind, fields))
}
