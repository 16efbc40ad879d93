//! Being told of changes in directories, by the kernel's inotify. Used by the node agent, which loads images that are dropped into a
//! directory of its.
//!
//! Deliberately absent: what changed. A watcher looks again at everything it cares about, so that a lost event (the kernel's queue has an
//! end) costs nothing once the next one comes.

use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use rustix::fs::inotify::{CreateFlags, Reader, WatchFlags, add_watch, init};

/// Room for events that are read at once.
const BUFFER_BYTES: usize = 4096;

/// Why a directory cannot be watched.
#[derive(Debug, thiserror::Error)]
#[error("cannot watch {}", path.display())]
pub struct WatchError {
    path: PathBuf,
    #[source]
    source: Errno,
}

/// Directories that are watched.
#[derive(Debug)]
pub struct Watcher(OwnedFd);

impl Watcher {
    /// Watches nothing yet.
    ///
    /// # Errors
    /// When this user has too many of them already (`fs.inotify.max_user_instances`).
    pub fn new() -> Result<Watcher, WatchError> {
        let made = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK);
        made.map(Watcher).map_err(|source| failed(Path::new("/proc/sys/fs/inotify"), source))
    }

    /// Watches a directory, but nothing below it: entries that come, go or are renamed, and files that were written and closed.
    /// Watching it again changes nothing.
    ///
    /// # Errors
    /// When it is no directory, or this user watches too many (`fs.inotify.max_user_watches`).
    pub fn watch(&self, directory: &Path) -> Result<(), WatchError> {
        let flags = WatchFlags::CLOSE_WRITE
            | WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVE
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR;
        add_watch(&self.0, directory, flags).map(drop).map_err(|source| failed(directory, source))
    }

    /// Another descriptor of the same: readable (in poll's sense) when something has changed. Reading it takes what has happened.
    ///
    /// # Errors
    /// When no descriptors are left.
    pub fn descriptor(&self) -> std::io::Result<OwnedFd> {
        self.0.try_clone()
    }

    /// Takes what has happened; whether anything had.
    pub fn take(&self) -> bool {
        let mut buffer = [MaybeUninit::uninit(); BUFFER_BYTES];
        let mut events = Reader::new(&self.0, &mut buffer);
        let mut any = false;
        while events.next().is_ok() {
            any = true;
        }
        any
    }
}

fn failed(path: &Path, source: rustix::io::Errno) -> WatchError {
    WatchError { path: path.to_owned(), source: Errno::from_raw(source.raw_os_error()) }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "the tests make the files that are watched")]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_happens_in_a_watched_directory_is_told_once() {
        let place = tempfile::tempdir().expect("a directory");
        let inner = place.path().join("inner");
        let watcher = Watcher::new().expect("a watcher");
        watcher.watch(place.path()).expect("watched");
        assert!(!watcher.take(), "nothing has happened");
        fs::create_dir(&inner).expect("made");
        assert!(watcher.take());
        fs::write(inner.join("file"), "unseen").expect("written");
        assert!(!watcher.take(), "only what is watched is told of");
        watcher.watch(&inner).expect("watched");
        fs::rename(inner.join("file"), place.path().join("file")).expect("renamed");
        assert!(watcher.take() && !watcher.take());
        let error = watcher.watch(&place.path().join("file")).expect_err("a file is no directory");
        assert_eq!(error.source, Errno::ENOTDIR);
    }
}
