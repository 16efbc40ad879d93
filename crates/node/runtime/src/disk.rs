//! Reading and writing the runtime's small files: whole or not at all, and on the disk before anybody is told.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a runtime's records are files; this is the one place that touches them"
)]

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A file that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {path}")]
pub struct DiskError {
    action: &'static str,
    path: String,
    #[source]
    source: io::Error,
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DiskError {
    let path = path.display().to_string();
    move |source| DiskError { action, path, source }
}

/// Replaces `path` by `bytes`: after a crash it holds either the old or the new.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
    let parent = path.parent().unwrap_or(Path::new("/"));
    // Of two processes writing the same each has its own, and the later wins.
    let new = path.with_extension(format!("{}.new", std::process::id()));
    let write = || {
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        fs::OpenOptions::new().read(true).open(parent)?.sync_all()
    };
    write().map_err(failed("write", path))
}

/// Replaces `path` by `value` as JSON.
pub(crate) fn replace_json(path: &Path, value: &impl Serialize) -> Result<(), DiskError> {
    let bytes = serde_json::to_vec(value).map_err(|error| failed("encode", path)(error.into()))?;
    replace(path, &bytes)
}

/// Writes `value` as JSON without waiting for the disk: for what nobody needs after a crash of the machine.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), DiskError> {
    let bytes = serde_json::to_vec(value).map_err(|error| failed("encode", path)(error.into()))?;
    fs::write(path, bytes).map_err(failed("write", path))
}

/// Reads JSON; `None` when there is no such file.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, DiskError> {
    let Some(bytes) = read(path)? else { return Ok(None) };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| failed("understand", path)(error.into()))
}

/// Reads a file; `None` when there is no such file.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, DiskError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path)(error)),
    }
}

pub(crate) fn make_directory(path: &Path) -> Result<(), DiskError> {
    fs::create_dir_all(path).map_err(failed("create", path))
}

/// Whether files can be made in a directory: it is there, and on a file system that may be written to.
pub(crate) fn check_writable(path: &Path) -> Result<(), DiskError> {
    nix::unistd::access(path, nix::unistd::AccessFlags::W_OK | nix::unistd::AccessFlags::X_OK)
        .map_err(|errno| failed("write to", path)(errno.into()))
}

/// Removes a directory and all in it; an absent one counts as removed.
pub(crate) fn remove_directory(path: &Path) -> Result<(), DiskError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", path)(error)),
        _ => Ok(()),
    }
}

/// Removes a file; an absent one counts as removed.
pub(crate) fn remove_file(path: &Path) -> Result<(), DiskError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", path)(error)),
        _ => Ok(()),
    }
}

/// The names in a directory, sorted; none when it does not exist.
pub(crate) fn names(path: &Path) -> Result<Vec<String>, DiskError> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed("list", path)(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed("list", path))?;
        names.extend(entry.file_name().into_string().ok());
    }
    names.sort();
    Ok(names)
}
