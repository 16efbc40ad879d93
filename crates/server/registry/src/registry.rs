//! The registry: what its operations share.

use std::ops::RangeInclusive;
use std::sync::Arc;

use api_kind::{Ctx, Gates, Verb};
use api_meta::Status;
use api_record::Record;
use base::random::Random;
use base::time::Clock;
use store::{Entry, Range, Store};

use crate::admit::{Admission, Attributes};
use crate::convert::{Convert, Unable};
use crate::effects::{Effects, NODE_PORTS, RepairedPorts};
use crate::stored::{Decoded, Messages};
use crate::{Catalog, Served, faults};

/// The key that stock Kubernetes reads to see whether its store is well.
pub const HEALTH: &[u8] = b"/registry/health";

/// What the registry works with.
pub struct Shared {
    /// Where objects are kept.
    pub store: Arc<dyn Store>,
    /// Which resources there are.
    pub catalog: Catalog,
    /// Which features are on.
    pub gates: Gates,
    /// The time of creations and deletions.
    pub clock: Arc<dyn Clock>,
    /// Where uids and generated names come from.
    pub random: Arc<dyn Random>,
}

/// Every verb of every stored resource.
#[derive(Clone)]
pub struct Registry {
    pub(crate) shared: Arc<Shared>,
    pub(crate) decoded: Arc<Decoded>,
    pub(crate) admission: Arc<dyn Admission>,
    pub(crate) effects: Arc<Effects>,
    pub(crate) conversion: Arc<dyn Convert>,
}

impl Registry {
    /// A registry that lets `admission` change and refuse what is written.
    pub fn new(shared: Arc<Shared>, admission: Arc<dyn Admission>) -> Registry {
        let effects = Arc::new(Effects::new(NODE_PORTS));
        Registry { shared, decoded: Arc::default(), admission, effects, conversion: Arc::new(Unable) }
    }

    /// The same that asks the webhooks of definitions.
    #[must_use]
    pub fn with_conversion(&self, conversion: Arc<dyn Convert>) -> Registry {
        Registry { conversion, ..self.clone() }
    }

    /// The same with another range of node ports than [`NODE_PORTS`].
    #[must_use]
    pub fn with_node_ports(&self, ports: RangeInclusive<u16>) -> Registry {
        Registry { effects: Arc::new(Effects::new(ports)), ..self.clone() }
    }

    /// The same store behind another admission. Admission that reads through a registry is given one that admits
    /// everything, and put in front of it here: so neither holds on to the other.
    #[must_use]
    pub fn with_admission(&self, admission: Arc<dyn Admission>) -> Registry {
        Registry { admission, ..self.clone() }
    }

    /// Admits what is no stored object: what subresources take, such as token requests and evictions.
    pub async fn admit(
        &self,
        attributes: &Attributes<'_>,
        object: &mut dyn Record,
        old: Option<&dyn Record>,
    ) -> Result<(), Status> {
        self.admission.mutate(attributes, object, old).await?;
        self.admission.validate(attributes, Some(object), old).await
    }

    /// Fills in what an object of the hub's type leaves out, as after it was read from a request.
    pub fn fill(&self, served: &Served, subresource: &str, object: &mut dyn Record) {
        api_kind::default(&*served.kind, &self.ctx(served, Verb::Update, subresource), object);
    }

    /// Brings the node ports in use to what the services say, and answers what was wrong: nothing, unless somebody has written
    /// to the store by hand.
    pub async fn repair_node_ports(&self) -> Result<RepairedPorts, Status> {
        self.effects.repair_node_ports(self).await
    }

    /// Where views of a resource's objects find the messages of those that are kept as they are shown.
    pub fn messages(&self, served: &Arc<Served>) -> Option<Arc<dyn client::view::Messages>> {
        let (store, served) = (Arc::clone(&self.shared.store), Arc::clone(served));
        served.is_shown_as_kept().then(|| Arc::new(Messages { store, served }) as _)
    }

    /// Whether the store answers.
    pub async fn reachable(&self) -> Result<(), Status> {
        let asked = self.shared.store.get(HEALTH.into()).await;
        asked.map(drop).map_err(|error| faults::read(&error))
    }

    /// Which resources there are.
    pub fn catalog(&self) -> &Catalog {
        &self.shared.catalog
    }

    /// The time, as creations and deletions are stamped with it.
    pub fn now(&self) -> base::time::Time {
        self.shared.clock.now()
    }

    pub(crate) fn ctx<'a>(&'a self, served: &'a Served, verb: Verb, subresource: &'a str) -> Ctx<'a> {
        Ctx { gates: &self.shared.gates, verb, subresource, group: &served.resource.kind.group }
    }

    /// The entry of an object, if there is one.
    pub(crate) async fn entry(
        &self,
        served: &Served,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Entry>, Status> {
        let key = served.key(namespace, name).into_bytes();
        self.shared.store.get(key.into()).await.map_err(|error| faults::read(&error))
    }

    pub(crate) async fn page(&self, range: Range) -> Result<store::Page, Status> {
        self.shared.store.range(range).await.map_err(|error| faults::read(&error))
    }

    /// The object of an entry in the served version.
    pub(crate) fn show(&self, served: &Served, hub: &Arc<dyn Record>) -> Arc<dyn Record> {
        match served.version {
            None => served.kind.view(&**hub).map_or_else(|| Arc::clone(hub), Arc::from),
            Some(version) => Arc::from((version.from_hub)(&**hub)),
        }
    }
}
