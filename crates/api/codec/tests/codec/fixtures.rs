//! Upstream's fixtures: one object of every kind, in JSON, YAML and protobuf.

#![allow(clippy::disallowed_methods, reason = "tests read the fixtures")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use api_codec::limits::Limits;
use api_codec::{Strictness, json, proto, yaml};
use api_record::Record;
use api_types::ObjectType;
use api_types::core::v1::Pod;
use api_types::meta::v1::ListMeta;

fn golden() -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/kubernetes/golden");
    assert!(path.is_dir(), "the facts about Kubernetes are absent: {} is no folder", path.display());
    path
}

/// A fixture is named after its group, version and kind; upstream files the option types of `meta/v1` under `core`.
fn find(name: &str) -> Option<&'static ObjectType> {
    let (rest, kind) = name.rsplit_once('.')?;
    let (group, version) = rest.rsplit_once('.')?;
    match group {
        "core" => api_types::object_type("", version, kind)
            .or_else(|| api_types::object_type("meta.k8s.io", version, kind)),
        group => api_types::object_type(group, version, kind),
    }
}

/// Whether the table of built-in resources names the kind of a fixture.
fn is_served(name: &str) -> bool {
    api_types::resources().iter().any(|row| {
        let group = if row.kind.group.is_empty() { "core" } else { row.kind.group };
        name == format!("{group}.{}.{}", row.kind.version, row.kind.kind)
    })
}

fn indented(json: &[u8]) -> Vec<u8> {
    let value: serde_json::Value = serde_json::from_slice(json).expect("our JSON is well-formed");
    let mut out = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"  ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, formatter);
    serde::Serialize::serialize(&value, &mut serializer).expect("writing to memory");
    out
}

struct Forms {
    json: Vec<u8>,
    yaml: Vec<u8>,
    proto: Vec<u8>,
}

fn read(dir: &Path, name: &str) -> Forms {
    let read = |ending: &str| {
        std::fs::read(dir.join(format!("{name}.{ending}"))).expect("every fixture has three forms")
    };
    Forms { json: read("json"), yaml: read("yaml"), proto: read("pb") }
}

fn check(name: &str, kind: &ObjectType, forms: &Forms) -> Result<(), String> {
    let decode_json = |text: &[u8]| -> Result<Box<dyn Record>, String> {
        let mut record = (kind.new)();
        let mut strict = Strictness::default();
        json::decode(text, &mut *record, Some(&mut strict), Limits::REQUEST)
            .map_err(|e| format!("{name}: {e}"))?;
        if strict.errors().is_empty() { Ok(record) } else { Err(format!("{name}: {:?}", strict.errors())) }
    };
    let from_json = decode_json(&forms.json)?;
    let from_yaml =
        decode_json(&yaml::to_json(&forms.yaml, Limits::REQUEST).map_err(|e| format!("{name}: {e}"))?)?;
    let mut from_proto = (kind.new)();
    let envelope = proto::open(&forms.proto, Limits::REQUEST).map_err(|e| format!("{name}: {e}"))?;
    proto::decode(envelope.raw, &mut *from_proto).map_err(|e| format!("{name}: {e}"))?;
    if *from_json != *from_yaml {
        return Err(format!("{name}: JSON and YAML differ\n{from_json:?}\n{from_yaml:?}"));
    }
    if *from_json != *from_proto {
        return Err(format!("{name}: JSON and protobuf differ\n{from_json:?}\n{from_proto:?}"));
    }
    let meta = envelope.type_meta;
    let (group, version) = meta.api_version.split_once('/').unwrap_or(("", &meta.api_version));
    let wire_kind = api_types::GroupVersionKind { group, version, kind: &meta.kind };
    if proto::encode(&*from_json, &wire_kind) != forms.proto {
        return Err(format!("{name}: encoded protobuf differs"));
    }
    check_kept(name, &*from_json)?;
    let mut text = Vec::new();
    let json_kind = kind.schema.type_meta.then_some(&wire_kind);
    json::encode(&*from_proto, json_kind, &mut text);
    let wanted = String::from_utf8_lossy(&forms.json).trim_end().to_owned();
    let got = String::from_utf8_lossy(&indented(&text)).into_owned();
    if got != unescaped(&wanted) {
        let line = got.lines().zip(wanted.lines()).find(|(a, b)| a != b);
        return Err(format!("{name}: encoded JSON differs: {line:?}"));
    }
    let ours: serde_json::Value = serde_json::from_slice(
        &yaml::to_json(yaml::encode(&*from_json, json_kind).as_bytes(), Limits::REQUEST)
            .expect("our YAML is well-formed"),
    )
    .expect("JSON");
    let theirs: serde_json::Value =
        serde_json::from_slice(&yaml::to_json(&forms.yaml, Limits::REQUEST).expect("read before"))
            .expect("JSON");
    if ours != theirs {
        return Err(format!("{name}: encoded YAML differs"));
    }
    Ok(())
}

/// A message as stores keep it, with its resource version put in, is the message of the object.
fn check_kept(name: &str, object: &dyn Record) -> Result<(), String> {
    let mut bare = object.boxed_clone();
    let Some(meta) = api_types::object_meta(object) else { return Ok(()) };
    let version = meta.resource_version.clone();
    let whole = proto::encode_message(object);
    for stored in ["", "0", "12345678901234567890"] {
        if let Some(meta) = api_types::object_meta_mut(&mut *bare) {
            stored.clone_into(&mut meta.resource_version);
        }
        let message = proto::encode_message(&*bare);
        let kept = proto::Kept::new(&message).map_err(|e| format!("{name}: {e}"))?;
        let mut out = Vec::new();
        kept.write(&version, &mut out);
        if out != whole || kept.len(&version) != whole.len() {
            return Err(format!("{name}: a stored message differs once its resource version is in it"));
        }
    }
    Ok(())
}

/// `serde_json` writes HTML's special characters plainly where Go escapes them.
fn unescaped(text: &str) -> String {
    text.replace("\\u003c", "<").replace("\\u003e", ">").replace("\\u0026", "&")
}

#[test]
fn every_fixture_of_a_served_kind_survives() {
    let dir = golden();
    let names: BTreeSet<String> = std::fs::read_dir(&dir)
        .expect("the folder was there")
        .filter_map(|entry| {
            entry
                .expect("a folder's entry")
                .file_name()
                .to_str()
                .and_then(|name| name.rsplit_once('.'))
                .map(|(stem, _)| stem.to_owned())
        })
        .collect();
    let mut failures = Vec::new();
    let (mut checked, mut absent) = (0, Vec::new());
    for name in &names {
        match find(name) {
            Some(kind) => {
                checked += 1;
                if let Err(error) = check(name, kind, &read(&dir, name)) {
                    failures.push(error);
                }
            }
            None => absent.push(name.as_str()),
        }
    }
    println!("{checked} fixtures checked, {} of kinds that are not served: {absent:?}", absent.len());
    for name in &absent {
        assert!(!is_served(name), "{name} is served, but no type of it is generated");
    }
    assert!(failures.is_empty(), "{} of {checked} failed:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn a_list_written_in_pieces_is_the_list_written_at_once() {
    let pods: Vec<Arc<dyn Record>> = (0..300)
        .map(|number| {
            let mut pod = Pod::default();
            pod.metadata.name = "x".repeat(number);
            pod.metadata.resource_version = number.to_string();
            Arc::new(pod) as Arc<dyn Record>
        })
        .collect();
    let kind = api_types::GroupVersionKind { group: "", version: "v1", kind: "PodList" };
    for count in [0, 1, 300] {
        let meta = ListMeta { resource_version: "9".into(), ..ListMeta::default() };
        let messages: Vec<Vec<u8>> = pods[..count].iter().map(|pod| proto::encode_message(&**pod)).collect();
        let items = messages.iter().map(|message| proto::list_item_len(message.len())).sum();
        let mut pieces = proto::list_head(&meta, &kind, items);
        for message in &messages {
            proto::list_item(message.len(), &mut pieces);
            pieces.extend_from_slice(message);
        }
        pieces.extend_from_slice(&proto::list_tail());
        assert_eq!(pieces, proto::encode_list(&meta, &pods[..count], &kind), "{count}");
    }
}
