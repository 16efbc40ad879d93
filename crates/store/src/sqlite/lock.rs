//! Who has the database open: one server at a time.
//!
//! The lock is the kernel's, on a file beside the database: it ends with the process, however that ends. (A
//! lock on the database file itself would get in the way of SQLite's own.)

use super::open::OpenError;
use crate::Fault;
use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Held as long as the database is in use.
pub(super) struct Lock(File);

impl Lock {
    /// The lock on the database at `path`, if nobody has it.
    pub(super) fn take(path: &Path) -> Result<Lock, OpenError> {
        let mut name = OsString::from(path);
        name.push(".lock");
        let name = PathBuf::from(name);
        let failed = |source| OpenError::Fault(Fault::Io { path: name.clone(), source: Arc::new(source) });
        let file = File::options().create(true).truncate(false).write(true).open(&name).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Lock(file)),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing alone is not enough: a process that is just being started from this one has a copy of the
        // descriptor until it executes its program.
        if let Err(error) = self.0.unlock() {
            tracing::warn!(%error, "the database's lock stays until the process ends");
        }
    }
}
