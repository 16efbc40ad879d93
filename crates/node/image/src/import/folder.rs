//! The folder of images that a node starts with: whatever archive is dropped there is imported, once for its content.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ImportOptions;
use crate::digest::{Algorithm, Digest, Hashing};
use crate::error::{ImageError, Result};
use crate::limits;
use crate::store::{Image, Store, read_bounded};

const FILE: &str = "folder.json";

/// What became of one file of the folder.
#[derive(Debug)]
pub struct FolderEntry {
    /// The file.
    pub path: PathBuf,
    /// The images that were imported now; empty when they were before and are still there.
    pub outcome: Result<Vec<Image>>,
}

/// What is known of the files: a file that looks as it did is not read again.
#[derive(Default, Serialize, Deserialize)]
struct Known {
    files: BTreeMap<PathBuf, Seen>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    look: Look,
    content: Digest,
    images: Vec<Digest>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Look {
    inode: u64,
    size: u64,
    mtime: (i64, i64),
}

impl Store {
    /// Imports the archives that lie in `folder` and were not imported yet, or whose images are gone since. Files that
    /// begin with a dot are skipped, so that one can be put there under such a name and renamed when it is whole. A
    /// file that fails does not hinder the others. A folder that does not exist is empty.
    ///
    /// # Errors
    /// When the folder cannot be listed, or the store not written.
    pub fn import_folder(&self, folder: &Path) -> Result<Vec<FolderEntry>> {
        let mut known: Known = match read_bounded(&self.path(FILE), limits::RECORDS_BYTES)? {
            // What it says is a shortcut; without it everything is imported again, to the same effect.
            Some(text) => serde_json::from_slice(&text).unwrap_or_default(),
            None => Known::default(),
        };
        let mut entries = Vec::new();
        for path in archives(folder)? {
            let Some(look) = look(&path)? else { continue };
            let present = |seen: &Seen| seen.images.iter().all(|id| self.inspect(&id.to_string()).is_ok());
            if known.files.get(&path).is_some_and(|seen| seen.look == look && present(seen)) {
                entries.push(FolderEntry { path, outcome: Ok(Vec::new()) });
                continue;
            }
            let content = content_of(&path)?;
            // The same content under another name, or written again.
            if let Some(seen) = known.files.values().find(|seen| seen.content == content && present(seen)) {
                let seen = Seen { look, ..seen.clone() };
                known.files.insert(path.clone(), seen);
                entries.push(FolderEntry { path, outcome: Ok(Vec::new()) });
                continue;
            }
            let outcome = self.import(&path, &ImportOptions::default());
            if let Ok(images) = &outcome {
                let images = images.iter().map(|image| image.id.clone()).collect();
                known.files.insert(path.clone(), Seen { look, content, images });
            }
            entries.push(FolderEntry { path, outcome });
        }
        known.files.retain(|path, _| entries.iter().any(|entry| entry.path == *path));
        let text = serde_json::to_vec(&known).map_err(|error| ImageError::io("note imports", error))?;
        self.work()?.replace(FILE, &text)?;
        Ok(entries)
    }
}

fn archives(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error| ImageError::io(format!("list {}", folder.display()), error);
    let listed = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(failed)?,
    };
    let mut paths = listed
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<Vec<_>>>()
        .map_err(failed)?;
    paths.retain(|path| path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.')));
    paths.sort();
    Ok(paths)
}

fn content_of(path: &Path) -> Result<Digest> {
    let failed = |error| ImageError::io(format!("read {}", path.display()), error);
    let mut hashed = Hashing::new(fs::File::open(path).map_err(failed)?, Algorithm::Sha256);
    std::io::copy(&mut hashed, &mut std::io::sink()).map_err(failed)?;
    Ok(hashed.finish().1)
}

fn look(path: &Path) -> Result<Option<Look>> {
    let found =
        fs::metadata(path).map_err(|error| ImageError::io(format!("read {}", path.display()), error))?;
    let look = Look { inode: found.ino(), size: found.len(), mtime: (found.mtime(), found.mtime_nsec()) };
    Ok(found.is_file().then_some(look))
}
