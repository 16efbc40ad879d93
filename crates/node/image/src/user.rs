//! Who an image runs as: its `User`, or the pod's, looked up in the image's own `/etc/passwd` and `/etc/group`, as
//! runc's user package does. The lookup is pure; [`resolve`] opens the two files so that no link leads out of the root.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the image store is a shell: it keeps files"
)]

use std::fs::File;
use std::io::Read;
use std::path::Path;

use rustix::fs::{self, Mode, OFlags, ResolveFlags};

use crate::limits;

/// Why a user cannot be told, in runc's words.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// A name that `/etc/passwd` does not list.
    #[error("unable to find user {0}: no matching entries in passwd file")]
    NoUser(String),
    /// A name that `/etc/group` does not list.
    #[error("unable to find group {0}: no matching entries in group file")]
    NoGroup(String),
    /// Ids end at 2³¹ − 1.
    #[error("uids and gids must be in range 0-2147483647")]
    Range,
    /// The file is there but cannot be read.
    #[error("cannot read {file} of the image")]
    Read {
        /// Which file.
        file: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Larger than a bound of this crate.
    #[error("{0} of the image is too large")]
    TooLarge(&'static str),
}

/// Who a process runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Groups that `/etc/group` gives the user; none where a group was named. Ascending, without `gid`'s being added.
    pub groups: Vec<u32>,
    /// Home directory; `/` for who has none.
    pub home: String,
    /// The name that `/etc/passwd` gives the user.
    pub name: Option<String>,
}

/// Looks `spec` (`""`, `user`, `uid`, `user:group`, `uid:gid`…) up in the image whose root directory is `root`.
///
/// # Errors
/// When a name is not known there, or its files cannot be read. Missing files are empty ones.
pub fn resolve(root: &Path, spec: &str) -> Result<User, UserError> {
    let passwd = read(root, "etc/passwd")?;
    let group = read(root, "etc/group")?;
    lookup(spec, &passwd, &group)
}

fn read(root: &Path, file: &'static str) -> Result<Vec<u8>, UserError> {
    let failed = |source: std::io::Error| UserError::Read { file, source };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = fs::open(root, flags, Mode::empty()).map_err(|error| failed(error.into()))?;
    // A pipe in the image's place of a file must not hang the node, nor a directory puzzle it.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let opened = match fs::openat2(root, file, flags, Mode::empty(), resolve) {
        Ok(opened) => File::from(opened),
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => return Ok(Vec::new()),
        Err(error) => return Err(failed(error.into())),
    };
    if !opened.metadata().map_err(failed)?.is_file() {
        return Err(failed(std::io::Error::other("not a regular file")));
    }
    let mut content = Vec::new();
    opened.take(limits::ACCOUNT_FILE_BYTES + 1).read_to_end(&mut content).map_err(failed)?;
    if content.len() as u64 > limits::ACCOUNT_FILE_BYTES {
        return Err(UserError::TooLarge(file));
    }
    Ok(content)
}

/// Looks `spec` up in the contents of the two files.
///
/// # Errors
/// When a name is not known, or a number out of range.
pub fn lookup(spec: &str, passwd: &[u8], group: &[u8]) -> Result<User, UserError> {
    let (user, group_name) = spec.split_once(':').unwrap_or((spec, ""));
    let number = user.parse::<i64>().ok();
    let wanted = |name: &str, uid: i64| match number {
        _ if user.is_empty() => uid == 0,
        Some(number) => uid == number,
        None => name == user,
    };
    let text = String::from_utf8_lossy(passwd);
    let account = lines(&text)
        .map(|fields| (fields.text(0), fields.number(2), fields.number(3), fields.text(5)))
        .find(|(name, uid, _, _)| wanted(name, *uid));
    let mut found = match account {
        Some((name, uid, gid, home)) => User {
            uid: in_range(uid)?,
            gid: in_range(gid)?,
            groups: Vec::new(),
            home: if home.is_empty() { "/".into() } else { home.into() },
            name: (!name.is_empty()).then(|| name.to_owned()),
        },
        None => {
            let uid = match number {
                _ if user.is_empty() => 0,
                Some(number) => in_range(number)?,
                None => return Err(UserError::NoUser(user.to_owned())),
            };
            User { uid, gid: 0, groups: Vec::new(), home: "/".into(), name: None }
        }
    };
    let text = String::from_utf8_lossy(group);
    if group_name.is_empty() {
        if let Some(name) = &found.name {
            found.groups = memberships(&text, name)?;
        }
    } else {
        found.gid = find_group(&text, group_name)?;
    }
    Ok(found)
}

fn memberships(group: &str, user: &str) -> Result<Vec<u32>, UserError> {
    let mut groups = lines(group)
        .filter(|fields| fields.text(3).split(',').any(|member| member == user))
        .map(|fields| in_range(fields.number(2)))
        .collect::<Result<Vec<u32>, UserError>>()?;
    groups.sort_unstable();
    groups.dedup();
    Ok(groups)
}

fn find_group(group: &str, wanted: &str) -> Result<u32, UserError> {
    let number = wanted.parse::<i64>().ok();
    let listed =
        lines(group).map(|fields| (fields.text(0), fields.number(2))).find(|(name, gid)| match number {
            Some(number) => *gid == number,
            None => *name == wanted,
        });
    match (listed, number) {
        (Some((_, gid)), _) | (None, Some(gid)) => in_range(gid),
        (None, None) => Err(UserError::NoGroup(wanted.to_owned())),
    }
}

/// A line's colon-separated fields; a missing one is empty.
struct Fields<'a>(Vec<&'a str>);

impl<'a> Fields<'a> {
    fn text(&self, index: usize) -> &'a str {
        self.0.get(index).copied().unwrap_or_default()
    }

    /// As runc reads them: what is no number is 0.
    fn number(&self, index: usize) -> i64 {
        self.text(index).parse().unwrap_or_default()
    }
}

fn lines(text: &str) -> impl Iterator<Item = Fields<'_>> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(|line| Fields(line.split(':').collect()))
}

fn in_range(id: i64) -> Result<u32, UserError> {
    u32::try_from(id).ok().filter(|id| *id <= i32::MAX as u32).ok_or(UserError::Range)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &[u8] =
        b"root:x:0:0:root:/root:/bin/sh\n# note\nnginx:x:101:102:nginx:/var/www:/bin/false\n\
                            broken\nhuge:x:4294967295:1::/:\n";
    const GROUP: &[u8] = b"root:x:0:\nwww:x:33:nginx,other\nlogs:x:4:nginx\nnginx:x:102:\nroots:x:7:root\n";

    #[test]
    fn users_are_found_as_runc_finds_them() {
        let user = |uid, gid, groups: &[u32], home: &str, name: Option<&str>| User {
            uid,
            gid,
            groups: groups.to_vec(),
            home: home.into(),
            name: name.map(str::to_owned),
        };
        let cases: [(&str, Result<User, &str>); 13] = [
            ("", Ok(user(0, 0, &[7], "/root", Some("root")))),
            ("nginx", Ok(user(101, 102, &[4, 33], "/var/www", Some("nginx")))),
            ("101", Ok(user(101, 102, &[4, 33], "/var/www", Some("nginx")))),
            ("nginx:www", Ok(user(101, 33, &[], "/var/www", Some("nginx")))),
            ("nginx:50", Ok(user(101, 50, &[], "/var/www", Some("nginx")))),
            ("65532", Ok(user(65532, 0, &[], "/", None))),
            ("65532:65533", Ok(user(65532, 65533, &[], "/", None))),
            ("broken", Ok(user(0, 0, &[], "/", Some("broken")))),
            ("nobody", Err("unable to find user nobody: no matching entries in passwd file")),
            ("nginx:nobody", Err("unable to find group nobody: no matching entries in group file")),
            ("-1", Err("uids and gids must be in range 0-2147483647")),
            ("2147483648", Err("uids and gids must be in range 0-2147483647")),
            ("huge", Err("uids and gids must be in range 0-2147483647")),
        ];
        for (spec, expected) in cases {
            let found = lookup(spec, PASSWD, GROUP).map_err(|error| error.to_string());
            assert_eq!(found, expected.map_err(str::to_owned), "{spec:?}");
        }
    }

    #[test]
    fn links_of_the_image_stay_within_its_root() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("passwd"), "evil:x:666:666::/:\n").unwrap();
        let root = tempfile::tempdir().unwrap();
        let etc = root.path().join("etc");
        std::fs::create_dir(&etc).unwrap();
        for target in [outside.path().join("passwd"), "../../../../../../../../etc/passwd".into()] {
            let _ = std::fs::remove_file(etc.join("passwd"));
            std::os::unix::fs::symlink(&target, etc.join("passwd")).unwrap();
            assert!(resolve(root.path(), "evil").is_err(), "{target:?}");
            assert!(resolve(root.path(), "root").is_err(), "{target:?}");
        }
        std::fs::write(root.path().join("accounts"), "app:x:5:6::/:\n").unwrap();
        std::fs::remove_file(etc.join("passwd")).unwrap();
        std::os::unix::fs::symlink("/accounts", etc.join("passwd")).unwrap();
        assert_eq!(resolve(root.path(), "app").unwrap().uid, 5, "an absolute link means the image's root");
        std::fs::remove_dir_all(&etc).unwrap();
        assert_eq!(resolve(root.path(), "12").unwrap().uid, 12, "no files, only numbers");
    }

    #[test]
    fn a_pipe_is_not_waited_for() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("etc")).unwrap();
        let passwd = root.path().join("etc/passwd");
        fs::mknodat(fs::CWD, &passwd, fs::FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        assert!(matches!(resolve(root.path(), "root"), Err(UserError::Read { .. })));
    }
}
