//! Any bytes as a JSON object of any kind: an error or a record, and what is written of the record is read again.
#![no_main]

use api_codec::{Strictness, json, limits::Limits};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((kind, text)) = fuzz::kind(data) else { return };
    let _ = json::type_meta(text, Limits::REQUEST);
    let mut record = (kind.new)();
    if json::decode(text, &mut *record, Some(&mut Strictness::default()), Limits::REQUEST).is_ok() {
        let mut written = Vec::new();
        json::encode(&*record, None, &mut written);
        json::decode(&written, &mut *(kind.new)(), None, Limits::RESPONSE).expect("what was written is read");
    }
});
