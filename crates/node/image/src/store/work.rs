//! An operation in progress: its own directory, locked while its maker lives, and the content that it relies on, which no
//! other process may collect meanwhile.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Store, lock, make_directory, sync_directory};
use crate::digest::{Digest, Hasher};
use crate::error::{ImageError, Result};

const PINS: &str = "pins";

static NEXT: AtomicU64 = AtomicU64::new(0);

/// A work directory. Dropping it removes the directory and releases its pins.
pub(crate) struct Work {
    store: Store,
    path: PathBuf,
    pins: Mutex<File>,
    names: AtomicU64,
    _lock: File,
}

impl Store {
    pub(crate) fn work(&self) -> Result<Work> {
        loop {
            let name = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
            let path = self.path("work").join(name);
            let failed = |error| ImageError::io(format!("create {}", path.display()), error);
            match fs::DirBuilder::new().mode(0o700).create(&path) {
                // An earlier process had the same number, or one of another namespace has.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                other => other.map_err(failed)?,
            }
            let Some(lock) = take_directory(&path).map_err(failed)? else { continue };
            let pins = OpenOptions::new().create_new(true).append(true).mode(0o600).open(path.join(PINS));
            let pins = Mutex::new(pins.map_err(failed)?);
            return Ok(Work { store: self.clone(), path, pins, names: AtomicU64::new(0), _lock: lock });
        }
    }

    /// Removes the work directories of the dead, and layers without their marker.
    pub(super) fn discard_abandoned(&self) -> Result<()> {
        for path in children(&self.path("work"))? {
            if let Some(_held) = take_abandoned(&path)? {
                tracing::info!(path = %path.display(), "discarding what an earlier process left half done");
                remove_tree(&path)?;
            }
        }
        let _held = lock::take(&self.path("lock"))?;
        for algorithm in children(&self.path("layers"))? {
            for layer in children(&algorithm)? {
                if !layer.join(super::ingest::MARKER).is_file() {
                    tracing::info!(path = %layer.display(), "discarding a layer without its marker");
                    remove_tree(&layer)?;
                }
            }
        }
        Ok(())
    }

    /// What the operations in progress rely on. The caller holds the store's lock.
    pub(super) fn pinned(&self) -> Result<BTreeSet<Digest>> {
        let mut pinned = BTreeSet::new();
        for path in children(&self.path("work"))? {
            let text = fs::read_to_string(path.join(PINS)).unwrap_or_default();
            pinned.extend(text.lines().filter_map(|line| line.parse::<Digest>().ok()));
        }
        Ok(pinned)
    }
}

impl Work {
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// A name that nothing has yet within the work directory.
    pub fn fresh(&self, what: &str) -> PathBuf {
        self.path.join(format!("{what}-{}", self.names.fetch_add(1, Ordering::Relaxed)))
    }

    /// Keeps content, there already or about to come, from being collected until this work ends. Once it returns, what is
    /// there stays: the collector holds the same lock.
    pub fn pin<'a>(&self, digests: impl IntoIterator<Item = &'a Digest>) -> Result<()> {
        let lines: String = digests.into_iter().map(|digest| format!("{digest}\n")).collect();
        let _held = lock::take(&self.store.path("lock"))?;
        let mut pins = self.pins.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        pins.write_all(lines.as_bytes()).map_err(|error| ImageError::io("note what is in use", error))
    }

    /// Stores a document under its digest.
    pub fn put(&self, digest: &Digest, content: &[u8]) -> Result<()> {
        let mut hasher = Hasher::new(digest.algorithm());
        hasher.update(content);
        let actual = hasher.finish();
        if actual != *digest {
            return Err(ImageError::DigestMismatch { what: "content", expected: digest.clone(), actual });
        }
        self.pin([digest])?;
        let path = self.fresh("blob");
        let failed = |error| ImageError::io("store content", error);
        let mut file = File::create_new(&path).map_err(failed)?;
        file.write_all(content).and_then(|()| file.sync_all()).map_err(failed)?;
        self.commit_blob(&path, digest)
    }

    /// Moves a synced file to its place among the blobs.
    pub fn commit_blob(&self, path: &Path, digest: &Digest) -> Result<()> {
        let target = self.store.blob_path(digest);
        self.commit(path, &target)
    }

    pub(super) fn commit(&self, path: &Path, target: &Path) -> Result<()> {
        let directory = target.parent().unwrap_or(target);
        make_directory(directory, 0o700)?;
        fs::rename(path, target)
            .map_err(|error| ImageError::io(format!("store {}", target.display()), error))?;
        sync_directory(directory)
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if let Err(error) = remove_tree(&self.path) {
            // The next start, or the next collection, discards it.
            tracing::warn!(path = %self.path.display(), error = %error.message(), "cannot remove a work directory");
        }
    }
}

/// Locks a new work directory; `None` when a sweep found it before it was locked and removed it.
fn take_directory(path: &Path) -> io::Result<Option<File>> {
    let lock = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    lock::wait(&lock)?;
    match fs::metadata(path) {
        Ok(now) if now.ino() == lock.metadata()?.ino() => Ok(Some(lock)),
        Ok(_) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Locks a work directory that nobody holds. It is removed under its lock: whoever is just making it notices.
fn take_abandoned(path: &Path) -> Result<Option<File>> {
    let failed = |error| ImageError::io(format!("look at {}", path.display()), error);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let taken = lock::try_take(&file).map_err(|error| failed(error.into()))?;
    Ok(taken.then_some(file))
}

/// What a directory holds; nothing if it is missing.
pub(super) fn children(directory: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error| ImageError::io(format!("list {}", directory.display()), error);
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut paths = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<_>>>()
        .map_err(failed)?;
    paths.sort();
    Ok(paths)
}

/// Removes a file or a directory with all that it holds; what is gone already is fine.
pub(super) fn remove_tree(path: &Path) -> Result<()> {
    let failed = |error: io::Error| ImageError::io(format!("remove {}", path.display()), error);
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    let parent = File::open(parent).map_err(failed)?;
    match crate::layer::remove(std::os::fd::AsFd::as_fd(&parent), name.as_bytes()) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
        Err(error) => Err(failed(error.into())),
    }
}
