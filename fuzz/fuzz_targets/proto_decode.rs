//! Any bytes as a protobuf Pod: an error or a record, and what is written of the record is read again.
#![no_main]

use api_codec::{limits::Limits, proto};
use api_types::core::v1::Pod;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = proto::open(data, Limits::REQUEST);
    let mut pod = Pod::default();
    if proto::decode(data, &mut pod).is_ok() {
        let message = proto::encode_message(&pod);
        proto::decode(&message, &mut Pod::default()).expect("what was written is read");
    }
});
