//! Kubeconfigs as files: written whole or not at all, with the owner and mode that they should have, and under the lock that kubectl
//! takes.
//!
//! Used by the server and the commands `kubeconfig` and `down`. What to write is [`super`]'s.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "the shell that writes kubeconfigs")]

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::owner::Owner;
use super::{Access, KubeconfigError, fresh, is_empty, merge, remove, select};
use crate::limits;

/// Why a kubeconfig's file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KubeconfigFileError {
    /// A file cannot be read or written.
    #[error("cannot {what} {path}{}", crate::privilege::advice(source))]
    Io {
        /// `read`, `write`…
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Its content is in the way.
    #[error("{path}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: KubeconfigError,
    },
    /// Another program changes it right now.
    #[error("{0} exists: another program is changing the kubeconfig; if none is, delete that file")]
    Locked(PathBuf),
    /// It is longer than a kubeconfig can be.
    #[error("{0} is too long for a kubeconfig")]
    TooLong(PathBuf),
}

/// Writes the cluster's own kubeconfig, with this mode, for this owner if there is one. Returns the uppermost directory that it made for it.
///
/// # Errors
/// When it cannot be written.
pub fn write(
    path: &Path,
    access: &Access,
    mode: u32,
    owner: Option<Owner>,
) -> Result<Option<PathBuf>, KubeconfigFileError> {
    let text =
        fresh(access).map_err(|source| KubeconfigFileError::Content { path: path.to_owned(), source })?;
    let made = make_parents(path, 0o755, None)?;
    replace(path, &text, mode, owner)?;
    Ok(made)
}

/// Reads a kubeconfig's text.
///
/// # Errors
/// When there is none, or it cannot be read.
pub fn text(path: &Path) -> Result<String, KubeconfigFileError> {
    let failed = io_error("read", path);
    let mut text = String::new();
    let file = File::open(path).map_err(failed)?;
    file.take(limits::KUBECONFIG_BYTES + 1).read_to_string(&mut text).map_err(io_error("read", path))?;
    if text.len() as u64 > limits::KUBECONFIG_BYTES {
        return Err(KubeconfigFileError::TooLong(path.to_owned()));
    }
    Ok(text)
}

/// Adds the cluster to a user's kubeconfig and makes it the current context. A new file is the owner's alone; an old one keeps its
/// mode and owner.
///
/// # Errors
/// When the file is no kubeconfig, is locked, or cannot be written.
pub fn merge_into(path: &Path, access: &Access, owner: Option<Owner>) -> Result<(), KubeconfigFileError> {
    make_parents(path, 0o750, owner)?;
    change(path, owner, |existing| merge(existing, access).map(Some))
}

/// Makes a context of a kubeconfig the current one, and says whether it was another.
///
/// # Errors
/// When the file has no such context, is locked, or cannot be written.
pub fn select_in(path: &Path, name: &str) -> Result<bool, KubeconfigFileError> {
    let mut other = false;
    change(path, None, |existing| {
        let selected = select(existing, name)?;
        other = selected.is_some();
        Ok(selected)
    })?;
    Ok(other)
}

/// Whether two paths lead to one file.
pub fn is_same(a: &Path, b: &Path) -> bool {
    target(a) == target(b)
}

/// Takes the cluster's entries out of a user's kubeconfig, and says whether there were any. A file that holds nothing else is deleted.
///
/// # Errors
/// When the file is locked, or cannot be written. One that is no kubeconfig has no entries.
pub fn remove_from(path: &Path, access: &Access) -> Result<bool, KubeconfigFileError> {
    if !path.exists() {
        return Ok(false);
    }
    let mut found = false;
    let mut empty = false;
    change(path, None, |existing| {
        let left = remove(existing, access).unwrap_or_default();
        found = left.is_some();
        empty = left.as_deref().is_some_and(is_empty);
        Ok(left)
    })?;
    if empty {
        let target = target(path);
        fs::remove_file(&target).map_err(io_error("delete", &target))?;
    }
    Ok(found)
}

fn change(
    path: &Path,
    owner: Option<Owner>,
    edit: impl FnOnce(&str) -> Result<Option<String>, KubeconfigError>,
) -> Result<(), KubeconfigFileError> {
    let path = &target(path);
    let _lock = Lock::take(path)?;
    let (existing, mode, owner) = match fs::metadata(path) {
        Ok(metadata) => {
            let owner = Owner { uid: metadata.uid(), gid: metadata.gid() };
            (text(path)?, metadata.permissions().mode() & 0o777, Some(owner))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => (String::new(), 0o600, owner),
        Err(source) => return Err(io_error("read", path)(source)),
    };
    let edited =
        edit(&existing).map_err(|source| KubeconfigFileError::Content { path: path.clone(), source })?;
    match edited {
        Some(text) if text != existing => replace(path, &text, mode, owner),
        _ => Ok(()),
    }
}

/// The file that a link leads to: replacing the link itself would part it from its file.
fn target(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

fn make_parents(
    path: &Path,
    mode: u32,
    owner: Option<Owner>,
) -> Result<Option<PathBuf>, KubeconfigFileError> {
    let Some(parent) = path.parent() else { return Ok(None) };
    let missing: Vec<&Path> = parent.ancestors().take_while(|directory| !directory.exists()).collect();
    let uppermost = missing.last().map(|directory| (*directory).to_owned());
    for directory in missing.into_iter().rev() {
        fs::DirBuilder::new().mode(mode).create(directory).map_err(io_error("create", directory))?;
        if let Some(owner) = owner {
            owner.give(directory).map_err(io_error("give away", directory))?;
        }
    }
    Ok(uppermost)
}

/// Writes beside the file and renames: a reader sees the old text or the new, and a crash leaves the old.
fn replace(path: &Path, text: &str, mode: u32, owner: Option<Owner>) -> Result<(), KubeconfigFileError> {
    let beside = suffixed(path, &format!(".new-{}", std::process::id()));
    let result = write_beside(&beside, text, mode, owner)
        .map_err(io_error("write", path))
        .and_then(|()| fs::rename(&beside, path).map_err(io_error("write", path)));
    if result.is_err() {
        let _ = fs::remove_file(&beside);
    }
    result
}

fn write_beside(beside: &Path, text: &str, mode: u32, owner: Option<Owner>) -> io::Result<()> {
    let _ = fs::remove_file(beside);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(beside)?;
    file.write_all(text.as_bytes())?;
    let metadata = file.metadata()?;
    if let Some(owner) = owner.filter(|owner| (owner.uid, owner.gid) != (metadata.uid(), metadata.gid())) {
        owner.give(beside)?;
    }
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.sync_all()
}

/// kubectl's own lock: a file beside the kubeconfig that only one program can create.
struct Lock(PathBuf);

impl Lock {
    fn take(path: &Path) -> Result<Lock, KubeconfigFileError> {
        let lock = suffixed(path, ".lock");
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&lock) {
            Ok(_) => Ok(Lock(lock)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(KubeconfigFileError::Locked(lock))
            }
            Err(source) => Err(io_error("create", &lock)(source)),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn io_error(what: &'static str, path: &Path) -> impl Fn(io::Error) -> KubeconfigFileError {
    move |source| KubeconfigFileError::Io { what, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access() -> Access {
        let pem = |text: &str| format!("{text}\n");
        Access {
            name: "knarr-abcd".to_owned(),
            server: "https://127.0.0.1:7443".to_owned(),
            authority_pem: pem("authority"),
            certificate_pem: pem("certificate"),
            key_pem: pem("key"),
        }
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn the_clusters_own_is_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/knarr.yaml");
        write(&path, &access(), 0o600, None).unwrap();
        write(&path, &access(), 0o600, None).unwrap();
        assert_eq!(mode(&path), 0o600);
        assert_eq!(super::super::read(&text(&path).unwrap(), "knarr-abcd").unwrap(), access());
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn merging_keeps_mode_and_link_and_removing_deletes_only_what_is_empty() {
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("real"), dir.path().join("config"));
        fs::write(&real, "current-context: x\nusers: [{name: x, user: {token: t}}]\n").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        merge_into(&link, &access(), None).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(mode(&real), 0o640);
        assert!(text(&real).unwrap().contains("knarr-abcd"));
        assert!(remove_from(&link, &access()).unwrap());
        assert!(!remove_from(&link, &access()).unwrap());
        assert!(text(&link).unwrap().contains("token: t"));

        let new = dir.path().join(".kube/config");
        assert!(!remove_from(&new, &access()).unwrap());
        merge_into(&new, &access(), None).unwrap();
        assert_eq!(mode(&new), 0o600);
        assert!(remove_from(&new, &access()).unwrap());
        assert!(!new.exists());
    }

    #[test]
    fn kubectls_lock_is_honoured() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config");
        fs::write(suffixed(&path, ".lock"), "").unwrap();
        let error = merge_into(&path, &access(), None).expect_err("locked");
        assert!(matches!(error, KubeconfigFileError::Locked(_)), "{error}");
        assert!(!path.exists());
    }
}
