//! Hearing when a file is replaced or written, by inotify on its directory. Used for the snapshot and for resolv.conf; what the file
//! holds is its reader's business.
//!
//! The directory is watched and not the file: a file that is replaced by renaming is another one. Where the path is a link, the
//! directory that it leads to is watched too.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "the DNS server is a shell")]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use tokio::net::unix::pipe::Receiver;

use crate::limits::INOTIFY_BYTES;

/// The bytes of an event before its name: watch, mask, cookie and the name's length.
const HEADER_BYTES: usize = 16;

/// Hears about one file.
pub struct Follow {
    /// To the async runtime any descriptor that can be read is as good as a pipe's.
    inotify: Receiver,
    path: PathBuf,
    target: PathBuf,
}

impl Follow {
    /// Begins to listen: a change after this is heard by [`Follow::changed`]. Read the file afterwards.
    ///
    /// # Errors
    /// When its directory does not exist, or the kernel has no more watches.
    pub fn new(path: &Path) -> io::Result<Follow> {
        let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let flags = WatchFlags::MOVED_TO | WatchFlags::CLOSE_WRITE | WatchFlags::CREATE;
        for file in [path, &target] {
            let directory = file.parent().filter(|directory| !directory.as_os_str().is_empty());
            inotify::add_watch(&inotify, directory.unwrap_or(Path::new(".")), flags)?;
        }
        let inotify = Receiver::from_owned_fd_unchecked(inotify)?;
        Ok(Follow { inotify, path: path.to_owned(), target })
    }

    /// Completes once the file may hold something else than at the last call. Nothing is lost when this is dropped before.
    ///
    /// # Errors
    /// When the kernel cannot be asked, or the directory is gone.
    pub async fn changed(&mut self) -> io::Result<()> {
        loop {
            self.inotify.readable().await?;
            if self.drain()? {
                return Ok(());
            }
        }
    }

    /// Reads what the kernel has to tell, and answers whether the file is concerned.
    fn drain(&self) -> io::Result<bool> {
        let mut buffer = [0u8; INOTIFY_BYTES];
        let mut concerned = false;
        loop {
            match self.inotify.try_read(&mut buffer) {
                Ok(count) => concerned |= self.concerns(&buffer[..count])?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(concerned),
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether one of these events is about the file: `struct inotify_event` of inotify(7), one after the other.
    fn concerns(&self, mut events: &[u8]) -> io::Result<bool> {
        let names = [self.path.file_name(), self.target.file_name()];
        let mut concerned = false;
        while let Some((header, rest)) = events.split_first_chunk::<HEADER_BYTES>() {
            let word =
                |at: usize| u32::from_ne_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
            let (mask, length) = (ReadFlags::from_bits_retain(word(4)), word(12) as usize);
            let (name, rest) = rest.split_at(length.min(rest.len()));
            events = rest;
            if mask.contains(ReadFlags::IGNORED) {
                return Err(io::Error::new(io::ErrorKind::NotFound, "the directory is gone"));
            }
            let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
            concerned |= mask.contains(ReadFlags::QUEUE_OVERFLOW)
                || names.iter().flatten().any(|own| own.as_encoded_bytes() == name);
        }
        Ok(concerned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn events_about_other_files_are_none_of_its_business() {
        let folder = tempfile::tempdir().unwrap();
        let follow = Follow::new(&folder.path().join("own")).unwrap();
        fs::write(folder.path().join("other"), "a").unwrap();
        follow.inotify.readable().await.unwrap();
        assert!(!follow.drain().unwrap());
        fs::write(folder.path().join("own"), "a").unwrap();
        follow.inotify.readable().await.unwrap();
        assert!(follow.drain().unwrap());
    }

    #[tokio::test]
    async fn a_file_is_followed_through_replacement_and_links() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let path = folder.path().join("records.json");
        let mut follow = Follow::new(&path).unwrap();
        fs::write(folder.path().join("records.new"), "a").unwrap();
        fs::rename(folder.path().join("records.new"), &path).unwrap();
        follow.changed().await.unwrap();

        let (real, link) = (elsewhere.path().join("real"), folder.path().join("link"));
        fs::write(&real, "a").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let mut follow = Follow::new(&link).unwrap();
        fs::write(&real, "b").unwrap();
        follow.changed().await.unwrap();

        drop(elsewhere);
        assert!(follow.changed().await.is_err());
        assert!(Follow::new(Path::new("/nowhere/at/all")).is_err());
    }
}
