//! Runs a row as the registry does, for the tables of the kinds' tests: defaults, preparation, validation, cells.
//!
//! Deliberately without storage, admission and system fields other than those that validation asks for.

use api_codec::{json, limits::Limits, yaml};
use api_record::Record;
use base::time::Time;

use crate::{AnyKind, Cell, Ctx, Gates, Verb, generic};

/// What became of an object.
pub struct Outcome {
    /// The object, defaulted and prepared.
    pub object: Box<dyn Record>,
    /// What is wrong with it, in upstream's words.
    pub errors: Vec<String>,
    /// What is unwise about it.
    pub warnings: Vec<String>,
}

impl Outcome {
    /// The object's JSON without its metadata.
    pub fn body(&self) -> String {
        let mut text = Vec::new();
        let mut object = self.object.clone();
        if let Some(meta) = api_types::object_meta_mut(&mut *object) {
            *meta = api_types::meta::v1::ObjectMeta::default();
        }
        json::encode(&*object, None, &mut text);
        String::from_utf8_lossy(&text).trim_end().to_owned()
    }

    /// The cells that `kubectl get -o wide` shows, separated by bars.
    pub fn cells(&self, kind: &dyn AnyKind) -> String {
        let texts =
            kind.cells(&*self.object, Time::from_unix_seconds(0)).into_iter().map(|cell| match cell {
                Cell::Text(text) => text,
                Cell::Number(number) => number.to_string(),
                Cell::Bool(value) => value.to_string(),
                Cell::Float(number) => number.to_string(),
                Cell::Empty => String::new(),
            });
        texts.collect::<Vec<_>>().join("|")
    }
}

/// An object from YAML, with a name and a namespace if the text gives none.
///
/// # Panics
/// If the text is no object of the kind: it stands in a test.
pub fn object(kind: &dyn AnyKind, text: &str) -> Box<dyn Record> {
    let mut object = kind.new_object();
    let text = yaml::to_json(text.as_bytes(), Limits::REQUEST).expect("the test's text is YAML");
    json::decode(&text, &mut *object, None, Limits::REQUEST).expect("the test's text is an object");
    if let Some(meta) = api_types::object_meta_mut(&mut *object) {
        if meta.name.is_empty() {
            meta.name = "x".into();
        }
        if meta.namespace.is_empty() && namespaced(kind) {
            meta.namespace = "default".into();
        }
    }
    object
}

fn namespaced(kind: &dyn AnyKind) -> bool {
    let (group, version, plural) = kind.resource();
    api_types::resources().iter().any(|row| {
        (row.kind.group, row.kind.version, row.plural, row.namespaced) == (group, version, plural, true)
    })
}

/// Makes an object.
pub fn create(kind: &dyn AnyKind, text: &str) -> Outcome {
    run(kind, object(kind, text), None, "")
}

/// Makes `old`, with the status that it says if that is what is changed, then changes it to `new` through a subresource.
pub fn update(kind: &dyn AnyKind, subresource: &str, old: &str, new: &str) -> Outcome {
    let mut made = create(kind, old).object;
    if subresource == "status" {
        made = change(kind, subresource, made, old).object;
    }
    change(kind, subresource, made, new)
}

fn change(kind: &dyn AnyKind, subresource: &str, mut old: Box<dyn Record>, new: &str) -> Outcome {
    if let Some(meta) = api_types::object_meta_mut(&mut *old) {
        meta.resource_version = "1".into();
    }
    let mut new = object(kind, new);
    let generation = api_types::object_meta(&*old).map_or(0, |meta| meta.generation);
    if let Some(meta) = api_types::object_meta_mut(&mut *new) {
        meta.resource_version = "1".into();
        meta.generation = generation;
    }
    run(kind, new, Some(&*old), subresource)
}

fn run(
    kind: &dyn AnyKind,
    mut object: Box<dyn Record>,
    old: Option<&dyn Record>,
    subresource: &str,
) -> Outcome {
    let gates = Gates::default();
    let verb = if old.is_some() { Verb::Update } else { Verb::Create };
    let ctx = Ctx { gates: &gates, verb, subresource, group: kind.resource().0 };
    generic::default(kind, &ctx, &mut *object);
    generic::prepare(kind, &ctx, &mut *object, old);
    let warnings = kind.warnings(&ctx, &*object, old);
    let errors = generic::validate(kind, &ctx, namespaced(kind), &*object, old);
    Outcome { object, errors: errors.iter().map(ToString::to_string).collect(), warnings }
}
