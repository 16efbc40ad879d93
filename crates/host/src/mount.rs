//! Mounting, behind a small trait: container roots (overlays), pins of namespaces (binds), memory file systems, and taking all of
//! it away again. Used by the runtime's shim and by the node agent's clean-up.
//!
//! Deliberately absent: what is mounted inside a container's own mount namespace (the container library's work).
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "host is where the kernel's files are touched"
)]

use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::Mode;

pub mod sim;

/// mount(2) takes one page of options.
const OPTIONS_BYTES_MAX: usize = 4095;
/// How often one place may be mounted over before giving up on taking it all away.
const STACKED_MAX: usize = 64;

/// A container's root: layers below, one writable directory above.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlay {
    /// Read-only layers, the topmost first. At least one.
    pub lower: Vec<PathBuf>,
    /// Where changes go.
    pub upper: PathBuf,
    /// The kernel's scratch directory, on the same file system as `upper`.
    pub work: PathBuf,
}

/// What cannot be mounted or unmounted.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    /// The kernel refused.
    #[error("cannot {action} {}", path.display())]
    Kernel {
        /// What was tried.
        action: &'static str,
        /// At which place.
        path: PathBuf,
        /// Why not.
        #[source]
        source: Errno,
    },
    /// An overlay needs a layer.
    #[error("cannot mount {}: no layers were given", path.display())]
    NoLayers {
        /// At which place.
        path: PathBuf,
    },
    /// A path holds a character that overlay options cannot carry.
    #[error("cannot mount an overlay with {}: its path holds a comma, a colon or a backslash", path.display())]
    UnusablePath {
        /// Which path.
        path: PathBuf,
    },
}

/// The mounts of this mount namespace.
pub trait Mounts: Send + Sync {
    /// Mounts `overlay` at `target`, an existing directory.
    fn overlay(&self, overlay: &Overlay, target: &Path) -> Result<(), MountError>;
    /// Shows layers, the topmost first, at `target`, an existing directory, where nothing can be changed. The kernel wants at least two.
    fn layers(&self, lower: &[PathBuf], target: &Path) -> Result<(), MountError>;
    /// Makes `source` also appear at `target`; both files or both directories.
    fn bind(&self, source: &Path, target: &Path) -> Result<(), MountError>;
    /// Mounts a memory file system of at most `size_bytes` at `target`; not executable, no devices, no set-user-id.
    fn tmpfs(&self, target: &Path, size_bytes: u64, mode: u32) -> Result<(), MountError>;
    /// Takes away everything mounted at `target` itself. Nothing mounted, or no such place, counts as done.
    fn unmount(&self, target: &Path) -> Result<(), MountError>;
    /// Every mount point at or below `directory`, the deepest first.
    fn below(&self, directory: &Path) -> Result<Vec<PathBuf>, MountError>;
}

/// The kernel's mounts.
#[derive(Clone, Copy, Debug, Default)]
pub struct LinuxMounts;

fn failed(action: &'static str, path: &Path) -> impl FnOnce(Errno) -> MountError {
    let path = path.to_owned();
    move |source| MountError::Kernel { action, path, source }
}

/// Overlay options, and the descriptors that must stay open until the mount is made.
struct Options {
    text: String,
    _held: Vec<OwnedFd>,
}

/// The options of an overlay of these layers; where there are none, changes cannot be made. Of `changes`, the first takes them and the second
/// is the kernel's.
fn options(lower: &[PathBuf], changes: Option<(&Path, &Path)>) -> Result<Options, MountError> {
    let plain = |paths: &[String]| {
        let above =
            changes.map(|(upper, work)| format!(",upperdir={},workdir={}", upper.display(), work.display()));
        format!("lowerdir={}{}", paths.join(":"), above.unwrap_or_default())
    };
    let above = changes.into_iter().flat_map(|(upper, work)| [upper, work]);
    for path in lower.iter().map(PathBuf::as_path).chain(above) {
        if path.to_str().is_none_or(|text| text.contains([',', ':', '\\'])) {
            return Err(MountError::UnusablePath { path: path.to_owned() });
        }
    }
    let text = plain(&lower.iter().map(|path| path.display().to_string()).collect::<Vec<_>>());
    if text.len() <= OPTIONS_BYTES_MAX {
        return Ok(Options { text, _held: Vec::new() });
    }
    // Images of many layers outgrow the page: descriptors have short names on every kernel.
    let mut held = Vec::with_capacity(lower.len());
    for path in lower {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        held.push(open(path, flags, Mode::empty()).map_err(failed("open", path))?);
    }
    let names: Vec<String> =
        held.iter().map(|descriptor| format!("/proc/self/fd/{}", descriptor.as_raw_fd())).collect();
    Ok(Options { text: plain(&names), _held: held })
}

impl Mounts for LinuxMounts {
    fn overlay(&self, overlay: &Overlay, target: &Path) -> Result<(), MountError> {
        if overlay.lower.is_empty() {
            return Err(MountError::NoLayers { path: target.to_owned() });
        }
        let options = options(&overlay.lower, Some((&overlay.upper, &overlay.work)))?;
        mount(Some("overlay"), target, Some("overlay"), MsFlags::empty(), Some(options.text.as_str()))
            .map_err(failed("mount an overlay at", target))
    }

    fn layers(&self, lower: &[PathBuf], target: &Path) -> Result<(), MountError> {
        if lower.is_empty() {
            return Err(MountError::NoLayers { path: target.to_owned() });
        }
        let options = options(lower, None)?;
        mount(Some("overlay"), target, Some("overlay"), MsFlags::MS_RDONLY, Some(options.text.as_str()))
            .map_err(failed("mount layers at", target))
    }

    fn bind(&self, source: &Path, target: &Path) -> Result<(), MountError> {
        mount(Some(source), target, None::<&str>, MsFlags::MS_BIND, None::<&str>)
            .map_err(failed("bind", target))
    }

    fn tmpfs(&self, target: &Path, size_bytes: u64, mode: u32) -> Result<(), MountError> {
        let options = format!("mode={mode:o},size={size_bytes}");
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        mount(Some("shm"), target, Some("tmpfs"), flags, Some(options.as_str()))
            .map_err(failed("mount a memory file system at", target))
    }

    fn unmount(&self, target: &Path) -> Result<(), MountError> {
        for _ in 0..STACKED_MAX {
            match umount2(target, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW) {
                Ok(()) => {}
                // EINVAL: not a mount point.
                Err(Errno::EINVAL | Errno::ENOENT | Errno::ENOTDIR) => return Ok(()),
                Err(source) => return Err(failed("unmount", target)(source)),
            }
        }
        Err(failed("unmount", target)(Errno::EBUSY))
    }

    fn below(&self, directory: &Path) -> Result<Vec<PathBuf>, MountError> {
        let table = Path::new("/proc/self/mountinfo");
        let text = fs::read_to_string(table).map_err(|error| {
            failed("read", table)(Errno::from_raw(error.raw_os_error().unwrap_or(nix::libc::EIO)))
        })?;
        let mut points: Vec<PathBuf> = text
            .lines()
            .filter_map(|line| line.split(' ').nth(4))
            .map(|field| PathBuf::from(unescape(field)))
            .filter(|point| point.starts_with(directory))
            .collect();
        points.sort_by_key(|point| std::cmp::Reverse(point.components().count()));
        Ok(points)
    }
}

/// The kernel writes space, tab, newline and backslash as three octal digits.
fn unescape(field: &str) -> String {
    let mut out = Vec::with_capacity(field.len());
    let bytes = field.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let code = bytes.get(at + 1..at + 4).filter(|_| bytes[at] == b'\\');
        match code
            .and_then(|code| std::str::from_utf8(code).ok())
            .and_then(|code| u8::from_str_radix(code, 8).ok())
        {
            Some(byte) => {
                out.push(byte);
                at += 4;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests;
