//! Every bound of the store, by name.

/// Most operations of one transaction, as etcd's `--max-txn-ops`.
pub const TXN_OPS: usize = 128;

/// Most bytes of keys and values in one transaction, as etcd's `--max-request-bytes`: what one backend takes, the
/// other takes too.
pub const TXN_BYTES: usize = 1_572_864;

/// KiB of transactions that wait for the writer before callers have to wait for a place in its queue. Each counts for
/// one at least.
pub const WRITE_QUEUE_KIB: u32 = 65_536;

/// Most transactions that share one commit to disk.
pub const GROUP_TXNS: usize = 512;

/// Threads that read.
pub const READERS: usize = 3;

/// Questions that wait for a reader before callers have to wait for a place in the queue.
pub const READ_QUEUE: u32 = 1_024;

/// Bytes of past changes that are kept in memory unless the options say otherwise.
pub const RECENT_BYTES: usize = 16 << 20;

/// Entries that are read at a time when what a store holds is read into memory.
pub const LOAD_ENTRIES: usize = 1_024;

/// Events that a watch holds in memory before it falls back to reading the history: those of one such reading.
pub const FEED_EVENTS: usize = REPLAY_EVENTS;

/// Bytes of events that a watch holds in memory before it falls back to reading the history.
pub const FEED_BYTES: usize = 4 << 20;

/// Revisions that one reading of the history for a watch covers at most.
pub const REPLAY_REVISIONS: u64 = 16_384;

/// Events after which one reading of the history ends (at the end of a revision).
pub const REPLAY_EVENTS: usize = 1_024;

/// Bytes of events after which one reading of the history ends (at the end of a revision).
pub const REPLAY_BYTES: usize = 2 << 20;

/// Keys that one commit of an expiry deletes at most.
pub const EXPIRE_KEYS: usize = 256;

/// Rows of history that one step of the compaction looks at while transactions wait.
pub const SWEEP_ROWS_BUSY: usize = 64;

/// Rows of history that one step of the compaction looks at while nothing else is to be done.
pub const SWEEP_ROWS_IDLE: usize = 512;

/// How long a lock held by another program on the database file is waited for, in milliseconds.
pub const BUSY_MILLIS: u64 = 5_000;

/// Pages of 4 KiB that gather in the write-ahead log before they are moved into the database file.
pub const WAL_PAGES: i64 = 4_096;

/// KiB of pages that the writer keeps in memory.
pub const WRITER_CACHE_KIB: i64 = 16_384;

/// KiB of pages that each reader keeps in memory.
pub const READER_CACHE_KIB: i64 = 4_096;

/// Bytes that the write-ahead log's file keeps once it is started over. A long reading can make it grow further.
pub const WAL_FILE_BYTES: i64 = 64 << 20;
