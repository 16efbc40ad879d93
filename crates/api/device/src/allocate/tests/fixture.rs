//! A node, what it can reach, and claims.

use std::collections::BTreeMap;
use std::sync::Arc;

use api_record::scalar::Quantity;
use api_types::resource::v1::{
    AllocationResult, Device, DeviceClass, DeviceRequest, DeviceRequestAllocationResult, DeviceSubRequest,
    ExactDeviceRequest, ResourceClaim, ResourceSlice,
};

use crate::allocate::{Allocator, Failure};
use crate::pool::{Inventory, Node};
use crate::selector::Selectors;
use crate::state::AllocatedState;

pub(super) fn quantity(text: &str) -> Quantity {
    text.parse().expect("a quantity")
}

/// A slice of the devices of a node, whose pool has the node's name.
pub(super) fn slice(name: &str, node: &str, devices: &[&str]) -> ResourceSlice {
    let mut slice = ResourceSlice::default();
    slice.metadata.name = name.into();
    slice.spec.driver = "d.io".into();
    slice.spec.pool.name = if node.is_empty() { "pool" } else { node }.into();
    slice.spec.pool.generation = 1;
    slice.spec.pool.resource_slice_count = 1;
    slice.spec.node_name = (!node.is_empty()).then(|| node.to_owned());
    let device = |name: &&str| Device { name: (*name).into(), ..Device::default() };
    slice.spec.devices = devices.iter().map(device).collect();
    slice
}

/// One of so many slices.
pub(super) fn of(count: i64, mut slice: ResourceSlice) -> ResourceSlice {
    slice.spec.pool.resource_slice_count = count;
    slice
}

pub(super) fn in_pool(name: &str, mut slice: ResourceSlice) -> ResourceSlice {
    slice.spec.pool.name = name.into();
    slice
}

pub(super) fn everywhere(mut slice: ResourceSlice) -> ResourceSlice {
    slice.spec.all_nodes = Some(true);
    slice
}

fn exact(name: &str, mode: &str, count: i64) -> DeviceRequest {
    let exact = ExactDeviceRequest {
        device_class_name: "class".into(),
        allocation_mode: mode.into(),
        count,
        ..ExactDeviceRequest::default()
    };
    DeviceRequest { name: name.into(), exactly: Some(Box::new(exact)), first_available: Vec::new() }
}

pub(super) fn exactly(name: &str, count: i64) -> DeviceRequest {
    exact(name, "ExactCount", count)
}

pub(super) fn all(name: &str) -> DeviceRequest {
    exact(name, "All", 0)
}

pub(super) fn of_class(name: &str, class: &str) -> DeviceRequest {
    let mut request = exactly(name, 1);
    request.exactly.as_mut().expect("an exact request").device_class_name = class.into();
    request
}

/// A request for one of these counts, whose names are their places.
pub(super) fn either(name: &str, counts: &[i64]) -> DeviceRequest {
    let alternative = |(at, count): (usize, &i64)| DeviceSubRequest {
        name: at.to_string(),
        device_class_name: "class".into(),
        allocation_mode: "ExactCount".into(),
        count: *count,
        ..DeviceSubRequest::default()
    };
    let first_available = counts.iter().enumerate().map(alternative).collect();
    DeviceRequest { name: name.into(), exactly: None, first_available }
}

pub(super) fn claim(requests: Vec<DeviceRequest>) -> ResourceClaim {
    let mut claim = ResourceClaim::default();
    (claim.metadata.namespace, claim.metadata.name) = ("shop".into(), "c".into());
    claim.spec.devices.requests = requests.into();
    claim
}

/// What one claim gets on the node `n`, in words.
pub(super) fn got(slices: &[ResourceSlice], claim: ResourceClaim) -> String {
    World::of(slices).got(&[claim]).remove(0)
}

pub(super) struct World {
    inventory: Inventory,
    state: AllocatedState,
    pub(super) class: DeviceClass,
}

impl World {
    pub(super) fn of(slices: &[ResourceSlice]) -> World {
        let mut class = DeviceClass::default();
        class.metadata.name = "class".into();
        let inventory = Inventory::of(slices.iter().cloned().map(Arc::new));
        World { inventory, state: AllocatedState::default(), class }
    }

    /// A device of the node's pool is somebody's already.
    pub(super) fn with_allocated(self, device: &str) -> World {
        let mut allocation = AllocationResult::default();
        allocation.devices.results = vec![DeviceRequestAllocationResult {
            driver: "d.io".into(),
            pool: "n".into(),
            device: device.into(),
            ..DeviceRequestAllocationResult::default()
        }];
        self.after(&allocation)
    }

    pub(super) fn after(mut self, allocation: &AllocationResult) -> World {
        self.state.add(allocation);
        self
    }

    fn tried(&self, claims: &[ResourceClaim]) -> Result<Option<Vec<AllocationResult>>, Failure> {
        let labels: BTreeMap<String, String> = [("zone".to_owned(), "a".to_owned())].into();
        let selectors = Selectors::default();
        let classes = [("class".to_owned(), self.class.clone())].into();
        let allocator = Allocator {
            inventory: &self.inventory,
            state: &self.state,
            classes: &classes,
            selectors: &selectors,
        };
        let claims: Vec<&ResourceClaim> = claims.iter().collect();
        allocator.allocate(Node { name: "n", labels: &labels }, &claims)
    }

    pub(super) fn allocate(&self, claims: &[ResourceClaim]) -> Option<Vec<AllocationResult>> {
        self.tried(claims).expect("no failure")
    }

    /// What the claims get, in words; one for all if they do not.
    pub(super) fn got(&self, claims: &[ResourceClaim]) -> Vec<String> {
        match self.tried(claims) {
            Err(failure) => vec![failure.to_string()],
            Ok(None) => vec!["-".to_owned()],
            Ok(Some(results)) => results.iter().map(shown).collect(),
        }
    }
}

fn shown(result: &AllocationResult) -> String {
    let one = |own: &DeviceRequestAllocationResult| {
        let admin = own.admin_access.map(|_| "admin".to_owned());
        let consumed = own.consumed_capacity.iter().map(|(name, amount)| format!("{name}={amount}"));
        let more: Vec<String> = admin.into_iter().chain(consumed).collect();
        let more = if more.is_empty() { String::new() } else { format!("({})", more.join(",")) };
        format!("{}={}{more}", own.request, own.device)
    };
    result.devices.results.iter().map(one).collect::<Vec<_>>().join(" ")
}
