//! Unpacking one layer into a directory that overlayfs can stack: whiteouts become character devices 0/0 and opaque
//! directories an attribute, as the kernel reads them. Used by the store; knows nothing of digests or compression.
//!
//! A layer is unpacked by itself, never over its parents, so that images share it and layers can be unpacked in any order;
//! docker's overlay2 and podman do the same. Nothing in a layer can reach outside its directory: names are cleaned, and
//! every parent is opened with `RESOLVE_IN_ROOT`.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the image store is a shell: it keeps files"
)]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::error::LayerError;
use crate::limits;
use crate::tape::{Entry, Kind, Tape};

mod attributes;
mod names;
#[cfg(test)]
mod tests;
mod tree;

pub(crate) use tree::remove;

use names::Name;
use tree::Tree;

/// Bytes of a file between reading and writing.
const COPIED_AT_A_TIME: usize = 128 << 10;

/// What a layer takes on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Footprint {
    /// Bytes of its files.
    pub bytes: u64,
    /// Its files, directories and links.
    pub inodes: u64,
}

impl std::ops::AddAssign for Footprint {
    fn add_assign(&mut self, other: Footprint) {
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.inodes = self.inodes.saturating_add(other.inodes);
    }
}

/// Unpacks the tar archive that `reader` gives, not compressed, into the empty directory `root`.
///
/// # Errors
/// See [`LayerError`]. What was unpacked until then stays: the caller drops the directory.
pub fn unpack(reader: impl Read, root: OwnedFd) -> Result<Footprint, LayerError> {
    let mut unpacking = Unpacking {
        tree: Tree::new(root),
        times: BTreeMap::new(),
        footprint: Footprint::default(),
        buffer: vec![0; COPIED_AT_A_TIME],
    };
    let mut tape = Tape::new(reader);
    while let Some(entry) = tape.entry()? {
        unpacking.footprint.inodes += 1;
        if unpacking.footprint.inodes + unpacking.tree.made() > limits::LAYER_ENTRIES {
            return Err(LayerError::Limit { what: "entries", limit: limits::LAYER_ENTRIES });
        }
        unpacking.extract(&mut tape, &entry)?;
    }
    unpacking.finish()
}

struct Unpacking {
    tree: Tree,
    /// Making entries within a directory changes its time, so that these are set last.
    times: BTreeMap<Vec<u8>, (i64, u32)>,
    footprint: Footprint,
    /// One for all files: most are small, and there are many.
    buffer: Vec<u8>,
}

impl Unpacking {
    fn extract<R: Read>(&mut self, tape: &mut Tape<R>, entry: &Entry) -> Result<(), LayerError> {
        if entry.kind == Kind::Note {
            return Ok(());
        }
        let path = names::clean(&entry.path)?;
        match names::classify(&path)? {
            Name::Root => self.root(entry),
            Name::Skipped => Ok(()),
            Name::Opaque { directory } => {
                let parent = self.tree.directory(&directory)?;
                attributes::set_opaque(parent.as_fd(), &path)
            }
            Name::Whiteout { directory, hidden } => {
                let parent = self.tree.directory(&directory)?;
                whiteout(parent.as_fd(), &hidden, &path)
            }
            Name::Entry { directory, name } => {
                let parent = self.tree.directory(&directory)?;
                self.entry(tape, entry, parent.as_fd(), &name, &path)
            }
        }
    }

    fn root(&mut self, entry: &Entry) -> Result<(), LayerError> {
        if entry.kind == Kind::Directory {
            let root = self.tree.directory(b"")?;
            attributes::set_by_handle(root.as_fd(), entry, b"/")?;
            self.times.insert(Vec::new(), entry.mtime);
        }
        Ok(())
    }

    fn entry<R: Read>(
        &mut self,
        tape: &mut Tape<R>,
        entry: &Entry,
        parent: BorrowedFd<'_>,
        name: &[u8],
        path: &[u8],
    ) -> Result<(), LayerError> {
        let hides_lower = self.clear(parent, name, path, entry.kind == Kind::Directory)?;
        let failed = |doing| move |source| io(doing, path, source);
        match &entry.kind {
            Kind::File => return self.file(tape, entry, parent, name, path),
            Kind::Directory => return self.directory(entry, parent, name, path, hides_lower),
            Kind::HardLink => return self.hard_link(entry, parent, name, path),
            Kind::Symlink => {
                if entry.link.is_empty() || entry.link.contains(&0) {
                    return Err(refused(path, "a symbolic link to nothing"));
                }
                fs::symlinkat(entry.link.as_slice(), parent, name).map_err(failed("symlink"))?;
            }
            Kind::Char | Kind::Block | Kind::Fifo => {
                let kind = match entry.kind {
                    Kind::Char => FileType::CharacterDevice,
                    Kind::Block => FileType::BlockDevice,
                    _ => FileType::Fifo,
                };
                let device = fs::makedev(entry.device.0, entry.device.1);
                fs::mknodat(parent, name, kind, Mode::from_raw_mode(0o600), device)
                    .map_err(failed("mknod"))?;
            }
            Kind::Note => return Ok(()),
            Kind::Other(flag) => return Err(refused(path, &format!("unknown type {:?}", char::from(*flag)))),
        }
        attributes::set_by_name(parent, name, entry, path)
    }

    /// Makes room for an entry. A directory stays for a directory. Returns whether a whiteout stood there.
    fn clear(
        &mut self,
        parent: BorrowedFd<'_>,
        name: &[u8],
        path: &[u8],
        keep_directory: bool,
    ) -> Result<bool, LayerError> {
        let stat = match fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(false),
            Err(error) => return Err(io("stat", path, error)),
        };
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind == FileType::Directory && keep_directory {
            return Ok(false);
        }
        self.times.remove(path);
        self.tree.forget();
        tree::remove(parent, name).map_err(|error| io("remove", path, error))?;
        Ok(kind == FileType::CharacterDevice && stat.st_rdev == 0)
    }

    fn file<R: Read>(
        &mut self,
        tape: &mut Tape<R>,
        entry: &Entry,
        parent: BorrowedFd<'_>,
        name: &[u8],
        path: &[u8],
    ) -> Result<(), LayerError> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = fs::openat(parent, name, flags, Mode::from_raw_mode(0o600));
        let file = File::from(opened.map_err(|error| io("create", path, error))?);
        for fragment in &entry.fragments {
            let mut at = fragment.offset;
            let end = fragment.offset.saturating_add(fragment.length);
            while at < end {
                let want = usize::try_from(end - at).unwrap_or(usize::MAX).min(self.buffer.len());
                let count = tape.read(&mut self.buffer[..want])?;
                if count == 0 {
                    return Err(crate::tape::TapeError::Truncated.into());
                }
                file.write_all_at(&self.buffer[..count], at).map_err(|error| io("write", path, error))?;
                at += count as u64;
            }
            self.footprint.bytes += fragment.length;
        }
        let is_whole = matches!(entry.fragments.as_slice(), [one] if one.length == entry.size);
        if !is_whole {
            file.set_len(entry.size).map_err(|error| io("truncate", path, error))?;
        }
        attributes::set_by_handle(file.as_fd(), entry, path)?;
        attributes::set_times(file.as_fd(), entry.mtime, path)
    }

    fn directory(
        &mut self,
        entry: &Entry,
        parent: BorrowedFd<'_>,
        name: &[u8],
        path: &[u8],
        hides_lower: bool,
    ) -> Result<(), LayerError> {
        match fs::mkdirat(parent, name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(io("mkdir", path, error)),
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory =
            fs::openat(parent, name, flags, Mode::empty()).map_err(|error| io("open", path, error))?;
        attributes::set_by_handle(directory.as_fd(), entry, path)?;
        if hides_lower {
            attributes::set_opaque(directory.as_fd(), path)?;
        }
        self.times.insert(path.to_vec(), entry.mtime);
        Ok(())
    }

    fn hard_link(
        &mut self,
        entry: &Entry,
        parent: BorrowedFd<'_>,
        name: &[u8],
        path: &[u8],
    ) -> Result<(), LayerError> {
        let target = names::clean(&entry.link)?;
        let Name::Entry { directory, name: target_name } = names::classify(&target)? else {
            return Err(refused(path, "a hard link to what cannot be linked"));
        };
        let from = self.tree.existing(&directory).map_err(|error| io("open the target of", path, error))?;
        fs::linkat(from.as_fd(), target_name.as_slice(), parent, name, AtFlags::empty())
            .map_err(|error| io("link", path, error))
    }

    fn finish(self) -> Result<Footprint, LayerError> {
        for (path, mtime) in &self.times {
            let directory = match self.tree.existing(path) {
                Ok(directory) => directory,
                // Replaced since, by another name that leads there.
                Err(Errno::NOENT | Errno::NOTDIR) => continue,
                Err(error) => return Err(io("open", path, error)),
            };
            attributes::set_times(directory.as_fd(), *mtime, path)?;
        }
        let inodes = self.footprint.inodes + self.tree.made();
        Ok(Footprint { inodes, ..self.footprint })
    }
}

/// Hides `name` of the layers below. What this very layer put there hides it already; a directory must also hide what
/// the lower one holds.
fn whiteout(parent: BorrowedFd<'_>, name: &[u8], path: &[u8]) -> Result<(), LayerError> {
    match fs::mknodat(parent, name, FileType::CharacterDevice, Mode::empty(), 0) {
        Ok(()) => Ok(()),
        Err(Errno::EXIST) => {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            match fs::openat(parent, name, flags, Mode::empty()) {
                Ok(directory) => attributes::set_opaque(directory.as_fd(), path),
                Err(Errno::NOTDIR | Errno::LOOP) => Ok(()),
                Err(error) => Err(io("open", path, error)),
            }
        }
        Err(error) => Err(io("hide", path, error)),
    }
}

fn io(doing: &'static str, path: &[u8], source: impl Into<std::io::Error>) -> LayerError {
    LayerError::Io { doing, path: names::show(path), source: source.into() }
}

fn refused(path: &[u8], message: &str) -> LayerError {
    LayerError::Entry { path: names::show(path), message: message.to_owned() }
}
