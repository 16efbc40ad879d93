//! What nobody needs any more in the runtime's data: programs that no shim runs, compiled filters that no container was described with,
//! changes of containers that are gone (a machine that was switched off has lost their description, which is in memory).
//!
//! Taken away at an agent's start, before it makes anything: so nothing here can be about to be used.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::Path;

use host::process::Identity;

use crate::disk::{self, DiskError};
use crate::layout::{PodLayout, pods};
use crate::spec::{ContainerSpec, Seccomp};

/// What was taken away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Garbage {
    /// Pinned programs, by their digest.
    pub programs: Vec<String>,
    /// Compiled filters.
    pub filters: Vec<String>,
    /// Changes of containers, by the containers' ids.
    pub changes: Vec<String>,
}

impl Garbage {
    /// Whether there was none.
    pub fn is_empty(&self) -> bool {
        *self == Garbage::default()
    }
}

/// What is in use.
#[derive(Default)]
struct Used {
    programs: BTreeSet<String>,
    filters: BTreeSet<String>,
    containers: BTreeSet<String>,
    /// Something could not be read: then nothing of its kind goes.
    unknown: bool,
}

fn name(path: &Path) -> Option<String> {
    path.file_name().and_then(OsStr::to_str).map(str::to_owned)
}

/// The program that a shim runs; `None` for one that has ended.
fn program(identity: Identity) -> Option<String> {
    let running = host::process::PidFd::open(identity).ok().flatten()?;
    let found = std::fs::read_link(format!("/proc/{}/exe", identity.pid)).ok();
    drop(running);
    // What was taken from below the overlay already is shown with a word behind it.
    found.and_then(|path| name(&path)).map(|name| name.trim_end_matches(" (deleted)").to_owned())
}

fn used(state: &Path, data: &Path) -> Result<Used, DiskError> {
    let mut used = Used::default();
    for uid in disk::names(&pods(state))? {
        let places = PodLayout::new(state, data, &uid);
        match disk::read_json::<Option<Identity>>(&places.shim()) {
            Ok(identity) => used.programs.extend(identity.flatten().and_then(program)),
            Err(_) => used.unknown = true,
        }
        for id in disk::names(&places.containers())? {
            match disk::read_json::<ContainerSpec>(&places.container(&id).spec()) {
                Ok(Some(ContainerSpec { process, .. })) => {
                    if let Seccomp::Compiled(path) = &process.seccomp {
                        used.filters.extend(name(path));
                    }
                }
                // Not described yet, so it will never be.
                Ok(None) => {}
                Err(_) => used.unknown = true,
            }
            used.containers.insert(id);
        }
    }
    Ok(used)
}

/// Takes away what is not needed. `pinned` is the program that new shims run.
pub(crate) fn collect(state: &Path, data: &Path, pinned: &str) -> Result<Garbage, DiskError> {
    let mut used = used(state, data)?;
    used.programs.insert(pinned.to_owned());
    let mut garbage = Garbage::default();
    let left = |directory: &str, used: &BTreeSet<String>| -> Result<Vec<String>, DiskError> {
        let names = disk::names(&data.join(directory))?;
        Ok(names.into_iter().filter(|name| !used.contains(name)).collect())
    };
    if !used.unknown {
        for name in left("bin", &used.programs)? {
            disk::remove_file(&data.join("bin").join(&name))?;
            garbage.programs.push(name);
        }
        for name in left("seccomp", &used.filters)? {
            disk::remove_file(&data.join("seccomp").join(&name))?;
            garbage.filters.push(name);
        }
    }
    for name in left("containers", &used.containers)? {
        disk::remove_directory(&data.join("containers").join(&name))?;
        garbage.changes.push(name);
    }
    Ok(garbage)
}
