//! Tables: what `kubectl get` prints, worked out by the server.

use std::sync::Arc;

use api_codec::json;
use api_kind::{AnyKind, Cell, Heading};
use api_record::Record;
use api_types::meta::v1::PartialObjectMetadata;
use api_types::{GroupVersionKind, object_meta};
use base::time::Time;

/// What a row carries of its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Included {
    Nothing,
    Metadata,
    Object,
}

impl Included {
    pub(crate) fn of(parameter: &str) -> Included {
        match parameter {
            "None" => Included::Nothing,
            "Object" => Included::Object,
            _ => Included::Metadata,
        }
    }
}

/// What a table is made of besides its objects.
pub(crate) struct Frame<'a> {
    pub(crate) kind: &'a dyn AnyKind,
    pub(crate) gvk: GroupVersionKind<'a>,
    pub(crate) included: Included,
    pub(crate) now: Time,
    /// JSON of the list's metadata.
    pub(crate) metadata: &'a str,
    /// Headings are left out of all but the first table of a watch.
    pub(crate) headings: bool,
}

const METADATA: GroupVersionKind<'static> =
    GroupVersionKind { group: "meta.k8s.io", version: "v1", kind: "PartialObjectMetadata" };

/// Writes a table of objects in the hub's type.
pub(crate) fn write(out: &mut Vec<u8>, frame: &Frame<'_>, objects: &[Arc<dyn Record>]) {
    open(out, frame);
    for (index, object) in objects.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        row(out, frame, &**object);
    }
    out.extend_from_slice(b"]}\n");
}

/// Writes what comes before the rows.
pub(crate) fn open(out: &mut Vec<u8>, frame: &Frame<'_>) {
    out.extend_from_slice(br#"{"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":"#);
    out.extend_from_slice(frame.metadata.as_bytes());
    out.extend_from_slice(br#","columnDefinitions":"#);
    let columns = frame.kind.columns();
    if frame.headings {
        headings(out, if columns.is_empty() { &DEFAULT } else { &columns });
    } else {
        out.extend_from_slice(b"null");
    }
    out.extend_from_slice(br#","rows":["#);
}

/// The columns of kinds that define none (upstream's `rest.NewDefaultTableConvertor`).
const DEFAULT: [Heading<'static>; 2] = [
    Heading { name: "Name", type_: "string", format: "name", description: NAME, priority: 0 },
    Heading { name: "Created At", type_: "date", format: "", description: CREATED, priority: 0 },
];
const NAME: &str = "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names";
const CREATED: &str = "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";

fn headings(out: &mut Vec<u8>, columns: &[Heading<'_>]) {
    let list: Vec<serde_json::Value> = columns
        .iter()
        .map(|column| {
            serde_json::json!({
                "name": column.name,
                "type": column.type_,
                "format": column.format,
                "description": column.description,
                "priority": column.priority,
            })
        })
        .collect();
    out.extend_from_slice(serde_json::Value::from(list).to_string().as_bytes());
}

/// Writes the row of an object.
pub(crate) fn row(out: &mut Vec<u8>, frame: &Frame<'_>, object: &dyn Record) {
    out.extend_from_slice(br#"{"cells":["#);
    let default = frame.kind.columns().is_empty();
    let cells = if default { default_cells(object) } else { frame.kind.cells(object, frame.now) };
    for (index, cell) in cells.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        match cell {
            Cell::Text(text) => json::write_string(out, text),
            Cell::Number(number) => out.extend_from_slice(number.to_string().as_bytes()),
            Cell::Bool(value) => out.extend_from_slice(value.to_string().as_bytes()),
            Cell::Float(number) => out.extend_from_slice(serde_json::json!(number).to_string().as_bytes()),
            Cell::Empty => out.extend_from_slice(b"null"),
        }
    }
    out.extend_from_slice(br#"],"object":"#);
    match (frame.included, object_meta(object)) {
        (Included::Object, _) => json::show(object, Some(&frame.gvk), out),
        (Included::Metadata, Some(meta)) => {
            let partial = PartialObjectMetadata { metadata: meta.clone() };
            json::encode(&partial, Some(&METADATA), out);
        }
        _ => out.extend_from_slice(b"null"),
    }
    out.push(b'}');
}

fn default_cells(object: &dyn Record) -> Vec<Cell> {
    let Some(meta) = object_meta(object) else { return Vec::new() };
    let created = meta.creation_timestamp.map(|time| time.to_string()).unwrap_or_default();
    vec![meta.name.clone().into(), created.into()]
}
