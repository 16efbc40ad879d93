//! What a status says of resources: what was given, and what of it is in force.
//!
//! Upstream: `convertContainerStatusResources` and `convertToAPIPodLevelResourcesStatus` of kubelet's `kubelet_pods.go`. What is in force is
//! what control groups were told, read back as kubelet reads it: shares and quotas have least values, below which nothing is told apart.

use api_meta::pod_resources::{Count, limits, requests};
use api_record::scalar::{Quantity, QuantityFormat};
use api_types::core::v1::{Container, Pod, ResourceRequirements};
use host::cgroup::Limits;

use crate::record::{ContainerRecord, PodRecord};
use crate::resize::in_force;
use crate::resources::amounts_limits;

/// The least request of CPUs that shares tell apart, in thousandths.
const CPU_REQUEST_MIN_MILLIS: i64 = 2;
/// The least limit of CPUs that quotas tell apart, in thousandths.
const CPU_LIMIT_MIN_MILLIS: i64 = 10;

/// What a container that runs has; what it was given, for one that does not. `container` is as it was granted.
pub(super) fn of_container(
    container: &Container,
    known: &ContainerRecord,
    record: &PodRecord,
) -> ResourceRequirements {
    let mut shown = container.resources.clone();
    if !known.is_running() {
        return shown;
    }
    let amounts = in_force(known, record, &container.name).amounts();
    let told = Told::of(&amounts_limits(amounts));
    if !shown.limits.is_empty() {
        told.show_cpu_limit(&mut shown);
        if let Some(bytes) = told.memory_limit_bytes {
            shown.limits.insert("memory".to_owned(), bytes_of(bytes));
        }
    }
    if !shown.requests.is_empty() {
        told.show_cpu_request(&mut shown);
        if amounts.memory_request_bytes > 0 {
            shown.requests.insert("memory".to_owned(), bytes_of(amounts.memory_request_bytes));
        }
    }
    shown
}

/// What a pod as a whole has; what it was given, before it runs. `pod` is as it was granted.
pub(super) fn of_pod(pod: &Pod, record: &PodRecord, is_running: bool) -> ResourceRequirements {
    let own = || pod.spec.resources.as_deref().cloned().unwrap_or_default();
    let given = requests(pod, Count::Wished);
    if !is_running {
        return ResourceRequirements { requests: given, limits: limits(pod, Count::Wished), ..own() };
    }
    let mut shown = own();
    let told = Told::of(&record.group);
    told.show_cpu_request(&mut shown);
    if let (false, Some(memory)) = (shown.requests.contains_key("memory"), given.get("memory")) {
        shown.requests.insert("memory".to_owned(), memory.clone());
    }
    told.show_cpu_limit(&mut shown);
    if let Some(bytes) = told.memory_limit_bytes {
        shown.limits.insert("memory".to_owned(), bytes_of(bytes));
    }
    shown
}

/// What a control group was told, in the units of the API.
struct Told {
    cpu_request_millis: Option<i64>,
    cpu_limit_millis: Option<i64>,
    memory_limit_bytes: Option<i64>,
}

impl Told {
    fn of(limits: &Limits) -> Told {
        let positive = |amount: &i64| *amount > 0;
        let shares = limits.cpu_shares.map(|shares| i64::try_from(shares).unwrap_or(i64::MAX));
        // Rounded up, so that what was rounded down to shares is found again.
        let request = shares.map(|shares| (shares.saturating_mul(1000)).saturating_add(1023) / 1024);
        let period = limits.cpu_period_micros.map_or(0, |period| i64::try_from(period).unwrap_or(i64::MAX));
        let quota = limits.cpu_quota_micros.filter(|quota| *quota > 0 && period > 0);
        Told {
            cpu_request_millis: request.filter(positive),
            cpu_limit_millis: quota.map(|quota| quota.saturating_mul(1000) / period).filter(positive),
            memory_limit_bytes: limits.memory_bytes.filter(positive),
        }
    }

    fn show_cpu_request(&self, shown: &mut ResourceRequirements) {
        let given = shown.requests.get("cpu").map_or(0, Quantity::millis);
        if let Some(millis) = self.cpu_request_millis
            && (millis > CPU_REQUEST_MIN_MILLIS || given > CPU_REQUEST_MIN_MILLIS)
        {
            shown.requests.insert("cpu".to_owned(), Quantity::from_millis(millis));
        }
    }

    fn show_cpu_limit(&self, shown: &mut ResourceRequirements) {
        let given = shown.limits.get("cpu").map_or(0, Quantity::millis);
        if let Some(millis) = self.cpu_limit_millis
            && (millis > CPU_LIMIT_MIN_MILLIS || given > CPU_LIMIT_MIN_MILLIS)
        {
            shown.limits.insert("cpu".to_owned(), Quantity::from_millis(millis));
        }
    }
}

fn bytes_of(bytes: i64) -> Quantity {
    Quantity::from_units(bytes, QuantityFormat::BinarySi)
}
