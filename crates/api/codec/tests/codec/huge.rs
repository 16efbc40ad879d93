//! A hundred megabytes of anything: a clear error, and memory in proportion. The cases run in a process of their own, whose
//! peak the kernel keeps; time is not measured, but a decoder that took more than linear time would not come back.

#![allow(clippy::disallowed_methods, reason = "tests start a process and read what the kernel says of it")]

use api_codec::limits::{Limits, MEMORY_BYTES, MEMORY_FACTOR};
use api_codec::{DecodeError, Strictness, json, proto, yaml};
use api_types::apiextensions::v1::JSONSchemaProps;
use api_types::core::v1::{ConfigMap, Pod};

const SIZE: usize = 100 << 20;
/// Enough of what is worth far more memory than its text.
const FEW: usize = 4 << 20;
const INSIDE: &str = "KNARR_TEST_HUGE";

/// `head`, then as many of `part` as fit.
fn filled(head: &str, part: &str) -> Vec<u8> {
    let mut text = Vec::with_capacity(SIZE);
    text.extend_from_slice(head.as_bytes());
    while text.len() + part.len() <= SIZE {
        text.extend_from_slice(part.as_bytes());
    }
    text
}

/// What the kernel says of this process, in bytes.
fn kernel(name: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line of the status");
    line.trim_start_matches(':').trim().trim_end_matches(" kB").parse::<usize>().expect("a number") << 10
}

/// Decodes, and checks what it took; `most` is for what it may take besides the document.
fn check(
    name: &str,
    document: Vec<u8>,
    most: usize,
    decode: impl FnOnce(&[u8]) -> Result<(), DecodeError>,
    wanted: &str,
) {
    // Forgets the peak.
    std::fs::write("/proc/self/clear_refs", "5").expect("a process may reset its own peak");
    let before = kernel("VmRSS");
    let outcome = decode(&document);
    let peak = kernel("VmHWM").saturating_sub(before);
    let message = outcome.map_or_else(|error| error.to_string(), |()| "fine".to_owned());
    println!("{name}: {} MiB, {}", peak >> 20, &message[..message.len().min(120)]);
    assert!(message.contains(wanted), "{name}: {}", &message[..message.len().min(400)]);
    assert!(message.len() < 64 << 10, "{name}: a message of {} bytes", message.len());
    assert!(peak <= most, "{name} took {} MiB", peak >> 20);
}

fn as_pod(text: &[u8]) -> Result<(), DecodeError> {
    let outcome = json::decode(text, &mut Pod::default(), Some(&mut Strictness::default()), Limits::RESPONSE);
    assert_eq!(json::type_meta(text, Limits::REQUEST).expect_err("large").to_string(), too_large(text));
    outcome
}

fn too_large(text: &[u8]) -> String {
    format!("limit is {} bytes, the document has {}", Limits::REQUEST.bytes, text.len())
}

fn json_cases() {
    let small = 16 << 20;
    for (name, head, part, most, wanted) in [
        ("brackets", "", "[", small, "exceeded max depth"),
        ("objects", "", "{\"a\":", small, "exceeded max depth"),
        ("brackets in a list", "{\"spec\":{\"containers\":", "[", small, "exceeded max depth"),
        (
            "brackets in kept JSON",
            "{\"metadata\":{\"managedFields\":[{\"fieldsV1\":",
            "[",
            small,
            "exceeded max depth",
        ),
        ("spaces", "", " ", small, "unexpected end of JSON input"),
        ("an open string", "{\"metadata\":{\"name\":\"", "x", small, "unexpected end of JSON input"),
        ("escapes", "{\"metadata\":{\"name\":\"", "\\u0041", SIZE, "unexpected end of JSON input"),
        ("a number", "{\"spec\":{\"priority\":", "9", 2 * SIZE, "unexpected end of JSON input"),
        ("quotes", "", "\"", small, "invalid character '\"' after top-level value"),
    ] {
        check(name, filled(head, part), most, as_pod, wanted);
    }
    let records = MEMORY_BYTES + MEMORY_FACTOR * FEW;
    // A growing list is copied once more.
    let mut costly = filled("{\"spec\":{\"containers\":[{}", ",{}");
    costly.truncate(FEW);
    check("empty containers", costly, 2 * records, as_pod, "bytes of memory");
    let mut unknown = filled("{\"a\":1", ",\"b\":1,\"bb\":[1]");
    unknown.truncate(FEW);
    check("unknown fields", unknown, small, as_pod, "unexpected end of JSON input");
    let mut map = filled("{\"data\":{\"a\":\"\"", ",\"a\":\"\",\"a\":\"\"");
    map.truncate(map[..FEW].iter().rposition(|byte| *byte == b',').unwrap_or_default());
    map.extend_from_slice(b"}}");
    let as_map = |text: &[u8]| {
        let mut strict = Strictness::default();
        let mut map = ConfigMap::default();
        json::decode(text, &mut map, Some(&mut strict), Limits::RESPONSE)?;
        assert_eq!((map.data.len(), strict.errors()), (1, &["duplicate field \"data.a\"".to_owned()][..]));
        Ok(())
    };
    check("a key twice", map, small, as_map, "fine");
    let nested = filled("", "{\"not\":");
    let as_schema = |text: &[u8]| json::decode(text, &mut JSONSchemaProps::default(), None, Limits::RESPONSE);
    check("schemas in schemas", nested, small, as_schema, "exceeded max depth");
    let long_key = format!("{{\"properties\":{{\"{}\":{{", "k".repeat(SIZE));
    let fields: Vec<String> = (0..200).map(|index| format!("\"x{index}\":1")).collect();
    let long_key = format!("{long_key}{}}}}}}}", fields.join(",")).into_bytes();
    let as_schema = |text: &[u8]| {
        let mut strict = Strictness::default();
        json::decode(text, &mut JSONSchemaProps::default(), Some(&mut strict), Limits::RESPONSE)?;
        assert!(strict.errors().iter().all(|error| error.len() < 16 << 10));
        Ok(())
    };
    check("unknown fields below a long key", long_key, 3 * SIZE, as_schema, "fine");
}

fn yaml_cases() {
    let convert = |text: &[u8]| {
        assert_eq!(yaml::to_json(text, Limits::REQUEST).expect_err("large").to_string(), too_large(text));
        yaml::to_json(text, Limits::RESPONSE).map(drop)
    };
    for (name, head, part) in [
        ("YAML brackets", "", "["),
        ("YAML braces", "", "{a: "),
        ("YAML dashes", "", "- "),
        ("YAML questions", "", "? "),
        ("YAML items", "", "- a\n"),
        ("YAML entries", "", "a: b\n"),
        ("YAML aliases", "a: &a [x]\nb: [", "*a,"),
        ("YAML anchors", "- ", "&a "),
        ("YAML tags", "- ", "!!str "),
        ("YAML quotes", "a: \"", "x"),
        ("YAML controls", "", "\u{7}"),
    ] {
        check(name, filled(head, part), 4 * SIZE, convert, "error converting YAML to JSON: yaml: ");
    }
}

fn proto_cases() {
    let small = 16 << 20;
    let as_pod = |message: &[u8]| proto::decode(message, &mut Pod::default());
    let mut nested: Vec<u8> = Vec::with_capacity(SIZE + 16);
    // Field 28 of a schema is a schema; its length goes before it, so that the whole is made from its end.
    while nested.len() < SIZE {
        let mut length = nested.len() as u64;
        let mut head = vec![0xe2, 0x01];
        while length > 0x7f {
            head.push(length as u8 | 0x80);
            length >>= 7;
        }
        head.push(length as u8);
        nested.extend(head.into_iter().rev());
    }
    nested.reverse();
    let as_schema = |message: &[u8]| proto::decode(message, &mut JSONSchemaProps::default());
    check("messages in messages", nested, small, as_schema, "exceeded max depth");
    for (name, part, wanted) in [
        ("open groups", &[0x7b][..], "exceeded max depth"),
        ("ones", &[0xff], "proto: "),
        ("zeros", &[0], "proto: illegal tag 0"),
        ("a length beyond the end", &[0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f], "unexpected EOF"),
    ] {
        check(name, part.repeat(SIZE / part.len()), small, as_pod, wanted);
    }
    // A pod's spec that ends early, and one of empty containers.
    let spec = |length: usize, taken: usize, body: &[u8]| {
        let mut message = vec![0x12];
        let mut length = length as u64;
        while length > 0x7f {
            message.push(length as u8 | 0x80);
            length >>= 7;
        }
        message.push(length as u8);
        message.extend(body.iter().cycle().take(taken));
        message
    };
    check("a message cut off", spec(SIZE + 1, SIZE, &[0x12, 0]), small, as_pod, "unexpected EOF");
    let records = MEMORY_BYTES + MEMORY_FACTOR * FEW;
    let containers = spec(FEW, FEW, &[0x12, 0]);
    check("empty containers", containers, 2 * records, as_pod, "bytes of memory");
    let open = |document: &[u8]| proto::open(document, Limits::RESPONSE).map(drop);
    check("no envelope", vec![b'k'; SIZE], small, open, "does not appear to be a protobuf message");
    let mut envelope = proto::MAGIC.to_vec();
    envelope.resize(SIZE, 0x7b);
    check("groups in the envelope", envelope, small, open, "exceeded max depth");
}

#[test]
fn a_hundred_megabytes_of_anything_are_refused_cheaply() {
    if std::env::var_os(INSIDE).is_some() {
        json_cases();
        yaml_cases();
        proto_cases();
        return;
    }
    let own = std::env::current_exe().expect("a test knows where it is");
    let inside = std::process::Command::new(own)
        .args(["--exact", "huge::a_hundred_megabytes_of_anything_are_refused_cheaply", "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .expect("a test can start itself");
    let told = String::from_utf8_lossy(&inside.stdout) + String::from_utf8_lossy(&inside.stderr);
    println!("{told}");
    assert!(inside.status.success() && told.contains("empty containers: "), "{told}");
}
