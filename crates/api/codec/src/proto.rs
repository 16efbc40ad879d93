//! Protobuf, as upstream's generated marshallers write it, in the `k8s\0` envelope of `runtime.Unknown`.

mod decode;
mod encode;
pub mod glance;
mod kept;
mod read;
mod write;

use std::sync::Arc;

use api_record::Record;
use api_types::GroupVersionKind;

use crate::DecodeError;
use crate::json::TypeMeta;
use crate::limits::Limits;
pub use kept::Kept;
use read::Reader;
use write::Writer;

/// What every document begins with.
pub const MAGIC: &[u8; 4] = b"k8s\0";

/// A document whose object is still encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// What the object is.
    pub type_meta: TypeMeta,
    /// The object's message.
    pub raw: &'a [u8],
}

/// Opens a document.
pub fn open(document: &[u8], limits: Limits) -> Result<Envelope<'_>, DecodeError> {
    if document.len() > limits.bytes {
        return Err(DecodeError::TooLarge { size: document.len(), limit: limits.bytes });
    }
    let body = document.strip_prefix(MAGIC).ok_or_else(|| {
        DecodeError::Syntax(
            "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]".into(),
        )
    })?;
    let mut envelope = Envelope { type_meta: TypeMeta::default(), raw: &[] };
    let mut reader = Reader::new(body);
    while let Some(key) = reader.key()? {
        match key.number {
            1 => {
                let mut meta = Reader::new(reader.bytes(key)?);
                while let Some(key) = meta.key()? {
                    match key.number {
                        1 => envelope.type_meta.api_version = meta.string(key)?,
                        2 => envelope.type_meta.kind = meta.string(key)?,
                        _ => meta.skip(key)?,
                    }
                }
            }
            2 => envelope.raw = reader.bytes(key)?,
            _ => reader.skip(key)?,
        }
    }
    Ok(envelope)
}

/// Fills `record` from its message. Fields that the schema does not know are passed over.
pub fn decode(message: &[u8], record: &mut dyn Record) -> Result<(), DecodeError> {
    decode::message(message, record)
}

/// The items of a list's message, each made by `new`; its metadata goes to `meta`.
pub fn decode_list(
    message: &[u8],
    meta: &mut dyn Record,
    new: fn() -> Box<dyn Record>,
) -> Result<Vec<Box<dyn Record>>, DecodeError> {
    let mut items = Vec::new();
    let mut reader = Reader::new(message);
    while let Some(key) = reader.key()? {
        match key.number {
            1 => decode(reader.bytes(key)?, meta)?,
            2 => {
                let mut item = new();
                decode(reader.bytes(key)?, &mut *item)?;
                items.push(item);
            }
            _ => reader.skip(key)?,
        }
    }
    Ok(items)
}

/// A record as a document of its own.
pub fn encode(record: &dyn Record, kind: &GroupVersionKind<'_>) -> Vec<u8> {
    document(kind, |writer| encode::record(record, writer))
}

/// A list as a document of its own: the metadata of the list, then its items.
pub fn encode_list(meta: &dyn Record, items: &[Arc<dyn Record>], kind: &GroupVersionKind<'_>) -> Vec<u8> {
    document(kind, |writer| {
        for item in items.iter().rev() {
            writer.message(2, |writer| encode::record(&**item, writer));
        }
        writer.message(1, |writer| encode::record(meta, writer));
    })
}

/// What a list's document begins with whose items, each written by [`list_item`], are `items` bytes together: the items
/// follow, and nothing else. So a list is written whose items are not all in memory at once.
pub fn list_head(meta: &dyn Record, kind: &GroupVersionKind<'_>, items: usize) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.message(1, |writer| encode::record(meta, writer));
    let meta = writer.finish();
    let mut writer = Writer::default();
    writer.raw(&meta);
    writer.length((meta.len() + items) as u64);
    writer.tag(2);
    writer.message(1, |writer| {
        writer.bytes(2, kind.kind.as_bytes());
        writer.bytes(1, kind.api_version().as_bytes());
    });
    writer.raw(MAGIC);
    writer.finish()
}

/// What a list's document ends with, behind the items.
pub fn list_tail() -> Vec<u8> {
    let mut writer = Writer::default();
    writer.bytes(4, &[]);
    writer.bytes(3, &[]);
    writer.finish()
}

/// How many bytes an item takes in a list whose message is so long.
pub fn list_item_len(message: usize) -> usize {
    1 + varint_len(message as u64) + message
}

/// Writes the beginning of an item whose message, so long, follows.
pub fn list_item(message: usize, out: &mut Vec<u8>) {
    let mut writer = Writer::default();
    writer.length(message as u64);
    writer.tag(2);
    out.extend_from_slice(&writer.finish());
}

fn varint_len(value: u64) -> usize {
    (value.max(1).ilog2() / 7 + 1) as usize
}

fn document(kind: &GroupVersionKind<'_>, body: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::default();
    // What upstream calls contentType and contentEncoding, both always empty.
    writer.bytes(4, &[]);
    writer.bytes(3, &[]);
    writer.message(2, body);
    writer.message(1, |writer| {
        writer.bytes(2, kind.kind.as_bytes());
        writer.bytes(1, kind.api_version().as_bytes());
    });
    writer.raw(MAGIC);
    writer.finish()
}

/// A record's message alone.
pub fn encode_message(record: &dyn Record) -> Vec<u8> {
    let mut writer = Writer::default();
    encode::record(record, &mut writer);
    writer.finish()
}
