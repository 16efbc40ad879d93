//! Control groups of the second generation: one tree.
//!
//! Processes live only in leaves (the kernel's rule), so every parent gets its controllers enabled for its children. Weights come
//! from version 1's shares by the formula that runc has used since 1.3.2: 2 is 1, 1024 is 100, 262144 is 10000.

use std::path::PathBuf;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::device_program;
use super::{CgroupError, CgroupPath, Cgroups, DeviceKind, DeviceRule, Limits, Usage, Version, drain, files};

/// The controllers that a container's group needs, as far as the machine has them.
const CONTROLLERS: [&str; 6] = ["cpu", "cpuset", "hugetlb", "io", "memory", "pids"];

/// The unified tree.
#[derive(Clone, Debug)]
pub struct Unified {
    root: PathBuf,
}

impl Unified {
    /// The tree mounted at `root`.
    pub fn new(root: PathBuf) -> Unified {
        Unified { root }
    }

    fn group(&self, path: &CgroupPath) -> PathBuf {
        path.below(&self.root)
    }

    fn write(&self, path: &CgroupPath, file: &str, value: &str) -> Result<(), CgroupError> {
        files::write(&self.group(path).join(file), value)
    }

    fn limit_cpu(&self, path: &CgroupPath, limits: &Limits) -> Result<(), CgroupError> {
        if let Some(shares) = limits.cpu_shares.filter(|shares| *shares != 0) {
            self.write(path, "cpu.weight", &weight(shares).to_string())?;
        }
        if limits.cpu_quota_micros.is_some() || limits.cpu_period_micros.is_some() {
            let quota = limits.cpu_quota_micros.filter(|quota| *quota > 0);
            let period = limits.cpu_period_micros.filter(|period| *period > 0).unwrap_or(100_000);
            self.write(path, "cpu.max", &format!("{} {period}", files::bound(quota.unwrap_or(-1), "max")))?;
        }
        for (file, value) in [("cpuset.cpus", &limits.cpuset_cpus), ("cpuset.mems", &limits.cpuset_mems)] {
            if let Some(value) = value.as_ref().filter(|value| !value.is_empty()) {
                self.write(path, file, value)?;
            }
        }
        Ok(())
    }

    fn limit_memory(&self, path: &CgroupPath, limits: &Limits) -> Result<(), CgroupError> {
        if let Some(swap) = limits.swap_bytes {
            match self.write(path, "memory.swap.max", &files::bound(swap, "max")) {
                // A kernel without swap accounting has no such file, and no swap to deny.
                Err(CgroupError::Kernel { source: Errno::ENOENT, .. }) if swap <= 0 => {}
                result => result?,
            }
        }
        if let Some(memory) = limits.memory_bytes.filter(|memory| *memory != 0) {
            self.write(path, "memory.max", &files::bound(memory, "max"))?;
        }
        if let Some(group) = limits.oom_group {
            self.write(path, "memory.oom.group", if group { "1" } else { "0" })?;
        }
        Ok(())
    }
}

/// The weight of version 2 for the shares of version 1.
pub(super) fn weight(shares: u64) -> u64 {
    if shares == 0 {
        return 0;
    }
    if shares <= 2 {
        return 1;
    }
    if shares >= 262_144 {
        return 10_000;
    }
    #[allow(clippy::cast_precision_loss, reason = "shares are below 2^18 here")]
    let log = (shares as f64).log2();
    let exponent = (log * log + 125.0 * log) / 612.0 - 7.0 / 34.0;
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 1 and 10000 by the bounds above"
    )]
    let weight = 10f64.powf(exponent).ceil() as u64;
    weight
}

impl Cgroups for Unified {
    fn version(&self) -> Version {
        Version::V2
    }

    fn create(&self, path: &CgroupPath) -> Result<(), CgroupError> {
        let available = files::read(&self.root.join("cgroup.controllers"))?;
        let enabled: Vec<String> = available
            .split_whitespace()
            .filter(|name| CONTROLLERS.contains(name))
            .map(|name| format!("+{name}"))
            .collect();
        let mut group = self.root.clone();
        for part in path.as_str()[1..].split('/') {
            // One by one: one controller that cannot be enabled here must not take the others with it. What then is missing
            // fails where a limit needs it.
            for controller in &enabled {
                let _ = files::write(&group.join("cgroup.subtree_control"), controller);
            }
            group.push(part);
            files::make(&group)?;
        }
        Ok(())
    }

    fn exists(&self, path: &CgroupPath) -> bool {
        self.group(path).exists()
    }

    fn limit(&self, path: &CgroupPath, limits: &Limits) -> Result<(), CgroupError> {
        self.limit_cpu(path, limits)?;
        self.limit_memory(path, limits)?;
        if let Some(pids) = limits.pids.filter(|pids| *pids != 0) {
            self.write(path, "pids.max", &files::bound(pids, "max"))?;
        }
        for (size, bytes) in &limits.hugetlb_bytes {
            self.write(path, &format!("hugetlb.{size}.max"), &bytes.to_string())?;
            // Older kernels have no limit of reservations.
            match self.write(path, &format!("hugetlb.{size}.rsvd.max"), &bytes.to_string()) {
                Err(CgroupError::Kernel { source: Errno::ENOENT | Errno::EACCES, .. }) => {}
                result => result?,
            }
        }
        for (file, value) in &limits.unified {
            if file.contains('/') {
                return Err(CgroupError::InvalidPath { path: file.clone() });
            }
            self.write(path, file, value)?;
        }
        Ok(())
    }

    fn allow_devices(&self, path: &CgroupPath, rules: &[DeviceRule]) -> Result<(), CgroupError> {
        if rules.iter().any(|rule| rule.kind == DeviceKind::Any && rule.major.is_none()) {
            return Ok(());
        }
        device_program::attach(&self.group(path), rules)
    }

    fn attach(&self, path: &CgroupPath, pid: i32) -> Result<(), CgroupError> {
        self.write(path, "cgroup.procs", &pid.to_string())
    }

    fn processes(&self, path: &CgroupPath) -> Result<Vec<i32>, CgroupError> {
        files::processes(&self.group(path))
    }

    fn freeze(&self, path: &CgroupPath, frozen: bool) -> Result<(), CgroupError> {
        self.write(path, "cgroup.freeze", if frozen { "1" } else { "0" })
    }

    fn kill(&self, path: &CgroupPath) -> Result<(), CgroupError> {
        match self.write(path, "cgroup.kill", "1") {
            // Before Linux 5.14, or already gone.
            Err(CgroupError::Kernel { source: Errno::ENOENT, .. }) => {}
            result => return result,
        }
        if !self.exists(path) {
            return Ok(());
        }
        let frozen = self.freeze(path, true).is_ok();
        for pid in self.processes(path)? {
            match kill(Pid::from_raw(pid), Signal::SIGKILL) {
                Ok(()) | Err(Errno::ESRCH) => {}
                Err(source) => {
                    return Err(CgroupError::Kernel { action: "kill in", path: self.group(path), source });
                }
            }
        }
        if frozen { self.freeze(path, false) } else { Ok(()) }
    }

    fn remove(&self, path: &CgroupPath) -> Result<(), CgroupError> {
        if files::remove(&self.group(path))? {
            return Ok(());
        }
        Err(CgroupError::Busy { path: path.clone(), pids: self.processes(path)? })
    }

    fn usage(&self, path: &CgroupPath) -> Result<Usage, CgroupError> {
        let group = self.group(path);
        let memory_bytes = files::number(&group.join("memory.current"))?;
        let inactive = files::field(&files::read(&group.join("memory.stat"))?, "inactive_file");
        let cpu = files::read_if_there(&group.join("cpu.stat"))?.unwrap_or_default();
        let pids =
            files::read_if_there(&group.join("pids.current"))?.and_then(|text| text.trim().parse().ok());
        Ok(Usage {
            cpu_nanos: files::field(&cpu, "usage_usec").saturating_mul(1000),
            memory_bytes,
            working_set_bytes: memory_bytes.saturating_sub(inactive),
            pids: pids.unwrap_or(0),
        })
    }

    fn oom_kills(&self, path: &CgroupPath) -> Result<u64, CgroupError> {
        let text = files::read_if_there(&self.group(path).join("memory.events"))?;
        Ok(text.map_or(0, |text| files::field(&text, "oom_kill")))
    }

    fn wait_empty(&self, path: &CgroupPath, limit: Duration) -> Result<Vec<i32>, CgroupError> {
        drain::wait_empty(limit, || self.processes(path))
    }
}
