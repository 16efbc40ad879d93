//! Control groups of the first generation: one tree per controller, found in /proc/self/mountinfo. Hybrid machines count as this.
//!
//! Groups are made in the trees without controllers too: by those, named or unified, systemd knows whose process is whose, and a
//! container that stayed in its node's would be killed with it by `systemctl kill`.
//!
//! Honours runc's `fs` driver: a new cpuset takes its parent's CPUs and memory nodes, quota 0 is left alone, killing freezes first
//! so that nothing forks its way out.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "host is where the kernel's files are touched"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{CgroupError, CgroupPath, Cgroups, DeviceKind, DeviceRule, Limits, Usage, Version, drain, files};

/// How long to wait for a freezing group: it freezes within microseconds unless a process is stuck in the kernel.
const FREEZE_READS_MAX: u32 = 1000;

/// The first generation's trees.
#[derive(Clone, Debug)]
pub struct Legacy {
    /// Controller name, that of a tree without one, or `unified`, to its mount point.
    trees: BTreeMap<String, PathBuf>,
}

impl Legacy {
    /// Finds the mounted trees.
    ///
    /// # Errors
    /// When /proc/self/mountinfo cannot be read, or names no memory controller.
    pub fn discover() -> Result<Legacy, CgroupError> {
        let trees = parse_mounts(&files::read(Path::new("/proc/self/mountinfo"))?);
        if !trees.contains_key("memory") {
            return Err(CgroupError::NoController {
                controller: "memory",
                what: "running containers".to_owned(),
            });
        }
        Ok(Legacy { trees })
    }

    /// Trees at known places, by controller name. For tests on plain directories.
    pub fn at(trees: BTreeMap<String, PathBuf>) -> Legacy {
        Legacy { trees }
    }

    fn group(&self, controller: &str, path: &CgroupPath) -> Option<PathBuf> {
        self.trees.get(controller).map(|tree| path.below(tree))
    }

    fn require(
        &self,
        controller: &'static str,
        path: &CgroupPath,
        what: &str,
    ) -> Result<PathBuf, CgroupError> {
        self.group(controller, path)
            .ok_or_else(|| CgroupError::NoController { controller, what: what.to_owned() })
    }

    fn groups(&self, path: &CgroupPath) -> impl Iterator<Item = (&str, PathBuf)> {
        let path = path.clone();
        self.trees.iter().map(move |(controller, tree)| (controller.as_str(), path.below(tree)))
    }

    fn limit_cpu(&self, path: &CgroupPath, limits: &Limits) -> Result<(), CgroupError> {
        if let Some(shares) = limits.cpu_shares {
            files::write(
                &self.require("cpu", path, "a CPU request")?.join("cpu.shares"),
                &shares.to_string(),
            )?;
        }
        if let Some(period) = limits.cpu_period_micros.filter(|period| *period > 0) {
            let group = self.require("cpu", path, "a CPU limit")?;
            files::write(&group.join("cpu.cfs_period_us"), &period.to_string())?;
        }
        if let Some(quota) = limits.cpu_quota_micros.filter(|quota| *quota != 0) {
            let group = self.require("cpu", path, "a CPU limit")?;
            files::write(&group.join("cpu.cfs_quota_us"), &files::bound(quota, "-1"))?;
        }
        for (file, value) in [("cpuset.cpus", &limits.cpuset_cpus), ("cpuset.mems", &limits.cpuset_mems)] {
            if let Some(value) = value.as_ref().filter(|value| !value.is_empty()) {
                files::write(&self.require("cpuset", path, "a CPU set")?.join(file), value)?;
            }
        }
        Ok(())
    }

    fn limit_memory(&self, path: &CgroupPath, limits: &Limits) -> Result<(), CgroupError> {
        let Some(memory) = limits.memory_bytes.filter(|memory| *memory != 0) else { return Ok(()) };
        let group = self.require("memory", path, "a memory limit")?;
        let both = group.join("memory.memsw.limit_in_bytes");
        let total = match limits.swap_bytes {
            Some(swap) if memory > 0 && swap >= 0 => Some(memory.saturating_add(swap)),
            Some(_) => Some(-1),
            None => None,
        };
        let text = files::bound(memory, "-1");
        // Memory may never exceed memory and swap together, so a raised limit is written from the other end.
        match total.filter(|_| both.exists()) {
            None => files::write(&group.join("memory.limit_in_bytes"), &text),
            Some(total) => {
                let total = files::bound(total, "-1");
                if files::write(&group.join("memory.limit_in_bytes"), &text).is_ok() {
                    files::write(&both, &total)
                } else {
                    files::write(&both, &total)?;
                    files::write(&group.join("memory.limit_in_bytes"), &text)
                }
            }
        }
    }
}

/// Controllers and their mount points. A tree mounted twice counts once, at its first place.
fn parse_mounts(mountinfo: &str) -> BTreeMap<String, PathBuf> {
    let mut trees = BTreeMap::new();
    for line in mountinfo.lines() {
        let Some((before, after)) = line.split_once(" - ") else { continue };
        let mut after = after.split(' ');
        let (Some(kind), Some(_), Some(options)) = (after.next(), after.next(), after.next()) else {
            continue;
        };
        let Some(point) = before.split(' ').nth(4) else { continue };
        if kind == "cgroup2" {
            trees.entry("unified".to_owned()).or_insert_with(|| PathBuf::from(point));
        }
        if kind != "cgroup" {
            continue;
        }
        for option in options.split(',').filter(|option| !matches!(*option, "rw" | "ro" | "xattr" | "none")) {
            let name = option.strip_prefix("name=").unwrap_or(option);
            if !option.contains('=') || option.starts_with("name=") {
                trees.entry(name.to_owned()).or_insert_with(|| PathBuf::from(point));
            }
        }
    }
    trees
}

fn inherit_cpuset(group: &Path) -> Result<(), CgroupError> {
    let Some(parent) = group.parent() else { return Ok(()) };
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let own = group.join(file);
        if files::read_if_there(&own)?.is_some_and(|text| text.trim().is_empty()) {
            files::write(&own, files::read(&parent.join(file))?.trim())?;
        }
    }
    Ok(())
}

impl Cgroups for Legacy {
    fn version(&self) -> Version {
        Version::V1
    }

    fn create(&self, path: &CgroupPath) -> Result<(), CgroupError> {
        for (controller, tree) in &self.trees {
            let mut group = tree.clone();
            for part in path.as_str()[1..].split('/') {
                group.push(part);
                files::make(&group)?;
                if controller == "cpuset" {
                    inherit_cpuset(&group)?;
                }
            }
        }
        Ok(())
    }

    fn exists(&self, path: &CgroupPath) -> bool {
        self.groups(path).any(|(_, group)| group.exists())
    }

    fn limit(&self, path: &CgroupPath, limits: &Limits) -> Result<(), CgroupError> {
        if let Some((file, _)) = limits.unified.first_key_value() {
            return Err(CgroupError::NoController { controller: "unified", what: file.clone() });
        }
        self.limit_cpu(path, limits)?;
        self.limit_memory(path, limits)?;
        if let Some(pids) = limits.pids.filter(|pids| *pids != 0) {
            let group = self.require("pids", path, "a limit of processes")?;
            files::write(&group.join("pids.max"), &files::bound(pids, "max"))?;
        }
        for (size, bytes) in &limits.hugetlb_bytes {
            let group = self.require("hugetlb", path, "a limit of huge pages")?;
            files::write(&group.join(format!("hugetlb.{size}.limit_in_bytes")), &bytes.to_string())?;
        }
        Ok(())
    }

    fn allow_devices(&self, path: &CgroupPath, rules: &[DeviceRule]) -> Result<(), CgroupError> {
        let group = self.require("devices", path, "keeping a container from the machine's devices")?;
        if rules.iter().any(|rule| rule.kind == DeviceKind::Any) {
            return files::write(&group.join("devices.allow"), "a");
        }
        files::write(&group.join("devices.deny"), "a")?;
        rules.iter().try_for_each(|rule| files::write(&group.join("devices.allow"), &rule.line()))
    }

    fn attach(&self, path: &CgroupPath, pid: i32) -> Result<(), CgroupError> {
        self.groups(path)
            .try_for_each(|(_, group)| files::write(&group.join("cgroup.procs"), &pid.to_string()))
    }

    fn processes(&self, path: &CgroupPath) -> Result<Vec<i32>, CgroupError> {
        // Every process is in every tree; the freezer's is the one that killing works with.
        match self.group("freezer", path).or_else(|| self.group("memory", path)) {
            Some(group) => files::processes(&group),
            None => Ok(Vec::new()),
        }
    }

    fn freeze(&self, path: &CgroupPath, frozen: bool) -> Result<(), CgroupError> {
        let state = self.require("freezer", path, "freezing")?.join("freezer.state");
        let wanted = if frozen { "FROZEN" } else { "THAWED" };
        for _ in 0..FREEZE_READS_MAX {
            files::write(&state, wanted)?;
            if files::read(&state)?.trim() == wanted {
                return Ok(());
            }
        }
        // A group that does not freeze must not stay half frozen.
        files::write(&state, "THAWED")?;
        Err(CgroupError::Kernel { action: "freeze", path: state, source: Errno::EBUSY })
    }

    fn kill(&self, path: &CgroupPath) -> Result<(), CgroupError> {
        if self.processes(path)?.is_empty() {
            return Ok(());
        }
        // Unfrozen processes are killed all the same: only the guarantee against forking is lost.
        let frozen = self.freeze(path, true).is_ok();
        for pid in self.processes(path)? {
            match kill(Pid::from_raw(pid), Signal::SIGKILL) {
                Ok(()) | Err(Errno::ESRCH) => {}
                Err(source) => {
                    return Err(CgroupError::Kernel {
                        action: "kill in",
                        path: path.as_str().into(),
                        source,
                    });
                }
            }
        }
        if frozen { self.freeze(path, false) } else { Ok(()) }
    }

    fn remove(&self, path: &CgroupPath) -> Result<(), CgroupError> {
        let mut busy = false;
        for (_, group) in self.groups(path) {
            busy |= !files::remove(&group)?;
        }
        if busy { Err(CgroupError::Busy { path: path.clone(), pids: self.processes(path)? }) } else { Ok(()) }
    }

    fn usage(&self, path: &CgroupPath) -> Result<Usage, CgroupError> {
        let memory = self.require("memory", path, "reading usage")?;
        let memory_bytes = files::number(&memory.join("memory.usage_in_bytes"))?;
        let inactive = files::field(&files::read(&memory.join("memory.stat"))?, "total_inactive_file");
        let count = |controller, file| {
            self.group(controller, path).map_or(Ok(0), |group: PathBuf| files::number(&group.join(file)))
        };
        Ok(Usage {
            cpu_nanos: count("cpuacct", "cpuacct.usage")?,
            memory_bytes,
            working_set_bytes: memory_bytes.saturating_sub(inactive),
            pids: count("pids", "pids.current")?,
        })
    }

    fn oom_kills(&self, path: &CgroupPath) -> Result<u64, CgroupError> {
        let Some(group) = self.group("memory", path) else { return Ok(0) };
        Ok(files::read_if_there(&group.join("memory.oom_control"))?
            .map_or(0, |text| files::field(&text, "oom_kill")))
    }

    fn wait_empty(&self, path: &CgroupPath, limit: Duration) -> Result<Vec<i32>, CgroupError> {
        drain::wait_empty(limit, || self.processes(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_name_their_controllers() {
        let text = "25 20 0:22 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n\
                    26 20 0:23 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n\
                    27 20 0:24 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,release_agent=/x,name=systemd\n\
                    28 20 0:25 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        let trees = parse_mounts(text);
        assert_eq!(trees.keys().collect::<Vec<_>>(), ["cpu", "cpuacct", "memory", "systemd", "unified"]);
        assert_eq!(trees["cpuacct"], Path::new("/sys/fs/cgroup/cpu"));
        assert_eq!(trees["unified"], Path::new("/sys/fs/cgroup/unified"));
    }
}
