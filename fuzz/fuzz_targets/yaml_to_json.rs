//! Any bytes as YAML: an error or JSON, and what is written of it as YAML is the same JSON.
#![no_main]

use api_codec::{json, limits::Limits, yaml};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(text) = yaml::to_json(data, Limits::REQUEST) else { return };
    if let Err(error @ api_codec::DecodeError::Syntax(_)) = json::type_meta(&text, Limits::RESPONSE) {
        panic!("what YAML becomes is JSON: {error}");
    }
    let written = yaml::from_json(&text);
    let again = yaml::to_json(written.as_bytes(), Limits::RESPONSE).expect("what was written is read");
    let value = |json: &[u8]| serde_json::from_slice::<serde_json::Value>(json).ok();
    assert_eq!(value(&again), value(&text), "{written}");
});
