//! The order in which nodes are looked at: round robin over zones, and within a zone as they came.
//!
//! It is laid out anew, lazily, after nodes came, went or moved; a batch of changes costs one pass over the nodes.

use std::collections::HashMap;

use super::node::NodeIx;
use crate::shape::Labels;

/// The nodes by zone.
#[derive(Default)]
pub(crate) struct Order {
    zones: Vec<(String, Vec<NodeIx>)>,
    by_zone: HashMap<String, usize>,
    laid_out: Vec<NodeIx>,
    stale: bool,
    nodes: usize,
}

/// The zone that upstream's node tree keeps a node under.
pub(crate) fn zone(labels: &Labels) -> String {
    let value =
        |stable: &str, beta: &str| labels.get(beta).or_else(|| labels.get(stable)).map_or("", String::as_str);
    let region = value("topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region");
    let zone = value("topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone");
    if region.is_empty() && zone.is_empty() { String::new() } else { format!("{region}:\u{0}:{zone}") }
}

impl Order {
    pub(crate) fn insert(&mut self, node: NodeIx, zone: &str) {
        let at = *self.by_zone.entry(zone.to_owned()).or_insert_with(|| {
            self.zones.push((zone.to_owned(), Vec::new()));
            self.zones.len() - 1
        });
        self.zones[at].1.push(node);
        self.nodes += 1;
        self.stale = true;
    }

    pub(crate) fn remove(&mut self, node: NodeIx, zone: &str) {
        let Some(&at) = self.by_zone.get(zone) else { return };
        let before = self.zones[at].1.len();
        self.zones[at].1.retain(|other| *other != node);
        self.nodes -= before - self.zones[at].1.len();
        if self.zones[at].1.is_empty() {
            self.zones.remove(at);
            self.by_zone = self.zones.iter().enumerate().map(|(at, (zone, _))| (zone.clone(), at)).collect();
        }
        self.stale = true;
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes
    }

    /// Brings the order up to date; [`Order::nodes`] is right until the next change.
    pub(crate) fn lay_out(&mut self) {
        if !self.stale {
            return;
        }
        self.laid_out.clear();
        let longest = self.zones.iter().map(|(_, nodes)| nodes.len()).max().unwrap_or(0);
        for row in 0..longest {
            self.laid_out.extend(self.zones.iter().filter_map(|(_, nodes)| nodes.get(row)));
        }
        self.stale = false;
    }

    pub(crate) fn nodes(&self) -> &[NodeIx] {
        &self.laid_out
    }
}
