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
            json::show_line(record, Some(gvk), &mut out);
            if pretty { indented(&out) } else { out }
        }
        Codec::Yaml => {
            let mut out = Vec::new();
            json::show(record, Some(gvk), &mut out);
            yaml::from_json(&out).into_bytes()
        }
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
        if self.form.codec == Codec::Proto {
            let items: Vec<Arc<dyn Record>> = match self.form.shown {
                Shown::Metadata => list.items.iter().filter_map(|item| metadata_of(&**item)).collect(),
                _ => list.items.clone(),
            };
            return proto::encode_list(&list_meta(list), &items, &self.list_kind());
        }
        let mut out = Vec::with_capacity(list.items.len() * 1024 + 256);
        self.open_list(list, &mut out);
        for (index, item) in list.items.iter().enumerate() {
            self.list_item(item, index == 0, &mut out);
        }
        self.close_list(&mut out);
        match self.form.codec {
            Codec::Yaml => yaml::from_json(&out).into_bytes(),
            _ if self.form.pretty && self.form.shown != Shown::Table => indented(&out),
            _ => out,
        }
    }

    /// What a list in JSON begins with: all but the items, which follow, each written by [`Frame::list_item`].
    pub(crate) fn open_list(&self, list: &List, out: &mut Vec<u8>) {
        let mut meta = Vec::new();
        json::encode(&list_meta(list), None, &mut meta);
        if self.form.shown == Shown::Table {
            return table::open(out, &self.table(&String::from_utf8_lossy(&meta), true));
        }
        let kind = self.list_kind();
        out.extend_from_slice(b"{\"kind\":");
        json::write_string(out, kind.kind);
        out.extend_from_slice(b",\"apiVersion\":");
        json::write_string(out, &kind.api_version());
        out.extend_from_slice(b",\"metadata\":");
        out.extend_from_slice(&meta);
        out.extend_from_slice(b",\"items\":[");
    }

    /// An item of a list in JSON.
    pub(crate) fn list_item(&self, item: &Arc<dyn Record>, first: bool, out: &mut Vec<u8>) {
        if !first {
            out.push(b',');
        }
        match (self.form.shown, object_meta(&**item)) {
            (Shown::Table, _) => table::row(out, &self.table("", true), &**item),
            (Shown::Metadata, Some(meta)) => {
                let partial = PartialObjectMetadata { metadata: meta.clone() };
                json::encode(&partial, None, out);
            }
            // Objects without a Rust type say in a list too what they are, as upstream's do.
            _ => json::show(&**item, Some(&self.served.gvk()).filter(|_| self.served.is_custom()), out),
        }
    }

    /// What a list in JSON ends with.
    pub(crate) fn close_list(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"]}\n");
    }

    /// What a list in protobuf begins with whose items, in the form that they are kept in, are so many bytes.
    pub(crate) fn proto_head(&self, list: &List, items: usize) -> Vec<u8> {
        proto::list_head(&list_meta(list), &self.list_kind(), items)
    }

    fn list_kind(&self) -> GroupVersionKind<'_> {
        match self.form.shown {
            Shown::Metadata => {
                GroupVersionKind { group: "meta.k8s.io", version: "v1", kind: "PartialObjectMetadataList" }
            }
            _ => GroupVersionKind { kind: &self.served.resource.list_kind, ..self.served.gvk() },
        }
    }
}

fn list_meta(list: &List) -> ListMeta {
    ListMeta {
        resource_version: list.revision.to_string(),
        continue_: list.continue_.clone(),
        remaining_item_count: list.remaining,
        ..ListMeta::default()
    }
}

fn metadata_of(record: &dyn Record) -> Option<Arc<dyn Record>> {
    let partial = PartialObjectMetadata { metadata: object_meta(record)?.clone() };
    Some(Arc::new(partial))
}
