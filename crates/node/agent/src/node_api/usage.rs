//! What the machine, its pods and their containers use now, as the kernel counts it.

use base::time::Time;
use host::cgroup::{CgroupPath, Cgroups, Usage};
use node_pod::record::{ContainerRecord, State};
use node_pod::resources;

use super::Entry;
use crate::core::{Core, blocking};
use crate::error::AgentError;
use crate::machine;

/// What is used on a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// What the node is called.
    pub node: String,
    /// When it was counted.
    pub at: Time,
    /// The memory of the machine, in bytes.
    pub memory_bytes: u64,
    /// On all of the machine.
    pub machine: Usage,
    /// By each pod that has a control group.
    pub pods: Vec<UsedByPod>,
    /// Whether something could not be counted.
    pub incomplete: bool,
}

/// What a pod uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsedByPod {
    /// Its uid.
    pub uid: String,
    /// When the node first saw it, in nanoseconds since the Unix epoch.
    pub seen_nanos: i64,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// All of it.
    pub all: Usage,
    /// Its containers that run.
    pub containers: Vec<UsedByContainer>,
}

/// What a container uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsedByContainer {
    /// Its name.
    pub name: String,
    /// When it started, in nanoseconds since the Unix epoch.
    pub started_nanos: i64,
    /// All of it.
    pub all: Usage,
}

/// Counts.
pub(super) async fn count(core: &Core) -> Used {
    let cgroups = core.runtime.cgroups();
    let snapshot = core.pods.snapshot();
    let known: Vec<(Entry, CgroupPath)> = core
        .directory
        .entries()
        .into_iter()
        .filter_map(|entry| {
            let object = snapshot.get(&entry.record.namespace, &entry.record.name)?;
            let group = resources::cgroup(&core.config.cgroup, object.downcast_ref()?).ok()?;
            Some((entry, group))
        })
        .collect();
    let at = core.clock.now();
    let counted = blocking(move || Ok::<_, AgentError>(counted(&*cgroups, known))).await;
    let counted = counted.unwrap_or_else(|error| {
        tracing::warn!(error = %base::error::Chain(&error), "usage.count");
        Used { incomplete: true, ..Used::default() }
    });
    let memory_bytes = u64::try_from(core.machine.memory_bytes).unwrap_or_default();
    Used { node: core.config.node_name.clone(), at, memory_bytes, ..counted }
}

fn counted(cgroups: &dyn Cgroups, known: Vec<(Entry, CgroupPath)>) -> Used {
    let mut used = Used { machine: machine::used(), ..Used::default() };
    for (entry, group) in known {
        // A pod that has no sandbox yet, or no more, uses nothing.
        if !cgroups.exists(&group) {
            continue;
        }
        let mut usage = |group: &CgroupPath| {
            let usage = cgroups.usage(group);
            used.incomplete |= usage.is_err();
            usage.unwrap_or_default()
        };
        let all = usage(&group);
        let record = entry.record;
        let running = record.containers.iter().filter_map(|(name, known)| {
            let (started_nanos, group) = running(known, &group)?;
            Some(UsedByContainer { name: name.clone(), started_nanos, all: usage(&group) })
        });
        let containers = running.collect();
        let (uid, seen_nanos) = (record.uid, record.seen_nanos);
        let (namespace, name) = (record.namespace, record.name);
        used.pods.push(UsedByPod { uid, seen_nanos, namespace, name, all, containers });
    }
    used
}

/// When a container that runs has started, and its control group.
fn running(known: &ContainerRecord, pod: &CgroupPath) -> Option<(i64, CgroupPath)> {
    match known.state {
        State::Running(started_nanos) => Some((started_nanos, pod.join(&known.id).ok()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use host::cgroup::Version;
    use host::cgroup::sim::SimCgroups;
    use node_pod::record::PodRecord;

    use super::*;

    #[test]
    fn pods_and_what_runs_in_them_are_counted() {
        let cgroups = SimCgroups::new(Version::V2);
        let group = CgroupPath::parse("/kubepods/pod7").expect("a path");
        let container = group.join("abc").expect("a path");
        let usage = |cpu_nanos| Usage { cpu_nanos, ..Usage::default() };
        for (path, cpu) in [(&group, 5), (&container, 3)] {
            cgroups.create(path).expect("made");
            cgroups.change(path, |group| group.usage = usage(cpu));
        }
        let mut record = PodRecord::new("7", "shop", "web", 0);
        let known = ContainerRecord { id: "abc".into(), state: State::Running(9), ..Default::default() };
        record.containers.insert("runs".into(), known);
        record.containers.insert("waits".into(), ContainerRecord::default());
        let entry = |record| Entry { record, ..Entry::default() };
        let absent = (
            entry(PodRecord::new("8", "shop", "new", 0)),
            CgroupPath::parse("/kubepods/pod8").expect("a path"),
        );
        let used = counted(&cgroups, vec![(entry(record), group), absent]);
        let runs = UsedByContainer { name: "runs".into(), started_nanos: 9, all: usage(3) };
        let web = UsedByPod {
            uid: "7".into(),
            seen_nanos: 0,
            namespace: "shop".into(),
            name: "web".into(),
            all: usage(5),
            containers: vec![runs],
        };
        assert_eq!((used.pods, used.incomplete), (vec![web], false));
    }
}
