//! Where keys and certificates are kept: a directory in earnest, whatever a test likes otherwise.
//!
//! The one module of this crate that touches files. A file appears whole or not at all: it is written beside its
//! place, synced and renamed. Secrets are readable by their owner only, from their first byte on.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the shell of this crate: it keeps the files"
)]

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;

use thiserror::Error;

/// Why a file could not be read or written.
#[derive(Debug, Error)]
pub enum FileError {
    /// The system said no.
    #[error("the system refused it")]
    System(#[source] std::io::Error),
    /// A secret that others may read is not used.
    #[error("it may be read by others than its owner (mode {mode:o}): make it 0600")]
    Exposed {
        /// Its permissions.
        mode: u32,
    },
}

/// Files by name.
pub trait Files {
    /// The contents of a file; `None` when there is none.
    ///
    /// # Errors
    /// When it is there but cannot be read.
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, FileError>;

    /// Puts a file in place of whatever is there, whole or not at all; a secret is for its owner only.
    ///
    /// # Errors
    /// When it cannot be written.
    fn replace(&self, name: &str, contents: &[u8], secret: bool) -> Result<(), FileError>;
}

/// A directory of the machine, made (0700) when the first file is put there.
#[derive(Clone, Debug)]
pub struct Directory {
    path: PathBuf,
}

impl Directory {
    /// The directory at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Directory {
        Directory { path: path.into() }
    }
}

impl Files for Directory {
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, FileError> {
        let path = self.path.join(name);
        let contents = match std::fs::read(&path) {
            Ok(contents) => contents,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(FileError::System(error)),
        };
        let mode = std::fs::metadata(&path).map_err(FileError::System)?.permissions().mode() & 0o777;
        if name.ends_with(".key") && mode & 0o007 != 0 {
            return Err(FileError::Exposed { mode });
        }
        Ok(Some(contents))
    }

    fn replace(&self, name: &str, contents: &[u8], secret: bool) -> Result<(), FileError> {
        self.write(name, contents, secret).map_err(FileError::System)
    }
}

impl Directory {
    /// Takes a file away, if it is there.
    ///
    /// # Errors
    /// When it stays.
    pub fn remove(&self, name: &str) -> Result<(), FileError> {
        match std::fs::remove_file(self.path.join(name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(FileError::System(error)),
            _ => Ok(()),
        }
    }

    fn write(&self, name: &str, contents: &[u8], secret: bool) -> std::io::Result<()> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.path)?;
        let beside = self.path.join(format!(".{name}.new"));
        // Left over from a crash, perhaps with other permissions.
        match std::fs::remove_file(&beside) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mode = if secret { 0o600 } else { 0o644 };
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
        file.write_all(contents)?;
        file.sync_all()?;
        std::fs::rename(&beside, self.path.join(name))?;
        std::fs::File::open(&self.path)?.sync_all()
    }
}
