//! The bounds of a view.

/// How many changes a view remembers for followers that have not heard of them; one that is further behind compares whole snapshots.
pub const LOGGED_CHANGES: usize = 1024;
/// So many objects of a view stay decoded whether anybody reads them or not: what has just come is about to be looked at.
pub const LEAST_DECODED: usize = 1024;
/// No more than about so many stay decoded, however much they are read.
pub const MOST_DECODED: usize = 16_384;
/// How many decoded objects are looked at with each change, whether they have been read since they were looked at last. More than one,
/// or objects would be decoded faster than they are let go.
pub const LOOKED_AT_A_CHANGE: usize = 4;
/// How many objects a view asks for at once when it reads all there are (client-go's `defaultPageSize`).
pub const LIST_PAGE: usize = 500;
/// A message that is no larger can be decoded whatever it holds: two bytes of it ask for a thousand at the most, and what a message may take is
/// bounded by [`api_codec::limits::MEMORY_BYTES`] only. What cannot be decoded again stays decoded.
pub const SURELY_DECODED_BYTES: usize = 64 << 10;
