//! Reading and writing the runtime's small files: whole or not at all.
//!
//! What describes running pods outlives this process and not this boot (see [`forget_earlier_boots`]), so nobody waits until it is on
//! the disk, where the state directory is on one at all. What outlives the boot is on the disk before anybody is told.
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

/// Replaces `path` by `bytes`, for this boot: readers, and whoever comes after a crash of ours, find either the old or the new.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
    put(path, bytes, |_| Ok(())).map_err(failed("write", path))
}

/// Replaces `path` by `bytes`: also after a crash of the machine it holds either the old or the new, and once this has returned the new.
pub(crate) fn replace_durably(path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
    let parent = path.parent().unwrap_or(Path::new("/"));
    put(path, bytes, |file| file.sync_all())
        .and_then(|()| fs::OpenOptions::new().read(true).open(parent)?.sync_all())
        .map_err(failed("write", path))
}

fn put(path: &Path, bytes: &[u8], settle: impl FnOnce(&fs::File) -> io::Result<()>) -> io::Result<()> {
    // Of two processes writing the same each has its own, and the later wins.
    let new = path.with_extension(format!("{}.new", std::process::id()));
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(bytes)?;
    settle(&file)?;
    fs::rename(&new, path)
}

/// Takes away what pods of an earlier boot left in a state directory: they are gone, and a process that has the id of one of theirs is
/// none. A directory in memory is empty then anyway; one on a disk may hold files that were never wholly written.
pub(crate) fn forget_earlier_boots(state: &Path, pods: &Path) -> Result<(), DiskError> {
    let boot = fs::read("/proc/sys/kernel/random/boot_id").map_err(failed("read", Path::new("boot_id")))?;
    forget_other_boots(state, pods, &boot)
}

fn forget_other_boots(state: &Path, pods: &Path, boot: &[u8]) -> Result<(), DiskError> {
    let file = state.join("boot");
    match read(&file)? {
        Some(written) if written == boot => return Ok(()),
        Some(_) => remove_directory(pods)?,
        None => {}
    }
    make_directory(state)?;
    replace_durably(&file, boot)
}

/// Replaces `path` by `value` as JSON.
pub(crate) fn replace_json(path: &Path, value: &impl Serialize) -> Result<(), DiskError> {
    let bytes = serde_json::to_vec(value).map_err(|error| failed("encode", path)(error.into()))?;
    replace(path, &bytes)
}

/// Writes `value` as JSON in place: for what nobody needs after a crash.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pods_of_an_earlier_boot_are_forgotten() {
        let state = tempfile::tempdir().unwrap();
        let pods = state.path().join("pods");
        let begin = |boot: &str| {
            forget_other_boots(state.path(), &pods, boot.as_bytes()).unwrap();
            let there = pods.join("uid").exists();
            make_directory(&pods.join("uid")).unwrap();
            there
        };
        assert!(!begin("first"));
        assert!(begin("first"), "the same boot: they run");
        assert!(!begin("second"));
        assert!(begin("second"));
        remove_file(&state.path().join("boot")).unwrap();
        assert!(begin("second"), "made by an earlier release, which did not say when");
    }
}
