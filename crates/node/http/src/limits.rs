//! The bounds of the node's server.

/// How many connections there may be at once; each exec, attachment, followed log and forwarded port is one.
pub const CONNECTIONS: usize = 4096;

/// How many names a listing of the machine's logs has at most.
pub const LISTED: usize = 10_000;

/// How much of a file is read at a time.
pub const FILE_CHUNK_BYTES: usize = 64 << 10;

/// How much of a file is looked at to tell text from other things, as Go's `http.DetectContentType` does.
pub const SNIFFED_BYTES: usize = 512;
