//! How many objects of each resource are stored.

use std::collections::BTreeSet;

use store::{KeyRange, Range};

use crate::Registry;

/// How many objects of a resource are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// The group.
    pub group: &'static str,
    /// The resource.
    pub resource: &'static str,
    /// How many; `None` if they could not be counted.
    pub count: Option<u64>,
}

impl Registry {
    /// How many objects of each resource are stored, each place once, under the name that the objects are stored as.
    pub async fn counts(&self) -> Vec<Count> {
        let mut counted = BTreeSet::new();
        let mut counts = Vec::new();
        for served in self.catalog().iter().filter(|served| served.resource.verbs.contains(&"create")) {
            let (group, _, resource) = served.kind.resource();
            if !counted.insert(served.prefix.as_str()) {
                continue;
            }
            let range = Range::of(KeyRange::prefix(served.prefix.clone().into_bytes())).limit(0).counted();
            let count = self.page(range).await.ok().and_then(|page| page.remaining);
            counts.push(Count { group, resource, count });
        }
        counts
    }
}
