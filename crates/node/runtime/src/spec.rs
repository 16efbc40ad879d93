//! What the node agent asks for: pods, containers and processes in them. Plain values, serialised to the shim and to disk.
//!
//! Used by the agent and by the shim. Deliberately absent: what the agent has to decide first (images, volumes, which environment), and user
//! namespaces and SELinux labels, which have no field here and which the agent therefore must refuse.

use std::collections::BTreeMap;
use std::path::PathBuf;

use host::cgroup::{CgroupPath, Limits};
use serde::{Deserialize, Serialize};

use crate::limits;

/// A pod, as far as it is shared by its containers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodSandbox {
    /// The pod's uid; names its directory.
    pub uid: String,
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name.
    pub name: String,
    /// The host name inside. Ignored on the host's network, whose UTS namespace the pod then shares, as containerd has it.
    pub hostname: String,
    /// The pod's own control group, such as `/kubepods/burstable/pod<uid>`; made if absent, removed with the pod.
    pub cgroup: CgroupPath,
    /// What the whole pod may use.
    #[serde(default)]
    pub limits: Limits,
    /// Kernel parameters, set inside the pod's namespaces.
    #[serde(default)]
    pub sysctls: BTreeMap<String, String>,
    /// Whether the containers see each other's processes (`shareProcessNamespace`).
    #[serde(default)]
    pub share_process_namespace: bool,
    /// On the host's network.
    #[serde(default)]
    pub host_network: bool,
    /// Among the host's processes.
    #[serde(default)]
    pub host_pid: bool,
    /// With the host's System V IPC, message queues and /dev/shm.
    #[serde(default)]
    pub host_ipc: bool,
    /// A network namespace that is already there. Without it (and not on the host's network) one is made and pinned.
    #[serde(default)]
    pub netns: Option<PathBuf>,
    /// The size of /dev/shm; 64 MiB when absent.
    #[serde(default)]
    pub shm_bytes: Option<u64>,
}

/// Where a container's file system comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rootfs {
    /// Directories of layers, the topmost first; changes go to a directory of the container's own.
    Layers(Vec<PathBuf>),
    /// A directory to be used as it is.
    Directory(PathBuf),
}

/// Who runs a process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The image's `USER`: a name or number, and optionally a group after a colon. Looked up in the image's own /etc.
    #[serde(default)]
    pub image: String,
    /// `runAsUser`; goes before the image's.
    #[serde(default)]
    pub uid: Option<u32>,
    /// `runAsGroup`; goes before the image's.
    #[serde(default)]
    pub gid: Option<u32>,
    /// Groups from the pod (`fsGroup`, `supplementalGroups`).
    #[serde(default)]
    pub supplemental_groups: Vec<u32>,
    /// `supplementalGroupsPolicy: Strict`: without the groups that the image's /etc/group puts the user in.
    #[serde(default)]
    pub strict_groups: bool,
}

/// How mounts made later travel between host and container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Propagation {
    /// Not at all.
    #[default]
    Private,
    /// From the host into the container.
    HostToContainer,
    /// Both ways.
    Bidirectional,
}

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MountSource {
    /// A file or directory of the host, with what is mounted below it.
    Host(PathBuf),
    /// Memory, of at most this many bytes.
    Memory(Option<u64>),
}

/// One mount of a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// What.
    pub source: MountSource,
    /// Where, absolute inside the container.
    pub destination: PathBuf,
    /// Whether it is read-only.
    #[serde(default)]
    pub read_only: bool,
    /// Whether what is mounted below it is read-only too.
    #[serde(default)]
    pub recursive_read_only: bool,
    /// How mounts travel.
    #[serde(default)]
    pub propagation: Propagation,
}

/// A device of the host inside a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Its node on the host.
    pub host_path: PathBuf,
    /// Its node inside.
    pub container_path: PathBuf,
    /// `r`, `w` and `m`.
    pub permissions: String,
}

/// Which system calls a container may make.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Seccomp {
    /// All.
    Unconfined,
    /// What containerd's default profile allows.
    #[default]
    RuntimeDefault,
    /// What a profile of the node allows (`Localhost`), as its text in the OCI form.
    Profile(String),
    /// What a filter allows that is already compiled: a file of [`crate::seccomp::Filter::to_bytes`]. The runtime turns the other
    /// forms into this one.
    Compiled(PathBuf),
}

/// A limit of a process, by the kernel's name (`RLIMIT_NOFILE`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rlimit {
    /// The name.
    pub name: String,
    /// The soft limit.
    pub soft: u64,
    /// The hard limit.
    pub hard: u64,
}

/// Where a container's output is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// The file, in the format of the container runtime interface.
    pub path: PathBuf,
    /// At which size it is set aside as `<path>.<time>`.
    pub file_bytes_max: u64,
    /// How many files are kept, the present one included.
    pub files_max: u32,
}

impl Log {
    /// A log with kubelet's default bounds.
    pub fn new(path: PathBuf) -> Log {
        Log { path, file_bytes_max: limits::LOG_FILE_BYTES_DEFAULT, files_max: limits::LOG_FILES_DEFAULT }
    }
}

/// A process: a container's first, or one more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// The program and its arguments; the program is looked for in `PATH`.
    pub args: Vec<String>,
    /// The environment, in order; of equal names the last counts.
    pub env: Vec<(String, String)>,
    /// The working directory, absolute; made in the container's root if absent. Empty is `/`.
    pub cwd: String,
    /// Who runs it.
    pub user: User,
    /// Its capabilities, as `CAP_…` names.
    pub capabilities: Vec<String>,
    /// Whether it can never gain privileges (`allowPrivilegeEscalation: false`).
    pub no_new_privileges: bool,
    /// Which system calls it may make.
    pub seccomp: Seccomp,
    /// Its limits.
    pub rlimits: Vec<Rlimit>,
    /// How readily it is killed for want of memory.
    pub oom_score_adj: i32,
    /// An AppArmor profile that is loaded; starting fails where the kernel has no AppArmor.
    pub apparmor_profile: Option<String>,
    /// Whether it has a terminal.
    pub terminal: bool,
}

/// A container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerSpec {
    /// Its id, unique on the node; letters, digits, `-`, `_` and `.`.
    pub id: String,
    /// Its file system.
    pub rootfs: Rootfs,
    /// Its first process.
    pub process: Process,
    /// Whether its root is read-only.
    #[serde(default)]
    pub read_only_rootfs: bool,
    /// Whether it has all devices, a writable /sys and no hidden paths.
    #[serde(default)]
    pub privileged: bool,
    /// Paths hidden from it; [`DEFAULT_MASKED_PATHS`] unless `procMount: Unmasked`.
    #[serde(default)]
    pub masked_paths: Vec<String>,
    /// Paths read-only for it; [`DEFAULT_READONLY_PATHS`] unless `procMount: Unmasked`.
    #[serde(default)]
    pub readonly_paths: Vec<String>,
    /// What is mounted besides the usual (/proc, /dev, /sys, /dev/shm).
    #[serde(default)]
    pub mounts: Vec<Mount>,
    /// Devices besides the usual.
    #[serde(default)]
    pub devices: Vec<Device>,
    /// What it may use.
    #[serde(default)]
    pub limits: Limits,
    /// Whether it has a standard input that can be attached to.
    #[serde(default)]
    pub stdin: bool,
    /// Where its output is written; nowhere when absent.
    #[serde(default)]
    pub log: Option<Log>,
    /// The running container of the pod among whose processes it is to be; of no account where the pod's containers share
    /// theirs anyway.
    #[serde(default)]
    pub processes_of: Option<String>,
}

/// A process to run in a running container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecSpec {
    /// In which container.
    pub container: String,
    /// The program and its arguments.
    pub args: Vec<String>,
    /// Added to the container's environment.
    #[serde(default)]
    pub env: Vec<(String, String)>,
    /// Whether it has a terminal; its output then is one stream.
    #[serde(default)]
    pub terminal: bool,
    /// Whether it has a standard input.
    #[serde(default)]
    pub stdin: bool,
}

/// What upstream hides in /proc and /sys.
pub const DEFAULT_MASKED_PATHS: &[&str] = &[
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
];

/// What upstream makes read-only in /proc.
pub const DEFAULT_READONLY_PATHS: &[&str] =
    &["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// The capabilities that upstream gives a container that asks for none.
pub const DEFAULT_CAPABILITIES: &[&str] = &[
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
];

impl ContainerSpec {
    /// A container with upstream's defaults.
    pub fn new(id: impl Into<String>, rootfs: Rootfs, args: &[&str]) -> ContainerSpec {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        ContainerSpec {
            id: id.into(),
            rootfs,
            process: Process {
                args: owned(args),
                env: vec![("PATH".to_owned(), DEFAULT_PATH.to_owned())],
                capabilities: owned(DEFAULT_CAPABILITIES),
                ..Process::default()
            },
            read_only_rootfs: false,
            privileged: false,
            masked_paths: owned(DEFAULT_MASKED_PATHS),
            readonly_paths: owned(DEFAULT_READONLY_PATHS),
            mounts: Vec::new(),
            devices: Vec::new(),
            limits: Limits::default(),
            stdin: false,
            log: None,
            processes_of: None,
        }
    }
}

/// The `PATH` of an image that sets none.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
