//! Files into a volume so that a container sees all of a version or nothing of it: upstream's `AtomicWriter`.
//!
//! ```text
//! <volume>/..<version>/…   the files        <volume>/..data -> ..<version>        <volume>/<name> -> ..data/<name>
//! ```
//! Replacing `..data` is the one moment at which the volume changes.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "volumes are files on disk")]

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Component, Path};

use crate::payload::Payload;

const DATA: &str = "..data";
const DATA_NEW: &str = "..data_tmp";

/// What cannot be done with a volume.
#[derive(Debug, thiserror::Error)]
pub enum VolumeError {
    /// A file operation failed.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: std::path::PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A path that leads out of its volume.
    #[error("invalid path: {0:?} must stay within the volume")]
    Escape(String),
    /// A host path that is not what it must be.
    #[error("hostPath type check failed: {path} is not {wanted}")]
    HostPath {
        /// The path.
        path: String,
        /// What it should be.
        wanted: &'static str,
    },
}

pub(crate) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> VolumeError {
    let path = path.to_owned();
    move |source| VolumeError::File { action, path, source }
}

/// Whose the files are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// The user, root if none.
    pub user: Option<u32>,
    /// The group, root's if none.
    pub group: Option<u32>,
}

/// Makes `volume` show exactly `payload`. `version` names this version, different from the one before. Returns whether anything changed.
///
/// # Errors
/// When a path leads out of the volume, or the disk refuses.
pub fn write(volume: &Path, payload: &Payload, owner: Owner, version: &str) -> Result<bool, VolumeError> {
    for path in payload.keys() {
        let plain = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        if !plain || path.is_empty() || path.starts_with("..") {
            return Err(VolumeError::Escape(path.clone()));
        }
    }
    fs::create_dir_all(volume).map_err(failed("create", volume))?;
    let old = fs::read_link(volume.join(DATA)).ok();
    if old.as_ref().is_some_and(|old| shows(&volume.join(old), payload)) {
        return Ok(false);
    }
    let name = format!("..{version}");
    let directory = volume.join(&name);
    fs::create_dir_all(&directory).map_err(failed("create", &directory))?;
    fs::set_permissions(&directory, Permissions::from_mode(0o755)).map_err(failed("open", &directory))?;
    for (path, file) in payload {
        let target = directory.join(path);
        let parent = target.parent().unwrap_or(&directory);
        fs::create_dir_all(parent).map_err(failed("create", parent))?;
        fs::write(&target, &file.bytes).map_err(failed("write", &target))?;
        chown(&target, file.user.or(owner.user), owner.group).map_err(failed("give", &target))?;
        fs::set_permissions(&target, Permissions::from_mode(file.mode)).map_err(failed("permit", &target))?;
    }
    let (new, data) = (volume.join(DATA_NEW), volume.join(DATA));
    remove(&new)?;
    symlink(&name, &new).map_err(failed("link", &new))?;
    fs::rename(&new, &data).map_err(failed("replace", &data))?;
    links(volume, payload)?;
    clean(volume, &name)?;
    Ok(true)
}

/// Whether a version's directory holds exactly these files.
fn shows(directory: &Path, payload: &Payload) -> bool {
    let same = payload
        .iter()
        .all(|(path, file)| fs::read(directory.join(path)).is_ok_and(|bytes| bytes == file.bytes));
    same && count(directory) == Some(payload.len())
}

fn count(directory: &Path) -> Option<usize> {
    let mut total = 0;
    for entry in fs::read_dir(directory).ok()? {
        let path = entry.ok()?.path();
        total += if path.is_dir() { count(&path)? } else { 1 };
    }
    Some(total)
}

/// The names that containers see: new ones appear, old ones go.
fn links(volume: &Path, payload: &Payload) -> Result<(), VolumeError> {
    let tops: BTreeSet<&str> = payload.keys().filter_map(|path| path.split('/').next()).collect();
    for top in &tops {
        let link = volume.join(top);
        if fs::symlink_metadata(&link).is_err() {
            symlink(Path::new(DATA).join(top), &link).map_err(failed("link", &link))?;
        }
    }
    for name in names(volume)? {
        if !name.starts_with("..") && !tops.contains(name.as_str()) {
            remove(&volume.join(&name))?;
        }
    }
    Ok(())
}

/// Removes every other version.
fn clean(volume: &Path, keep: &str) -> Result<(), VolumeError> {
    for name in names(volume)? {
        if name.starts_with("..") && name != DATA && name != keep {
            let path = volume.join(&name);
            fs::remove_dir_all(&path).map_err(failed("remove", &path))?;
        }
    }
    Ok(())
}

fn names(volume: &Path) -> Result<Vec<String>, VolumeError> {
    let entries = fs::read_dir(volume).map_err(failed("list", volume))?;
    Ok(entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
}

fn remove(path: &Path) -> Result<(), VolumeError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", path)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::File;

    fn payload(files: &[(&str, &str)]) -> Payload {
        let file = |text: &str| File { bytes: text.as_bytes().to_vec(), mode: 0o640, user: None };
        files.iter().map(|(path, text)| ((*path).to_owned(), file(text))).collect()
    }

    #[test]
    fn versions_replace_each_other_whole() {
        let directory = tempfile::tempdir().unwrap();
        let volume = directory.path();
        let put = |files: &[(&str, &str)], version: &str| {
            write(volume, &payload(files), Owner { user: None, group: Some(7) }, version).unwrap()
        };
        assert!(put(&[("a", "1"), ("d/b", "2")], "v1"));
        assert!(!put(&[("a", "1"), ("d/b", "2")], "v2"), "nothing changed");
        assert_eq!(fs::read_link(volume.join("a")).unwrap(), Path::new("..data/a"));
        assert_eq!(fs::read(volume.join("d/b")).unwrap(), b"2");
        assert_eq!(fs::metadata(volume.join("a")).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(put(&[("a", "3")], "v3"));
        assert_eq!(fs::read(volume.join("a")).unwrap(), b"3");
        let mut left = names(volume).unwrap();
        left.sort();
        assert_eq!(left, ["..data", "..v3", "a"]);
    }

    #[test]
    fn no_file_leaves_the_volume() {
        let directory = tempfile::tempdir().unwrap();
        for path in ["../x", "/x", "a/../../x", "..data", "", "..x/y"] {
            let result = write(directory.path(), &payload(&[(path, "1")]), Owner::default(), "v");
            assert!(matches!(result, Err(VolumeError::Escape(_))), "{path:?}");
        }
    }
}
