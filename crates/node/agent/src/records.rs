//! The pods' records and directories on disk. Calls block.
//!
//! ```text
//! <data>/pods/<uid>/record.json  etc-hosts  resolv.conf  hostname  containers/<name>/<attempt>  volumes/<name>/
//! ```
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "the agent keeps records on disk")]

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use node_pod::record::PodRecord;

use crate::error::AgentError;

/// Where pods' directories are.
#[derive(Clone, Debug)]
pub(crate) struct Records {
    root: PathBuf,
}

impl Records {
    pub(crate) fn new(data: &Path) -> Records {
        Records { root: data.join("pods") }
    }

    pub(crate) fn directory(&self, uid: &str) -> PathBuf {
        self.root.join(uid)
    }

    /// Every record there is.
    pub(crate) fn load(&self) -> Result<Vec<PodRecord>, AgentError> {
        let failed = |error| AgentError::file("read", &self.root)(error);
        let entries = match fs::read_dir(&self.root) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed)?,
        };
        let mut records = Vec::new();
        for entry in entries {
            let path = entry.map_err(failed)?.path().join("record.json");
            match fs::read(&path) {
                Ok(bytes) => records.push(
                    serde_json::from_slice(&bytes)
                        .map_err(|source| AgentError::Record { path: path.clone(), source })?,
                ),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(AgentError::file("read", &path)(error)),
            }
        }
        Ok(records)
    }

    /// Replaces a record in one step.
    pub(crate) fn save(&self, record: &PodRecord) -> Result<(), AgentError> {
        let path = self.directory(&record.uid).join("record.json");
        let bytes =
            serde_json::to_vec(record).map_err(|source| AgentError::Record { path: path.clone(), source })?;
        write(&path, &bytes, 0o600)
    }

    /// Takes a pod's whole directory away. Nothing may be mounted in it any more.
    pub(crate) fn remove(&self, uid: &str) -> Result<(), AgentError> {
        remove_tree(&self.directory(uid))
    }
}

/// Takes a directory away, however much is in it; an absent one is fine.
pub(crate) fn remove_tree(path: &Path) -> Result<(), AgentError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(AgentError::file("remove", path)(error)),
        _ => Ok(()),
    }
}

/// Makes a file of this content and mode in one step, and its directories.
pub(crate) fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), AgentError> {
    use std::os::unix::fs::PermissionsExt;
    let failed = |error| AgentError::file("write", path)(error);
    let directory = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(directory).map_err(failed)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let unfinished = directory.join(name);
    let mut file = File::create(&unfinished).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.set_permissions(fs::Permissions::from_mode(mode)).map_err(failed)?;
    file.sync_data().map_err(failed)?;
    fs::rename(&unfinished, path).map_err(failed)
}

/// Changes a file that is mounted into containers: in place, or they would go on seeing the old one.
pub(crate) fn overwrite(path: &Path, bytes: &[u8]) -> Result<(), AgentError> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    let directory = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(directory)
        .and_then(|()| fs::write(path, bytes))
        .map_err(AgentError::file("write", path))
}

/// Makes the empty file of a container's termination message, which whoever the container runs as may write, as kubelet makes it.
pub(crate) fn make_message(path: &Path) -> Result<(), AgentError> {
    overwrite(path, b"")?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o666)).map_err(AgentError::file("write", path))
}

/// A text file; empty where there is none.
pub(crate) fn read_text(path: &Path) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// A text file that must be there.
pub(crate) fn read_text_strictly(path: &Path) -> Result<String, AgentError> {
    fs::read_to_string(path).map_err(AgentError::file("read", path))
}
