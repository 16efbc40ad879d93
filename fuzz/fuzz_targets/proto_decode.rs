//! Any bytes as a protobuf object of any kind: an error or a record, and what is written of the record, in protobuf and in
//! JSON, is read again.
#![no_main]

use api_codec::{json, limits::Limits, proto};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = proto::open(data, Limits::REQUEST);
    let Some((kind, message)) = fuzz::kind(data) else { return };
    let mut record = (kind.new)();
    if proto::decode(message, &mut *record).is_ok() {
        let written = proto::encode_message(&*record);
        let mut again = (kind.new)();
        proto::decode(&written, &mut *again).expect("what was written is read");
        assert_eq!(proto::encode_message(&*again), written);
        let mut text = Vec::new();
        json::encode(&*record, None, &mut text);
        let mut value = (kind.new)();
        json::type_meta(&text, Limits::RESPONSE).expect("what is written is JSON");
        // A label of a file's or a quantity's kind may be no value of its field in JSON, but the text is JSON.
        let _ = json::decode(&text, &mut *value, None, Limits::RESPONSE);
    }
});
