//! An object's message with its resource version put in, without decoding the object: stores keep objects without it.

use super::read::Reader;
use super::varint_len;
use super::write::Writer;
use crate::DecodeError;

/// `metadata` of every kind that is stored, and `resourceVersion` in it.
const METADATA: u32 = 1;
const RESOURCE_VERSION: u32 = 6;

/// A message that is stored, taken apart around its resource version.
#[derive(Clone, Copy, Debug)]
pub struct Kept<'a> {
    /// The metadata's fields before it.
    before: &'a [u8],
    /// The metadata's fields behind it.
    behind: &'a [u8],
    /// What follows the metadata.
    rest: &'a [u8],
}

impl<'a> Kept<'a> {
    /// Takes a message apart.
    ///
    /// # Errors
    /// When it is no message, or does not begin with metadata.
    pub fn new(message: &'a [u8]) -> Result<Kept<'a>, DecodeError> {
        let mut reader = Reader::new(message);
        let Some(key) = reader.key()?.filter(|key| key.number == METADATA) else {
            return Err(DecodeError::Syntax("the stored message does not begin with metadata".into()));
        };
        let metadata = reader.bytes(key)?;
        let mut fields = Reader::new(metadata);
        let mut before = metadata.len();
        let mut behind = metadata.len();
        while !fields.is_empty() {
            let start = metadata.len() - fields.left();
            let Some(key) = fields.key()? else { break };
            fields.skip(key)?;
            if key.number >= RESOURCE_VERSION {
                before = start;
                behind = if key.number == RESOURCE_VERSION { metadata.len() - fields.left() } else { start };
                break;
            }
        }
        let rest = &message[message.len() - reader.left()..];
        Ok(Kept { before: &metadata[..before], behind: &metadata[behind..], rest })
    }

    fn metadata_len(&self, version: &str) -> usize {
        self.before.len() + 1 + varint_len(version.len() as u64) + version.len() + self.behind.len()
    }

    /// How long the message is with a resource version.
    pub fn len(&self, version: &str) -> usize {
        let metadata = self.metadata_len(version);
        1 + varint_len(metadata as u64) + metadata + self.rest.len()
    }

    /// Writes the message with a resource version.
    pub fn write(&self, version: &str, out: &mut Vec<u8>) {
        let mut writer = Writer::default();
        writer.bytes(RESOURCE_VERSION, version.as_bytes());
        let version_field = writer.finish();
        let mut writer = Writer::default();
        writer.length(self.metadata_len(version) as u64);
        writer.tag(METADATA);
        out.extend_from_slice(&writer.finish());
        for part in [self.before, &version_field, self.behind, self.rest] {
            out.extend_from_slice(part);
        }
    }
}
