//! A cohort: pods of one namespace with the same labels. For terms and constraints all of them are the same pod.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::matcher::MatcherId;
use super::node::NodeIx;
use crate::shape::Labels;
use scheduler_arena::SharedId;

/// The place of a cohort.
pub(crate) type CohortId = SharedId<CohortKey, Cohort>;

/// What the pods of a cohort have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CohortKey {
    pub(crate) namespace: String,
    pub(crate) labels: Labels,
    pub(crate) terminating: bool,
}

/// Where a cohort's pods are, and which matchers match them.
#[derive(Default)]
pub(crate) struct Cohort {
    pub(crate) placed: BTreeMap<NodeIx, u32>,
    /// In order.
    pub(crate) matched_by: Vec<MatcherId>,
}

impl Cohort {
    pub(crate) fn place(&mut self, node: NodeIx, sign: i64) {
        let pods = self.placed.entry(node).or_insert(0);
        if sign > 0 {
            *pods += 1;
        } else {
            *pods -= 1;
            if *pods == 0 {
                self.placed.remove(&node);
            }
        }
    }
}

/// Things found by a label that they have, or that they ask for.
pub(crate) struct ByLabel<I> {
    by_label: HashMap<String, HashMap<String, BTreeSet<I>>>,
}

impl<I> Default for ByLabel<I> {
    fn default() -> Self {
        ByLabel { by_label: HashMap::new() }
    }
}

impl<I: Ord + Copy> ByLabel<I> {
    pub(crate) fn insert(&mut self, key: &str, value: &str, id: I) {
        let values = match self.by_label.get_mut(key) {
            Some(values) => values,
            None => self.by_label.entry(key.to_owned()).or_default(),
        };
        match values.get_mut(value) {
            Some(ids) => {
                ids.insert(id);
            }
            None => {
                values.insert(value.to_owned(), BTreeSet::from([id]));
            }
        }
    }

    pub(crate) fn remove(&mut self, key: &str, value: &str, id: I) {
        let Some(values) = self.by_label.get_mut(key) else { return };
        let Some(ids) = values.get_mut(value) else { return };
        ids.remove(&id);
        if ids.is_empty() {
            values.remove(value);
            if values.is_empty() {
                self.by_label.remove(key);
            }
        }
    }

    pub(crate) fn get(&self, key: &str, value: &str) -> impl Iterator<Item = I> {
        self.by_label.get(key).and_then(|values| values.get(value)).into_iter().flatten().copied()
    }
}
