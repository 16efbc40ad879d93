//! Control groups in memory, for simulations and for tests of code that plans: what was asked is recorded, nothing is done.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{CgroupError, CgroupPath, Cgroups, DeviceRule, Limits, Usage, Version};

/// One group as the simulation knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SimGroup {
    /// The last limits set.
    pub limits: Limits,
    /// Its processes.
    pub pids: BTreeSet<i32>,
    /// Whether it is frozen.
    pub frozen: bool,
    /// What it pretends to have used.
    pub usage: Usage,
    /// How many out-of-memory kills it pretends to have had.
    pub oom_kills: u64,
}

/// A machine's groups, simulated.
#[derive(Debug)]
pub struct SimCgroups {
    version: Version,
    groups: Mutex<BTreeMap<CgroupPath, SimGroup>>,
}

impl SimCgroups {
    /// A machine without groups.
    pub fn new(version: Version) -> SimCgroups {
        SimCgroups { version, groups: Mutex::default() }
    }

    /// All groups now.
    pub fn groups(&self) -> BTreeMap<CgroupPath, SimGroup> {
        self.lock().clone()
    }

    /// Changes a group as a machine would by itself: usage, kills, processes that exit.
    pub fn change(&self, path: &CgroupPath, change: impl FnOnce(&mut SimGroup)) {
        change(self.lock().entry(path.clone()).or_default());
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<CgroupPath, SimGroup>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, path: &CgroupPath, act: impl FnOnce(&mut SimGroup) -> T) -> Result<T, CgroupError> {
        self.lock().get_mut(path).map(act).ok_or_else(|| CgroupError::Kernel {
            action: "write",
            path: path.as_str().into(),
            source: nix::errno::Errno::ENOENT,
        })
    }
}

fn is_within(path: &CgroupPath, ancestor: &CgroupPath) -> bool {
    path == ancestor
        || path.as_str().strip_prefix(ancestor.as_str()).is_some_and(|rest| rest.starts_with('/'))
}

impl Cgroups for SimCgroups {
    fn version(&self) -> Version {
        self.version
    }

    fn create(&self, path: &CgroupPath) -> Result<(), CgroupError> {
        let mut groups = self.lock();
        let mut parent = String::new();
        for part in path.as_str()[1..].split('/') {
            parent = format!("{parent}/{part}");
            groups.entry(CgroupPath::parse(&parent)?).or_default();
        }
        Ok(())
    }

    fn exists(&self, path: &CgroupPath) -> bool {
        self.lock().contains_key(path)
    }

    fn limit(&self, path: &CgroupPath, limits: &Limits) -> Result<(), CgroupError> {
        self.with(path, |group| group.limits = limits.clone())
    }

    fn allow_devices(&self, path: &CgroupPath, _rules: &[DeviceRule]) -> Result<(), CgroupError> {
        self.with(path, |_| ())
    }

    fn attach(&self, path: &CgroupPath, pid: i32) -> Result<(), CgroupError> {
        for group in self.lock().values_mut() {
            group.pids.remove(&pid);
        }
        self.with(path, |group| {
            group.pids.insert(pid);
        })
    }

    fn processes(&self, path: &CgroupPath) -> Result<Vec<i32>, CgroupError> {
        let groups = self.lock();
        let within = groups.iter().filter(|(group, _)| is_within(group, path));
        Ok(within.flat_map(|(_, group)| group.pids.iter().copied()).collect())
    }

    fn freeze(&self, path: &CgroupPath, frozen: bool) -> Result<(), CgroupError> {
        self.with(path, |group| group.frozen = frozen)
    }

    fn kill(&self, path: &CgroupPath) -> Result<(), CgroupError> {
        for (_, group) in self.lock().iter_mut().filter(|(group, _)| is_within(group, path)) {
            group.pids.clear();
        }
        Ok(())
    }

    fn remove(&self, path: &CgroupPath) -> Result<(), CgroupError> {
        let pids = self.processes(path)?;
        if !pids.is_empty() {
            return Err(CgroupError::Busy { path: path.clone(), pids });
        }
        self.lock().retain(|group, _| !is_within(group, path));
        Ok(())
    }

    fn usage(&self, path: &CgroupPath) -> Result<Usage, CgroupError> {
        self.with(path, |group| group.usage)
    }

    fn oom_kills(&self, path: &CgroupPath) -> Result<u64, CgroupError> {
        Ok(self.lock().get(path).map_or(0, |group| group.oom_kills))
    }

    fn wait_empty(&self, path: &CgroupPath, _limit: Duration) -> Result<Vec<i32>, CgroupError> {
        self.processes(path)
    }
}
