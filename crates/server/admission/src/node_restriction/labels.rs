//! Which of its own labels a node may change: not those that could draw pods to it.

use std::collections::{BTreeMap, BTreeSet};

/// The labels of Kubernetes' own that nodes set (`k8s.io/kubelet/pkg/apis/well_known_labels.go`).
const OWN: [&str; 11] = [
    "kubernetes.io/hostname",
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
    "beta.kubernetes.io/instance-type",
    "node.kubernetes.io/instance-type",
    "kubernetes.io/os",
    "kubernetes.io/arch",
    "beta.kubernetes.io/os",
    "beta.kubernetes.io/arch",
];

/// The labels that differ and that a node may not change, in order.
pub(super) fn forbidden(new: &BTreeMap<String, String>, old: &BTreeMap<String, String>) -> Vec<String> {
    let keys: BTreeSet<&String> = new.keys().chain(old.keys()).collect();
    let differing = keys.into_iter().filter(|key| new.get(*key) != old.get(*key));
    differing.filter(|key| !may_change(key)).cloned().collect()
}

fn may_change(label: &str) -> bool {
    let domain = label.split_once('/').map_or("", |(domain, _)| domain);
    if within(domain, "node-restriction.kubernetes.io") {
        return false;
    }
    let of_kubernetes = within(domain, "kubernetes.io") || within(domain, "k8s.io");
    let of_nodes = OWN.contains(&label)
        || within(domain, "kubelet.kubernetes.io")
        || within(domain, "node.kubernetes.io");
    !of_kubernetes || of_nodes
}

/// Whether a domain is another, or lies in it.
fn within(domain: &str, other: &str) -> bool {
    domain.strip_suffix(other).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}
