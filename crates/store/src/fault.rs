//! What can go wrong with the store itself, whatever it was asked.

use crate::Revision;
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

/// A failure of the medium or of the store.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Fault {
    /// There is no space left. The store goes on: reads work, and writes do once there is space again.
    #[error("no space is left to write {}", path.display())]
    Full {
        /// The database file.
        path: PathBuf,
    },
    /// Another program holds a lock on the file for too long.
    #[error("{} is locked by another program", path.display())]
    Locked {
        /// The database file.
        path: PathBuf,
    },
    /// What is in the file cannot be what the store wrote.
    #[error("{} is damaged; restore it from a backup", path.display())]
    Damaged {
        /// The database file.
        path: PathBuf,
        /// What was found.
        #[source]
        source: Arc<dyn Error + Send + Sync>,
    },
    /// Reading or writing failed.
    #[error("{} cannot be read or written", path.display())]
    Io {
        /// The database file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Arc<dyn Error + Send + Sync>,
    },
    /// The store is shut down.
    #[error("the store is shut down")]
    Closed,
}

/// A range was not read.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReadError {
    /// The revision asked for is older than what the store keeps.
    #[error("mvcc: required revision has been compacted (up to {at})")]
    Compacted {
        /// The oldest revision that can still be read.
        at: Revision,
    },
    /// The revision asked for has not happened yet.
    #[error("mvcc: required revision {asked} is a future revision (now {current})")]
    Future {
        /// The revision asked for.
        asked: Revision,
        /// The store's revision.
        current: Revision,
    },
    /// The store could not read.
    #[error("the range was not read")]
    Fault(#[source] Fault),
}

/// A compaction was not done.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CompactError {
    /// The store was compacted there, or further, before.
    #[error("mvcc: required revision has been compacted (up to {at})")]
    Compacted {
        /// Where the store was compacted.
        at: Revision,
    },
    /// The revision asked for has not happened yet.
    #[error("mvcc: required revision {asked} is a future revision (now {current})")]
    Future {
        /// The revision asked for.
        asked: Revision,
        /// The store's revision.
        current: Revision,
    },
    /// The store could not write.
    #[error("the store was not compacted")]
    Fault(#[source] Fault),
}

/// A watch ended.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WatchError {
    /// The watcher is owed events that the store no longer keeps: it has to read the range again.
    #[error("mvcc: required revision has been compacted (up to {at})")]
    Compacted {
        /// The oldest revision that can still be watched from.
        at: Revision,
    },
    /// The store could not read, or is shut down.
    #[error("the watch ended")]
    Fault(#[source] Fault),
}
