//! Every generated field against upstream's protobuf definitions: number, repetition and kind of type.
#![allow(clippy::disallowed_methods, reason = "tests read the facts")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use api_record::{Schema, Shape};

/// By package and message, each field's name and type by its number.
type Messages = BTreeMap<(String, String), BTreeMap<u32, (String, String)>>;

fn messages() -> Messages {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/kubernetes/proto.tsv");
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|_| panic!("the facts about Kubernetes are absent: {}", path.display()));
    let mut messages = Messages::new();
    for row in text.lines().skip(1) {
        let cells: Vec<&str> = row.split('\t').collect();
        let fields = messages.entry((cells[0].to_owned(), cells[1].to_owned())).or_default();
        if let Ok(number) = cells[2].parse() {
            fields.insert(number, (cells[3].to_owned(), cells[4].to_owned()));
        }
    }
    messages
}

fn reach(schema: &'static Schema, found: &mut BTreeMap<(String, String), &'static Schema>) {
    if found.insert((schema.package.to_string(), schema.name.to_string()), schema).is_some() {
        return;
    }
    for field in schema.fields.iter() {
        let mut shape: &'static Shape = &field.shape;
        while let Shape::List(api_record::Ref::Static(inner))
        | Shape::Items(api_record::Ref::Static(inner))
        | Shape::Map(api_record::Ref::Static(inner)) = shape
        {
            shape = inner;
        }
        if let Shape::Record(api_record::Ref::Static(nested)) = shape {
            reach(nested, found);
        }
    }
}

fn expected(shape: &Shape) -> String {
    match shape {
        Shape::Bool => "optional bool".into(),
        Shape::Int32 => "optional int32".into(),
        Shape::Int64 => "optional int64".into(),
        Shape::Float => "optional double".into(),
        Shape::String => "optional string".into(),
        Shape::Bytes => "optional bytes".into(),
        Shape::Quantity => "optional Quantity".into(),
        Shape::IntOrString => "optional IntOrString".into(),
        Shape::Time => "optional Time".into(),
        Shape::MicroTime => "optional MicroTime".into(),
        Shape::Duration => "optional Duration".into(),
        Shape::Json => "optional json".into(),
        Shape::Record(schema) => format!("optional {}", &*schema.name),
        Shape::List(element) => expected(element).replacen("optional", "repeated", 1),
        Shape::Items(_) => "optional items".into(),
        Shape::Map(value) => format!("map<string, {}>", expected(value).trim_start_matches("optional ")),
    }
}

/// The last part of a type's name, and one name for what is kept as JSON and for wrapped lists.
fn simplified(declared: &str) -> String {
    let last = |name: &str| match name.rsplit('.').next().unwrap_or(name) {
        "RawExtension" | "FieldsV1" | "JSON" => "json".to_owned(),
        "AttestationValue" | "ExtraValue" | "Verbs" => "items".to_owned(),
        other => other.to_owned(),
    };
    match declared.strip_prefix("map<string, ").and_then(|rest| rest.strip_suffix('>')) {
        Some(value) => format!("map<string, {}>", last(value)),
        None => declared
            .split_once(' ')
            .map_or_else(|| declared.to_owned(), |(label, name)| format!("{label} {}", last(name))),
    }
}

#[test]
fn every_field_has_upstreams_number_and_type() {
    let messages = messages();
    let mut schemas = BTreeMap::new();
    for kind in api_types::object_types() {
        reach(kind.schema, &mut schemas);
    }
    let (mut fields, mut absent, mut differences) = (0, BTreeSet::new(), Vec::new());
    for (id, schema) in &schemas {
        // Protobuf's names of packages have no dashes.
        let Some(declared) = messages.get(&(id.0.replace('-', "_"), id.1.clone())) else {
            // A message without fields has no rows.
            assert!(schema.fields.iter().all(|field| field.tag == 0), "{schema:?} is in no definition");
            absent.insert(format!("{}.{}", id.0, id.1));
            continue;
        };
        for field in schema.fields.iter().filter(|field| field.tag != 0) {
            fields += 1;
            let wanted = declared.get(&field.tag).map(|(_, declared)| simplified(declared));
            if wanted.as_deref() != Some(expected(&field.shape).as_str()) {
                differences.push(format!("{schema:?}.{field:?}: {:?} is {wanted:?}", field.shape));
            }
        }
        let ours: BTreeSet<u32> = schema.fields.iter().map(|field| field.tag).collect();
        for (number, (name, _)) in declared.iter().filter(|(number, _)| !ours.contains(number)) {
            differences.push(format!("{schema:?} lacks {name} = {number}"));
        }
    }
    println!("{} types and {fields} fields checked; no definitions of {absent:?}", schemas.len());
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
}
