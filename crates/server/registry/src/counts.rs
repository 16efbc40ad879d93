//! How many objects of each resource are stored.

use std::collections::BTreeSet;

use store::{KeyRange, Range};

use crate::Registry;

/// How many objects of a resource are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// The group.
    pub group: String,
    /// The resource.
    pub resource: String,
    /// How many; `None` if they could not be counted.
    pub count: Option<u64>,
}

impl Registry {
    /// How many objects of each resource are stored, each place once, under the name that the objects are stored as.
    pub async fn counts(&self) -> Vec<Count> {
        let mut counted = BTreeSet::new();
        let mut counts = Vec::new();
        let custom = self.catalog().custom();
        let all = self.catalog().iter().chain(custom.iter());
        for served in all.filter(|served| served.resource.verbs.contains(&"create")) {
            let (group, _, resource) = served.kind.resource();
            if !counted.insert(served.prefix.as_str()) {
                continue;
            }
            let range = Range::of(KeyRange::prefix(served.prefix.clone().into_bytes())).limit(0).counted();
            let count = self.page(range).await.ok().and_then(|page| page.remaining);
            counts.push(Count { group: group.to_owned(), resource: resource.to_owned(), count });
        }
        counts
    }
}
