//! Small files that outlive the process, one per pod: written whole or not at all.
//!
//! Used by `net-pod` for what the kernel cannot tell again. What the bytes mean is the caller's business.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::NetlinkError;

/// The suffix of a file that is being written.
const UNFINISHED: &str = ".new";

/// Named records.
pub trait Records: Send + Sync {
    /// All records by name.
    fn load(&self) -> Result<BTreeMap<String, Vec<u8>>, NetlinkError>;

    /// Writes a record; after a crash it is either the old one or the new one.
    fn save(&self, name: &str, bytes: &[u8]) -> Result<(), NetlinkError>;

    /// Removes a record, if there is one.
    fn remove(&self, name: &str) -> Result<(), NetlinkError>;
}

/// Records as files of one folder.
#[derive(Clone, Debug)]
pub struct FileRecords {
    folder: PathBuf,
}

impl FileRecords {
    /// The records in `folder`, which is created with the first one.
    pub fn new(folder: impl Into<PathBuf>) -> FileRecords {
        FileRecords { folder: folder.into() }
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let unfinished = self.folder.join(format!("{name}{UNFINISHED}"));
        let mut file = fs::File::create(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_data()?;
        fs::rename(&unfinished, self.folder.join(name))?;
        fs::File::open(&self.folder)?.sync_all()
    }

    fn read_all(&self) -> io::Result<BTreeMap<String, Vec<u8>>> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            entries => entries?,
        };
        let mut records = BTreeMap::new();
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if !name.is_empty() && !name.ends_with(UNFINISHED) {
                records.insert(name.to_owned(), fs::read(&path)?);
            }
        }
        Ok(records)
    }
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> NetlinkError {
    let path = path.to_owned();
    move |source| NetlinkError::Record { path, source }
}

impl Records for FileRecords {
    fn load(&self) -> Result<BTreeMap<String, Vec<u8>>, NetlinkError> {
        self.read_all().map_err(failed(&self.folder))
    }

    fn save(&self, name: &str, bytes: &[u8]) -> Result<(), NetlinkError> {
        self.write(name, bytes).map_err(failed(&self.folder.join(name)))
    }

    fn remove(&self, name: &str) -> Result<(), NetlinkError> {
        let path = self.folder.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(&path)(error)),
            _ => Ok(()),
        }
    }
}

/// Records in memory.
#[derive(Debug, Default)]
pub struct SimRecords {
    records: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl Records for SimRecords {
    fn load(&self) -> Result<BTreeMap<String, Vec<u8>>, NetlinkError> {
        Ok(self.records.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn save(&self, name: &str, bytes: &[u8]) -> Result<(), NetlinkError> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), bytes.to_vec());
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<(), NetlinkError> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        Ok(())
    }
}
