//! The places of the built-in groups and versions among all: facts of upstream (`pkg/controlplane/apiserver/aggregator.go`,
//! `cmd/kube-apiserver/app/aggregator.go`).

/// The place of a definition's versions: behind all that is built in, versions among themselves by their names.
pub const OF_DEFINITIONS: Priority = Priority { group: 1000, version: 100 };

/// A place in discovery: higher comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Priority {
    /// Of the group among groups: the highest of its versions counts.
    pub group: i32,
    /// Of the version within the group.
    pub version: i32,
}

/// The place of APIServices themselves: before all else (`handler_discovery.go`), which no APIService can say.
const OF_API_SERVICES: Priority = Priority { group: 20_001, version: 0 };

/// The place of what nodes and pods use, which no APIService says either as long as nobody brings a server of his own for it:
/// metrics-server's.
const OF_METRICS: Priority = Priority { group: 100, version: 100 };

/// The versions of a group with their places.
type Versions = &'static [(&'static str, i32)];

/// The groups with their places, and the versions with theirs.
const BUILT_IN: &[(&str, i32, Versions)] = &[
    ("", 18_000, &[("v1", 1)]),
    ("admissionregistration.k8s.io", 16_700, &[("v1", 15), ("v1beta1", 12), ("v1alpha1", 9)]),
    ("apiextensions.k8s.io", 16_700, &[("v1", 15)]),
    ("apps", 17_800, &[("v1", 15)]),
    ("authentication.k8s.io", 17_700, &[("v1", 15), ("v1beta1", 9), ("v1alpha1", 1)]),
    ("authorization.k8s.io", 17_600, &[("v1", 15)]),
    ("autoscaling", 17_500, &[("v1", 15), ("v2", 30), ("v2beta1", 9), ("v2beta2", 1)]),
    ("batch", 17_400, &[("v1", 15), ("v1beta1", 9), ("v2alpha1", 9)]),
    ("certificates.k8s.io", 17_300, &[("v1", 15), ("v1beta1", 9), ("v1alpha1", 1)]),
    ("coordination.k8s.io", 16_500, &[("v1", 15), ("v1beta1", 13), ("v1alpha2", 12)]),
    ("discovery.k8s.io", 16_200, &[("v1", 15), ("v1beta1", 12)]),
    ("events.k8s.io", 17_750, &[("v1", 15), ("v1beta1", 5)]),
    (
        "flowcontrol.apiserver.k8s.io",
        16_100,
        &[("v1", 21), ("v1beta3", 18), ("v1beta2", 15), ("v1beta1", 12), ("v1alpha1", 9)],
    ),
    ("internal.apiserver.k8s.io", 16_000, &[("v1alpha1", 9)]),
    ("lifecycle.k8s.io", 15_700, &[("v1alpha1", 1)]),
    ("networking.k8s.io", 17_200, &[("v1", 15), ("v1beta1", 9)]),
    ("node.k8s.io", 16_300, &[("v1", 15), ("v1alpha1", 1), ("v1beta1", 9)]),
    ("policy", 17_100, &[("v1", 15), ("v1beta1", 9)]),
    ("rbac.authorization.k8s.io", 17_000, &[("v1", 15)]),
    ("resource.k8s.io", 16_200, &[("v1", 21), ("v1beta2", 15), ("v1beta1", 9), ("v1alpha3", 1)]),
    ("scheduling.k8s.io", 16_600, &[("v1", 15), ("v1beta1", 9), ("v1alpha3", 3)]),
    ("storage.k8s.io", 16_800, &[("v1", 15), ("v1beta1", 9), ("v1alpha1", 1)]),
    ("storagemigration.k8s.io", 15_800, &[("v1", 15), ("v1beta1", 9)]),
];

/// The place of a built-in group and version; `None` for those that are registered with no place of their own.
pub fn of(group: &str, version: &str) -> Option<Priority> {
    let (_, own, versions) = BUILT_IN.iter().find(|(name, ..)| *name == group)?;
    let (_, version) = versions.iter().find(|(name, _)| *name == version)?;
    Some(Priority { group: *own, version: *version })
}

/// The place in discovery of a group and version that this server serves, and that no APIService gives another.
pub fn in_discovery(group: &str, version: &str) -> Priority {
    match group {
        "apiregistration.k8s.io" => OF_API_SERVICES,
        "metrics.k8s.io" => OF_METRICS,
        _ => of(group, version).unwrap_or(OF_DEFINITIONS),
    }
}
