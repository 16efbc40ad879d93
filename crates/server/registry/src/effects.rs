//! What the writing of certain kinds brings with it, in the same transaction: cluster addresses and node ports.
//!
//! An effect first fills in the object, as far as the client left it open, and then puts its own keys into the
//! transaction that writes the object. So nothing is ever reserved that a crash or a refusal could leak, and rolling back
//! is dropping the transaction. Only [`crate::Registry`]'s writes use it.

mod service;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use api_meta::Status;
use api_record::Record;
use client::BoxFuture;
use store::Txn;
use tokio::sync::OwnedMutexGuard;

use crate::{Registry, Served};
pub use service::RepairedPorts;

/// The ports that services of type NodePort get, by default.
pub const NODE_PORTS: RangeInclusive<u16> = 30_000..=32_767;

/// The effect of a kind. Objects are of the hub's type.
pub(crate) trait Effect: Send + Sync {
    /// Fills in what the client left open and refuses what cannot be had; before preparation and validation.
    fn choose<'a>(
        &'a self,
        registry: &'a Registry,
        new: &'a mut dyn Record,
        old: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>>;

    /// Adds to the transaction that makes `new` of `old` what belongs to it; `None` for an object that is not there.
    /// Answers `None` when what was chosen has been taken meanwhile.
    fn bind<'a>(
        &'a self,
        registry: &'a Registry,
        new: Option<&'a dyn Record>,
        old: Option<&'a dyn Record>,
        txn: Txn,
    ) -> BoxFuture<'a, Result<Option<Bound>, Status>>;
}

/// A transaction with all its effects.
pub(crate) struct Bound {
    pub(crate) txn: Txn,
    /// To be held until the transaction is done: spares the writers of one key a race that all but one would lose.
    pub(crate) hold: Option<OwnedMutexGuard<()>>,
}

impl From<Txn> for Bound {
    fn from(txn: Txn) -> Bound {
        Bound { txn, hold: None }
    }
}

/// The effects of all kinds.
pub(crate) struct Effects {
    by_resource: BTreeMap<(&'static str, &'static str), Arc<dyn Effect>>,
    services: Arc<service::Services>,
}

impl Effects {
    pub(crate) fn new(node_ports: RangeInclusive<u16>) -> Effects {
        let services = Arc::new(service::Services::new(node_ports));
        let effect = Arc::clone(&services) as Arc<dyn Effect>;
        Effects { by_resource: BTreeMap::from([(("", "services"), effect)]), services }
    }

    /// Fills in the object; not through a subresource, which leaves all of this alone.
    pub(crate) async fn choose(
        &self,
        registry: &Registry,
        served: &Served,
        subresource: &str,
        new: &mut dyn Record,
        old: Option<&dyn Record>,
    ) -> Result<(), Status> {
        match self.of(served) {
            Some(effect) if subresource.is_empty() => effect.choose(registry, new, old).await,
            _ => Ok(()),
        }
    }

    /// The transaction with its effects; `None` when what was chosen has been taken meanwhile.
    pub(crate) async fn bind(
        &self,
        registry: &Registry,
        served: &Served,
        new: Option<&dyn Record>,
        old: Option<&dyn Record>,
        txn: Txn,
    ) -> Result<Option<Bound>, Status> {
        match self.of(served) {
            Some(effect) => effect.bind(registry, new, old, txn).await,
            None => Ok(Some(txn.into())),
        }
    }

    /// Brings the node ports in use to what the services say.
    pub(crate) async fn repair_node_ports(&self, registry: &Registry) -> Result<RepairedPorts, Status> {
        self.services.repair_ports(registry).await
    }

    fn of(&self, served: &Served) -> Option<&Arc<dyn Effect>> {
        let (group, _, plural) = served.kind.resource();
        let mut known = self.by_resource.iter();
        known.find(|(resource, _)| **resource == (group, plural)).map(|(_, effect)| effect)
    }
}
