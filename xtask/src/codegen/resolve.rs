//! Follows Go type names from the roots to everything they reach, and says what each field is on the wire.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};

use super::go::{Body, Declaration, Member, Sources};
use super::roots::Kind;

/// A type by its import path and Go name.
pub type TypeId = (String, String);

/// Everything that is generated.
pub struct Program {
    pub types: BTreeMap<TypeId, Struct>,
    pub kinds: Vec<(Kind, TypeId)>,
}

impl Program {
    /// The import paths of the packages, each generated into one file.
    pub fn packages(&self) -> BTreeSet<&str> {
        self.types.keys().map(|(import, _)| import.as_str()).collect()
    }
}

/// A struct to be generated.
pub struct Struct {
    pub markers: Vec<String>,
    pub type_meta: bool,
    pub fields: Vec<FieldFacts>,
}

/// What is known of a field.
pub struct FieldFacts {
    pub go_name: String,
    pub json_name: String,
    pub tag: u32,
    pub shape: Shape,
    pub pointer: bool,
    pub inline: bool,
    pub omit_empty: bool,
    pub omit_zero: bool,
    pub patch_strategy: String,
    pub patch_key: String,
    pub markers: Vec<String>,
    /// The values of its type where that is marked as an enum.
    pub values: Vec<String>,
    /// What Go's messages call its type, or that of its elements, where that is a named scalar: `v1.RestartPolicy`.
    pub named: String,
}

/// What a field holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// A scalar, by the name of its variant in `api_record::Shape`.
    Scalar(&'static str),
    Record(TypeId),
    List(Box<Shape>),
    Items(Box<Shape>),
    Map(Box<Shape>),
}

const META: &str = "k8s.io/apimachinery/pkg/apis/meta/v1";
const CRD: &str = "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1";

/// Resolves all that `kinds` reach.
pub fn program(sources: &mut Sources, kinds: &[Kind]) -> Result<Program> {
    let mut program = Program { types: BTreeMap::new(), kinds: Vec::new() };
    let mut queue: Vec<TypeId> = Vec::new();
    for kind in kinds {
        let id = (kind.import(), kind.name.clone());
        let id = follow_alias(sources, id)?;
        program.kinds.push((kind.clone(), id.clone()));
        queue.push(id);
    }
    while let Some(id) = queue.pop() {
        if program.types.contains_key(&id) {
            continue;
        }
        let resolved = structure(sources, &id).with_context(|| format!("{}.{}", id.0, id.1))?;
        for field in &resolved.fields {
            reach(&field.shape, &mut queue);
        }
        program.types.insert(id, resolved);
    }
    Ok(program)
}

/// `core/v1.List` is declared as `metav1.List`: the same type under two names.
fn follow_alias(sources: &mut Sources, id: TypeId) -> Result<TypeId> {
    let package = sources.package(&id.0)?;
    let declaration = package.types.get(&id.1).with_context(|| format!("{} declares no {}", id.0, id.1))?;
    match &declaration.body {
        Body::Struct(_) => Ok(id),
        Body::Named(name) => qualified(&id.0, declaration, name),
    }
}

fn reach(shape: &Shape, queue: &mut Vec<TypeId>) {
    match shape {
        Shape::Scalar(_) => {}
        Shape::Record(id) => queue.push(id.clone()),
        Shape::List(element) | Shape::Items(element) | Shape::Map(element) => reach(element, queue),
    }
}

fn structure(sources: &mut Sources, id: &TypeId) -> Result<Struct> {
    let package = sources.package(&id.0)?;
    let declaration = package.types.get(&id.1).context("no such type")?;
    let Body::Struct(members) = &declaration.body else { bail!("not a struct") };
    let mut out = Struct { markers: declaration.markers.clone(), type_meta: false, fields: Vec::new() };
    for member in members {
        if member.name.is_empty() && member.type_text.rsplit('.').next() == Some("TypeMeta") {
            out.type_meta = true;
        } else if member.tag("json") != Some("-") {
            let field = field(sources, &id.0, declaration, member)
                .with_context(|| format!("{} {}", member.name, member.type_text))?;
            out.fields.push(field);
        }
    }
    if id.0 == CRD && id.1.starts_with("JSONSchemaPropsOr") {
        number_union(&mut out);
    }
    Ok(out)
}

/// The unions of `JSONSchemaProps` write their own JSON and carry no JSON tags.
fn number_union(union: &mut Struct) {
    for field in &mut union.fields {
        field.json_name = super::names::snake(&field.go_name);
    }
}

fn field(
    sources: &mut Sources,
    import: &str,
    declaration: &Declaration,
    member: &Member,
) -> Result<FieldFacts> {
    let json = member.tag("json").unwrap_or_default();
    let mut json = json.split(',');
    let json_name = json.next().unwrap_or_default().to_owned();
    let options: Vec<&str> = json.collect();
    let tag = match member.tag("protobuf") {
        Some(protobuf) if protobuf != "-" => {
            protobuf.split(',').nth(1).context("a protobuf tag without a number")?.parse()?
        }
        _ => 0,
    };
    let pointer = member.type_text.starts_with('*');
    let type_text = member.type_text.trim_start_matches('*');
    let shape = shape(sources, import, declaration, type_text)?;
    let embedded = member.name.is_empty();
    let go_name = if embedded && json_name == "metadata" {
        "Metadata".to_owned()
    } else if embedded {
        type_text.rsplit('.').next().unwrap_or(type_text).to_owned()
    } else {
        member.name.clone()
    };
    let inline = json_name.is_empty() && (embedded || options.contains(&"inline"));
    let mut markers = member.markers.clone();
    let values = named_facts(sources, import, declaration, type_text, &mut markers)?;
    let named = named_scalar(sources, import, declaration, type_text)?;
    Ok(FieldFacts {
        named,
        json_name: if inline { go_name.clone() } else { json_name },
        go_name,
        tag,
        shape,
        pointer,
        inline,
        omit_empty: options.contains(&"omitempty"),
        omit_zero: options.contains(&"omitzero"),
        patch_strategy: member.tag("patchStrategy").unwrap_or_default().to_owned(),
        patch_key: member.tag("patchMergeKey").unwrap_or_default().to_owned(),
        markers,
        values,
    })
}

/// Adds the markers of a named list or map type to those of the field, and answers the values of an enum.
fn named_facts(
    sources: &mut Sources,
    import: &str,
    declaration: &Declaration,
    type_text: &str,
    markers: &mut Vec<String>,
) -> Result<Vec<String>> {
    if type_text.starts_with("[]") || type_text.starts_with("map[") || is_builtin(type_text) {
        return Ok(Vec::new());
    }
    let (package, name) = qualified(import, declaration, type_text)?;
    if special(&package, &name).is_some() {
        return Ok(Vec::new());
    }
    let package = sources.package(&package)?;
    let Some(declaration) = package.types.get(&name) else { return Ok(Vec::new()) };
    if let Body::Named(_) = declaration.body {
        markers.extend(declaration.markers.iter().cloned());
    }
    let is_enum = declaration.markers.iter().any(|marker| marker == "enum");
    if is_enum { sources.values(&package, &name) } else { Ok(Vec::new()) }
}

fn named_scalar(
    sources: &mut Sources,
    import: &str,
    declaration: &Declaration,
    type_text: &str,
) -> Result<String> {
    let element = type_text.trim_start_matches("[]");
    if element.starts_with("map[") || is_builtin(element) {
        return Ok(String::new());
    }
    let (package, name) = qualified(import, declaration, element)?;
    if special(&package, &name).is_some() {
        return Ok(String::new());
    }
    let parsed = sources.package(&package)?;
    Ok(match parsed.types.get(&name).map(|found| &found.body) {
        Some(Body::Named(text)) if is_builtin(text) => {
            format!("{}.{name}", package.rsplit('/').next().unwrap_or_default())
        }
        _ => String::new(),
    })
}

fn is_builtin(type_text: &str) -> bool {
    matches!(
        type_text,
        "string" | "bool" | "int" | "int32" | "int64" | "float64" | "byte" | "uint8" | "uint32"
    )
}

fn qualified(import: &str, declaration: &Declaration, name: &str) -> Result<TypeId> {
    match name.split_once('.') {
        None => Ok((import.to_owned(), name.to_owned())),
        Some((alias, name)) => {
            let package = declaration.imports.get(alias).with_context(|| format!("no import {alias}"))?;
            Ok((package.clone(), name.to_owned()))
        }
    }
}

/// The types whose wire forms are written by hand upstream, by the variant that stands for them.
fn special(package: &str, name: &str) -> Option<&'static str> {
    Some(match (package, name) {
        (META, "Time") => "Time",
        (META, "MicroTime") => "MicroTime",
        (META, "Duration") => "Duration",
        (META, "FieldsV1") | (CRD, "JSON") => "Json",
        ("k8s.io/apimachinery/pkg/runtime", "RawExtension") => "Json",
        ("k8s.io/apimachinery/pkg/api/resource", "Quantity") => "Quantity",
        ("k8s.io/apimachinery/pkg/util/intstr", "IntOrString") => "IntOrString",
        _ => return None,
    })
}

fn shape(sources: &mut Sources, import: &str, declaration: &Declaration, text: &str) -> Result<Shape> {
    if let Some(element) = text.strip_prefix("[]") {
        if element == "byte" {
            return Ok(Shape::Scalar("Bytes"));
        }
        return Ok(Shape::List(Box::new(shape(sources, import, declaration, element)?)));
    }
    if let Some(rest) = text.strip_prefix("map[") {
        let (_, value) = rest.split_once(']').context("a map without a value")?;
        return Ok(Shape::Map(Box::new(shape(sources, import, declaration, value)?)));
    }
    match text {
        "string" => return Ok(Shape::Scalar("String")),
        "bool" => return Ok(Shape::Scalar("Bool")),
        "int32" => return Ok(Shape::Scalar("Int32")),
        "int64" | "int" => return Ok(Shape::Scalar("Int64")),
        "float64" => return Ok(Shape::Scalar("Float")),
        _ => {}
    }
    let (package, name) = qualified(import, declaration, text)?;
    if let Some(scalar) = special(&package, &name) {
        return Ok(Shape::Scalar(scalar));
    }
    let parsed = sources.package(&package)?;
    let declared = parsed.types.get(&name).with_context(|| format!("{package} declares no {name}"))?;
    match &declared.body {
        Body::Struct(_) => Ok(Shape::Record((package, name))),
        Body::Named(text) => {
            let wraps = declared.markers.iter().any(|marker| marker.starts_with("protobuf.nullable"));
            match shape(sources, &package, declared, text)? {
                Shape::List(element) if wraps => Ok(Shape::Items(element)),
                other => Ok(other),
            }
        }
    }
}
