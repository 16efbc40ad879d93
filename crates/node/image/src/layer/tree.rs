//! Directories within a layer, opened so that no symbolic link of the layer leads out of it.

use std::cell::{Cell, RefCell};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use rustix::fs::{self, AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::attributes::set_opaque;
use super::{io, refused};
use crate::error::LayerError;
use crate::limits;

/// A layer's directory.
pub(super) struct Tree {
    root: OwnedFd,
    /// The last parent: archives list a directory's entries one after another.
    last: RefCell<Option<(Vec<u8>, Rc<OwnedFd>)>>,
    /// Directories made because no entry named them before.
    made: Cell<u64>,
}

impl Tree {
    pub fn new(root: OwnedFd) -> Tree {
        Tree { root, last: RefCell::new(None), made: Cell::new(0) }
    }

    /// How many directories were made that no entry had named.
    pub fn made(&self) -> u64 {
        self.made.get()
    }

    /// Must follow each removal: the last parent may be gone.
    pub fn forget(&self) {
        self.last.replace(None);
    }

    /// Opens a directory, making it and its parents where they are missing: archives need not list them.
    pub fn directory(&self, path: &[u8]) -> Result<Rc<OwnedFd>, LayerError> {
        if let Some((known, handle)) = &*self.last.borrow()
            && known == path
        {
            return Ok(Rc::clone(handle));
        }
        let opened = match self.existing(path) {
            Ok(opened) => opened,
            Err(Errno::NOENT | Errno::NOTDIR) => {
                self.make(path, path, limits::SYMLINKS)?;
                self.existing(path).map_err(|error| io("open", path, error))?
            }
            Err(error) => return Err(io("open", path, error)),
        };
        let handle = Rc::new(opened);
        self.last.replace(Some((path.to_vec(), Rc::clone(&handle))));
        Ok(handle)
    }

    /// Opens a directory that must be there.
    pub fn existing(&self, path: &[u8]) -> rustix::io::Result<OwnedFd> {
        let path = if path.is_empty() { b".".as_slice() } else { path };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        fs::openat2(&self.root, path, flags, Mode::empty(), resolve)
    }

    /// Makes each missing part of `path`. A link whose target is missing, because a lower layer has it, gets it here too.
    fn make(&self, path: &[u8], entry: &[u8], links: usize) -> Result<(), LayerError> {
        let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
        for end in ends.chain([path.len()]) {
            let prefix = &path[..end];
            let missing = match self.existing(prefix) {
                Ok(_) => continue,
                Err(error @ (Errno::NOENT | Errno::NOTDIR)) => error,
                Err(error) => return Err(io("open", entry, error)),
            };
            let (parent, name) = match prefix.iter().rposition(|byte| *byte == b'/') {
                Some(slash) => (&prefix[..slash], &prefix[slash + 1..]),
                None => (&prefix[..0], prefix),
            };
            let opened = self.existing(parent).map_err(|error| io("open", entry, error))?;
            if missing == Errno::NOTDIR {
                replace_whiteout(opened.as_fd(), name, entry)?;
                continue;
            }
            match fs::mkdirat(&opened, name, Mode::from_raw_mode(0o755)) {
                Ok(()) => {
                    self.made.set(self.made.get() + 1);
                    // The process' umask has had its say.
                    fs::chmodat(&opened, name, Mode::from_raw_mode(0o755), AtFlags::empty())
                        .map_err(|error| io("chmod", entry, error))?;
                }
                Err(Errno::EXIST) if links > 0 => {
                    let target = fs::readlinkat(&opened, name, Vec::new())
                        .map_err(|error| io("open", entry, error))?;
                    self.make(&follow(parent, target.to_bytes()), entry, links - 1)?;
                }
                Err(Errno::EXIST) => return Err(refused(entry, "too many symbolic links")),
                Err(error) => return Err(io("mkdir", entry, error)),
            }
        }
        Ok(())
    }
}

/// Makes a directory where a whiteout stands: it hides the lower one, and then holds something of its own.
fn replace_whiteout(parent: BorrowedFd<'_>, name: &[u8], entry: &[u8]) -> Result<(), LayerError> {
    let failed = |error| io("mkdir", entry, error);
    let found = fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
    if FileType::from_raw_mode(found.st_mode) != FileType::CharacterDevice || found.st_rdev != 0 {
        return Err(failed(Errno::NOTDIR));
    }
    fs::unlinkat(parent, name, AtFlags::empty()).map_err(failed)?;
    fs::mkdirat(parent, name, Mode::from_raw_mode(0o755)).map_err(failed)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let made = fs::openat(parent, name, flags, Mode::empty()).map_err(failed)?;
    fs::fchmod(&made, Mode::from_raw_mode(0o755)).map_err(failed)?;
    set_opaque(made.as_fd(), entry)
}

/// Where a link leads, its root being the layer's: going up from there stays there, as the kernel has it.
fn follow(parent: &[u8], target: &[u8]) -> Vec<u8> {
    let whole = if target.starts_with(b"/") { target.to_vec() } else { [parent, target].join(&b'/') };
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in whole.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join(&b'/')
}

/// Removes a file, or a directory with all that it holds, following nothing. Goes down and up by one open directory
/// rather than by recursion: links let a layer nest directories deeper than any stack or table of descriptors.
pub(crate) fn remove(parent: BorrowedFd<'_>, name: &[u8]) -> rustix::io::Result<()> {
    match fs::unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) => return Ok(()),
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(error) => return Err(error),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut above: Vec<Vec<u8>> = Vec::new();
    let mut here = fs::openat(parent, name, flags, Mode::empty())?;
    loop {
        if let Some(child) = empty(here.as_fd())? {
            here = fs::openat(&here, child.as_slice(), flags, Mode::empty())?;
            above.push(child);
            continue;
        }
        let Some(done) = above.pop() else {
            return fs::unlinkat(parent, name, AtFlags::REMOVEDIR);
        };
        here = fs::openat(&here, "..", flags, Mode::empty())?;
        fs::unlinkat(&here, done, AtFlags::REMOVEDIR)?;
    }
}

/// Unlinks what is no directory; returns the first directory found.
fn empty(directory: BorrowedFd<'_>) -> rustix::io::Result<Option<Vec<u8>>> {
    for child in Dir::read_from(directory)? {
        let child = child?;
        let name = child.file_name().to_bytes();
        if matches!(name, b"." | b"..") {
            continue;
        }
        match fs::unlinkat(directory, name, AtFlags::empty()) {
            Ok(()) => {}
            Err(Errno::ISDIR | Errno::PERM) => return Ok(Some(name.to_vec())),
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}
