//! Answers as bytes.

use std::sync::Arc;

use api_codec::{json, proto, yaml};
use api_meta::Status;
use api_record::Record;
use api_types::meta::v1::{ListMeta, PartialObjectMetadata};
use api_types::{GroupVersionKind, object_meta};
use client::List;
use server_registry::Served;

use crate::negotiate::{Codec, Form, Shown};
use crate::table;

/// What the answer is shown with.
pub(crate) struct Frame<'a> {
    pub(crate) served: &'a Served,
    pub(crate) form: Form,
    pub(crate) included: table::Included,
    pub(crate) now: base::time::Time,
}

const STATUS: GroupVersionKind<'static> = GroupVersionKind { group: "", version: "v1", kind: "Status" };
const METADATA: GroupVersionKind<'static> =
    GroupVersionKind { group: "meta.k8s.io", version: "v1", kind: "PartialObjectMetadata" };

/// An object of any kind, whole.
pub(crate) fn object(codec: Codec, pretty: bool, record: &dyn Record, gvk: &GroupVersionKind<'_>) -> Vec<u8> {
    match codec {
        Codec::Json => {
            let mut out = Vec::new();
            json::encode_line(record, Some(gvk), &mut out);
            if pretty { indented(&out) } else { out }
        }
        Codec::Yaml => yaml::encode(record, Some(gvk)).into_bytes(),
        Codec::Proto => proto::encode(record, gvk),
    }
}

fn indented(json: &[u8]) -> Vec<u8> {
    let parsed: Result<serde_json::Value, _> = serde_json::from_slice(json);
    parsed.and_then(|value| serde_json::to_vec_pretty(&value)).unwrap_or_else(|_| json.to_vec())
}

/// A Status.
pub(crate) fn status(codec: Codec, status: Status) -> Vec<u8> {
    object(codec, false, &status.into_inner(), &STATUS)
}

impl Frame<'_> {
    /// One object, as the form wants it shown.
    pub(crate) fn object(&self, record: &Arc<dyn Record>) -> Vec<u8> {
        let Form { codec, shown, pretty } = self.form;
        match (shown, object_meta(&**record)) {
            (Shown::Table, Some(meta)) => {
                let metadata = format!("{{\"resourceVersion\":\"{}\"}}", meta.resource_version);
                let mut out = Vec::new();
                table::write(&mut out, &self.table(&metadata, true), std::slice::from_ref(record));
                out
            }
            (Shown::Metadata, Some(meta)) => {
                let partial = PartialObjectMetadata { metadata: meta.clone() };
                object(codec, pretty, &partial, &METADATA)
            }
            _ => object(codec, pretty, &**record, &self.served.gvk()),
        }
    }

    fn table<'a>(&'a self, metadata: &'a str, headings: bool) -> table::Frame<'a> {
        table::Frame {
            kind: &*self.served.kind,
            gvk: self.served.gvk(),
            included: self.included,
            now: self.now,
            metadata,
            headings,
        }
    }

    /// One object of a watch.
    pub(crate) fn event_object(&self, record: &Arc<dyn Record>, headings: bool) -> Vec<u8> {
        match (self.form.shown, object_meta(&**record)) {
            (Shown::Table, Some(meta)) => {
                let metadata = format!("{{\"resourceVersion\":\"{}\"}}", meta.resource_version);
                let mut out = Vec::new();
                table::write(&mut out, &self.table(&metadata, headings), std::slice::from_ref(record));
                out
            }
            _ => self.object(record),
        }
    }

    /// Many objects, as the form wants them shown.
    pub(crate) fn list(&self, list: &List) -> Vec<u8> {
        let meta = ListMeta {
            resource_version: list.revision.to_string(),
            continue_: list.continue_.clone(),
            remaining_item_count: list.remaining,
            ..ListMeta::default()
        };
        let Form { codec, shown, pretty } = self.form;
        let gvk = self.served.gvk();
        let (kind, group, version) = match shown {
            Shown::Metadata => ("PartialObjectMetadataList".to_owned(), "meta.k8s.io", "v1"),
            _ => (self.served.resource.list_kind.to_string(), gvk.group, gvk.version),
        };
        let list_kind = GroupVersionKind { group, version, kind: &kind };
        if shown == Shown::Table {
            let mut metadata = Vec::new();
            json::encode(&meta, None, &mut metadata);
            let mut out = Vec::new();
            table::write(&mut out, &self.table(&String::from_utf8_lossy(&metadata), true), &list.items);
            return out;
        }
        let items: Vec<Arc<dyn Record>> = match shown {
            Shown::Metadata => list.items.iter().filter_map(|item| metadata_of(&**item)).collect(),
            _ => list.items.clone(),
        };
        // Objects without a Rust type say in a list too what they are, as upstream's do.
        let own = Some(&gvk).filter(|_| self.served.is_custom() && shown == Shown::Object);
        match codec {
            Codec::Proto => proto::encode_list(&meta, &items, &list_kind),
            Codec::Json if !pretty => list_json(&meta, &items, &list_kind, own),
            Codec::Json => indented(&list_json(&meta, &items, &list_kind, own)),
            Codec::Yaml => {
                let text = list_json(&meta, &items, &list_kind, own);
                yaml::from_json(&text).into_bytes()
            }
        }
    }
}

fn metadata_of(record: &dyn Record) -> Option<Arc<dyn Record>> {
    let partial = PartialObjectMetadata { metadata: object_meta(record)?.clone() };
    Some(Arc::new(partial))
}

fn list_json(
    meta: &ListMeta,
    items: &[Arc<dyn Record>],
    kind: &GroupVersionKind<'_>,
    own: Option<&GroupVersionKind<'_>>,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(items.len() * 1024 + 256);
    out.extend_from_slice(b"{\"kind\":");
    json::write_string(&mut out, kind.kind);
    out.extend_from_slice(b",\"apiVersion\":");
    json::write_string(&mut out, &kind.api_version());
    out.extend_from_slice(b",\"metadata\":");
    json::encode(meta, None, &mut out);
    out.extend_from_slice(b",\"items\":[");
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        json::encode(&**item, own, &mut out);
    }
    out.extend_from_slice(b"]}\n");
    out
}
