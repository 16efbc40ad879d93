//! A directory as a tar archive whose bytes depend on nothing but what the directory holds.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use tar::{Builder, EntryType, Header};

/// Whose the files of a packaged directory are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Everything is this user's and this group's.
    Fixed {
        /// User id.
        uid: u32,
        /// Group id.
        gid: u32,
    },
    /// As they are.
    Kept,
}

impl Default for Owner {
    /// root's, as with a Dockerfile's COPY.
    fn default() -> Owner {
        Owner::Fixed { uid: 0, gid: 0 }
    }
}

/// Writes the archive and gives the writer back. Sockets are left out, as every archiver does.
pub(super) fn pack<W: Write>(directory: &Path, owner: Owner, writer: W) -> io::Result<W> {
    let mut packing = Packing { builder: Builder::new(writer), owner, links: BTreeMap::new() };
    let root = fs::symlink_metadata(directory)?;
    if !root.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    packing.append(directory, Path::new("."), &root)?;
    // Depth first by a list of our own: a directory may be deeper than a stack.
    let mut waiting = children(directory, Path::new(""))?;
    while let Some((path, name)) = waiting.pop() {
        let found = fs::symlink_metadata(&path)?;
        packing.append(&path, &name, &found)?;
        if found.is_dir() {
            waiting.extend(children(&path, &name)?);
        }
    }
    packing.builder.into_inner()
}

/// In descending order, so that popping gives them ascending.
fn children(directory: &Path, name: &Path) -> io::Result<Vec<(PathBuf, PathBuf)>> {
    let mut found = fs::read_dir(directory)?
        .map(|entry| entry.map(|entry| (entry.path(), name.join(entry.file_name()))))
        .collect::<io::Result<Vec<_>>>()?;
    found.sort_by(|a, b| b.1.as_os_str().cmp(a.1.as_os_str()));
    Ok(found)
}

struct Packing<W: Write> {
    builder: Builder<W>,
    owner: Owner,
    /// The first name of each file that has several.
    links: BTreeMap<(u64, u64), PathBuf>,
}

impl<W: Write> Packing<W> {
    fn append(&mut self, path: &Path, name: &Path, found: &Metadata) -> io::Result<()> {
        let kind = found.file_type();
        if kind.is_socket() {
            return Ok(());
        }
        let mut header = Header::new_gnu();
        let (uid, gid) = match self.owner {
            Owner::Fixed { uid, gid } => (uid, gid),
            Owner::Kept => (found.uid(), found.gid()),
        };
        header.set_uid(uid.into());
        header.set_gid(gid.into());
        header.set_mode(found.mode() & 0o7777);
        header.set_mtime(0);
        header.set_size(0);
        if !kind.is_dir() && found.nlink() > 1 {
            let key = (found.dev(), found.ino());
            if let Some(first) = self.links.get(&key) {
                header.set_entry_type(EntryType::Link);
                return self.builder.append_link(&mut header, name, first);
            }
            self.links.insert(key, name.to_owned());
        }
        self.attributes(path)?;
        if kind.is_symlink() {
            header.set_entry_type(EntryType::Symlink);
            return self.link(&mut header, name, &fs::read_link(path)?);
        }
        if kind.is_file() {
            header.set_entry_type(EntryType::Regular);
            header.set_size(found.len());
            // A file that grows meanwhile must not spoil the archive; one that shrinks must not go unnoticed.
            let content = io::Read::take(File::open(path)?, found.len());
            return self.builder.append_data(&mut header, name, Exact { inner: content, left: found.len() });
        }
        header.set_entry_type(if kind.is_dir() {
            EntryType::Directory
        } else if kind.is_fifo() {
            EntryType::Fifo
        } else if kind.is_char_device() {
            EntryType::Char
        } else {
            EntryType::Block
        });
        if kind.is_char_device() || kind.is_block_device() {
            header.set_device_major(rustix::fs::major(found.rdev()))?;
            header.set_device_minor(rustix::fs::minor(found.rdev()))?;
        }
        self.builder.append_data(&mut header, name, io::empty())
    }

    /// A link's target as it is: the `tar` crate's own setter cleans paths.
    fn link(&mut self, header: &mut Header, name: &Path, target: &Path) -> io::Result<()> {
        let bytes = target.as_os_str().as_bytes();
        if header.set_link_name_literal(bytes).is_err() {
            let mut long = Header::new_gnu();
            long.as_gnu_mut().into_iter().for_each(|gnu| gnu.name[..13].copy_from_slice(b"././@LongLink"));
            long.set_mode(0o644);
            long.set_uid(0);
            long.set_gid(0);
            long.set_mtime(0);
            long.set_size(bytes.len() as u64 + 1);
            long.set_entry_type(EntryType::GNULongLink);
            long.set_cksum();
            self.builder.append(&long, &[bytes, b"\0"].concat()[..])?;
            header.set_link_name_literal(&bytes[..100])?;
        }
        self.builder.append_data(header, name, io::empty())
    }

    /// The extended attributes that unpacking keeps, as a PAX header before the entry.
    fn attributes(&mut self, path: &Path) -> io::Result<()> {
        let mut records = Vec::new();
        for name in list_attributes(path)? {
            if !(name.starts_with("user.")
                || name == "security.capability"
                || name.starts_with("system.posix_acl_"))
            {
                continue;
            }
            let mut value = vec![0; 64 << 10];
            let length = rustix::fs::lgetxattr(path, name.as_str(), value.as_mut_slice())?;
            value.truncate(length);
            records.push((format!("SCHILY.xattr.{name}"), value));
        }
        records.sort();
        if records.is_empty() {
            return Ok(());
        }
        self.builder
            .append_pax_extensions(records.iter().map(|(key, value)| (key.as_str(), value.as_slice())))
    }
}

fn list_attributes(path: &Path) -> io::Result<Vec<String>> {
    let mut names = vec![0u8; 64 << 10];
    match rustix::fs::llistxattr(path, names.as_mut_slice()) {
        Ok(length) => names.truncate(length),
        Err(rustix::io::Errno::NOTSUP) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    }
    let names = names.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    Ok(names.map(|name| String::from_utf8_lossy(name).into_owned()).collect())
}

/// Fails rather than ending early.
struct Exact<R> {
    inner: R,
    left: u64,
}

impl<R: io::Read> io::Read for Exact<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        if count == 0 && self.left > 0 && !buffer.is_empty() {
            return Err(io::Error::other("a file shrank while it was packaged"));
        }
        self.left -= count as u64;
        Ok(count)
    }
}
