//! Single fields of a message, found without decoding the rest: whoever looks at one field of very many objects needs no more.

use api_record::{Schema, Shape};

use super::read::Reader;

/// The bytes of the field that a path of JSON names leads to, through nested records: text, or a message. `None` where nothing is
/// written, which is what an empty text may be, too.
pub fn find<'a>(message: &'a [u8], schema: &Schema, path: &[&str]) -> Option<&'a [u8]> {
    let (name, parents) = path.split_last()?;
    let (message, schema) = descend(message, schema, parents)?;
    first(message, schema.fields[schema.index_of(name)?].tag)
}

/// The value of a key in the map of texts that a path of JSON names leads to.
pub fn entry<'a>(message: &'a [u8], schema: &Schema, path: &[&str], wanted: &str) -> Option<&'a str> {
    let (name, parents) = path.split_last()?;
    let (message, schema) = descend(message, schema, parents)?;
    let tag = schema.fields[schema.index_of(name)?].tag;
    let mut reader = Reader::new(message);
    while let Some(key) = reader.key().ok()? {
        if key.number != tag {
            reader.skip(key).ok()?;
            continue;
        }
        let entry = reader.bytes(key).ok()?;
        if first(entry, 1).unwrap_or_default() == wanted.as_bytes() {
            return std::str::from_utf8(first(entry, 2).unwrap_or_default()).ok();
        }
    }
    None
}

fn descend<'a, 's>(message: &'a [u8], schema: &'s Schema, path: &[&str]) -> Option<(&'a [u8], &'s Schema)> {
    let Some((name, rest)) = path.split_first() else { return Some((message, schema)) };
    let field = &schema.fields[schema.index_of(name)?];
    match &field.shape {
        Shape::Record(schema) => descend(first(message, field.tag)?, schema, rest),
        _ => None,
    }
}

/// The first field of a number that holds bytes.
fn first(message: &[u8], number: u32) -> Option<&[u8]> {
    let mut reader = Reader::new(message);
    while let Some(key) = reader.key().ok()? {
        if key.number == number {
            return reader.bytes(key).ok();
        }
        reader.skip(key).ok()?;
    }
    None
}

#[cfg(test)]
mod tests {
    use api_record::Typed as _;
    use api_types::core::v1::Pod;

    use super::*;
    use crate::proto::encode_message;

    fn message() -> Vec<u8> {
        let mut pod = Pod::default();
        pod.metadata.labels.insert("app".into(), "web".into());
        pod.metadata.labels.insert("tier".into(), String::new());
        pod.metadata.deletion_timestamp = Some(api_record::scalar::Time { seconds: 7 });
        pod.spec.node_name = "n1".into();
        encode_message(&pod)
    }

    #[test]
    fn a_field_is_found_where_it_is_written() {
        let message = message();
        let found = |path: &[&str]| find(&message, Pod::SCHEMA, path);
        assert_eq!(found(&["spec", "nodeName"]), Some(&b"n1"[..]));
        assert_eq!(found(&["metadata", "deletionTimestamp"]), Some(&[8, 7, 16, 0][..]));
        assert_eq!(found(&["status", "phase"]).unwrap_or_default(), b"");
        assert_eq!(found(&["spec", "nodeName", "more"]), None);
        assert_eq!(found(&["spec", "nothing"]), None);
        assert_eq!(found(&[]), None);
    }

    #[test]
    fn a_label_is_found_by_its_key() {
        let message = message();
        let label = |key: &str| entry(&message, Pod::SCHEMA, &["metadata", "labels"], key);
        assert_eq!((label("app"), label("tier"), label("ap")), (Some("web"), Some(""), None));
        assert_eq!(entry(&message, Pod::SCHEMA, &["spec", "nodeSelector"], "app"), None);
    }

    #[test]
    fn what_is_cut_off_has_nothing() {
        let message = message();
        for end in 0..message.len() {
            assert_eq!(find(&message[..end], Pod::SCHEMA, &["spec", "nothing"]), None);
            assert_eq!(entry(&message[..end], Pod::SCHEMA, &["metadata", "labels"], "zzz"), None);
        }
        assert_eq!(find(&message[..3], Pod::SCHEMA, &["spec", "nodeName"]), None);
    }
}
