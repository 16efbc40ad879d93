//! What a command finds around it: environment, files, the host's name. One trait, so that tests bring their own.
//!
//! Used by [`crate::invocation`].
#![allow(clippy::disallowed_methods, reason = "the shell that reads configuration files")]

use std::io;
use std::path::{Path, PathBuf};

/// What a command finds around it.
pub trait Surroundings {
    /// The value of an environment variable, if it is set, not empty and text.
    fn variable(&self, name: &str) -> Option<String>;
    /// The names of all environment variables.
    fn variables(&self) -> Vec<String>;
    /// The text of a file; `None` when there is none.
    ///
    /// # Errors
    /// When there is one that cannot be read.
    fn read(&self, path: &Path) -> io::Result<Option<String>>;
    /// The files of a directory, sorted by name; none when there is no directory.
    ///
    /// # Errors
    /// When there is one that cannot be read.
    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>>;
    /// The directory that relative paths start from.
    fn current_dir(&self) -> PathBuf;
    /// The host's name.
    fn host_name(&self) -> String;
}

/// Those of this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessSurroundings;

impl Surroundings for ProcessSurroundings {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }

    fn variables(&self) -> Vec<String> {
        std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect()
    }

    fn read(&self, path: &Path) -> io::Result<Option<String>> {
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        let entries = match std::fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
        paths.sort();
        Ok(paths)
    }

    fn current_dir(&self) -> PathBuf {
        std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"))
    }

    fn host_name(&self) -> String {
        std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
    }
}
