//! The nodes, as columns: what they have, what of it is taken, and what they say of themselves.
//!
//! A node has a slot from the first time that it is named, be it by a pod that is bound to it, until neither the node nor
//! a pod of it is left. Its stamp changes with whatever the node's own filters and scores look at, and never repeats.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use api_meta::resources::is_scalar;
use api_types::core::v1::Node;

use super::pod::PodId;
use crate::demand::{Amounts, Demand, count};
use crate::filters::node_resources_fit::{Extended, Room};
use crate::shape::Labels;
use scheduler_filters::node_ports::HostPort;
use scheduler_filters::taint_toleration::Taint;

/// A node's slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeIx(u32);

impl NodeIx {
    pub(crate) fn at(index: usize) -> NodeIx {
        NodeIx(u32::try_from(index).expect("a cluster has fewer than 2^32 nodes"))
    }

    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a node says of itself, apart from its resources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) labels: Labels,
    pub(crate) taints: Vec<Taint>,
    pub(crate) unschedulable: bool,
}

impl Facts {
    pub(crate) fn of(node: &Node) -> Facts {
        Facts {
            labels: node.metadata.labels.clone(),
            taints: node.spec.taints.iter().filter_map(Taint::of).collect(),
            unschedulable: node.spec.unschedulable,
        }
    }
}

/// What a node has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Allocatable {
    pub(crate) amounts: Amounts,
    pub(crate) extended: Vec<(Arc<str>, i64)>,
}

impl Allocatable {
    pub(crate) fn of(node: &Node) -> Allocatable {
        let list = &node.status.allocatable;
        let amount = |name: &str| list.get(name).map_or(0, |quantity| count(name, quantity));
        Allocatable {
            amounts: Amounts {
                cpu_milli: amount("cpu"),
                memory_bytes: amount("memory"),
                ephemeral_bytes: amount("ephemeral-storage"),
                pods: amount("pods"),
            },
            extended: list
                .iter()
                .filter(|(name, _)| is_scalar(name))
                .map(|(name, quantity)| (Arc::from(name.as_str()), quantity.units()))
                .collect(),
        }
    }
}

/// The columns; each is indexed by a node's slot.
#[derive(Default)]
pub(crate) struct Nodes {
    by_name: HashMap<Arc<str>, NodeIx>,
    free: Vec<NodeIx>,
    pub(crate) name: Vec<Arc<str>>,
    /// Whether the node itself has been seen, not just pods of it.
    pub(crate) known: Vec<bool>,
    pub(crate) allocatable: Vec<Amounts>,
    pub(crate) requested: Vec<Amounts>,
    /// CPU and memory taken, as scores count them.
    pub(crate) scored: Vec<[i64; 2]>,
    pub(crate) extended: Vec<Vec<Extended>>,
    pub(crate) ports: Vec<BTreeMap<HostPort, u32>>,
    pub(crate) facts: Vec<Facts>,
    pub(crate) images: Vec<Vec<String>>,
    pub(crate) stamp: Vec<u32>,
    pub(crate) pods: Vec<Vec<PodId>>,
}

impl Nodes {
    pub(crate) fn find(&self, name: &str) -> Option<NodeIx> {
        self.by_name.get(name).copied()
    }

    /// The slots of all nodes that are known.
    pub(crate) fn all(&self) -> impl Iterator<Item = NodeIx> {
        (0..self.slots()).filter(|at| self.known[*at]).map(NodeIx::at)
    }

    /// How many slots there are, used or not.
    pub(crate) fn slots(&self) -> usize {
        self.name.len()
    }

    /// The slot of a node, a new one if need be.
    pub(crate) fn slot(&mut self, name: &str) -> NodeIx {
        if let Some(node) = self.find(name) {
            return node;
        }
        let name: Arc<str> = name.into();
        let node = match self.free.pop() {
            Some(node) => {
                self.name[node.index()] = name.clone();
                node
            }
            None => self.push(name.clone()),
        };
        self.by_name.insert(name, node);
        self.touch(node);
        node
    }

    fn push(&mut self, name: Arc<str>) -> NodeIx {
        let node = NodeIx::at(self.name.len());
        self.name.push(name);
        self.known.push(false);
        self.allocatable.push(Amounts::default());
        self.requested.push(Amounts::default());
        self.scored.push([0, 0]);
        self.extended.push(Vec::new());
        self.ports.push(BTreeMap::new());
        self.facts.push(Facts::default());
        self.images.push(Vec::new());
        self.stamp.push(0);
        self.pods.push(Vec::new());
        node
    }

    /// Gives a slot back once neither the node nor any pod of it is there.
    pub(crate) fn release(&mut self, node: NodeIx) {
        let at = node.index();
        if !self.known[at] && self.pods[at].is_empty() {
            self.by_name.remove(&self.name[at]);
            self.extended[at].clear();
            self.free.push(node);
        }
    }

    /// What the node's own filters and scores look at has changed.
    pub(crate) fn touch(&mut self, node: NodeIx) {
        self.stamp[node.index()] += 1;
    }

    /// Sets what the node has.
    pub(crate) fn set_allocatable(&mut self, node: NodeIx, allocatable: &Allocatable) {
        let at = node.index();
        self.allocatable[at] = allocatable.amounts;
        let extended = &mut self.extended[at];
        for resource in extended.iter_mut() {
            resource.allocatable = 0;
        }
        for (name, amount) in &allocatable.extended {
            resource(extended, name).allocatable = *amount;
        }
        extended.retain(|resource| resource.allocatable != 0 || resource.requested != 0);
        self.touch(node);
    }

    /// Adds a pod's demand to what is taken, or takes it away again.
    pub(crate) fn take(&mut self, node: NodeIx, demand: &Demand, ports: &[HostPort], sign: i64) {
        let at = node.index();
        let (requested, amounts) = (&mut self.requested[at], &demand.amounts);
        requested.cpu_milli += sign * amounts.cpu_milli;
        requested.memory_bytes += sign * amounts.memory_bytes;
        requested.ephemeral_bytes += sign * amounts.ephemeral_bytes;
        requested.pods += sign * amounts.pods;
        self.scored[at][0] += sign * demand.scored_cpu_milli;
        self.scored[at][1] += sign * demand.scored_memory_bytes;
        for (name, amount) in &demand.extended {
            resource(&mut self.extended[at], name).requested += sign * amount;
        }
        for port in ports {
            let uses = self.ports[at].entry(port.clone()).or_insert(0);
            if sign > 0 {
                *uses += 1;
            } else {
                *uses -= 1;
                if *uses == 0 {
                    self.ports[at].remove(port);
                }
            }
        }
        self.touch(node);
    }

    /// What the resource filter looks at.
    pub(crate) fn room(&self, node: NodeIx) -> Room<'_> {
        let at = node.index();
        Room {
            allocatable: &self.allocatable[at],
            requested: &self.requested[at],
            extended: &self.extended[at],
        }
    }
}

fn resource<'a>(extended: &'a mut Vec<Extended>, name: &Arc<str>) -> &'a mut Extended {
    let at = extended.iter().position(|resource| resource.name == *name).unwrap_or_else(|| {
        extended.push(Extended { name: name.clone(), allocatable: 0, requested: 0 });
        extended.len() - 1
    });
    &mut extended[at]
}
