//! Reading tar archives from a stranger: V7, ustar, GNU and PAX, sparse files of every flavour. Used by unpacking layers
//! and by importing archives.
//!
//! The `tar` crate reads long names and extended headers of any length into memory and knows no PAX sparse files, so
//! that reading is ours. Writing is not: see `build/pack.rs`. Nothing here touches a file, and no input makes it panic.

use std::io::{self, Read};

use crate::limits;

mod header;
mod pax;
mod sparse;
#[cfg(test)]
mod tests;

pub use sparse::Fragment;

use header::{BLOCK, Header};
use pax::Extensions;

/// Why an archive cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TapeError {
    /// It ends in the middle.
    #[error("unexpected EOF")]
    Truncated,
    /// A header with a wrong checksum, or a number that is none.
    #[error("invalid tar header: {0}")]
    Header(&'static str),
    /// A record of an extended header that is none.
    #[error("invalid PAX record: {0}")]
    Pax(&'static str),
    /// A sparse file whose map contradicts itself.
    #[error("invalid sparse map")]
    Sparse,
    /// Larger than a bound of this crate.
    #[error("{0} is too large")]
    TooLarge(&'static str),
    /// What it is read from failed.
    #[error("{0}")]
    Read(#[source] io::Error),
}

impl From<io::Error> for TapeError {
    fn from(error: io::Error) -> TapeError {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            TapeError::Truncated
        } else {
            TapeError::Read(error)
        }
    }
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// Another name of an earlier file.
    HardLink,
    /// A symbolic link.
    Symlink,
    /// A character device.
    Char,
    /// A block device.
    Block,
    /// A named pipe.
    Fifo,
    /// Nothing that is extracted: a global header, a volume's label.
    Note,
    /// Unknown, with its type flag.
    Other(u8),
}

/// One entry: everything but its data, which is read from the [`Tape`] before the next entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// As written: may be absolute, may hold `..`.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Where a link points.
    pub link: Vec<u8>,
    /// Permission bits, with set-uid, set-gid and sticky.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Seconds since the epoch, and nanoseconds.
    pub mtime: (i64, u32),
    /// Major and minor number of a device.
    pub device: (u32, u32),
    /// Extended attributes, in order.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// Length of the file in bytes.
    pub size: u64,
    /// Where the data that follows belongs; the rest of the file is holes. A file that is not sparse has one fragment.
    pub fragments: Vec<Fragment>,
}

/// A tar archive as it is read.
pub struct Tape<R> {
    reader: R,
    /// Data of the current entry not yet read, and the padding after it.
    remaining: u64,
    padding: u64,
    ended: bool,
}

impl<R: Read> Tape<R> {
    /// Reads an archive that is not compressed.
    pub fn new(reader: R) -> Tape<R> {
        Tape { reader, remaining: 0, padding: 0, ended: false }
    }

    /// What it reads from, for what follows the archive's end.
    pub fn into_inner(self) -> R {
        self.reader
    }

    /// The next entry, or `None` at the end. Data of the previous one that was not read is skipped.
    ///
    /// # Errors
    /// See [`TapeError`]. After an error nothing more can be read.
    pub fn entry(&mut self) -> Result<Option<Entry>, TapeError> {
        let mut extensions = Extensions::default();
        while !self.ended {
            self.skip()?;
            let Some(header) = self.header()? else {
                self.ended = true;
                break;
            };
            match header.flag {
                b'x' | b'X' => extensions.read_pax(&self.extension(&header)?)?,
                b'L' => extensions.path = Some(long_name(self.extension(&header)?)),
                b'K' => extensions.link = Some(long_name(self.extension(&header)?)),
                _ => return self.finish(&header, extensions).map(Some),
            }
        }
        Ok(None)
    }

    /// Reads data of the current entry; 0 at its end.
    ///
    /// # Errors
    /// When the archive ends first, or what it is read from fails.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, TapeError> {
        let want = usize::try_from(self.remaining).unwrap_or(usize::MAX).min(buffer.len());
        if want == 0 {
            return Ok(0);
        }
        let count = loop {
            match self.reader.read(&mut buffer[..want]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        if count == 0 {
            return Err(TapeError::Truncated);
        }
        self.remaining -= count as u64;
        Ok(count)
    }

    fn header(&mut self) -> Result<Option<Header>, TapeError> {
        let Some(block) = self.block()? else { return Ok(None) };
        if block.iter().any(|byte| *byte != 0) {
            let header = Header::parse(&block)?;
            self.remaining = header.stored;
            self.padding = header.stored.wrapping_neg() % BLOCK as u64;
            return Ok(Some(header));
        }
        // Two blocks of zeroes are the end; sloppy writers end after one.
        match self.block()? {
            Some(block) if block.iter().any(|byte| *byte != 0) => {
                Err(TapeError::Header("a block of zeroes within the archive"))
            }
            _ => Ok(None),
        }
    }

    fn block(&mut self) -> Result<Option<[u8; BLOCK]>, TapeError> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            match self.reader.read(&mut block[filled..]) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(TapeError::Truncated),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Some(block))
    }

    fn skip(&mut self) -> Result<(), TapeError> {
        self.remaining = self.remaining.saturating_add(std::mem::take(&mut self.padding));
        let mut scratch = [0; 16 * BLOCK];
        while self.remaining > 0 {
            self.read(&mut scratch)?;
        }
        Ok(())
    }

    fn extension(&mut self, header: &Header) -> Result<Vec<u8>, TapeError> {
        if header.stored > limits::TAR_EXTENSION_BYTES {
            return Err(TapeError::TooLarge("an extended header"));
        }
        let mut data = vec![0; usize::try_from(header.stored).unwrap_or_default()];
        let mut filled = 0;
        while filled < data.len() {
            filled += self.read(&mut data[filled..])?;
        }
        Ok(data)
    }

    fn finish(&mut self, header: &Header, extensions: Extensions) -> Result<Entry, TapeError> {
        let mut entry = header.entry();
        let stored = extensions.size.unwrap_or(header.stored);
        if let Some(path) = extensions.path {
            entry.path = path;
        }
        if entry.kind == Kind::File && entry.path.ends_with(b"/") {
            entry.kind = Kind::Directory;
        }
        if let Some(link) = extensions.link {
            entry.link = link;
        }
        entry.uid = extensions.uid.unwrap_or(entry.uid);
        entry.gid = extensions.gid.unwrap_or(entry.gid);
        entry.mtime = extensions.mtime.unwrap_or(entry.mtime);
        entry.xattrs = extensions.xattrs;
        if entry.path.len() > limits::PATH_BYTES || entry.link.len() > limits::PATH_BYTES {
            return Err(TapeError::TooLarge("a path"));
        }
        // Writers put odd sizes on what has no data: as Go's reader does, only files have any.
        let stored = if matches!(entry.kind, Kind::File | Kind::Note | Kind::Other(_)) { stored } else { 0 };
        self.remaining = stored;
        self.padding = stored.wrapping_neg() % BLOCK as u64;
        self.map_fragments(header, &extensions.sparse, &mut entry)?;
        Ok(entry)
    }

    fn map_fragments(
        &mut self,
        header: &Header,
        sparse: &pax::Sparse,
        entry: &mut Entry,
    ) -> Result<(), TapeError> {
        let (size, fragments) = if header.flag == b'S' {
            let mut map = header.gnu_sparse()?;
            while map.continues {
                let block = self.block()?.ok_or(TapeError::Truncated)?;
                map.extend(&block)?;
            }
            (map.size, map.fragments)
        } else if sparse.is_version_1() {
            let fragments = self.sparse_map_in_data()?;
            (sparse.size.ok_or(TapeError::Sparse)?, fragments)
        } else if let Some(fragments) = sparse.fragments()? {
            (sparse.size.ok_or(TapeError::Sparse)?, fragments)
        } else {
            entry.size = self.remaining;
            entry.fragments = vec![Fragment { offset: 0, length: self.remaining }];
            return Ok(());
        };
        sparse::check(&fragments, size, self.remaining)?;
        entry.size = size;
        entry.fragments = fragments;
        Ok(())
    }

    /// PAX sparse format 1.0: the map is decimal lines at the head of the data, padded to a whole block.
    fn sparse_map_in_data(&mut self) -> Result<Vec<Fragment>, TapeError> {
        let mut parser = sparse::Lines::default();
        while !parser.complete() {
            let mut block = [0; BLOCK];
            let mut filled = 0;
            while filled < BLOCK {
                match self.read(&mut block[filled..])? {
                    0 => return Err(TapeError::Sparse),
                    count => filled += count,
                }
            }
            parser.feed(&block)?;
        }
        Ok(parser.fragments)
    }
}

fn long_name(mut data: Vec<u8>) -> Vec<u8> {
    if let Some(end) = data.iter().position(|byte| *byte == 0) {
        data.truncate(end);
    }
    data
}
