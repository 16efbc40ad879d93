//! The bounds of decoding.

use api_record::Slot;

use crate::DecodeError;

/// How deeply records, lists and maps may nest where each level is decoded by a call: what fits the stack of a thread, even
/// in a build that is not optimized.
pub const MAX_RECORD_DEPTH: usize = 128;

/// How deeply JSON may nest where it is skipped or kept as text: what Go's decoder allows.
pub const MAX_JSON_DEPTH: usize = 10_000;

/// How deeply YAML may nest, for the same reason.
pub const MAX_YAML_DEPTH: usize = 96;

/// How many unknown or duplicate fields are reported for one document.
pub const MAX_STRICT_ERRORS: usize = 100;

/// How much of a key or a path an error shows, in bytes.
pub const MAX_SHOWN: usize = 4_096;

/// How much memory the records of a document may take whatever its size, in bytes.
pub const MEMORY_BYTES: usize = 128 << 20;

/// How much more they may take for each byte of it. Two bytes are enough to ask for a container of a thousand.
pub const MEMORY_FACTOR: usize = 16;

/// What is left of the memory that a document may take; text is not counted, being no larger than the document.
pub(crate) struct Budget {
    limit: usize,
    left: usize,
}

impl Budget {
    pub(crate) fn of(document: &[u8]) -> Budget {
        let limit = document.len().saturating_mul(MEMORY_FACTOR).saturating_add(MEMORY_BYTES);
        Budget { limit, left: limit }
    }

    pub(crate) fn spend(&mut self, bytes: usize) -> Result<(), DecodeError> {
        self.left = self.left.checked_sub(bytes).ok_or(DecodeError::TooCostly { limit: self.limit })?;
        Ok(())
    }

    /// Opens the value of a slot, which is paid for if it has to be made.
    pub(crate) fn fill<'a>(&mut self, slot: Slot<'a>) -> Result<Slot<'a>, DecodeError> {
        if let Slot::Nullable(nullable) = &slot
            && !nullable.is_set()
        {
            self.spend(nullable.heap_bytes())?;
        }
        Ok(slot.filled())
    }
}

/// How large a document may be, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest document that is looked at.
    pub bytes: usize,
}

impl Limits {
    /// What a client may send: upstream's limit of a request's body, 3 MiB.
    pub const REQUEST: Limits = Limits { bytes: 3 << 20 };
    /// What a server or the store may answer: 2 GiB.
    pub const RESPONSE: Limits = Limits { bytes: 2 << 30 };
}
