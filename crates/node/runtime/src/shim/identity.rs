//! Who a container's process runs as: the image's user looked up in the image's own /etc, as containerd and runc do. Never through the C
//! library, whose look-ups would load code from the image.

use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, mkdirat, openat, openat2};

use crate::limits::IDENTITY_FILE_BYTES_MAX;
use crate::spec::User;

/// A user as numbers, and the directory that is its home.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) groups: Vec<u32>,
    pub(super) home: String,
}

/// The image's users and groups.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    passwd: String,
    group: String,
}

impl Accounts {
    /// Reads them from the image at `root`; links lead nowhere outside of it. What cannot be read counts as empty.
    pub(super) fn read(root: &Path) -> Accounts {
        let text = |name: &str| {
            let root =
                openat(CWD, root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok()?;
            let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
            let file = openat2(&root, name, flags, Mode::empty(), ResolveFlags::IN_ROOT).ok()?;
            read_bounded(file)
        };
        Accounts {
            passwd: text("etc/passwd").unwrap_or_default(),
            group: text("etc/group").unwrap_or_default(),
        }
    }

    /// # Errors
    /// What runc says when a name is not there.
    pub(super) fn resolve(&self, user: &User) -> Result<Identity, String> {
        let (name, group_name) = user.image.split_once(':').unwrap_or((&user.image, ""));
        let entry = match (user.uid, name) {
            (Some(uid), _) => self.by_uid(uid),
            (None, "") => self.by_uid(0),
            (None, name) => self
                .by_name(name)
                .or_else(|| name.parse().ok().map(|uid| self.by_uid(uid)))
                .ok_or_else(|| format!("unable to find user {name}: no matching entries in passwd file"))?,
        };
        let gid = match (user.gid, user.uid, group_name) {
            (Some(gid), _, _) => gid,
            // The image's group belongs to the image's user.
            (None, Some(_), _) | (None, None, "") => entry.gid,
            (None, None, name) => self
                .gid(name)
                .or_else(|| name.parse().ok())
                .ok_or_else(|| format!("unable to find group {name}: no matching entries in group file"))?,
        };
        let mut groups = user.supplemental_groups.clone();
        if !user.strict_groups && group_name.is_empty() {
            groups.extend(self.groups_of(&entry.name));
        }
        // As containerd, the first group is also among the further ones.
        groups.push(gid);
        groups.sort_unstable();
        groups.dedup();
        Ok(Identity { uid: entry.uid, gid, groups, home: entry.home })
    }

    fn entries(&self) -> impl Iterator<Item = Entry> {
        self.passwd.lines().filter_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            Some(Entry {
                name: (*fields.first()?).to_owned(),
                uid: fields.get(2)?.parse().ok()?,
                gid: fields.get(3)?.parse().ok()?,
                home: fields.get(5).copied().unwrap_or("/").to_owned(),
            })
        })
    }

    fn by_name(&self, name: &str) -> Option<Entry> {
        self.entries().find(|entry| entry.name == name)
    }

    fn by_uid(&self, uid: u32) -> Entry {
        let unknown = || Entry { name: String::new(), uid, gid: 0, home: "/".to_owned() };
        self.entries().find(|entry| entry.uid == uid).unwrap_or_else(unknown)
    }

    fn gid(&self, name: &str) -> Option<u32> {
        let mut fields = self.group.lines().map(|line| line.split(':'));
        fields.find_map(|mut fields| (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok())?)
    }

    fn groups_of(&self, user: &str) -> Vec<u32> {
        let member = |line: &&str| {
            !user.is_empty()
                && line
                    .rsplit_once(':')
                    .is_some_and(|(_, members)| members.split(',').any(|name| name == user))
        };
        let lines = self.group.lines().filter(member);
        lines.filter_map(|line| line.split(':').nth(2)?.parse().ok()).collect()
    }
}

struct Entry {
    name: String,
    uid: u32,
    gid: u32,
    home: String,
}

fn read_bounded(file: OwnedFd) -> Option<String> {
    #[allow(clippy::disallowed_types, reason = "the file was opened inside the image's root")]
    let file = std::fs::File::from(file);
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(IDENTITY_FILE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Makes `path` and its parents inside `root`, as runc makes a working directory that an image lacks. Links lead nowhere outside.
pub(super) fn make_directories(root: &Path, path: &str) -> rustix::io::Result<()> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = openat(CWD, root, flags, Mode::empty())?;
    let mut so_far = String::from(".");
    let mut parent = root.try_clone().map_err(|_| rustix::io::Errno::MFILE)?;
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        so_far.push('/');
        so_far.push_str(part);
        parent = match openat2(&root, &so_far, flags, Mode::empty(), ResolveFlags::IN_ROOT) {
            Err(rustix::io::Errno::NOENT) => {
                mkdirat(&parent, part, Mode::from_raw_mode(0o755))?;
                openat2(&root, &so_far, flags, Mode::empty(), ResolveFlags::IN_ROOT)?
            }
            result => result?,
        };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts() -> Accounts {
        Accounts {
            passwd: "root:x:0:0:root:/root:/bin/sh\nweb:x:33:34::/var/www:/bin/false\nbroken\n".to_owned(),
            group: "root:x:0:\nweb:x:34:\nlogs:x:4:web,other\n".to_owned(),
        }
    }

    #[test]
    fn users_are_found_as_runc_finds_them() {
        let user = |image: &str| User { image: image.to_owned(), ..User::default() };
        let number = |uid, gid| User { uid: Some(uid), gid, ..user("web:logs") };
        for (user, want) in [
            (user(""), Ok((0, 0, vec![0], "/root"))),
            (user("web"), Ok((33, 34, vec![4, 34], "/var/www"))),
            (user("web:logs"), Ok((33, 4, vec![4], "/var/www"))),
            (user("33:0"), Ok((33, 0, vec![0], "/var/www"))),
            (user("1000"), Ok((1000, 0, vec![0], "/"))),
            (number(1000, None), Ok((1000, 0, vec![0], "/"))),
            (number(33, Some(7)), Ok((33, 7, vec![7], "/var/www"))),
            (user("nobody"), Err("unable to find user nobody: no matching entries in passwd file")),
            (user("web:none"), Err("unable to find group none: no matching entries in group file")),
        ] {
            let want = want
                .map(|(uid, gid, groups, home)| Identity { uid, gid, groups, home: home.to_owned() })
                .map_err(str::to_owned);
            assert_eq!(accounts().resolve(&user), want, "{user:?}");
        }
    }

    #[test]
    fn strict_groups_leave_the_images_out() {
        let user = User {
            strict_groups: true,
            supplemental_groups: vec![9],
            ..User { image: "web".into(), ..User::default() }
        };
        assert_eq!(accounts().resolve(&user).expect("found").groups, [9, 34]);
    }

    #[test]
    fn directories_are_made_inside_the_root() {
        let root = tempfile::tempdir().expect("a directory");
        std::os::unix::fs::symlink("/absolute", root.path().join("link")).expect("a link");
        std::fs::create_dir(root.path().join("absolute")).expect("a directory");
        make_directories(root.path(), "/link/made/deep").expect("made");
        assert!(root.path().join("absolute/made/deep").is_dir());
    }
}
