//! Whether a node has room for a pod: what is left of what it has, less what its other pods were given.
//!
//! Upstream: `NodeResourcesFit` as kubelet asks it at admission (`pkg/kubelet/lifecycle/predicate.go`), in its words.

use api_meta::pod_resources::{Count, requests};
use api_meta::resources::{ResourceList, add, is_extended, is_scalar};
use api_record::scalar::Quantity;
use api_types::core::v1::Pod;

/// What a node has too little of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// The resource.
    pub resource: String,
    /// What was asked for; CPUs in thousandths, as the others here.
    pub requested: i64,
    /// What others have.
    pub used: i64,
    /// What there is.
    pub capacity: i64,
}

impl Shortage {
    /// One word, for the pod's status.
    pub fn reason(&self) -> String {
        format!("OutOf{}", self.resource)
    }

    /// A sentence.
    pub fn message(&self) -> String {
        let Shortage { resource, requested, used, capacity } = self;
        format!(
            "Node didn't have enough resource: {resource}, requested: {requested}, used: {used}, capacity: {capacity}"
        )
    }

    /// How much is missing.
    pub fn missing(&self) -> i64 {
        self.requested.saturating_sub(self.capacity.saturating_sub(self.used))
    }
}

/// What a pod asks for of a node.
pub fn demand(pod: &Pod) -> ResourceList {
    requests(pod, Count::Wished)
}

/// What a node of these resources lacks for a pod beside others, of which are given how many there are and what they have; the first
/// is what kubelet names.
pub fn shortages<'a>(
    pod: &Pod,
    others: impl Iterator<Item = &'a ResourceList>,
    allocatable: &ResourceList,
) -> Vec<Shortage> {
    let (mut count, mut used) = (0_i64, ResourceList::new());
    for other in others {
        count += 1;
        add(&mut used, other);
    }
    let has = |list: &ResourceList, name: &str| list.get(name).map_or(0, |amount| value(name, amount));
    let mut short = Vec::new();
    let pods = has(allocatable, "pods");
    if count + 1 > pods {
        short.push(Shortage { resource: "pods".into(), requested: 1, used: count, capacity: pods });
    }
    let wanted = demand(pod);
    let basic = ["cpu", "memory", "ephemeral-storage"];
    let others = wanted.keys().map(String::as_str).filter(|name| !basic.contains(name) && is_scalar(name));
    // Extended resources that the node does not know are somebody else's to count.
    let known = others.filter(|name| !is_extended(name) || allocatable.contains_key(*name));
    for name in basic.into_iter().chain(known) {
        let (requested, used, capacity) = (has(&wanted, name), has(&used, name), has(allocatable, name));
        if requested > 0 && requested > capacity.saturating_sub(used) {
            short.push(Shortage { resource: name.to_owned(), requested, used, capacity });
        }
    }
    short
}

/// An amount in the unit in which it is counted: CPUs in thousandths.
pub(crate) fn value(name: &str, amount: &Quantity) -> i64 {
    if name == "cpu" { amount.millis() } else { amount.units() }
}

#[cfg(test)]
mod tests {
    use api_types::core::v1::{Container, ResourceRequirements};

    use super::*;

    fn list(text: &str) -> ResourceList {
        let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
        pairs.map(|(name, value)| (name.to_owned(), value.parse().expect("a quantity"))).collect()
    }

    #[test]
    fn a_node_gives_no_more_than_it_has() {
        let node = "cpu=2,memory=1Gi,pods=3,example.com/gpu=1";
        let cases: &[(&str, &[&str], &str, &[&str])] = &[
            ("cpu=2,memory=1Gi", &[], node, &[]),
            ("cpu=2001m", &[], node, &["OutOfcpu 2001 0 2000"]),
            (
                "cpu=500m,memory=1Gi",
                &["cpu=1,memory=1", "cpu=600m"],
                node,
                &["OutOfcpu 500 1600 2000", "OutOfmemory 1073741824 1 1073741824"],
            ),
            ("", &["", "", ""], node, &["OutOfpods 1 3 3"]),
            ("cpu=0", &["cpu=9"], node, &[]),
            ("example.com/gpu=1", &["example.com/gpu=1"], node, &["OutOfexample.com/gpu 1 1 1"]),
            ("example.com/other=1", &[], node, &[]),
            ("hugepages-2Mi=2Mi", &[], node, &["OutOfhugepages-2Mi 2097152 0 0"]),
            ("ephemeral-storage=1", &[], node, &["OutOfephemeral-storage 1 0 0"]),
        ];
        for (wanted, others, node, expected) in cases {
            let mut pod = Pod::default();
            let resources =
                ResourceRequirements { requests: list(wanted), ..ResourceRequirements::default() };
            pod.spec.containers = vec![Container { resources, ..Container::default() }].into();
            let others: Vec<ResourceList> = others.iter().map(|text| list(text)).collect();
            let short = shortages(&pod, others.iter(), &list(node));
            let shown: Vec<String> = short
                .iter()
                .map(|one| format!("{} {} {} {}", one.reason(), one.requested, one.used, one.capacity))
                .collect();
            assert_eq!(&shown, expected, "{wanted}");
        }
    }

    #[test]
    fn what_is_missing_is_said_in_kubelets_words() {
        let short = Shortage { resource: "cpu".into(), requested: 500, used: 1600, capacity: 2000 };
        assert_eq!(
            short.message(),
            "Node didn't have enough resource: cpu, requested: 500, used: 1600, capacity: 2000"
        );
        assert_eq!(short.missing(), 100);
    }
}
