//! Any bytes as a JSON Pod: an error or a record, and what is written of the record is read again.
#![no_main]

use api_codec::{Strictness, json, limits::Limits};
use api_types::core::v1::Pod;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut pod = Pod::default();
    if json::decode(data, &mut pod, Some(&mut Strictness::default()), Limits::REQUEST).is_ok() {
        let mut text = Vec::new();
        json::encode(&pod, None, &mut text);
        json::decode(&text, &mut Pod::default(), None, Limits::RESPONSE).expect("what was written is read");
    }
});
