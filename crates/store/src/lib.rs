//! Knarr's store: keys and values under one global revision, with etcd v3's semantics.
//!
//! **Layer**: above `base`, below the registry. It knows nothing of Kubernetes: keys and
//! values are bytes. The registry writes stock Kubernetes' key layout and value encoding into it.
//!
//! **Entry points**: [`Store`], the trait that every backend implements; [`SqliteStore`], the durable one;
//! [`MemoryStore`], for the simulator.
//!
//! **Invariants**
//! - A transaction changes everything or nothing, and all its changes share one revision. Revisions count up by one.
//! - What was answered is on the disk, and every watch that is owed it has it.
//! - A watch's events are the projection of the history on its keys: in order, none lost, none twice, a
//!   revision's never split.
//! - A slow watcher delays nobody and holds a bounded amount of memory.
//! - What is in memory hears of a change once that is on the disk, and before anybody else does.
//! - Both backends decide by the same pure core, [`history`].
//!
//! **State**: SQLite keeps everything in one file (with its `-wal` and `-shm`), all of which survives a restart: the
//! history back to the last compaction, expiry times, and how far the compaction's clean-up got. Watches end with the
//! process; their readers resume from a revision. What the file holds is in memory too, once it has been read at the start (but for keys that
//! the owner wants apart), and with it the changes of late; reads that it can answer ask nobody else. The memory store keeps nothing.
//!
//! **Failure**: a failed write (a full disk, an I/O error) fails its whole group; nothing of it is
//! acknowledged or seen, and the store goes on. The store never retries; its callers do. A file that is
//! damaged, of another program, of a newer schema or in use is refused when it is opened, with an error that
//! names it. After a crash or power loss, opening the file again is all there is to do.
//!
//! **Limits**: [`limits`].
//!
//! **Upstream behaviour answered to**: etcd's `mvcc` package: the empty store's revision is 1; deleting
//! nothing uses up no revision; ranges and watches before the compaction's revision are refused, the one at
//! it is not, and it still gets deletes at that revision (etcd's pull request 18274); ranges in the future
//! are refused, watches wait. Different on purpose: expiry is a time on the entry instead of a lease, and
//! each expired key gets its own revision, so that a watch can be resumed between any two of them.
//!
//! **To test it**: `cargo test -p store`. `tests/it/suite.rs` holds the behaviour that every backend must
//! show; `power_loss.rs` replays every write that the disk might have lost. `cargo run --release -p store
//! --example throughput` measures.

mod entry;
mod fault;
mod feed;
pub mod history;
pub mod limits;
mod memory;
mod range;
mod revision;
mod sqlite;
mod store;
mod txn;

pub use entry::{Entry, Event};
pub use fault::{CompactError, Fault, ReadError, WatchError};
pub use feed::{Batch, Feed, Source};
pub use memory::MemoryStore;
pub use range::{KeyRange, Page, Range};
pub use revision::Revision;
pub use sqlite::{OpenError, Options, SqliteStore};
pub use store::Store;
pub use txn::{CommitError, Committed, Compare, Op, Txn};
