//! What drivers say of themselves and of how much room they have where, and on which nodes they run.
//!
//! Upstream: `hasEnoughCapacity` of `volumebinding`'s binder, `checkCSIDriverOnNode` of `nodevolumelimits`.

use std::collections::{BTreeMap, BTreeSet};

use api_meta::labels::Selector;
use api_types::storage::v1::{CSIDriver, CSINode, CSIStorageCapacity};

use crate::shape::Labels;

/// All that drivers say.
#[derive(Default)]
pub(crate) struct Drivers {
    said: BTreeMap<String, Said>,
    /// The drivers of nodes, by the nodes' names.
    installed: BTreeMap<String, BTreeSet<String>>,
    /// By namespace and name.
    rooms: BTreeMap<(String, String), Room>,
}

/// What a driver says of itself.
struct Said {
    /// Where it has no room that it has published, none of its volumes are made.
    publishes_room: bool,
    /// Where it does not run, none of its volumes can be.
    is_needed: bool,
}

/// How much room there is for a class on some nodes, in bytes.
struct Room {
    class: String,
    nodes: Option<Selector>,
    capacity: Option<i64>,
    largest: Option<i64>,
}

impl Room {
    /// How large a volume can be.
    fn limit(&self) -> Option<i64> {
        self.largest.or(self.capacity)
    }
}

/// Whether a volume can be made somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Making {
    /// Not there at all.
    Impossible,
    /// There is not enough room.
    TooLittleRoom,
    /// It can, where so many bytes are, if anybody says how many.
    Possible(Option<i64>),
}

impl Drivers {
    /// Takes in a driver; `None` if it has gone.
    pub(crate) fn set(&mut self, name: &str, driver: Option<&CSIDriver>) {
        match driver {
            Some(driver) => {
                let said = Said {
                    publishes_room: driver.spec.storage_capacity == Some(true),
                    is_needed: driver.spec.prevent_pod_scheduling_if_missing == Some(true),
                };
                self.said.insert(name.to_owned(), said);
            }
            None => drop(self.said.remove(name)),
        }
    }

    /// Takes in which drivers run on a node; `None` if nobody says.
    pub(crate) fn install(&mut self, node: &str, drivers: Option<&CSINode>) {
        match drivers {
            Some(drivers) => {
                let names = drivers.spec.drivers.iter().map(|driver| driver.name.clone()).collect();
                self.installed.insert(node.to_owned(), names);
            }
            None => drop(self.installed.remove(node)),
        }
    }

    /// Takes in how much room there is; answers whether larger volumes can be made than before.
    pub(crate) fn set_room(&mut self, room: &CSIStorageCapacity) -> bool {
        let key = (room.metadata.namespace.clone(), room.metadata.name.clone());
        let bytes =
            |quantity: &Option<api_record::scalar::Quantity>| quantity.as_ref().map(|own| own.units());
        let room = Room {
            class: room.storage_class_name.clone(),
            nodes: room.node_topology.as_deref().and_then(|own| Selector::from_api(Some(own)).ok()),
            capacity: bytes(&room.capacity),
            largest: bytes(&room.maximum_volume_size),
        };
        let limit = room.limit();
        let before = self.rooms.insert(key, room);
        before.is_none_or(|before| limit.is_some_and(|now| before.limit().is_none_or(|then| now > then)))
    }

    /// Forgets how much room there is.
    pub(crate) fn remove_room(&mut self, namespace: &str, name: &str) {
        self.rooms.remove(&(namespace.to_owned(), name.to_owned()));
    }

    /// Whether a driver may be missing on a node, or runs there.
    pub(crate) fn may_be_used(&self, driver: &str, node: &str) -> bool {
        !self.said.get(driver).is_some_and(|said| said.is_needed)
            || self.installed.get(node).is_some_and(|all| all.contains(driver))
    }

    /// Whether a driver has room for a volume of a class, which is asked to be of so many bytes, on nodes with these labels.
    pub(crate) fn has_room(&self, driver: &str, class: &str, bytes: Option<i64>, labels: &Labels) -> Making {
        let asks = self.said.get(driver).is_some_and(|said| said.publishes_room);
        let Some(bytes) = bytes.filter(|_| asks) else { return Making::Possible(None) };
        let fits = |room: &&Room| {
            room.class == class
                && room.limit().is_some_and(|limit| limit >= bytes)
                && room.nodes.as_ref().is_some_and(|nodes| nodes.matches(labels))
        };
        match self.rooms.values().find(fits) {
            Some(room) => Making::Possible(Some(room.capacity.unwrap_or(0))),
            None => Making::TooLittleRoom,
        }
    }
}
