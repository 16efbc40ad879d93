//! Owner, mode, extended attributes and times of what was unpacked.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use rustix::fs::{self, AtFlags, Gid, Mode, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;

use super::{io, names};
use crate::error::LayerError;
use crate::tape::{Entry, Kind};

const OPAQUE: &str = "trusted.overlay.opaque";

/// Makes overlayfs hide what lies below `directory`.
pub(super) fn set_opaque(directory: BorrowedFd<'_>, path: &[u8]) -> Result<(), LayerError> {
    fs::fsetxattr(directory, OPAQUE, b"y", XattrFlags::empty()).map_err(|error| io("set opaque", path, error))
}

/// Owner, mode and extended attributes of an open file or directory, in the order in which none undoes another: a new
/// owner clears set-user-id and capabilities.
pub(super) fn set_by_handle(file: BorrowedFd<'_>, entry: &Entry, path: &[u8]) -> Result<(), LayerError> {
    let (uid, gid) = owner(entry, path)?;
    fs::fchown(file, Some(uid), Some(gid)).map_err(|error| io("chown", path, error))?;
    fs::fchmod(file, Mode::from_raw_mode(entry.mode)).map_err(|error| io("chmod", path, error))?;
    for (name, value) in kept(entry) {
        tolerate(fs::fsetxattr(file, name, value, XattrFlags::empty()), path)?;
    }
    Ok(())
}

/// The same, and the time, for what is not to be opened: links and devices.
pub(super) fn set_by_name(
    parent: BorrowedFd<'_>,
    name: &[u8],
    entry: &Entry,
    path: &[u8],
) -> Result<(), LayerError> {
    let (uid, gid) = owner(entry, path)?;
    fs::chownat(parent, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
        .map_err(|error| io("chown", path, error))?;
    if entry.kind != Kind::Symlink {
        let mode = Mode::from_raw_mode(entry.mode);
        fs::chmodat(parent, name, mode, AtFlags::empty()).map_err(|error| io("chmod", path, error))?;
    }
    for (attribute, value) in kept(entry) {
        // There is no setxattrat before Linux 6.13; the directory's own magic link leads to it and no further.
        let mut by_handle = format!("/proc/self/fd/{}/", parent.as_fd().as_raw_fd()).into_bytes();
        by_handle.extend_from_slice(name);
        tolerate(fs::lsetxattr(by_handle, attribute, value, XattrFlags::empty()), path)?;
    }
    fs::utimensat(parent, name, &timestamps(entry.mtime), AtFlags::SYMLINK_NOFOLLOW)
        .map_err(|error| io("set time of", path, error))
}

/// Access and modification time.
pub(super) fn set_times(file: BorrowedFd<'_>, mtime: (i64, u32), path: &[u8]) -> Result<(), LayerError> {
    fs::futimens(file, &timestamps(mtime)).map_err(|error| io("set time of", path, error))
}

fn timestamps((seconds, nanos): (i64, u32)) -> Timestamps {
    let time = Timespec { tv_sec: seconds, tv_nsec: nanos.into() };
    Timestamps { last_access: time, last_modification: time }
}

fn owner(entry: &Entry, path: &[u8]) -> Result<(Uid, Gid), LayerError> {
    // The kernel reads the highest number as "leave it".
    if entry.uid == u32::MAX || entry.gid == u32::MAX {
        return Err(super::refused(path, "an owner that cannot be"));
    }
    Ok((Uid::from_raw(entry.uid), Gid::from_raw(entry.gid)))
}

/// What an image may set: never `trusted.*`, by which overlayfs is told to redirect, nor this host's security labels.
fn kept(entry: &Entry) -> impl Iterator<Item = (&[u8], &[u8])> {
    let may = |name: &[u8]| {
        name == b"security.capability"
            || name.starts_with(b"system.posix_acl_")
            || (name.starts_with(b"user.") && !name.starts_with(b"user.overlay."))
    };
    let all = entry.xattrs.iter().map(|(name, value)| (name.as_slice(), value.as_slice()));
    all.filter(move |(name, _)| may(name) && !name.contains(&0))
}

/// A filesystem without such attributes is no reason not to run the image: containerd goes on as well.
fn tolerate(result: rustix::io::Result<()>, path: &[u8]) -> Result<(), LayerError> {
    match result {
        Err(error @ (Errno::NOTSUP | Errno::PERM)) => {
            tracing::debug!(path = names::show(path), %error, "extended attribute not set");
            Ok(())
        }
        other => other.map_err(|error| io("set an attribute of", path, error)),
    }
}
