//! The Node authorizer: what a node may read and write because of what runs on it.
//!
//! The server keeps one [`Graph`] up to date from its views of pods, volumes, attachments, resource slices and pod
//! certificate requests; asked as an authorizer it decides for users `system:node:NAME` of the group `system:nodes` and
//! has no opinion on anybody else. Creations, and what an update may contain, are the NodeRestriction admission's.
//! Answers to `plugin/pkg/auth/authorizer/node` with its gates as 1.37 has them by default.

mod graph;
mod references;
mod verdict;

#[cfg(test)]
mod tests;

pub use graph::Graph;

use crate::Attributes;

const USER_PREFIX: &str = "system:node:";
const GROUP: &str = "system:nodes";

/// The name of the node that a request comes from, empty if it has none; `None` for users that are no nodes.
pub fn node_of<'a>(request: &Attributes<'a>) -> Option<&'a str> {
    let name = request.user.strip_prefix(USER_PREFIX)?;
    request.in_group(GROUP).then_some(name)
}
