//! The folder of images of a node: whatever archive or layout is dropped there is imported, once for its content.
//!
//! What is known of each entry is kept in the store, so that neither a restart nor another entry makes it be read again: an archive of
//! many gigabytes costs one look at its size and time. What was found damaged stays known as damaged until it changes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ImportOptions;
use crate::digest::{Algorithm, Digest, Hashing};
use crate::error::{ImageError, LayerError, Result};
use crate::limits;
use crate::store::{Image, Store, read_bounded};

const FILE: &str = "folder.json";

/// What became of one entry of the folder.
#[derive(Debug)]
pub struct FolderEntry {
    /// The file or directory.
    pub path: PathBuf,
    /// What came of it.
    pub outcome: FolderOutcome,
}

/// What came of looking at an entry of the folder.
#[derive(Debug)]
pub enum FolderOutcome {
    /// Its images were imported now.
    Imported(Vec<Image>),
    /// Its images were imported before and are still there.
    Present,
    /// It changed while it was read: it is not whole yet. The next look decides.
    Changing,
    /// It cannot be imported: what is wrong with it, and whether this was found before. It is not read again until it changes.
    Damaged {
        /// What is wrong.
        message: String,
        /// Whether this is nothing new.
        known: bool,
    },
    /// Importing it failed for a reason that is not its own, such as a full disk. The next look tries again.
    Failed(ImageError),
}

/// What is known of the entries: one that looks as it did is not read again.
#[derive(Default, Serialize, Deserialize)]
struct Known {
    files: BTreeMap<PathBuf, Seen>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    look: Look,
    content: Digest,
    images: Vec<Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    damage: Option<String>,
}

/// How an entry looks from outside. Of a directory: all of it together.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Look {
    inode: u64,
    size: u64,
    mtime: (i64, i64),
    #[serde(default)]
    entries: u64,
}

impl Store {
    /// Imports the archives and layouts that lie in `folder` and were not imported yet, or whose images are gone since. Entries
    /// that begin with a dot are skipped, so that one can be put there under such a name and renamed when it is whole; so are
    /// lists of names (`.txt`). An entry that fails does not hinder the others. A folder that does not exist is empty.
    ///
    /// # Errors
    /// When the folder cannot be listed, or the store not written.
    pub fn import_folder(&self, folder: &Path) -> Result<Vec<FolderEntry>> {
        let mut known = self.known()?;
        let mut entries = Vec::new();
        for path in archives(folder)? {
            let outcome = match look(&path) {
                Ok(Some(look)) => self.import_entry(&path, look, &mut known),
                // A socket, or gone since.
                Ok(None) => continue,
                Err(error) => Err(error),
            };
            entries.push(FolderEntry { path, outcome: outcome.unwrap_or_else(FolderOutcome::Failed) });
        }
        known.files.retain(|path, _| entries.iter().any(|entry| entry.path == *path));
        let text = serde_json::to_vec(&known).map_err(|error| ImageError::io("note imports", error))?;
        if read_bounded(&self.path(FILE), limits::RECORDS_BYTES)?.as_ref() != Some(&text) {
            self.work()?.replace(FILE, &text)?;
        }
        Ok(entries)
    }

    /// The ids of the images that the folder holds, as of the last look: garbage collection leaves those alone.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn folder_images(&self) -> Result<BTreeSet<Digest>> {
        Ok(self.known()?.files.into_values().flat_map(|seen| seen.images).collect())
    }

    fn known(&self) -> Result<Known> {
        Ok(match read_bounded(&self.path(FILE), limits::RECORDS_BYTES)? {
            // What it says is a shortcut; without it everything is imported again, to the same effect.
            Some(text) => serde_json::from_slice(&text).unwrap_or_default(),
            None => Known::default(),
        })
    }

    fn import_entry(&self, path: &Path, before: Look, known: &mut Known) -> Result<FolderOutcome> {
        let present = |seen: &Seen| {
            seen.damage.is_none() && seen.images.iter().all(|id| self.inspect(&id.to_string()).is_ok())
        };
        if let Some(seen) = known.files.get(path).filter(|seen| seen.look == before) {
            if let Some(message) = &seen.damage {
                return Ok(FolderOutcome::Damaged { message: message.clone(), known: true });
            }
            if present(seen) {
                return Ok(FolderOutcome::Present);
            }
        }
        let content = content_of(path)?;
        // The same content under another name, or written again.
        if let Some(seen) = known.files.values().find(|seen| seen.content == content && present(seen)) {
            let seen = Seen { look: before, ..seen.clone() };
            known.files.insert(path.to_owned(), seen);
            return Ok(FolderOutcome::Present);
        }
        let imported = self.import(path, &ImportOptions::default());
        if look(path)?.as_ref() != Some(&before) {
            return Ok(FolderOutcome::Changing);
        }
        let mut seen = Seen { look: before, content, images: Vec::new(), damage: None };
        let outcome = match imported {
            Ok(images) => {
                seen.images = images.iter().map(|image| image.id.clone()).collect();
                FolderOutcome::Imported(images)
            }
            Err(error) if is_transient(&error) => return Err(error),
            Err(error) => {
                let message = error.message();
                seen.damage = Some(message.clone());
                FolderOutcome::Damaged { message, known: false }
            }
        };
        known.files.insert(path.to_owned(), seen);
        Ok(outcome)
    }
}

/// Whether an import failed for a reason that may be gone the next time although the entry is the same: the machine refused, not
/// the content. What decoders say of damaged data carries no number of the kernel's.
fn is_transient(error: &ImageError) -> bool {
    let machine = |source: &std::io::Error| {
        source.raw_os_error().is_some()
            && !matches!(source.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::CrossesDevices)
    };
    match error {
        ImageError::DiskFull { .. } | ImageError::Interrupted => true,
        ImageError::Io { source, .. } => machine(source),
        ImageError::Layer { source: LayerError::Io { source, .. }, .. } => machine(source),
        _ => false,
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
    paths.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        !name.starts_with('.') && !name.to_lowercase().ends_with(".txt")
    });
    paths.sort();
    Ok(paths)
}

/// The digest of a file; of a layout's directory, that of the documents which name everything else in it by digest.
fn content_of(path: &Path) -> Result<Digest> {
    let failed = |error| ImageError::io(format!("read {}", path.display()), error);
    if path.is_dir() {
        let mut all = Vec::new();
        for name in ["index.json", "manifest.json"] {
            all.extend(read_bounded(&path.join(name), limits::ARCHIVE_INDEX_BYTES)?.unwrap_or_default());
        }
        return Ok(Digest::of(&all));
    }
    let mut hashed = Hashing::new(fs::File::open(path).map_err(failed)?, Algorithm::Sha256);
    std::io::copy(&mut hashed, &mut std::io::sink()).map_err(failed)?;
    Ok(hashed.finish().1)
}

/// How a file or directory looks; nothing for what is neither.
fn look(path: &Path) -> Result<Option<Look>> {
    let failed = |error| ImageError::io(format!("read {}", path.display()), error);
    let found = match fs::metadata(path) {
        // Gone since it was listed, or a link to nowhere.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        found => found.map_err(failed)?,
    };
    let mut look = Look {
        inode: found.ino(),
        size: found.len(),
        mtime: (found.mtime(), found.mtime_nsec()),
        entries: 1,
    };
    if found.is_file() {
        return Ok(Some(look));
    }
    if !found.is_dir() {
        return Ok(None);
    }
    look.size = 0;
    let mut pending = vec![path.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(&directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            // By the entry itself: links lead nowhere that counts.
            let found = entry.metadata().map_err(failed)?;
            look.entries += 1;
            if look.entries > limits::ARCHIVE_ENTRIES {
                let message = format!("more than {} files", limits::ARCHIVE_ENTRIES);
                return Err(ImageError::Archive { path: path.to_owned(), message });
            }
            look.mtime = look.mtime.max((found.mtime(), found.mtime_nsec()));
            match found.is_dir() {
                true => pending.push(entry.path()),
                false => look.size = look.size.saturating_add(found.len()),
            }
        }
    }
    Ok(Some(look))
}
