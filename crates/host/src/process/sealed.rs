//! A program file that whoever runs it cannot change, whatever its privileges: opened through a private, read-only overlay whose
//! mount is attached nowhere.
//!
//! This is the answer to CVE-2019-5736 (a container overwriting the runtime through /proc/self/exe): writes, mode changes, remounts
//! and re-opens fail with EROFS or EINVAL, and pages stay shared with the file below, as a copy in memory would not.

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use rustix::fs::{Mode as FileMode, OFlags, openat};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_string, fsmount, fsopen,
};

/// Why a program cannot be sealed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} to seal {}", path.display())]
pub struct SealError {
    action: &'static str,
    path: PathBuf,
    #[source]
    source: Errno,
}

/// Opens the program `file` of `directory` sealed. `other` is any other directory: the kernel makes no overlay of a single one.
/// The descriptor cannot be read; it can be executed as `/proc/self/fd/<n>`.
///
/// # Errors
/// When the kernel has no overlays, the caller may not mount, or there is no such file.
pub fn seal(directory: &Path, other: &Path, file: &str) -> Result<OwnedFd, SealError> {
    let failed = |action| {
        move |source: rustix::io::Errno| SealError {
            action,
            path: directory.join(file),
            source: Errno::from_raw(source.raw_os_error()),
        }
    };
    let name =
        CString::new(file.as_bytes()).map_err(|_| failed("name the file")(rustix::io::Errno::INVAL))?;
    let layers = [directory, other].map(|path| {
        open(path, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
            .map_err(|source| SealError { action: "open the layer", path: path.to_owned(), source })
    });
    let [directory_layer, other_layer] = layers;
    let (directory_layer, other_layer) = (directory_layer?, other_layer?);
    // By descriptor, because a value may have 256 bytes.
    let lower =
        format!("/proc/self/fd/{}:/proc/self/fd/{}", directory_layer.as_raw_fd(), other_layer.as_raw_fd());
    let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).map_err(failed("open an overlay"))?;
    fsconfig_set_string(context.as_fd(), "source", "sealed").map_err(failed("name an overlay"))?;
    fsconfig_set_string(context.as_fd(), "lowerdir", lower).map_err(failed("layer an overlay"))?;
    fsconfig_set_string(context.as_fd(), "xino", "off").map_err(failed("configure an overlay"))?;
    fsconfig_create(context.as_fd()).map_err(failed("make an overlay"))?;
    let attributes = MountAttrFlags::MOUNT_ATTR_RDONLY
        | MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV;
    let mount = fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)
        .map_err(failed("mount an overlay"))?;
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(mount.as_fd(), name.as_bytes().to_owned(), flags, FileMode::empty())
        .map_err(failed("open the program"))
}

/// The path by which a descriptor of this process is executed.
pub fn executable_path(descriptor: &OwnedFd) -> PathBuf {
    PathBuf::from(std::ffi::OsStr::from_bytes(format!("/proc/self/fd/{}", descriptor.as_raw_fd()).as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_sealed_program_runs_and_cannot_be_written() {
        let directory = tempfile::tempdir().expect("a directory");
        let other = tempfile::tempdir().expect("a directory");
        std::fs::copy("/bin/busybox", directory.path().join("program")).expect("busybox-static is installed");
        let sealed = seal(directory.path(), other.path(), "program").expect("sealed");
        let path = executable_path(&sealed);
        let output = Command::new(&path).arg0("busybox").args(["echo", "runs"]).output().expect("it runs");
        assert_eq!(output.stdout, b"runs\n");
        let error = std::fs::OpenOptions::new().write(true).open(&path).expect_err("it cannot be written");
        assert_eq!(error.raw_os_error(), Some(nix::libc::EROFS));
        assert!(seal(directory.path(), other.path(), "absent").is_err());
    }

    use std::os::unix::process::CommandExt;
}
