//! The map of a sparse file: which parts of it the archive holds.

use super::TapeError;
use super::pax::decimal;
use crate::limits;

/// Data that an archive holds of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Where it belongs in the file.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
}

/// Fragments come in order, do not overlap, end within the file, and together are what is stored.
pub(super) fn check(fragments: &[Fragment], size: u64, stored: u64) -> Result<(), TapeError> {
    let (mut end, mut sum) = (0u64, 0u64);
    for fragment in fragments {
        if fragment.offset < end {
            return Err(TapeError::Sparse);
        }
        end = fragment.offset.checked_add(fragment.length).ok_or(TapeError::Sparse)?;
        sum = sum.checked_add(fragment.length).ok_or(TapeError::Sparse)?;
    }
    if end > size || sum != stored {
        return Err(TapeError::Sparse);
    }
    if size > limits::LAYER_UNPACKED_BYTES {
        return Err(TapeError::TooLarge("a sparse file"));
    }
    Ok(())
}

/// The decimal lines of PAX format 1.0: a count, then an offset and a length each.
#[derive(Default)]
pub(super) struct Lines {
    pub fragments: Vec<Fragment>,
    count: Option<usize>,
    offset: Option<u64>,
    line: Vec<u8>,
}

impl Lines {
    pub fn complete(&self) -> bool {
        self.count == Some(self.fragments.len())
    }

    pub fn feed(&mut self, block: &[u8]) -> Result<(), TapeError> {
        for byte in block {
            if self.complete() {
                break;
            }
            if *byte != b'\n' {
                if self.line.len() == 20 {
                    return Err(TapeError::Sparse);
                }
                self.line.push(*byte);
                continue;
            }
            let value = decimal(&self.line).ok_or(TapeError::Sparse)?;
            self.line.clear();
            self.take(value)?;
        }
        Ok(())
    }

    fn take(&mut self, value: u64) -> Result<(), TapeError> {
        match (self.count, self.offset.take()) {
            (None, _) => {
                let count = usize::try_from(value).map_err(|_| TapeError::Sparse)?;
                if count > limits::SPARSE_FRAGMENTS {
                    return Err(TapeError::TooLarge("a sparse map"));
                }
                self.count = Some(count);
            }
            (Some(_), None) => self.offset = Some(value),
            (Some(_), Some(offset)) => self.fragments.push(Fragment { offset, length: value }),
        }
        Ok(())
    }
}
