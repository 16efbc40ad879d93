//! The last snapshot on disk: what the server starts from while its feeder is away. One JSON file, replaced atomically.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "the DNS server is a shell")]

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::records::Records;

/// Why a snapshot was not saved or loaded.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The file could not be read or written.
    #[error("cannot access the snapshot {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The file holds something else. Delete it: the feeder will write it again.
    #[error("{} holds no snapshot of DNS records", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: serde_json::Error,
    },
}

/// Replaces the snapshot; after a crash the file is the old one or the new one.
pub fn save(path: &Path, records: &Records) -> Result<(), SnapshotError> {
    let bytes = serde_json::to_vec(records)
        .map_err(|source| SnapshotError::Content { path: path.to_owned(), source })?;
    write(path, &bytes).map_err(|source| SnapshotError::File { path: path.to_owned(), source })
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let unfinished = path.with_extension("new");
    let mut file = fs::File::create(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    fs::rename(&unfinished, path)
}

/// The snapshot, if there is one.
pub fn load(path: &Path) -> Result<Option<Records>, SnapshotError> {
    let bytes = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        bytes => bytes.map_err(|source| SnapshotError::File { path: path.to_owned(), source })?,
    };
    let content = |source| SnapshotError::Content { path: path.to_owned(), source };
    serde_json::from_slice(&bytes).map(Some).map_err(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records.json");
        assert_eq!(load(&path).unwrap(), None);
        let records = crate::zone::tests::records();
        save(&path, &Records::default()).unwrap();
        save(&path, &records).unwrap();
        assert_eq!(load(&path).unwrap(), Some(records));
        fs::write(&path, b"{").unwrap();
        assert!(matches!(load(&path), Err(SnapshotError::Content { .. })));
    }
}
