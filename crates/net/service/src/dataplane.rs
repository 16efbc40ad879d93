//! Carries out the proxy's plans: what the agent holds. Calls block.

use std::collections::BTreeMap;
use std::sync::Arc;

use host::netlink::{Namespace, Netlink, NetlinkError};
use host::nft::{Command, Contents, Elements, Family, Nft, NftError, Table};

use crate::conntrack::UDP;
use crate::limits::PURGE_ATTEMPTS_MAX;
use crate::node::{self, NodeWant};
use crate::proxy::{Config, Forgotten, Plan, Proxy};
use crate::ruleset::{AFFINITY, FAMILIES, table};
use crate::spec::{Endpoints, ServiceName, ServiceSpec};

/// Why services are not what they should be on this node.
#[derive(Debug, thiserror::Error)]
pub enum DataplaneError {
    /// Rules or elements.
    #[error("the services' packet rules")]
    Nft(#[from] NftError),
    /// Conntrack, routes or sysctls.
    #[error("the services' share of the network configuration")]
    Netlink(#[from] NetlinkError),
}

/// The services' data plane of one node.
pub struct Dataplane {
    netlink: Arc<dyn Netlink>,
    nft: Arc<dyn Nft>,
    proxy: Proxy,
    cluster: String,
    /// A transaction failed, so what the kernel holds is not known.
    lost: bool,
}

fn list(nft: &dyn Nft, cluster: &str) -> Result<BTreeMap<Family, Contents>, NftError> {
    let mut listed = BTreeMap::new();
    for family in FAMILIES {
        if let Some(contents) = nft.list(&table(cluster, family))? {
            listed.insert(family, contents);
        }
    }
    Ok(listed)
}

impl Dataplane {
    /// Takes up what the kernel holds; changes nothing.
    pub fn restore(
        config: Config,
        netlink: Arc<dyn Netlink>,
        nft: Arc<dyn Nft>,
    ) -> Result<Dataplane, DataplaneError> {
        let cluster = config.cluster.clone();
        let proxy = Proxy::new(config, list(&*nft, &cluster)?);
        Ok(Dataplane { netlink, nft, proxy, cluster, lost: false })
    }

    /// Sets a service with its endpoints, or takes it away. It takes effect with the next [`Dataplane::sync`].
    pub fn set(&mut self, name: &ServiceName, service: Option<(ServiceSpec, Endpoints)>) {
        self.proxy.set(name, service);
    }

    /// Makes the kernel match: one transaction, then what connections remember. The first one after a start deletes what no
    /// service claims, so all services must have been set from synced views.
    pub fn sync(&mut self) -> Result<(), DataplaneError> {
        if self.lost {
            self.proxy.relist(list(&*self.nft, &self.cluster)?);
            self.lost = false;
        }
        let plan = self.proxy.plan();
        // Until all of it has succeeded the plan stands, and the next one starts from a listing.
        self.lost = true;
        self.nft.apply(&plan.commands)?;
        self.forget(&plan)?;
        self.purge(&plan)?;
        self.proxy.done(&plan);
        self.lost = false;
        Ok(())
    }

    /// Makes the node's routes and sysctls what services need.
    pub fn sync_node(&self, want: &NodeWant) -> Result<(), DataplaneError> {
        let have = node::observe(&*self.netlink)?;
        let changes = node::plan(want, &have);
        if !changes.is_empty() {
            self.netlink.apply(&Namespace::Host, &changes)?;
        }
        Ok(())
    }

    /// Takes the tables away. Connections keep their translation as long as conntrack knows them.
    pub fn remove(self) -> Result<(), DataplaneError> {
        let drops: Vec<Command> = self.proxy.tables().into_iter().map(Command::Drop).collect();
        Ok(self.nft.apply(&drops)?)
    }

    fn forget(&self, plan: &Plan) -> Result<(), DataplaneError> {
        let mut tables: BTreeMap<&Table, Vec<&Forgotten>> = BTreeMap::new();
        for forgotten in &plan.forget {
            tables.entry(&forgotten.table).or_default().push(forgotten);
        }
        for (table, forgotten) in tables {
            // Entries expire between listing and deleting, which refuses the whole transaction.
            let mut attempts = 1;
            loop {
                let keys = doomed(&self.nft.elements(table, AFFINITY)?, &forgotten);
                if keys.is_empty() {
                    break;
                }
                match self.nft.apply(&[Command::Delete(table.clone(), AFFINITY.to_owned(), keys)]) {
                    Err(error) if attempts >= PURGE_ATTEMPTS_MAX => return Err(error.into()),
                    Err(_) => attempts += 1,
                    Ok(()) => break,
                }
            }
        }
        Ok(())
    }

    fn purge(&self, plan: &Plan) -> Result<(), DataplaneError> {
        if plan.udp.is_empty() {
            return Ok(());
        }
        let flows = self.netlink.flows(UDP)?;
        let stale = flows.iter().filter(|flow| self.proxy.is_stale(flow, &plan.udp));
        Ok(stale.into_iter().try_for_each(|flow| self.netlink.delete_flow(flow))?)
    }
}

/// The keys of remembered clients of these endpoints.
fn doomed(remembered: &Elements, forgotten: &[&Forgotten]) -> Vec<String> {
    let is_doomed = |key: &str, target: &str| {
        forgotten
            .iter()
            .any(|one| one.target == target && key.split(" . ").next() == Some(&one.mark.to_string()))
    };
    remembered.iter().filter(|(key, target)| is_doomed(key, target)).map(|(key, _)| key.clone()).collect()
}
