//! Any bytes as YAML: an error or JSON.
#![no_main]

use api_codec::{json, limits::Limits, yaml};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(text) = yaml::to_json(data, Limits::REQUEST)
        && text.starts_with(b"{")
    {
        json::type_meta(&text, Limits::RESPONSE)
            .map(drop)
            .or_else(|error| match error {
                api_codec::DecodeError::Syntax(_) => Err(error),
                _ => Ok(()),
            })
            .expect("what YAML becomes is JSON");
    }
});
