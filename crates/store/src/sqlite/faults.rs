//! From SQLite's errors to the store's.

use crate::Fault;
use rusqlite::{Error, ErrorCode, ffi};
use std::path::Path;
use std::sync::Arc;

/// What `error` means for the database file at `path`.
pub(super) fn fault(path: &Path, error: Error) -> Fault {
    let path = path.to_owned();
    match error.sqlite_error().map(|error| (error.code, error.extended_code)) {
        // The shared-memory file is a file too, and could not grow.
        Some((ErrorCode::DiskFull, _) | (_, ffi::SQLITE_IOERR_SHMSIZE)) => Fault::Full { path },
        Some((ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _)) => Fault::Locked { path },
        Some((ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase, _)) => {
            Fault::Damaged { path, source: Arc::new(error) }
        }
        // A column of another type, or one that should not be empty.
        None => Fault::Damaged { path, source: Arc::new(error) },
        Some(_) => Fault::Io { path, source: Arc::new(error) },
    }
}
