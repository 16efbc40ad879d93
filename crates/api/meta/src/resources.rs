//! Arithmetic on lists of resources: requests, limits, capacities, quotas.
//!
//! As upstream's `pkg/quota/v1`: a resource that one list lacks counts as nothing of it.

use std::collections::BTreeMap;

use api_record::scalar::Quantity;

/// Quantities by the name of the resource.
pub type ResourceList = BTreeMap<String, Quantity>;

/// Adds each of `more`.
pub fn add(list: &mut ResourceList, more: &ResourceList) {
    for (name, quantity) in more {
        match list.get_mut(name) {
            Some(sum) => sum.add(quantity),
            None => {
                list.insert(name.clone(), quantity.clone());
            }
        }
    }
}

/// Takes each of `less` away; what was not there becomes negative.
pub fn subtract(list: &mut ResourceList, less: &ResourceList) {
    for (name, quantity) in less {
        list.entry(name.clone()).or_default().subtract(quantity);
    }
}

/// Takes each of `less` away, stopping at zero.
pub fn subtract_to_zero(list: &mut ResourceList, less: &ResourceList) {
    subtract(list, less);
    for quantity in list.values_mut().filter(|quantity| quantity.sign() <= 0) {
        *quantity = Quantity::from_millis(0);
    }
}

/// Raises each to that of `other`.
pub fn max(list: &mut ResourceList, other: &ResourceList) {
    for (name, quantity) in other {
        match list.get_mut(name) {
            Some(most) if *most > *quantity => {}
            Some(most) => *most = quantity.clone(),
            None => {
                list.insert(name.clone(), quantity.clone());
            }
        }
    }
}

/// The resources that `request` asks more of than `limit` has, among those that `limit` names; none if it fits.
pub fn exceeded<'a>(request: &ResourceList, limit: &'a ResourceList) -> Vec<&'a str> {
    let over = limit.iter().filter(|(name, most)| request.get(*name).is_some_and(|asked| asked > *most));
    over.map(|(name, _)| name.as_str()).collect()
}

/// Whether `request` fits into `capacity`, which has nothing of what it does not name.
pub fn fits(request: &ResourceList, capacity: &ResourceList) -> bool {
    request.iter().all(|(name, asked)| match capacity.get(name) {
        Some(room) => asked <= room,
        None => asked.sign() <= 0,
    })
}

/// Only the resources of these names.
pub fn mask(list: &ResourceList, names: &[impl AsRef<str>]) -> ResourceList {
    let kept = list.iter().filter(|(name, _)| names.iter().any(|wanted| wanted.as_ref() == name.as_str()));
    kept.map(|(name, quantity)| (name.clone(), quantity.clone())).collect()
}

/// Whether a resource is Kubernetes' own.
pub fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}

/// Whether a resource is one that a node's devices offer.
pub fn is_extended(name: &str) -> bool {
    !is_native(name)
        && !name.starts_with("requests.")
        && crate::names::is_label_key(&format!("requests.{name}")).is_empty()
}

/// Whether nodes are asked for a resource that is not one of those that every node has.
pub fn is_scalar(name: &str) -> bool {
    is_extended(name)
        || name.starts_with("hugepages-")
        || name.starts_with("attachable-volumes-")
        || (is_native(name) && name.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(pairs: &[(&str, &str)]) -> ResourceList {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), text.parse().expect("a quantity"))).collect()
    }

    fn shown(list: &ResourceList) -> String {
        list.iter().map(|(name, quantity)| format!("{name}={quantity}")).collect::<Vec<_>>().join(",")
    }

    #[test]
    fn arithmetic_is_by_resource() {
        let mut sum = list(&[("cpu", "100m"), ("memory", "1Gi")]);
        add(&mut sum, &list(&[("cpu", "1"), ("pods", "3")]));
        assert_eq!(shown(&sum), "cpu=1100m,memory=1Gi,pods=3");
        subtract(&mut sum, &list(&[("cpu", "100m"), ("gpu", "1")]));
        assert_eq!(shown(&sum), "cpu=1,gpu=-1,memory=1Gi,pods=3");
        subtract_to_zero(&mut sum, &list(&[("cpu", "2")]));
        assert_eq!(shown(&sum), "cpu=0,gpu=0,memory=1Gi,pods=3");
        max(&mut sum, &list(&[("memory", "512Mi"), ("pods", "4"), ("x", "1")]));
        assert_eq!(shown(&sum), "cpu=0,gpu=0,memory=1Gi,pods=4,x=1");
        assert_eq!(shown(&mask(&sum, &["pods"])), "pods=4");
    }

    #[test]
    fn fitting_and_exceeding_differ_in_what_is_not_named() {
        let limit = list(&[("cpu", "1")]);
        assert_eq!(exceeded(&list(&[("cpu", "1001m"), ("gpu", "9")]), &limit), ["cpu"]);
        assert!(fits(&list(&[("cpu", "1"), ("gpu", "0")]), &limit));
        assert!(!fits(&list(&[("gpu", "1")]), &limit));
    }

    #[test]
    fn only_scalar_resources_are_extended() {
        for (name, extended, scalar) in [
            ("example.com/gpu", true, true),
            ("hugepages-2Mi", false, true),
            ("storage", false, false),
            ("requests.a/b", false, false),
            ("kubernetes.io/x", false, true),
        ] {
            assert_eq!((is_extended(name), is_scalar(name)), (extended, scalar), "{name}");
        }
    }
}
