//! The core: what transactions, ranges, watches, compaction and expiry mean, decided without clock, medium or
//! threads.
//!
//! [`decide`] says what a transaction changes, [`Span`] what may still be asked for; every backend goes by them.
//! [`Ledger`] is the whole history in memory: the memory backend, and what other backends are compared with.
//!
//! What a compaction at revision C leaves is the state as it was just before C, and every event from C on. So a watch
//! from C still gets whole events, deletes at C and previous values included, although ranges before C are refused.

mod decide;
mod ledger;

use crate::{CompactError, ReadError, Revision};

pub use decide::decide;
pub use ledger::Ledger;

/// How far a store's history reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The oldest revision that can be asked for; [`Revision::NONE`] while nothing was compacted.
    pub compacted: Revision,
    /// The latest revision.
    pub current: Revision,
}

impl Span {
    /// The history of a new store.
    pub const EMPTY: Span = Span { compacted: Revision::NONE, current: Revision::EMPTY };

    /// The revision at which to read when `asked` was asked for.
    ///
    /// # Errors
    /// When it is compacted away, or in the future.
    pub fn read_at(self, asked: Option<Revision>) -> Result<Revision, ReadError> {
        match asked.filter(|asked| *asked != Revision::NONE) {
            None => Ok(self.current),
            Some(asked) if asked > self.current => Err(ReadError::Future { asked, current: self.current }),
            Some(asked) if asked < self.compacted => Err(ReadError::Compacted { at: self.compacted }),
            Some(asked) => Ok(asked),
        }
    }

    /// The span after a compaction at `at`.
    ///
    /// # Errors
    /// When it is no further than the last compaction, or in the future.
    pub fn compact(self, at: Revision) -> Result<Span, CompactError> {
        if at <= self.compacted {
            Err(CompactError::Compacted { at: self.compacted })
        } else if at > self.current {
            Err(CompactError::Future { asked: at, current: self.current })
        } else {
            Ok(Span { compacted: at, ..self })
        }
    }
}
