//! Which labels a node may give itself: kubelet refuses the others at its start (`ValidateKubeletFlags`), since the API would
//! refuse the node with them. Pure.

use std::collections::BTreeSet;

use super::ConfigError;
use crate::arguments::value::Label;

/// The labels of Kubernetes' own that nodes set (`k8s.io/kubelet/pkg/apis/well_known_labels.go`), in order.
const ALLOWED: [&str; 11] = [
    "beta.kubernetes.io/arch",
    "beta.kubernetes.io/instance-type",
    "beta.kubernetes.io/os",
    "failure-domain.beta.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "kubernetes.io/arch",
    "kubernetes.io/hostname",
    "kubernetes.io/os",
    "node.kubernetes.io/instance-type",
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
];

/// The domains whose labels, and those of what lies in them, nodes set.
const PREFIXES: [&str; 2] = ["kubelet.kubernetes.io", "node.kubernetes.io"];

/// Refuses what the API would not let a node give itself.
pub(super) fn check(labels: &[Label]) -> Result<(), ConfigError> {
    let keys: BTreeSet<&str> = labels.iter().map(|label| label.key.as_str()).collect();
    let unknown: Vec<String> = keys.into_iter().filter(|key| !may_be_given(key)).map(str::to_owned).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(ConfigError::Labels { unknown, prefixes: PREFIXES.join(", "), allowed: ALLOWED.join(", ") })
}

fn may_be_given(key: &str) -> bool {
    let domain = key.split_once('/').map_or("", |(domain, _)| domain);
    let within =
        |other: &str| domain.strip_suffix(other).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    let of_kubernetes = within("kubernetes.io") || within("k8s.io");
    !of_kubernetes || ALLOWED.contains(&key) || PREFIXES.into_iter().any(within)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_gives_itself_only_what_kubelet_would() {
        for (key, expected) in [
            ("a", true),
            ("example.com/a", true),
            ("mykubernetes.io/a", true),
            ("kubernetes.io/os", true),
            ("topology.kubernetes.io/zone", true),
            ("node.kubernetes.io/a", true),
            ("a.node.kubernetes.io/b", true),
            ("kubelet.kubernetes.io/a", true),
            ("kubernetes.io/a", false),
            ("k8s.io/a", false),
            ("node-role.kubernetes.io/worker", false),
            ("node-restriction.kubernetes.io/a", false),
        ] {
            assert_eq!(may_be_given(key), expected, "{key}");
        }
    }

    #[test]
    fn the_refusal_is_kubelets() {
        let label = |key: &str| Label { key: key.to_owned(), value: String::new() };
        let given = [label("x.k8s.io/b"), label("node-role.kubernetes.io/worker"), label("fine")];
        let error = check(&given).expect_err("two may not be given").to_string();
        let (first, second) = error.split_once('\n').expect("two lines");
        assert_eq!(
            first,
            "unknown 'kubernetes.io' or 'k8s.io' labels specified with --node-label: [node-role.kubernetes.io/worker x.k8s.io/b]"
        );
        let expected = "--node-label in the 'kubernetes.io' namespace must begin with an allowed prefix (kubelet.kubernetes.io, \
                        node.kubernetes.io) or be in the specifically allowed set (beta.kubernetes.io/arch, ";
        assert!(second.starts_with(expected), "{second}");
    }
}
