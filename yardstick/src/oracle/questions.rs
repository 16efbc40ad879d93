//! Which questions are asked: for each operation the kinds that it concerns, and the n-th question about each.

use api_types::{ObjectType, Resource};
use serde_json::{Map, Value};

use super::generate::{Dice, Maker, Style, cluster, configuration, patch};
use super::question::{Op, Question};

/// A kind that an operation is asked about.
pub struct Subject {
    object: &'static ObjectType,
    resource: Option<&'static Resource>,
    /// The group and version that its objects are converted to.
    to: Option<(&'static str, &'static str)>,
}

impl Subject {
    /// The kind's name.
    pub fn kind(&self) -> &'static str {
        self.object.kind.kind
    }
}

/// What an operation is asked about.
pub fn subjects(op: Op) -> Vec<Subject> {
    if op == Op::Encode {
        let all = api_types::object_types().iter();
        return all.map(|object| Subject { object, resource: None, to: None }).collect();
    }
    let mut subjects = Vec::new();
    for resource in api_types::resources() {
        let gvk = resource.kind;
        let Some(object) = api_types::object_type(gvk.group, gvk.version, gvk.kind) else { continue };
        // A cluster is asked about by the pod that it is to take.
        if op == Op::Schedule && (gvk.group, gvk.kind) != ("", "Pod") {
            continue;
        }
        if matches!(op, Op::Validate | Op::Apply) && !resource.verbs.contains(&"create") {
            continue;
        }
        if op != Op::Convert {
            subjects.push(Subject { object, resource: Some(resource), to: None });
            continue;
        }
        for other in api_types::resources().iter().filter(|other| is_another_version(resource, other)) {
            let to = Some((other.kind.group, other.kind.version));
            subjects.push(Subject { object, resource: Some(resource), to });
        }
    }
    subjects
}

/// Events are of one kind in two groups.
fn is_another_version(one: &Resource, other: &Resource) -> bool {
    let same = (one.plural, one.kind.kind) == (other.plural, other.kind.kind);
    let events = one.kind.kind == "Event";
    same && one.kind != other.kind && (events || one.kind.group == other.kind.group)
}

/// The n-th question of a seed about a subject.
pub fn question(op: Op, subject: &Subject, seed: u64, number: usize) -> Question {
    let kind = subject.object.kind;
    let turn = number.to_string();
    let mut dice = Dice::of(seed, &[op.name(), kind.group, kind.version, kind.kind, &turn]);
    let broken = op == Op::Encode && number % 3 == 1;
    let odd = if op == Op::Validate { [40, 12, 6][number % 3] } else { 8 };
    let style = Style { full: number % 4 == 3, odd, broken };
    let mut object = match op {
        Op::Schedule => cluster(&mut dice),
        _ => Maker::new(&mut dice, style).object(subject.object.schema),
    };
    if let Some(map) = object.as_object_mut() {
        settle(op, subject.resource, map);
    }
    let patch = (op == Op::StrategicMerge).then(|| {
        let style = Style { full: false, ..style };
        patch(&object, subject.object.schema, &mut dice, style)
    });
    let (mut configurations, mut force) = (Vec::new(), false);
    if op == Op::Apply {
        let style = Style { full: false, ..style };
        let schema = subject.object.schema;
        configurations =
            (0..1 + number % 2).map(|_| configuration(&object, schema, &mut dice, style)).collect();
        for part in configurations.iter_mut().chain([&mut object]) {
            owners_aside(part);
            part.as_object_mut().into_iter().for_each(|map| settle(op, subject.resource, map));
        }
        force = !dice.one_in(3);
    }
    let (to_group, to_version) = subject.to.unwrap_or_default();
    Question {
        op,
        group: kind.group.into(),
        version: kind.version.into(),
        kind: kind.kind.into(),
        resource: subject.resource.map(|resource| resource.plural).unwrap_or_default().into(),
        object,
        patch,
        configurations,
        force,
        to_group: to_group.into(),
        to_version: to_version.into(),
    }
}

/// What the server writes itself, so that nothing a client says of it comes to validation.
const SYSTEM: [&str; 9] = [
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
    "managedFields",
    "generation",
    "resourceVersion",
    "generateName",
];

/// Who owns what, also in templates, is not said by those who are asked about it.
fn owners_aside(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.shift_remove("managedFields");
            map.values_mut().for_each(owners_aside);
        }
        Value::Array(list) => list.iter_mut().for_each(owners_aside),
        _ => {}
    }
}

/// Makes an object such as comes to the operation.
fn settle(op: Op, resource: Option<&Resource>, object: &mut Map<String, Value>) {
    if let (Op::Validate | Op::Apply, Some(resource)) = (op, resource) {
        let meta = object.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(meta) = meta {
            for name in SYSTEM {
                meta.shift_remove(name);
            }
            meta.shift_remove("namespace");
            if resource.namespaced {
                meta.insert("namespace".into(), "default".into());
            }
            meta.insert("uid".into(), "1b4e28ba-2fa1-11d2-883f-0016d3cca427".into());
            if !meta.contains_key("name") {
                meta.insert("name".into(), "web".into());
            }
        }
    }
}
