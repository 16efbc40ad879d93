//! A reader of a message's fields.

use crate::DecodeError;
use crate::limits::MAX_RECORD_DEPTH;

/// A field's number and how its value is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    pub(super) number: u32,
    pub(super) wire: u32,
}

pub(super) struct Reader<'a> {
    bytes: &'a [u8],
}

fn eof() -> DecodeError {
    DecodeError::Syntax("unexpected EOF".into())
}

fn wrong(key: Key) -> DecodeError {
    DecodeError::Syntax(format!("proto: wrong wireType = {} for field {}", key.wire, key.number))
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// How many bytes have not been read.
    pub(super) fn left(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn varint(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0u64;
        for shift in (0..70).step_by(7) {
            let (&byte, rest) = self.bytes.split_first().ok_or_else(eof)?;
            self.bytes = rest;
            if shift < 64 {
                value |= u64::from(byte & 0x7f) << shift;
            }
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(DecodeError::Syntax("proto: integer overflow".into()))
    }

    /// The next field, `None` at the end.
    pub(super) fn key(&mut self) -> Result<Option<Key>, DecodeError> {
        if self.bytes.is_empty() {
            return Ok(None);
        }
        let value = self.varint()?;
        let number = u32::try_from(value >> 3).ok().filter(|&number| number > 0 && number < 1 << 29);
        let number = number.ok_or_else(|| {
            DecodeError::Syntax(format!("proto: illegal tag {} (wire type {value})", (value >> 3) as i32))
        })?;
        Ok(Some(Key { number, wire: (value & 7) as u32 }))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.bytes.split_at_checked(length).ok_or_else(eof)?;
        self.bytes = rest;
        Ok(taken)
    }

    pub(super) fn integer(&mut self, key: Key) -> Result<i64, DecodeError> {
        if key.wire == 0 { Ok(self.varint()? as i64) } else { Err(wrong(key)) }
    }

    pub(super) fn double(&mut self, key: Key) -> Result<f64, DecodeError> {
        if key.wire != 1 {
            return Err(wrong(key));
        }
        let mut bytes = [0; 8];
        bytes.copy_from_slice(self.take(8)?);
        Ok(f64::from_le_bytes(bytes))
    }

    pub(super) fn bytes(&mut self, key: Key) -> Result<&'a [u8], DecodeError> {
        if key.wire != 2 {
            return Err(wrong(key));
        }
        let length = usize::try_from(self.varint()?).map_err(|_| eof())?;
        self.take(length)
    }

    pub(super) fn string(&mut self, key: Key) -> Result<String, DecodeError> {
        let bytes = self.bytes(key)?;
        String::from_utf8(bytes.to_vec())
            .map_err(|_| DecodeError::Syntax(format!("proto: field {} contains invalid UTF-8", key.number)))
    }

    /// Passes over a field that nobody knows, groups included.
    pub(super) fn skip(&mut self, key: Key) -> Result<(), DecodeError> {
        let mut groups: Vec<u32> = Vec::new();
        let mut key = key;
        loop {
            match key.wire {
                0 => drop(self.varint()?),
                1 => drop(self.take(8)?),
                2 => drop(self.bytes(key)?),
                3 if groups.len() >= MAX_RECORD_DEPTH => return Err(DecodeError::TooDeep),
                3 => groups.push(key.number),
                4 if groups.pop() == Some(key.number) => {}
                4 => return Err(DecodeError::Syntax("proto: unexpected end of group".into())),
                5 => drop(self.take(4)?),
                wire => return Err(DecodeError::Syntax(format!("proto: illegal wireType {wire}"))),
            }
            if groups.is_empty() {
                return Ok(());
            }
            key = self.key()?.ok_or_else(eof)?;
        }
    }
}
