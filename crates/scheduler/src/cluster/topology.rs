//! For each topology key in use, the domain of every node as a column of small numbers.

use std::collections::HashMap;
use std::sync::Arc;

use super::node::NodeIx;
use scheduler_arena::SharedId;

/// The place of a topology key's column.
pub(crate) type ColumnId = SharedId<String, Column>;

/// What a count is kept for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Domains {
    /// Each node by itself.
    Nodes,
    /// All nodes with the same value of a label together.
    Label(ColumnId),
}

/// The domains of all nodes under one topology key; 0 stands for nodes without it.
#[derive(Default)]
pub(crate) struct Column {
    domain: Vec<u32>,
    by_value: HashMap<Arc<str>, u32>,
    /// For each domain its value and how many nodes it has.
    values: Vec<(Arc<str>, u32)>,
    free: Vec<u32>,
}

impl Column {
    pub(crate) fn domain(&self, node: NodeIx) -> u32 {
        self.domain.get(node.index()).copied().unwrap_or(0)
    }

    pub(crate) fn domains(&self) -> &[u32] {
        &self.domain
    }

    /// Moves a node to the domain of this value.
    pub(crate) fn set(&mut self, node: NodeIx, value: Option<&str>) {
        let at = node.index();
        if self.domain.len() <= at {
            self.domain.resize(at + 1, 0);
        }
        let before = self.domain[at];
        if before != 0 {
            let (text, nodes) = &mut self.values[before as usize - 1];
            *nodes -= 1;
            if *nodes == 0 {
                self.by_value.remove(&**text);
                self.free.push(before);
            }
        }
        self.domain[at] = value.map_or(0, |value| self.enter(value));
    }

    fn enter(&mut self, value: &str) -> u32 {
        if let Some(&domain) = self.by_value.get(value) {
            self.values[domain as usize - 1].1 += 1;
            return domain;
        }
        let text: Arc<str> = value.into();
        let domain = match self.free.pop() {
            Some(domain) => {
                self.values[domain as usize - 1] = (text.clone(), 1);
                domain
            }
            None => {
                self.values.push((text.clone(), 1));
                self.values.len() as u32
            }
        };
        self.by_value.insert(text, domain);
        domain
    }
}
