//! Which nodes have which images.

use std::collections::{BTreeSet, HashMap};

use super::node::NodeIx;

/// An image that some nodes have.
#[derive(Default)]
pub(crate) struct Image {
    /// As the first node reported it.
    pub(crate) size_bytes: i64,
    pub(crate) nodes: BTreeSet<NodeIx>,
    changed: u64,
}

/// All images by name.
#[derive(Default)]
pub(crate) struct Images {
    by_name: HashMap<String, Image>,
    changes: u64,
}

impl Images {
    pub(crate) fn get(&self, name: &str) -> Option<&Image> {
        self.by_name.get(name)
    }

    pub(crate) fn insert(&mut self, name: &str, size_bytes: i64, node: NodeIx) {
        self.changes += 1;
        let image = self.by_name.entry(name.to_owned()).or_default();
        if image.nodes.is_empty() {
            image.size_bytes = size_bytes;
        }
        image.nodes.insert(node);
        image.changed = self.changes;
    }

    pub(crate) fn remove(&mut self, name: &str, node: NodeIx) {
        self.changes += 1;
        if let Some(image) = self.by_name.get_mut(name) {
            image.nodes.remove(&node);
            image.changed = self.changes;
            if image.nodes.is_empty() {
                self.by_name.remove(name);
            }
        }
    }

    /// A number that changes whenever what is known of these images does; 0 if no node has any.
    pub(crate) fn state_of(&self, names: &[String]) -> u64 {
        if self.by_name.is_empty() {
            return 0;
        }
        let present = names.iter().filter_map(|name| self.get(name));
        present.fold(0, |state, image| state.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(image.changed))
    }
}
