//! Which devices claims get on a node: the first solution of an exhaustive search (`structured`, `Allocator.Allocate`).
//!
//! Claim after claim, request after request, device after device a candidate is chosen; what does not work out is taken back. Devices of
//! one request are tried in one order only, as it does not matter which of them came first.

mod constraint;
mod counters;
mod request;
mod result;
mod search;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use api_types::resource::v1::{AllocationResult, DeviceClass, ResourceClaim};

use crate::AllocatedState;
use crate::pool::{Inventory, Node};
use crate::selector::Selectors;
use search::Search;

/// Why devices could not be looked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The claims or their classes are not as they have to be: no node will do.
    #[error("{0}")]
    Claims(String),
    /// Something is wrong with what this node offers.
    #[error("{0}")]
    Node(String),
    /// There are too many possibilities.
    #[error("timed out trying to allocate devices")]
    TooLong,
}

/// Finds devices for claims.
#[derive(Clone, Copy)]
pub struct Allocator<'a> {
    /// What there is.
    pub inventory: &'a Inventory,
    /// What is taken of it.
    pub state: &'a AllocatedState,
    /// The classes, by name.
    pub classes: &'a BTreeMap<String, DeviceClass>,
    /// Compiled expressions.
    pub selectors: &'a Selectors,
}

impl<'a> Allocator<'a> {
    /// What each of the claims, none of which is allocated, gets on a node; `None` if not all of them can have what they ask for.
    ///
    /// A device that several claims share gets an empty `shareID`: whoever writes the result down fills in one that is unique.
    ///
    /// # Errors
    /// If something is wrong with the claims, or with what the node offers.
    pub fn allocate(
        &self,
        node: Node<'a>,
        claims: &[&'a ResourceClaim],
    ) -> Result<Option<Vec<AllocationResult>>, Failure> {
        let pools = self.inventory.reachable(node);
        let mut search = Search::new(self, node, claims, &pools)?;
        match search.run()? {
            true => Ok(Some(search.results())),
            false if pools.iter().any(|pool| pool.standing == crate::pool::Standing::Invalid) => {
                Err(Failure::Node("invalid resource pools were encountered".to_owned()))
            }
            false => Ok(None),
        }
    }
}
