//! The container library's input: an OCI configuration made of what the agent asked for and what every container has, as containerd's
//! CRI plug-in makes it.
//!
//! Deliberately absent from it: resources and devices rules (`host::cgroup` sets them first), capabilities and seccomp (the executor's),
//! sysctls and the host name (the pod's namespaces have them already), hooks.

use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use host::cgroup::{Access, CgroupPath, DeviceKind, DeviceRule, Version};
use serde_json::{Value, json};

use super::identity::Identity;
use crate::layout::{ContainerLayout, PodLayout};
use crate::spec::{ContainerSpec, Mount, MountSource, PodSandbox, Process, Propagation, Rootfs};

/// What a configuration is made of.
pub(super) struct Parts<'a> {
    pub(super) pod: &'a PodSandbox,
    pub(super) places: &'a PodLayout,
    pub(super) container: &'a ContainerLayout,
    pub(super) spec: &'a ContainerSpec,
    pub(super) identity: &'a Identity,
    pub(super) cgroup: &'a CgroupPath,
    pub(super) cgroup_version: Version,
    pub(super) devices: &'a [HostDevice],
    /// The process whose process namespace it joins.
    pub(super) processes: Option<i32>,
    /// `None` where the node cannot set what was asked.
    pub(super) oom_score_adj: Option<i32>,
}

impl Parts<'_> {
    pub(super) fn configuration(&self) -> Value {
        json!({
            "ociVersion": "1.0.2",
            "root": {"path": self.root(), "readonly": self.spec.read_only_rootfs},
            "process": process(&self.spec.process, self.identity, self.oom_score_adj),
            "mounts": self.mounts(),
            "linux": {
                "namespaces": self.namespaces(),
                "cgroupsPath": self.cgroup.as_str(),
                "maskedPaths": if self.spec.privileged { &[][..] } else { &self.spec.masked_paths[..] },
                "readonlyPaths": if self.spec.privileged { &[][..] } else { &self.spec.readonly_paths[..] },
                "rootfsPropagation": self.rootfs_propagation(),
                "devices": self.devices.iter().map(HostDevice::json).collect::<Vec<_>>(),
            },
        })
    }

    pub(super) fn root(&self) -> PathBuf {
        match &self.spec.rootfs {
            Rootfs::Layers(_) => self.container.rootfs(),
            Rootfs::Directory(path) => path.clone(),
        }
    }

    fn namespaces(&self) -> Vec<Value> {
        let pin = |kind: &str, name: &str| json!({"type": kind, "path": self.places.namespace(name)});
        let mut namespaces = vec![json!({"type": "mount"})];
        if !self.pod.host_network {
            let net = self.pod.netns.clone().unwrap_or_else(|| self.places.namespace("net"));
            namespaces.push(json!({"type": "network", "path": net}));
            namespaces.push(pin("uts", "uts"));
        }
        if !self.pod.host_ipc {
            namespaces.push(pin("ipc", "ipc"));
        }
        if self.pod.share_process_namespace && !self.pod.host_pid {
            namespaces.push(pin("pid", "pid"));
        } else if !self.pod.host_pid {
            namespaces.push(match self.processes {
                Some(pid) => json!({"type": "pid", "path": format!("/proc/{pid}/ns/pid")}),
                None => json!({"type": "pid"}),
            });
        }
        // On version 1 the paths of groups are no secret, and containerd leaves them as they are.
        if self.cgroup_version == Version::V2 && !self.spec.privileged {
            namespaces.push(json!({"type": "cgroup"}));
        }
        namespaces
    }

    fn rootfs_propagation(&self) -> &'static str {
        let asked = |wanted| self.spec.mounts.iter().any(|mount| mount.propagation == wanted);
        if asked(Propagation::Bidirectional) { "shared" } else { "slave" }
    }

    fn mounts(&self) -> Vec<Value> {
        let access = if self.spec.privileged { "rw" } else { "ro" };
        let mount = |destination: &str, kind: &str, source: &str, options: &[&str]| json!({"destination": destination, "type": kind, "source": source, "options": options});
        let shm = if self.pod.host_ipc { PathBuf::from("/dev/shm") } else { self.places.shm() };
        let mut mounts = vec![
            mount("/proc", "proc", "proc", &["nosuid", "noexec", "nodev"]),
            mount("/dev", "tmpfs", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
            mount(
                "/dev/pts",
                "devpts",
                "devpts",
                &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
            ),
            mount("/dev/mqueue", "mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
            mount("/sys", "sysfs", "sysfs", &["nosuid", "noexec", "nodev", access]),
            mount("/sys/fs/cgroup", "cgroup", "cgroup", &["nosuid", "noexec", "nodev", "relatime", access]),
            mount("/dev/shm", "bind", &shm.to_string_lossy(), &["rbind", "rw"]),
        ];
        // What lies deeper is mounted later, or it would be covered.
        let mut own: Vec<&Mount> = self.spec.mounts.iter().collect();
        own.sort_by_key(|mount| mount.destination.components().count());
        mounts.retain(|usual| {
            own.iter().all(|mount| {
                Some(mount.destination.as_path()) != usual["destination"].as_str().map(Path::new)
            })
        });
        mounts.extend(own.into_iter().map(own_mount));
        mounts
    }
}

fn own_mount(mount: &Mount) -> Value {
    let access = if mount.read_only { "ro" } else { "rw" };
    match &mount.source {
        MountSource::Host(path) => {
            let propagation = match mount.propagation {
                Propagation::Private => "rprivate",
                Propagation::HostToContainer => "rslave",
                Propagation::Bidirectional => "rshared",
            };
            let mut options = vec!["rbind", propagation, access];
            if mount.recursive_read_only {
                options.push("rro");
            }
            json!({"destination": mount.destination, "type": "bind", "source": path, "options": options})
        }
        MountSource::Memory(size) => {
            let mut options = vec!["nosuid".to_owned(), "nodev".to_owned(), access.to_owned()];
            options.extend(size.map(|bytes| format!("size={bytes}")));
            json!({"destination": mount.destination, "type": "tmpfs", "source": "tmpfs", "options": options})
        }
    }
}

/// A process as the container library wants it. The working directory and the environment are the executor's.
pub(super) fn process(process: &Process, identity: &Identity, oom_score_adj: Option<i32>) -> Value {
    let rlimits: Vec<Value> = process
        .rlimits
        .iter()
        .map(|limit| json!({"type": limit.name, "soft": limit.soft, "hard": limit.hard}))
        .collect();
    let mut value = json!({
        "terminal": process.terminal,
        "user": {"uid": identity.uid, "gid": identity.gid, "additionalGids": identity.groups},
        "args": process.args,
        // A home keeps the library from looking for one, which would load code from the image.
        "env": ["HOME=/"],
        "cwd": "/",
        "rlimits": rlimits,
        "noNewPrivileges": process.no_new_privileges,
    });
    if let Some(profile) = &process.apparmor_profile {
        value["apparmorProfile"] = json!(profile);
    }
    if let Some(score) = oom_score_adj {
        value["oomScoreAdj"] = json!(score);
    }
    value
}

/// The environment of a process: as asked, and a home from the image's accounts unless one was given. `TERM` as containerd for terminals.
pub(super) fn environment(process: &Process, home: &str) -> Vec<(String, String)> {
    let mut env = process.env.clone();
    let mut default = |name: &str, value: &str| {
        if env.iter().all(|(present, _)| present != name) {
            env.push((name.to_owned(), value.to_owned()));
        }
    };
    default("HOME", if home.is_empty() { "/" } else { home });
    if process.terminal {
        default("TERM", "xterm");
    }
    env
}

/// A device node of the host as a container sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HostDevice {
    path: PathBuf,
    kind: DeviceKind,
    major: u32,
    minor: u32,
    mode: u32,
    uid: u32,
    gid: u32,
    access: Access,
}

impl HostDevice {
    fn look_up(host_path: &Path, path: PathBuf, access: Access) -> Option<HostDevice> {
        let status = std::fs::metadata(host_path).ok()?;
        let kind = if status.file_type().is_char_device() {
            DeviceKind::Character
        } else if status.file_type().is_block_device() {
            DeviceKind::Block
        } else {
            return None;
        };
        let number = |number: u64| u32::try_from(number).ok();
        Some(HostDevice {
            path,
            kind,
            major: number(nix::sys::stat::major(status.rdev()))?,
            minor: number(nix::sys::stat::minor(status.rdev()))?,
            mode: status.mode() & 0o777,
            uid: status.uid(),
            gid: status.gid(),
            access,
        })
    }

    /// The devices that `spec` asks for; all of the host's for a privileged container.
    pub(super) fn of(spec: &ContainerSpec) -> Result<Vec<HostDevice>, String> {
        let mut devices = Vec::new();
        for device in &spec.devices {
            let access = Access::parse(&device.permissions).ok_or_else(|| {
                format!("device permissions {:?} are not of r, w and m", device.permissions)
            })?;
            devices.push(
                HostDevice::look_up(&device.host_path, device.container_path.clone(), access)
                    .ok_or_else(|| format!("{} is not a device of this node", device.host_path.display()))?,
            );
        }
        if spec.privileged {
            for device in all_devices(Path::new("/dev"), 0) {
                if devices.iter().all(|present| present.path != device.path) {
                    devices.push(device);
                }
            }
        }
        Ok(devices)
    }

    pub(super) fn rule(&self) -> DeviceRule {
        DeviceRule { kind: self.kind, major: Some(self.major), minor: Some(self.minor), access: self.access }
    }

    fn json(&self) -> Value {
        json!({
            "path": self.path, "type": if self.kind == DeviceKind::Block { "b" } else { "c" },
            "major": self.major, "minor": self.minor, "fileMode": self.mode, "uid": self.uid, "gid": self.gid,
        })
    }
}

/// Directories of /dev hold no devices at more than this depth.
const DEVICE_DEPTH_MAX: usize = 4;
/// What a container has of its own below /dev.
const OWN: [&str; 8] = ["pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", "console", "ptmx"];

fn all_devices(directory: &Path, depth: usize) -> Vec<HostDevice> {
    let mut devices = Vec::new();
    let Ok(entries) = std::fs::read_dir(directory) else { return devices };
    for entry in entries.flatten().filter(|entry| OWN.iter().all(|own| entry.file_name() != *own)) {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && depth < DEVICE_DEPTH_MAX => {
                devices.extend(all_devices(&entry.path(), depth + 1))
            }
            Ok(kind) if kind.is_char_device() || kind.is_block_device() => {
                devices.extend(HostDevice::look_up(&entry.path(), entry.path(), Access::ALL));
            }
            _ => {}
        }
    }
    devices
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_is_always_there_and_the_askers_goes_first() {
        let mut asked = Process { terminal: true, ..Process::default() };
        assert_eq!(
            environment(&asked, "/root"),
            [("HOME".into(), "/root".into()), ("TERM".into(), "xterm".into())]
        );
        asked.env = vec![("HOME".into(), "/x".into())];
        assert_eq!(environment(&asked, "/root")[0].1, "/x");
    }

    #[test]
    fn null_is_a_device_and_etc_is_not() {
        let null =
            HostDevice::look_up(Path::new("/dev/null"), "/dev/null".into(), Access::ALL).expect("a device");
        assert_eq!((null.kind, null.major, null.minor), (DeviceKind::Character, 1, 3));
        assert_eq!(HostDevice::look_up(Path::new("/etc"), "/x".into(), Access::ALL), None);
    }
}
