//! The pools of devices that slices make up, and what of them a node can reach (`structured/internal/*/pools_*.go`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api_meta::node_affinity::Term;
use api_types::core::v1::NodeSelector;
use api_types::resource::v1::{CounterSet, Device, ResourceSlice};

use crate::DeviceId;

type Labels = BTreeMap<String, String>;

/// A node that devices are looked for on.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its labels.
    pub labels: &'a Labels,
}

/// Whether a node is among those that a selector picks. Any one of its terms is enough.
pub fn selects(selector: &NodeSelector, node: Node<'_>) -> bool {
    selector.node_selector_terms.iter().any(|term| Term::of(term).matches(node.name, node.labels))
}

/// From which nodes something can be reached.
#[derive(Clone, Debug)]
pub(crate) enum Reach {
    Node(String),
    All,
    Terms(Vec<Term>),
    /// As each device says.
    Devices(Vec<Reach>),
    /// Said in a way that is not known, or not at all.
    Unknown,
}

impl Reach {
    fn new(name: Option<&str>, all: Option<bool>, selector: Option<&NodeSelector>) -> Reach {
        match (name.filter(|name| !name.is_empty()), all, selector) {
            (Some(name), ..) => Reach::Node(name.to_owned()),
            (None, Some(true), _) => Reach::All,
            (None, _, Some(selector)) => {
                Reach::Terms(selector.node_selector_terms.iter().map(Term::of).collect())
            }
            (None, ..) => Reach::Unknown,
        }
    }

    fn of_device(device: &Device) -> Reach {
        Reach::new(device.node_name.as_deref(), device.all_nodes, device.node_selector.as_deref())
    }

    fn of_slice(slice: &ResourceSlice) -> Reach {
        let spec = &slice.spec;
        match Reach::new(spec.node_name.as_deref(), spec.all_nodes, spec.node_selector.as_deref()) {
            Reach::Unknown if spec.per_device_node_selection == Some(true) => {
                Reach::Devices(spec.devices.iter().map(Reach::of_device).collect())
            }
            reach => reach,
        }
    }

    fn is_from(&self, node: Node<'_>) -> bool {
        match self {
            Reach::Node(name) => name == node.name,
            Reach::All => true,
            Reach::Terms(terms) => terms.iter().any(|term| term.matches(node.name, node.labels)),
            Reach::Devices(devices) => devices.iter().any(|device| device.is_from(node)),
            Reach::Unknown => false,
        }
    }
}

/// A slice, looked at once.
#[derive(Debug)]
pub(crate) struct Offer {
    pub(crate) slice: Arc<ResourceSlice>,
    /// Of its devices, in their order.
    pub(crate) ids: Vec<DeviceId>,
    reach: Reach,
    /// Has devices whose compatibility cannot be judged.
    is_ignored: bool,
}

impl Offer {
    fn of(slice: Arc<ResourceSlice>) -> Offer {
        let spec = &slice.spec;
        let (driver, pool): (Arc<str>, Arc<str>) =
            (spec.driver.as_str().into(), spec.pool.name.as_str().into());
        let id = |device: &Device| DeviceId {
            driver: Arc::clone(&driver),
            pool: Arc::clone(&pool),
            device: device.name.as_str().into(),
        };
        let has_groups = |device: &Device| {
            device.consumes_counters.iter().any(|consumed| !consumed.compatibility_groups.is_empty())
        };
        Offer {
            ids: spec.devices.iter().map(id).collect(),
            reach: Reach::of_slice(&slice),
            is_ignored: spec.devices.iter().any(has_groups),
            slice,
        }
    }

    /// Whether a device, by its place, can be reached from a node from which some device of the slice can.
    pub(crate) fn is_reachable(&self, at: usize, node: Node<'_>) -> bool {
        match &self.reach {
            Reach::Devices(devices) => devices.get(at).is_some_and(|device| device.is_from(node)),
            _ => true,
        }
    }

    fn generation(&self) -> i64 {
        self.slice.spec.pool.generation
    }

    fn name(&self) -> &str {
        &self.slice.metadata.name
    }

    fn devices(&self) -> impl Iterator<Item = (&DeviceId, &Device)> {
        self.ids.iter().zip(self.slice.spec.devices.iter())
    }
}

/// A pool, by its driver and name.
type PoolKey = (String, String);

/// All slices, sorted into pools.
#[derive(Debug, Default)]
pub struct Inventory {
    pools: BTreeMap<PoolKey, Vec<Offer>>,
    /// The pools with slices of one node, by that.
    local: BTreeMap<String, BTreeSet<PoolKey>>,
    /// Those with slices that are no single node's.
    spread: BTreeSet<PoolKey>,
}

impl Inventory {
    /// Of these slices.
    pub fn of(slices: impl IntoIterator<Item = Arc<ResourceSlice>>) -> Inventory {
        let mut inventory = Inventory::default();
        for slice in slices {
            let key = (slice.spec.driver.clone(), slice.spec.pool.name.clone());
            let offer = Offer::of(slice);
            match &offer.reach {
                Reach::Node(name) => {
                    inventory.local.entry(name.clone()).or_default().insert(key.clone());
                }
                _ => {
                    inventory.spread.insert(key.clone());
                }
            }
            inventory.pools.entry(key).or_default().push(offer);
        }
        for offers in inventory.pools.values_mut() {
            offers.sort_by(|one, other| one.name().cmp(other.name()));
        }
        inventory
    }

    /// What can be reached from a node: pools by driver and name, those with conditions of binding last.
    pub(crate) fn reachable(&self, node: Node<'_>) -> Vec<Pool<'_>> {
        let local = self.local.get(node.name).into_iter().flatten();
        let keys: BTreeSet<&PoolKey> = local.chain(&self.spread).collect();
        let pools = keys.into_iter().filter_map(|key| Pool::of(key, self.pools.get(key)?, node));
        let (last, mut first): (Vec<Pool<'_>>, Vec<Pool<'_>>) = pools.partition(|pool| pool.has_conditions());
        first.extend(last);
        first
    }
}

/// How a pool stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Usable,
    /// Not all of its slices are there.
    Incomplete,
    /// They contradict each other.
    Invalid,
}

/// A pool as a node sees it.
#[derive(Debug)]
pub(crate) struct Pool<'a> {
    pub(crate) key: &'a PoolKey,
    pub(crate) standing: Standing,
    /// Its slices with devices that can be reached, by name.
    pub(crate) here: Vec<&'a Offer>,
    /// Those of which none can.
    elsewhere: Vec<&'a Offer>,
    pub(crate) counters: BTreeMap<&'a str, &'a CounterSet>,
}

impl<'a> Pool<'a> {
    /// The pool of these slices; `None` if the node reaches nothing that is of its newest generation.
    fn of(key: &'a PoolKey, offers: &'a [Offer], node: Node<'_>) -> Option<Pool<'a>> {
        let considered = || offers.iter().filter(|offer| !offer.is_ignored);
        let reachable = || considered().filter(|offer| offer.reach.is_from(node));
        let generation = reachable().map(Offer::generation).max()?;
        let of_generation = |offer: &&Offer| offer.generation() == generation;
        let here: Vec<&Offer> = reachable().filter(of_generation).collect();
        let count = here.first()?.slice.spec.pool.resource_slice_count;
        let is_all = |offers: usize| i64::try_from(offers) == Ok(count);
        let mut pool = Pool {
            key,
            standing: Standing::Usable,
            here: Vec::new(),
            elsewhere: Vec::new(),
            counters: BTreeMap::new(),
        };
        if is_all(here.len()) {
            return Some(pool.build(here, Vec::new()));
        }
        // Slices that are no use to the node may be of a newer generation: then what the node sees is going.
        if offers.iter().any(|offer| offer.generation() > generation) {
            return None;
        }
        let all: Vec<&Offer> = considered().filter(of_generation).collect();
        if !is_all(all.len()) {
            pool.standing = Standing::Incomplete;
            return Some(pool);
        }
        let elsewhere = all.into_iter().filter(|offer| !offer.reach.is_from(node)).collect();
        Some(pool.build(here, elsewhere))
    }

    fn build(mut self, here: Vec<&'a Offer>, elsewhere: Vec<&'a Offer>) -> Pool<'a> {
        let has_counters = |offer: &&Offer| !offer.slice.spec.shared_counters.is_empty();
        let (sets, here): (Vec<&Offer>, Vec<&Offer>) = here.into_iter().partition(has_counters);
        let (more, elsewhere): (Vec<&Offer>, Vec<&Offer>) = elsewhere.into_iter().partition(has_counters);
        let mut is_sound = true;
        for set in sets.iter().chain(&more).flat_map(|offer| &offer.slice.spec.shared_counters) {
            is_sound &= self.counters.insert(&set.name, set).is_none();
        }
        let mut names = BTreeSet::new();
        is_sound &= here.iter().flat_map(|offer| &offer.ids).all(|id| names.insert(&id.device));
        let known = |device: &Device| {
            device.consumes_counters.iter().all(|consumed| {
                let set = self.counters.get(consumed.counter_set.as_str());
                set.is_some_and(|set| consumed.counters.keys().all(|name| set.counters.contains_key(name)))
            })
        };
        is_sound &= here.iter().chain(&elsewhere).all(|offer| offer.slice.spec.devices.iter().all(known));
        if is_sound {
            (self.here, self.elsewhere) = (here, elsewhere);
        } else {
            self.standing = Standing::Invalid;
        }
        self
    }

    /// All devices, reachable or not.
    pub(crate) fn devices(&self) -> impl Iterator<Item = (&'a DeviceId, &'a Device)> {
        self.here.iter().chain(&self.elsewhere).flat_map(|offer| offer.devices())
    }

    fn has_conditions(&self) -> bool {
        let mut devices = self.here.iter().flat_map(|offer| &offer.slice.spec.devices);
        devices.any(|device| !device.binding_conditions.is_empty())
    }

    /// As messages name it.
    pub(crate) fn name(&self) -> String {
        format!("{}/{}", self.key.0, self.key.1)
    }
}
