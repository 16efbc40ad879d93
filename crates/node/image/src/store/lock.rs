//! File locks (`flock`), between the threads of a process as well as between processes, released by the kernel when their
//! holder dies.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::error::{ImageError, Result};

/// A lock that is held until this is dropped.
pub(super) struct Held {
    _file: File,
}

/// Takes the lock file at `path`, waiting for its holder.
pub(super) fn take(path: &Path) -> Result<Held> {
    let failed = |error| ImageError::io(format!("lock {}", path.display()), error);
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path);
    let file = file.map_err(failed)?;
    wait(&file).map_err(|error| failed(error.into()))?;
    Ok(Held { _file: file })
}

/// Takes an open file's lock, waiting for its holder.
pub(super) fn wait(file: &File) -> rustix::io::Result<()> {
    loop {
        match flock(file, FlockOperation::LockExclusive) {
            Err(Errno::INTR) => {}
            other => return other,
        }
    }
}

/// Takes an open file's lock unless somebody holds it.
pub(super) fn try_take(file: &File) -> rustix::io::Result<bool> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error),
    }
}
