//! What the targets share: the first two bytes of the input choose the kind that the rest is read as.

use api_types::ObjectType;

/// A kind, and the input without the bytes that chose it.
pub fn kind(data: &[u8]) -> Option<(&'static ObjectType, &[u8])> {
    let (head, rest) = data.split_first_chunk::<2>()?;
    let kinds = api_types::object_types();
    Some((&kinds[usize::from(u16::from_le_bytes(*head)) % kinds.len()], rest))
}
