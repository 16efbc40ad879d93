//! The bounds of this crate.

/// The bytes of a patch, as of any request's body.
pub const PATCH_BYTES: usize = 3 << 20;
/// The operations of a JSON patch.
pub const OPERATIONS: usize = 10_000;
/// The bytes that the copies of one JSON patch may add.
pub const COPY_BYTES: usize = 3 << 20;
/// The nodes that the operations of one JSON patch may move, shift or compare.
pub const WORK: usize = 100_000_000;
/// How deep objects and lists may be nested in what is read and in what a JSON patch makes.
pub const DEPTH: usize = 128;
/// The complaints of strict field validation that are kept.
pub const STRICT: usize = 100;
/// The managers that own fields by updates; what the oldest of more own is merged.
pub const UPDATE_MANAGERS: usize = 10;
