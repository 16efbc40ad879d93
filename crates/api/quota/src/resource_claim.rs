//! What a claim of devices uses: itself, and of each device class as many devices as it may come to hold.

use std::collections::BTreeMap;

use api_types::resource::v1::ResourceClaim;

use crate::list::{ResourceList, whole};

const COUNT: &str = "count/resourceclaims.resource.k8s.io";
const OF_CLASS: &str = ".deviceclass.resource.k8s.io/devices";
/// The most devices that one claim can be given, which is what a request for all of them is counted as.
const MOST_DEVICES: usize = 32;

pub(crate) fn is_measured(name: &str) -> bool {
    name == COUNT || name.ends_with(OF_CLASS)
}

pub(crate) fn usage(claim: &ResourceClaim) -> ResourceList {
    let mut used = ResourceList::from([(COUNT.to_owned(), whole(1))]);
    for request in claim.spec.devices.requests.iter() {
        let mut most: BTreeMap<&str, usize> = BTreeMap::new();
        for one in &request.first_available {
            let own = most.entry(&one.device_class_name).or_default();
            *own = (*own).max(devices(&one.allocation_mode, one.count));
        }
        if let (true, Some(one)) = (request.first_available.is_empty(), request.exactly.as_deref()) {
            most.insert(&one.device_class_name, devices(&one.allocation_mode, one.count));
        }
        for (class, count) in most {
            used.entry(format!("{class}{OF_CLASS}")).or_default().add(&whole(count));
        }
    }
    used
}

fn devices(mode: &str, count: i64) -> usize {
    match mode {
        "ExactCount" => usize::try_from(count).unwrap_or(0),
        "All" => MOST_DEVICES,
        _ => 0,
    }
}
