//! Which server or agent runs from a data directory, and which other clusters run on this machine.
//!
//! Used by the binary (a server claims its place before anything else) and by the commands that look for it. State: one record in
//! the data directory and one in `/run/knarr/clusters`, each naming its process by id and start time, so that neither a reused
//! process id nor a reboot brings a dead one back; and a lock that the process holds ([`claim()`]).
//! Deliberately absent: signals (see [`crate::stop`]).
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the shell that keeps the records of processes"
)]

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use host::process::{Identity, LinuxProcesses, Processes};
use serde::{Deserialize, Serialize};

use crate::config::{Place, Settings};
use crate::surroundings::Surroundings;

mod claim;
mod clash;

pub use claim::{Claim, Taking, claim, claim_agent, claim_server, is_taken, refuse_second};
pub use clash::{Clash, Ranges};

/// Where the clusters of this machine are noted: gone after a reboot, as they are.
pub const CLUSTERS: &str = "/run/knarr/clusters";

/// Which long-running command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// `knarr server`.
    Server,
    /// `knarr agent`.
    Agent,
}

impl Role {
    /// The command's name, which is also its folder's.
    pub fn name(self) -> &'static str {
        match self {
            Role::Server => "server",
            Role::Agent => "agent",
        }
    }
}

/// What a process says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Which command it runs.
    pub role: Role,
    /// The process.
    pub process: Identity,
    /// The boot that it belongs to.
    pub boot: String,
    /// The cluster's data directory.
    pub data_dir: PathBuf,
    /// The cluster's short name.
    pub cluster_id: String,
    /// The kubeconfig that it writes.
    pub kubeconfig: PathBuf,
    /// Whether systemd started it, and would start it again.
    pub supervised: bool,
    /// The network namespace that it is in.
    #[serde(default)]
    pub network: String,
    /// What it takes for itself; an agent does not know before its server has told it.
    pub ranges: Option<Ranges>,
    /// What it runs with; empty in a record of an earlier release.
    #[serde(default)]
    pub settings: Settings,
    /// What the cluster or node here was made with and keeps (see [`crate::config::kept`]); empty until it was.
    #[serde(default)]
    pub kept: Settings,
    /// The uppermost directory that was made for the kubeconfig: `down --purge` deletes it, if nothing else is in it by then.
    #[serde(default)]
    pub made: Option<PathBuf>,
}

impl Record {
    /// Whether it is in this process's network namespace.
    pub fn shares_network(&self) -> bool {
        self.network == clash::network()
    }

    /// Whether the process that wrote this still runs.
    pub fn is_alive(&self) -> bool {
        Lifetime { process: self.process, boot: self.boot.clone() }.goes_on()
    }

    /// Whether it listens on this port.
    pub fn holds(&self, port: u16) -> bool {
        let of_ranges = self.ranges.as_ref().is_some_and(|ranges| {
            ranges.https_listen_port == Some(port) || ranges.kubelet_port == Some(port)
        });
        let of_agent = self.role == Role::Agent
            && self.settings.get("kubelet-port").is_some_and(|held| *held == port.to_string());
        of_ranges || of_agent
    }

    /// The command that starts it again.
    pub fn again(&self, place: &Place) -> String {
        let flag = place.flag();
        match (self.role, self.settings.get("server"), self.settings.get("kubeconfig")) {
            (Role::Server, ..) => format!("knarr up{flag}"),
            (Role::Agent, Some(server), _) => format!("knarr agent --server {server} --token TOKEN{flag}"),
            (Role::Agent, None, Some(file)) => {
                format!("knarr agent --kubeconfig {file}{flag} and its other flags")
            }
            (Role::Agent, None, None) => format!("knarr agent{flag} and its other flags"),
        }
    }

    /// Whether something of it goes on: itself, or what its node has in the kernel, for which [`state_dir`] stands.
    fn goes_on(&self, clusters: &Path) -> bool {
        self.is_alive() || (self.boot == boot_id() && state_dir(clusters, &self.cluster_id).exists())
    }
}

/// Where a cluster of this short name keeps what does not outlive the machine's uptime, beside the notes of clusters. It is there from a
/// node's start to `down`.
pub fn state_dir(clusters: &Path, cluster_id: &str) -> PathBuf {
    clusters.with_file_name(cluster_id)
}

/// A process and the boot that it belongs to, as records name it: neither a reused id nor a reboot brings a dead one back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifetime {
    /// The process.
    pub process: Identity,
    /// The boot.
    pub boot: String,
}

impl Lifetime {
    /// This process's.
    pub fn own() -> Lifetime {
        let pid = i32::try_from(std::process::id()).unwrap_or_default();
        let process = LinuxProcesses.identify(pid).unwrap_or(Identity { pid, started_ticks: 0 });
        Lifetime { process, boot: boot_id() }
    }

    /// Whether the process still runs.
    pub fn goes_on(&self) -> bool {
        self.boot == boot_id()
            && LinuxProcesses.identify(self.process.pid) == Some(self.process)
            && !has_ended(self.process.pid)
    }
}

/// Why a process cannot have its place.
#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    /// One runs already.
    #[error("{data_dir} is in use by another knarr{}", pid.map(|pid| format!(", process {pid}")).unwrap_or_default())]
    Running {
        /// The data directory.
        data_dir: PathBuf,
        /// The process, if it could be found.
        pid: Option<i32>,
    },
    /// Another cluster of this machine has what this one wants.
    #[error(transparent)]
    Clash(#[from] Clash),
    /// The directory is the other command's.
    #[error(
        "{data_dir} holds the data of knarr {holds}: give knarr {wants} another --data-dir, or delete that (knarr down --purge{flag})"
    )]
    Role {
        /// The data directory.
        data_dir: PathBuf,
        /// The command whose data are there.
        holds: &'static str,
        /// The command that was started.
        wants: &'static str,
        /// The flag that selects the directory.
        flag: String,
    },
    /// The node that lives here has another name.
    #[error(
        "the node of {data_dir} is called {is} and cannot become {wanted}: its pods and volumes are {is}'s. Start it without --node-name, or give {wanted} another --data-dir"
    )]
    NodeName {
        /// The data directory.
        data_dir: PathBuf,
        /// Its name.
        is: String,
        /// The name that was given.
        wanted: String,
    },
    /// A file cannot be used.
    #[error("cannot {what} {path}{}", crate::privilege::advice(source))]
    Io {
        /// `read`, `write`…
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

fn note(clusters: &Path, cluster_id: &str) -> PathBuf {
    clusters.join(format!("{cluster_id}.json"))
}

/// Forgets a cluster of which nothing goes on any more.
pub fn forget(place: &Place, clusters: &Path) {
    let _ = fs::remove_file(note(clusters, place.cluster_id.as_str()));
}

/// Whose data lie in a place: the command that ran there, running or not.
pub fn role_of(place: &Place) -> Option<Role> {
    [Role::Server, Role::Agent].into_iter().find(|role| pid_file(place, *role).exists())
}

/// What the server or agent said of itself that ran from this place last, running or not.
pub fn last(place: &Place) -> Option<Record> {
    find(place).or_else(|| read(&pid_file(place, role_of(place)?)))
}

/// The server or agent that runs from this place.
pub fn find(place: &Place) -> Option<Record> {
    let alive = |role| read(&pid_file(place, role)).filter(Record::is_alive);
    alive(Role::Server).or_else(|| alive(Role::Agent))
}

/// The place with the kubeconfig that its server wrote last, unless another than the default was asked for.
pub fn settled(place: Place, around: &dyn Surroundings) -> Place {
    if place.kubeconfig != Place::new(place.data_dir.clone(), None).kubeconfig {
        return place;
    }
    match noted(&place, Role::Server, around) {
        Some(record) => Place { kubeconfig: record.kubeconfig, ..place },
        None => place,
    }
}

/// What the server or agent said of itself that ran here last, as far as `around` shows it.
pub fn noted(place: &Place, role: Role, around: &dyn Surroundings) -> Option<Record> {
    let text = around.read(&pid_file(place, role)).ok().flatten()?;
    serde_json::from_str(&text).ok()
}

/// The clusters of this machine of which something goes on: their server or agent, or what a node leaves in the kernel until `down`.
pub fn present(clusters: &Path) -> Vec<Record> {
    let entries = fs::read_dir(clusters).into_iter().flatten().flatten();
    let records = entries.filter_map(|entry| read(&entry.path()));
    let mut records: Vec<_> = records.filter(|record| record.goes_on(clusters)).collect();
    records.sort_by(|a, b| a.data_dir.cmp(&b.data_dir));
    records
}

/// Where a process of this role leaves its record.
pub fn pid_file(place: &Place, role: Role) -> PathBuf {
    place.data_dir.join(role.name()).join("knarr.pid")
}

/// Whether a process has ended and only waits to be reaped, which in a container nobody may do.
fn has_ended(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_none_or(|(_, fields)| fields.starts_with(['Z', 'X']))
}

fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

fn read(path: &Path) -> Option<Record> {
    serde_json::from_str(&fs::read_to_string(path).ok()?).ok()
}

fn write(path: &Path, record: &Record) -> Result<(), InstanceError> {
    let beside = path.with_extension("new");
    let text = serde_json::to_string(record).unwrap_or_default();
    fs::write(&beside, text).and_then(|()| fs::rename(&beside, path)).map_err(io_error("write", path))
}

/// A user's kubeconfig may lie below a data directory, so others may pass through, and see nothing.
pub(crate) fn make_directory(path: &Path, mode: u32) -> Result<(), InstanceError> {
    fs::DirBuilder::new().recursive(true).mode(mode).create(path).map_err(io_error("create", path))
}

fn io_error(what: &'static str, path: &Path) -> impl Fn(io::Error) -> InstanceError {
    move |source| InstanceError::Io { what, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests;
