//! What a world is about: which workloads its users ask for, and which controllers look after them. Whoever runs a seed says so, by a name: the
//! same seed is another world in each family.

use std::time::Duration;

/// A family of workloads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Family {
    /// Deployments, ReplicaSets, StatefulSets, Pods and Services.
    #[default]
    Applications,
    /// DaemonSets, and nodes that are marked, tainted and cordoned.
    Daemons,
    /// Jobs, whose pods succeed and fail.
    Jobs,
    /// CronJobs.
    Schedules,
}

/// The controllers that are in every world.
const BASE: [&str; 10] = [
    "replica-sets",
    "deployments",
    "stateful-sets",
    "garbage",
    "namespaces",
    "service-accounts",
    "endpoint-slices",
    "node-lifecycle",
    "resource-quotas",
    "taint-eviction",
];

impl Family {
    /// All of them.
    pub const ALL: [Family; 4] = [Family::Applications, Family::Daemons, Family::Jobs, Family::Schedules];

    /// The one of a name.
    pub fn named(name: &str) -> Option<Family> {
        Family::ALL.into_iter().find(|family| family.name() == name)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Family::Applications => "applications",
            Family::Daemons => "daemons",
            Family::Jobs => "jobs",
            Family::Schedules => "schedules",
        }
    }

    /// The controllers that look after it, by the names that [`crate::actors::control`] knows.
    pub fn controllers(self) -> impl Iterator<Item = &'static str> {
        let own: &[&str] = match self {
            Family::Applications => &[],
            Family::Daemons => &["daemon-sets"],
            Family::Jobs => &["jobs", "ttl-after-finished", "pod-garbage"],
            Family::Schedules => &["jobs", "cron-jobs", "ttl-after-finished", "pod-garbage"],
        };
        BASE.into_iter().chain(own.iter().copied())
    }

    /// The kinds of its objects that are not in every world, as their resources' names.
    pub fn kinds(self) -> &'static [&'static str] {
        match self {
            Family::Applications => &[],
            Family::Daemons => &["daemonsets"],
            Family::Jobs => &["jobs"],
            Family::Schedules => &["jobs", "cronjobs"],
        }
    }

    /// How long its users work and faults strike at most.
    pub fn busy(self) -> Duration {
        // Schedules count in minutes.
        Duration::from_secs(if self == Family::Schedules { 300 } else { 90 })
    }
}
