//! The files of an archive by their names in it, wherever they lie on disk.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, ResolveFlags};

use crate::digest::Digest;
use crate::error::{ImageError, Result};
use crate::limits;

/// A layout's directory, or an archive that was spread out.
pub(super) enum Tree {
    Borrowed(PathBuf),
    Spread { files: BTreeMap<String, PathBuf>, links: BTreeMap<String, String> },
}

impl Tree {
    pub fn borrowed(path: &Path) -> Tree {
        Tree::Borrowed(path.to_owned())
    }

    pub fn has(&self, name: &str) -> bool {
        self.open(name).is_ok()
    }

    /// Opens a file. A directory's links are not followed out of it; an archive's lead to files of the archive.
    pub fn open(&self, name: &str) -> Result<File> {
        let failed = |error: std::io::Error| ImageError::io(format!("read {name} of the archive"), error);
        match self {
            Tree::Borrowed(root) => {
                let root = File::open(root).map_err(failed)?;
                let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
                let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
                let file = rustix::fs::openat2(root, name, flags, Mode::empty(), resolve);
                let file = File::from(file.map_err(|error| failed(error.into()))?);
                if !file.metadata().map_err(failed)?.is_file() {
                    return Err(failed(std::io::Error::other("not a regular file")));
                }
                Ok(file)
            }
            Tree::Spread { files, links } => {
                let mut name = name;
                for _ in 0..limits::SYMLINKS {
                    match links.get(name) {
                        Some(target) => name = target,
                        None => break,
                    }
                }
                let path = files.get(name).ok_or_else(|| failed(std::io::ErrorKind::NotFound.into()))?;
                File::open(path).map_err(failed)
            }
        }
    }

    pub fn blob(&self, digest: &Digest) -> Result<File> {
        self.open(&format!("blobs/{}/{}", digest.algorithm().name(), digest.hex()))
    }

    /// A document, for memory.
    pub fn read(&self, name: &str, limit: u64) -> Result<Vec<u8>> {
        bounded(self.open(name)?, name, limit)
    }

    pub fn read_blob(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>> {
        bounded(self.blob(digest)?, &digest.to_string(), limit)
    }
}

fn bounded(file: File, name: &str, limit: u64) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    std::io::Read::read_to_end(&mut std::io::Read::take(file, limit + 1), &mut content)
        .map_err(|error| ImageError::io(format!("read {name} of the archive"), error))?;
    if content.len() as u64 > limit {
        let message = format!("{name} is larger than {limit} bytes");
        return Err(ImageError::Malformed { what: "archive", message });
    }
    Ok(content)
}
