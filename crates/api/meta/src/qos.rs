//! A pod's quality of service, from what its containers ask for (`pkg/apis/core/helper/qos`).

use crate::resources::{ResourceList, add};
use api_types::core::v1::{PodSpec, ResourceRequirements};

/// `Guaranteed`, `Burstable` or `BestEffort`.
pub fn class(spec: &PodSpec) -> &'static str {
    let whole = spec
        .resources
        .as_deref()
        .filter(|resources| !resources.limits.is_empty() || !resources.requests.is_empty());
    let each: Vec<&ResourceRequirements> = match whole {
        Some(resources) => vec![resources],
        None => spec.containers.iter().chain(&spec.init_containers).map(|c| &c.resources).collect(),
    };
    let (mut requests, mut limits) = (ResourceList::new(), ResourceList::new());
    let mut guaranteed = true;
    for resources in each {
        let own = counted(&resources.limits);
        guaranteed &= own.len() == 2;
        add(&mut limits, &own);
        add(&mut requests, &counted(&resources.requests));
    }
    if requests.is_empty() && limits.is_empty() {
        "BestEffort"
    } else if guaranteed && requests == limits {
        "Guaranteed"
    } else {
        "Burstable"
    }
}

/// Processor and memory, where anything is asked of them.
fn counted(list: &ResourceList) -> ResourceList {
    let kept = list
        .iter()
        .filter(|(name, quantity)| matches!(name.as_str(), "cpu" | "memory") && quantity.sign() > 0);
    kept.map(|(name, quantity)| (name.clone(), quantity.clone())).collect()
}
