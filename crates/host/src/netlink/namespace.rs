//! Entering, creating and removing network namespaces.
//!
//! A namespace belongs to a thread, so each entry takes a thread of its own that ends with the work: a pooled thread that
//! stayed behind in a pod's namespace would send the next task's packets from there.

use std::fs;
use std::io;
use std::path::Path;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};

use super::NetlinkError;

/// `statfs` type of a namespace file.
const NSFS_MAGIC: i64 = 0x6e73_6673;

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> NetlinkError {
    let path = path.to_owned();
    move |source| NetlinkError::Namespace { what, path, source }
}

/// Runs `work` on a thread of its own inside the namespace that is pinned at `path`. Sockets that it opens and processes
/// that it starts belong to that namespace for good.
pub fn within<T: Send>(path: &Path, work: impl FnOnce() -> T + Send) -> Result<T, NetlinkError> {
    let file = fs::File::open(path).map_err(failed("open", path))?;
    on_a_thread(|| {
        setns(file, CloneFlags::CLONE_NEWNET).map_err(|errno| failed("enter", path)(errno.into()))?;
        Ok(work())
    })
}

fn on_a_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| match scope.spawn(work).join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

/// Whether a namespace is pinned at `path`.
pub(super) fn is_pinned(path: &Path) -> Result<bool, NetlinkError> {
    match nix::sys::statfs::statfs(path) {
        Ok(stat) => Ok(stat.filesystem_type().0 == NSFS_MAGIC),
        Err(nix::errno::Errno::ENOENT) => Ok(false),
        Err(errno) => Err(failed("look at", path)(errno.into())),
    }
}

/// Creates a namespace with nothing but a loopback device that is down, and pins it at `path`.
pub(super) fn pin(path: &Path) -> Result<(), NetlinkError> {
    if is_pinned(path)? {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed("make a folder for", path))?;
    }
    fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(failed("make a file for", path))?;
    on_a_thread(|| {
        unshare(CloneFlags::CLONE_NEWNET).map_err(|errno| failed("create", path)(errno.into()))?;
        let source = Path::new("/proc/thread-self/ns/net");
        mount(Some(source), path, None::<&str>, MsFlags::MS_BIND, None::<&str>)
            .map_err(|errno| failed("pin", path)(errno.into()))
    })
}

/// Removes the pin at `path`, whether it pins something or is a file that a crash left behind.
pub(super) fn unpin(path: &Path) -> Result<(), NetlinkError> {
    while is_pinned(path)? {
        umount2(path, MntFlags::MNT_DETACH).map_err(|errno| failed("unpin", path)(errno.into()))?;
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(failed("remove the pin of", path)(error))
        }
        _ => Ok(()),
    }
}
