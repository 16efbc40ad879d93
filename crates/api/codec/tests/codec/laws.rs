//! What holds of every kind: what one codec writes it reads again, and malformed input is refused without a panic.

use api_codec::limits::Limits;
use api_codec::{json, proto, yaml};
use api_record::Record;
use api_types::ObjectType;
use proptest::prelude::*;

use crate::random::{self, Dice};

fn as_json(record: &dyn Record) -> String {
    let mut text = Vec::new();
    json::encode(record, None, &mut text);
    String::from_utf8(text).expect("JSON is UTF-8")
}

fn from_json(kind: &ObjectType, text: &str) -> Box<dyn Record> {
    let mut record = (kind.new)();
    json::decode(text.as_bytes(), &mut *record, None, Limits::REQUEST).expect("what was written is read");
    record
}

/// A random record, made canonical: protobuf and JSON cannot say everything that a record can hold.
fn record(kind: &ObjectType, seed: u64) -> Box<dyn Record> {
    let mut record = (kind.new)();
    random::fill(&mut *record, &mut Dice(seed), 0);
    from_json(kind, &as_json(&*record))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]

    #[test]
    fn every_kind_survives_every_codec(seed: u64) {
        for kind in api_types::object_types() {
            let record = record(kind, seed);
            let text = as_json(&*record);
            prop_assert_eq!(&as_json(&*from_json(kind, &text)), &text, "{} through JSON", kind.kind.kind);

            let converted = yaml::to_json(yaml::encode(&*record, None).as_bytes(), Limits::REQUEST)
                .map_err(|error| TestCaseError::fail(format!("{}: {error}", kind.kind.kind)))?;
            let reread = from_json(kind, &String::from_utf8(converted).expect("JSON is UTF-8"));
            prop_assert_eq!(&as_json(&*reread), &text, "{} through YAML", kind.kind.kind);

            let message = proto::encode_message(&*record);
            let mut reread = (kind.new)();
            proto::decode(&message, &mut *reread).expect("what was written is read");
            prop_assert_eq!(proto::encode_message(&*reread), message, "{} through protobuf", kind.kind.kind);
        }
    }

    #[test]
    fn sparse_documents_settle(seed: u64) {
        for kind in api_types::object_types() {
            let document = random::document(kind.schema, &mut Dice(seed));
            let mut record = (kind.new)();
            if json::decode(document.as_bytes(), &mut *record, None, Limits::REQUEST).is_ok() {
                // A pointer to the zero time is written as null, which is read as no time at all.
                let text = as_json(&*from_json(kind, &as_json(&*record)));
                prop_assert_eq!(&as_json(&*from_json(kind, &text)), &text, "{}", document);
            }
        }
    }

    #[test]
    fn damaged_documents_never_panic(seed: u64, bytes: Vec<u8>) {
        let mut dice = Dice(seed);
        for kind in api_types::object_types() {
            let mut record = record(kind, seed);
            for mut text in [as_json(&*record).into_bytes(), proto::encode_message(&*record)] {
                text.truncate(dice.below(text.len() + 1));
                if !text.is_empty() {
                    let at = dice.below(text.len());
                    text[at] = bytes.first().copied().unwrap_or_default();
                }
                let _ = json::decode(&text, &mut *record, None, Limits::REQUEST);
                let _ = proto::decode(&text, &mut *record);
            }
        }
        let _ = yaml::to_json(&bytes, Limits::REQUEST);
        let _ = proto::open(&bytes, Limits::REQUEST);
    }
}
