//! Directories that are volumes, paths of the host, and paths within volumes. Calls block.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "volumes are files on disk")]

use std::fs::{self, Permissions};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown, lchown};
use std::path::{Component, Path};

use rustix::fs::{Mode, OFlags, ResolveFlags};

use crate::writer::{VolumeError, failed};

/// Makes an empty directory for a pod, whom its group may share. What is in an existing one stays.
///
/// # Errors
/// When the disk refuses.
pub fn empty_dir(path: &Path, mode: u32, group: Option<u32>) -> Result<(), VolumeError> {
    fs::create_dir_all(path).map_err(failed("create", path))?;
    chown(path, None, group).map_err(failed("give", path))?;
    // Files made in it belong to the group too.
    let mode = if group.is_some() { mode | 0o2770 } else { mode };
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(failed("permit", path))
}

/// Makes the directory of a volume that this node keeps for pods to come; any of them may write in it.
///
/// # Errors
/// When the disk refuses.
pub fn keep(path: &Path) -> Result<(), VolumeError> {
    fs::create_dir_all(path).map_err(failed("create", path))?;
    fs::set_permissions(path, Permissions::from_mode(0o777)).map_err(failed("permit", path))
}

/// Takes a directory away with all that is in it; an absent one is fine.
///
/// # Errors
/// When the disk refuses.
pub fn discard(path: &Path) -> Result<(), VolumeError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(failed("remove", path)),
    }
}

/// What a path is, following links: a directory, or something else.
///
/// # Errors
/// When there is nothing, or it cannot be looked at.
pub fn is_directory(path: &Path) -> Result<bool, VolumeError> {
    Ok(fs::metadata(path).map_err(failed("inspect", path))?.is_dir())
}

/// Makes the place at which something is to appear: a directory, or an empty file.
///
/// # Errors
/// When the disk refuses.
pub fn stand_in(target: &Path, is_directory: bool) -> Result<(), VolumeError> {
    if is_directory {
        return fs::create_dir_all(target).map_err(failed("create", target));
    }
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent).map_err(failed("create", parent))?;
    }
    fs::write(target, b"").map_err(failed("create", target))
}

/// What a group that shares a volume may do with each file, and with each directory.
const SHARED_FILE: u32 = 0o660;
const SHARED_DIRECTORY: u32 = 0o2770;

/// Gives all that is in a volume to a group; or nothing if its root is as it should be and `unless_right`, as a pod may wish for volumes of
/// many files. Links are given, not what they lead to.
///
/// # Errors
/// When the disk refuses.
pub fn give(root: &Path, group: u32, unless_right: bool) -> Result<(), VolumeError> {
    let found = fs::metadata(root).map_err(failed("inspect", root))?;
    if unless_right && found.gid() == group && found.mode() & SHARED_DIRECTORY == SHARED_DIRECTORY {
        return Ok(());
    }
    let mut left = vec![root.to_owned()];
    while let Some(path) = left.pop() {
        let found = fs::symlink_metadata(&path).map_err(failed("inspect", &path))?;
        lchown(&path, None, Some(group)).map_err(failed("give", &path))?;
        if found.is_symlink() {
            continue;
        }
        let shared = if found.is_dir() { SHARED_DIRECTORY } else { SHARED_FILE };
        let mode = found.mode() & 0o7777 | shared;
        fs::set_permissions(&path, Permissions::from_mode(mode)).map_err(failed("permit", &path))?;
        if found.is_dir() {
            for entry in fs::read_dir(&path).map_err(failed("read", &path))? {
                left.push(entry.map_err(failed("read", &path))?.path());
            }
        }
    }
    Ok(())
}

/// Checks a path of the host against a hostPath volume's type, and makes what the type says is to be made.
///
/// # Errors
/// When it is something else.
pub fn host_path(path: &str, type_: &str) -> Result<(), VolumeError> {
    let place = Path::new(path);
    let wrong = |wanted| VolumeError::HostPath { path: path.to_owned(), wanted };
    let found = fs::metadata(place).ok().map(|found| found.file_type());
    match (type_, found) {
        ("", _) => Ok(()),
        ("DirectoryOrCreate", None) => {
            fs::create_dir_all(place).map_err(failed("create", place))?;
            fs::set_permissions(place, Permissions::from_mode(0o755)).map_err(failed("permit", place))
        }
        ("FileOrCreate", None) => {
            fs::write(place, b"").map_err(failed("create", place))?;
            fs::set_permissions(place, Permissions::from_mode(0o644)).map_err(failed("permit", place))
        }
        ("Directory" | "DirectoryOrCreate", Some(found)) if found.is_dir() => Ok(()),
        ("File" | "FileOrCreate", Some(found)) if found.is_file() => Ok(()),
        ("Socket", Some(found)) if found.is_socket() => Ok(()),
        ("CharDevice", Some(found)) if found.is_char_device() => Ok(()),
        ("BlockDevice", Some(found)) if found.is_block_device() => Ok(()),
        ("Directory" | "DirectoryOrCreate", _) => Err(wrong("a directory")),
        ("File" | "FileOrCreate", _) => Err(wrong("a file")),
        ("Socket", _) => Err(wrong("a socket file")),
        ("CharDevice", _) => Err(wrong("a character device")),
        ("BlockDevice", _) => Err(wrong("a block device")),
        _ => Err(wrong("of a known type")),
    }
}

const OPEN: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);
const BENEATH: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_MAGICLINKS);

/// Opens `sub` within the volume at `root`, which has to be there: of a volume that cannot be changed.
///
/// # Errors
/// When it is not there, or the path, or a link on it, leads out of the volume.
pub fn existing_sub_path(root: &Path, sub: &str) -> Result<OwnedFd, VolumeError> {
    let at = open_root(root, sub)?;
    rustix::fs::openat2(&at, sub, OPEN, Mode::empty(), BENEATH).map_err(refused(root, sub, "open"))
}

fn open_root(root: &Path, sub: &str) -> Result<OwnedFd, VolumeError> {
    if Path::new(sub).components().any(|part| !matches!(part, Component::Normal(_) | Component::CurDir)) {
        return Err(VolumeError::Escape(sub.to_owned()));
    }
    rustix::fs::open(root, OPEN | OFlags::DIRECTORY, Mode::empty()).map_err(refused(root, sub, "open"))
}

fn refused(root: &Path, sub: &str, action: &'static str) -> impl FnOnce(rustix::io::Errno) -> VolumeError {
    let path = root.join(sub);
    move |error| match error {
        rustix::io::Errno::XDEV => VolumeError::Escape(path.display().to_string()),
        error => failed(action, &path)(error.into()),
    }
}

/// Opens `sub` within the volume at `root`, made as a directory if absent. What is opened stays what it is, whatever a container
/// does to the path meanwhile: mount `/proc/self/fd/<descriptor>`.
///
/// # Errors
/// When the path, or a link on it, leads out of the volume.
pub fn sub_path(root: &Path, sub: &str) -> Result<OwnedFd, VolumeError> {
    let (mut at, relative) = (open_root(root, sub)?, Path::new(sub));
    let io = |action| refused(root, sub, action);
    match rustix::fs::openat2(&at, relative, OPEN, Mode::empty(), BENEATH) {
        Ok(found) => return Ok(found),
        Err(rustix::io::Errno::NOENT) => {}
        Err(error) => return Err(io("open")(error)),
    }
    for part in relative.components().filter(|part| matches!(part, Component::Normal(_))) {
        let open = |at: &OwnedFd| rustix::fs::openat2(at, part.as_os_str(), OPEN, Mode::empty(), BENEATH);
        at = match open(&at) {
            Err(rustix::io::Errno::NOENT) => {
                match rustix::fs::mkdirat(&at, part.as_os_str(), Mode::from_raw_mode(0o755)) {
                    Ok(()) | Err(rustix::io::Errno::EXIST) => {}
                    Err(error) => return Err(io("create")(error)),
                }
                open(&at).map_err(io("open"))?
            }
            opened => opened.map_err(io("open"))?,
        };
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn paths_within_a_volume_stay_there() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("volume");
        fs::create_dir(&root).unwrap();
        symlink("/etc", root.join("out")).unwrap();
        symlink("..", root.join("up")).unwrap();
        fs::create_dir(root.join("real")).unwrap();
        symlink("real", root.join("in")).unwrap();
        for (path, fine) in [
            ("new/deep", true),
            ("in/x", true),
            ("real", true),
            ("out/passwd", false),
            ("out", false),
            ("up/x", false),
            ("../x", false),
            ("/etc", false),
        ] {
            let there = path == "real";
            assert_eq!(existing_sub_path(&root, path).is_ok(), there, "{path}");
            assert_eq!(sub_path(&root, path).is_ok(), fine, "{path}");
        }
        assert!(root.join("new/deep").is_dir() && root.join("real/x").is_dir());
        assert!(!directory.path().join("x").exists());
    }

    #[test]
    fn a_volume_is_given_to_its_group_once() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("volume");
        keep(&root).unwrap();
        fs::create_dir(root.join("d")).unwrap();
        fs::write(root.join("d/file"), "x").unwrap();
        fs::set_permissions(root.join("d/file"), Permissions::from_mode(0o600)).unwrap();
        fs::write(directory.path().join("outside"), "x").unwrap();
        symlink("../outside", root.join("link")).unwrap();
        let outside = fs::metadata(directory.path().join("outside")).unwrap();
        let seen = |path: &str| {
            let found = fs::symlink_metadata(root.join(path)).unwrap();
            (found.gid(), found.mode() & 0o7777)
        };
        give(&root, 4321, false).unwrap();
        assert_eq!((seen(""), seen("d/file")), ((4321, 0o2777), (4321, 0o660)));
        assert_eq!((seen("d").0, seen("d").1 & 0o2770, seen("link").0), (4321, 0o2770, 4321));
        let after = fs::metadata(directory.path().join("outside")).unwrap();
        assert_eq!((after.gid(), after.mode()), (outside.gid(), outside.mode()));
        fs::set_permissions(root.join("d/file"), Permissions::from_mode(0o600)).unwrap();
        give(&root, 4321, true).unwrap();
        assert_eq!(seen("d/file").1, 0o600, "its root is right already");
        discard(&root).unwrap();
        discard(&root).unwrap();
        assert!(!root.exists() && directory.path().join("outside").exists());
    }

    #[test]
    fn host_paths_are_what_they_must_be() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name).display().to_string();
        fs::write(at("file"), "").unwrap();
        for (name, type_, fine) in [
            ("none", "", true),
            ("none", "Directory", false),
            ("made", "DirectoryOrCreate", true),
            ("made", "Directory", true),
            ("made", "File", false),
            ("new", "FileOrCreate", true),
            ("file", "File", true),
            ("file", "Socket", false),
            ("file", "CharDevice", false),
        ] {
            assert_eq!(host_path(&at(name), type_).is_ok(), fine, "{name} {type_}");
        }
    }
}
