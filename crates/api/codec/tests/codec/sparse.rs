//! Sparse and odd documents: what upstream's decoders and encoders made of each (`sparse.tsv`, from its serializers of
//! v0.37.1), nil, empty and zero included, in JSON and in protobuf; and its conversions of YAML (`yaml.tsv`).

use api_codec::limits::Limits;
use api_codec::{Strictness, json, proto, yaml};
use api_record::Record;
use api_types::{GroupVersionKind, ObjectType};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

fn find(api_version: &str, kind: &str) -> Option<(&'static ObjectType, GroupVersionKind<'static>)> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let found = api_types::object_type(group, version, kind)
        // Upstream serves the option types in every group.
        .or_else(|| api_types::object_type("meta.k8s.io", version, kind))?;
    let (group, version) =
        (Box::leak(group.to_owned().into_boxed_str()), Box::leak(version.to_owned().into_boxed_str()));
    Some((found, GroupVersionKind { group, version, kind: found.kind.kind }))
}

/// An object, its kind, and the complaints of strict decoding.
type Decoded = (Box<dyn Record>, GroupVersionKind<'static>, String);

fn decode(document: &str) -> Result<Option<Decoded>, String> {
    let meta = json::type_meta(document.as_bytes(), Limits::REQUEST)
        .map_err(|error| format!("couldn't get version/kind; json parse error: {error}"))?;
    let Some((kind, name)) = find(&meta.api_version, &meta.kind) else { return Ok(None) };
    let mut record = (kind.new)();
    let mut strict = Strictness::default();
    json::decode(document.as_bytes(), &mut *record, Some(&mut strict), Limits::REQUEST)
        .map_err(|error| error.to_string())?;
    Ok(Some((record, name, strict.errors().join("; "))))
}

fn encoded(record: &dyn Record, name: &GroupVersionKind<'_>) -> String {
    let mut text = Vec::new();
    json::encode(record, Some(name), &mut text);
    String::from_utf8(text).expect("JSON is UTF-8")
}

fn check(row: &[&str]) -> Result<bool, String> {
    let decoded = match decode(row[0]) {
        Ok(None) => return Ok(false),
        Ok(Some(decoded)) => Ok(decoded),
        Err(error) => Err(error),
    };
    let (record, name, strict) = match (decoded, row[1]) {
        (Err(error), "error") if error == row[2] => return Ok(true),
        (Err(error), _) => return Err(format!("refused: {error}")),
        (Ok(_), "error") => return Err("not refused".to_owned()),
        (Ok(decoded), _) => decoded,
    };
    let text = encoded(&*record, &name);
    if text != row[1] {
        return Err(format!("JSON {text}"));
    }
    if strict != row[2] {
        return Err(format!("strict {strict}"));
    }
    if row[3] == "-" {
        return Ok(true);
    }
    let message = proto::encode(&*record, &name);
    if STANDARD.encode(&message) != row[3] {
        return Err(format!("protobuf {}", STANDARD.encode(&message)));
    }
    let envelope = proto::open(&message, Limits::REQUEST).map_err(|error| error.to_string())?;
    let (kind, _) = find(&envelope.type_meta.api_version, &envelope.type_meta.kind).ok_or("no kind")?;
    let mut again = (kind.new)();
    proto::decode(envelope.raw, &mut *again).map_err(|error| format!("protobuf: {error}"))?;
    let again = encoded(&*again, &name);
    let wanted = if row[4] == "=" { row[1] } else { row[4] };
    if again == wanted { Ok(true) } else { Err(format!("JSON after protobuf {again}")) }
}

/// Where a difference is known, by a part of the document, and why.
const KNOWN: &[(&str, &str)] = &[
    ("\"items\":[{\"kind\"", "the items of a list are of the list's kind; what they say of it is not kept"),
    ("volumeClaimTemplates\":[{\"kind\"", "what a nested object says of its kind is not kept"),
    (
        "\"a\":null,\"b\":\"\"",
        "null bytes in a map are empty ones, as they are upstream once they have been stored",
    ),
    (
        "\"a\":null,\"b\":[]",
        "a null list in a map is an empty one, as it is upstream once it has been stored",
    ),
    ("[ 1 , \"<\" ]", "kept JSON loses its white space when it is read, and not only when it is written"),
];

#[test]
fn sparse_objects_are_kept_as_upstream_keeps_them() {
    let (mut checked, mut excepted, mut wrong) = (0, 0, Vec::new());
    for row in include_str!("sparse.tsv").lines().filter(|line| !line.starts_with('#')) {
        let cells: Vec<&str> = row.split('\t').collect();
        match check(&cells) {
            Ok(is_checked) => checked += usize::from(is_checked),
            Err(_) if KNOWN.iter().any(|(part, _)| cells[0].contains(part)) => excepted += 1,
            Err(difference) => wrong.push(format!(
                "{}\n    upstream {}\n    here {difference}",
                cells[0],
                cells[1..].join(" ")
            )),
        }
    }
    println!("{checked} documents checked, {excepted} differ for the reasons given: {KNOWN:?}");
    assert!(wrong.is_empty(), "{} of {checked} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(checked > 200 && excepted < 10, "{checked} checked, {excepted} excepted");
}

/// The YAML that is read otherwise, and why.
const YAML_KNOWN: &[(&str, &str)] = &[
    ("a: 1e400", "a number beyond all floats is refused, not taken for text"),
    ("%YAML 1.2\\n---\\na: 1", "the directive of version 1.2 is read"),
    ("%FOO\\n---\\na", "an unknown directive is passed over, as YAML has it"),
    ("x: &a {b: 1}\\ny: {<<: *a, c: 2}", "the key `y` is no boolean"),
    ("x: &a [1]\\ny: *a", "the key `y` is no boolean"),
    ("a: 1__0", "underscores in numbers stand alone"),
    ("a: \"\\\\ud83d\\\\ude00\"", "surrogate pairs are read"),
    ("a: !!null x", "what is tagged as null is null"),
    ("a: !!timestamp 2001-01-01", "the tag of timestamps is not known"),
];

#[test]
fn yaml_becomes_the_json_that_upstream_makes_of_it() {
    let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
    let (mut same_words, mut errors, mut wrong) = (0, 0, Vec::new());
    for row in include_str!("yaml.tsv").lines().skip(1) {
        let cells: Vec<&str> = row.split('\t').collect();
        let text = cells[0]
            .replace("\\\\", "\u{0}")
            .replace("\\n", "\n")
            .replace("\\t", "\t")
            .replace('\u{0}', "\\");
        let ours = yaml::to_json(text.as_bytes(), Limits::REQUEST);
        let ours = ours.map(|json| String::from_utf8(json).expect("JSON is UTF-8"));
        let fits = match &ours {
            Ok(json) => cells[1] != "error" && value(json) == value(cells[1]),
            Err(error) => {
                errors += 1;
                same_words +=
                    usize::from(cells.get(2).is_some_and(|wanted| error.to_string().contains(wanted)));
                cells[1] == "error"
            }
        };
        if !fits && !YAML_KNOWN.iter().any(|(known, _)| *known == cells[0]) {
            wrong.push(format!("{row}: {ours:?}"));
        }
    }
    println!("{same_words} of {errors} errors in upstream's words");
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(errors > 30, "{errors} errors");
}
