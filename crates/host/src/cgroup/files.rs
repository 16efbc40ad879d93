//! Reading and writing the small files of a control group, with errors that name the file. Used by both generations.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "host is where the kernel's files are touched"
)]

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use super::CgroupError;

pub(super) fn errno(error: &io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(nix::libc::EIO))
}

fn failed(action: &'static str, path: &Path, error: &io::Error) -> CgroupError {
    CgroupError::Kernel { action, path: path.to_owned(), source: errno(error) }
}

/// Writes `value` in one write, as the kernel wants it.
pub(super) fn write(path: &Path, value: &str) -> Result<(), CgroupError> {
    fs::OpenOptions::new()
        .write(true)
        .open(path)
        .and_then(|mut file| file.write_all(value.as_bytes()))
        .map_err(|error| failed("write", path, &error))
}

pub(super) fn read(path: &Path) -> Result<String, CgroupError> {
    fs::read_to_string(path).map_err(|error| failed("read", path, &error))
}

/// `None` when the file does not exist.
pub(super) fn read_if_there(path: &Path) -> Result<Option<String>, CgroupError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if matches!(errno(&error), Errno::ENOENT | Errno::ENODEV) => Ok(None),
        Err(error) => Err(failed("read", path, &error)),
    }
}

pub(super) fn number(path: &Path) -> Result<u64, CgroupError> {
    let text = read(path)?;
    let text = text.trim();
    text.parse().map_err(|_| CgroupError::Malformed { path: path.to_owned(), text: text.to_owned() })
}

/// The value of `key` in a file of `key value` lines; zero when it has none.
pub(super) fn field(text: &str, key: &str) -> u64 {
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .find(|(name, _)| *name == key)
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0)
}

pub(super) fn make(path: &Path) -> Result<(), CgroupError> {
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(failed("create", path, &error)),
        _ => Ok(()),
    }
}

/// The directories directly below `path`; none when it does not exist.
pub(super) fn children(path: &Path) -> Result<Vec<PathBuf>, CgroupError> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed("list", path, &error)),
    };
    let mut children = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| failed("list", path, &error))?;
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            children.push(entry.path());
        }
    }
    children.sort();
    Ok(children)
}

/// The processes in `path` and in all directories below it.
pub(super) fn processes(path: &Path) -> Result<Vec<i32>, CgroupError> {
    let mut pids = Vec::new();
    let mut pending = vec![path.to_owned()];
    while let Some(directory) = pending.pop() {
        let Some(text) = read_if_there(&directory.join("cgroup.procs"))? else { continue };
        pids.extend(text.lines().filter_map(|line| line.trim().parse::<i32>().ok()).filter(|pid| *pid > 0));
        pending.extend(children(&directory)?);
    }
    pids.sort_unstable();
    pids.dedup();
    Ok(pids)
}

/// Removes `path` and all directories below it, deepest first. `Ok(false)` when processes hold one of them.
pub(super) fn remove(path: &Path) -> Result<bool, CgroupError> {
    for child in children(path)? {
        if !remove(&child)? {
            return Ok(false);
        }
    }
    match fs::remove_dir(path) {
        Ok(()) => Ok(true),
        Err(error) => match errno(&error) {
            Errno::ENOENT => Ok(true),
            Errno::EBUSY => Ok(false),
            _ => Err(failed("remove", path, &error)),
        },
    }
}

/// A kernel limit as text: `unlimited` for a negative one.
pub(super) fn bound(value: i64, unlimited: &str) -> String {
    if value < 0 { unlimited.to_owned() } else { value.to_string() }
}
