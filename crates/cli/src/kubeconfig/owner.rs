//! Whose files a command writes: under sudo those of the user who called it. Used by [`super::file`] and the binary.
#![allow(clippy::disallowed_methods, reason = "the shell that reads the user database")]

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

use crate::config::KUBECONFIG;
use crate::surroundings::Surroundings;

/// A user, as files know one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The user's number.
    pub uid: u32,
    /// The number of the user's group.
    pub gid: u32,
}

impl Owner {
    /// Who called sudo, if that is how this process became root.
    pub fn of_invoker(around: &dyn Surroundings) -> Option<Owner> {
        around.variable("SUDO_USER")?;
        let number = |name| around.variable(name)?.parse().ok();
        let owner = Owner { uid: number("SUDO_UID")?, gid: number("SUDO_GID")? };
        rustix::process::geteuid().is_root().then_some(owner)
    }

    /// Gives a file to this user.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn give(self, path: &Path) -> std::io::Result<()> {
        chown(path, Some(self.uid), Some(self.gid))
    }
}

/// The home of whoever calls: under sudo that of the user who called it, as `/etc/passwd` has it.
pub fn home(around: &dyn Surroundings) -> Option<PathBuf> {
    match Owner::of_invoker(around) {
        Some(owner) => home_of(&std::fs::read_to_string("/etc/passwd").ok()?, owner.uid),
        None => around.variable("HOME").map(PathBuf::from),
    }
}

fn home_of(passwd: &str, uid: u32) -> Option<PathBuf> {
    passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        (fields.get(2)?.parse() == Ok(uid)).then(|| fields.get(5).map(PathBuf::from)).flatten()
    })
}

/// The kubeconfig that kubectl changes: the first of `KUBECONFIG`, or `~/.kube/config`. Under sudo the caller's own, since sudo keeps
/// `KUBECONFIG` only when told to.
pub fn users_kubeconfig(around: &dyn Surroundings) -> Option<PathBuf> {
    let listed = around
        .variable("KUBECONFIG")
        .and_then(|list| std::env::split_paths(&list).find(|path| !path.as_os_str().is_empty()));
    listed.or_else(|| Some(home(around)?.join(".kube/config")))
}

/// The kubeconfigs that are read to ask a cluster something, in the order of their rank: the one that is named, those of `KUBECONFIG`, or
/// `~/.kube/config` and, where that is not there, the one of this machine's own cluster.
pub fn to_ask_with(named: Option<&Path>, around: &dyn Surroundings) -> Vec<PathBuf> {
    if let Some(named) = named {
        return vec![named.to_owned()];
    }
    if let Some(list) = around.variable("KUBECONFIG") {
        return std::env::split_paths(&list).filter(|path| !path.as_os_str().is_empty()).collect();
    }
    let users = users_kubeconfig(around).filter(|path| !matches!(around.read(path), Ok(None)));
    vec![users.unwrap_or_else(|| KUBECONFIG.into())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_is_found_by_its_users_number() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nbroken\nme:x:1000:1000:Me,,,:/home/me:/bin/sh\n";
        assert_eq!(home_of(passwd, 1000), Some("/home/me".into()));
        assert_eq!(home_of(passwd, 0), Some("/root".into()));
        assert_eq!(home_of(passwd, 7), None);
    }
}
