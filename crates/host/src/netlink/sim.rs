//! The same network configuration in memory, for planners' tests and the simulator.
//!
//! It keeps what was configured and moves no packets. Removing a link or a namespace removes what hangs on it, as the
//! kernel does (though at once, where the kernel takes a moment).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Change, Flow, Link, LinkKind, Namespace, Netlink, NetlinkError, Network};

#[derive(Debug, Default)]
struct State {
    networks: BTreeMap<Namespace, Network>,
    sysctls: BTreeMap<(Namespace, String), String>,
    /// The far end of each veth pair.
    peers: BTreeMap<(Namespace, String), (Namespace, String)>,
    flows: Vec<Flow>,
}

/// Network configuration in memory.
#[derive(Debug)]
pub struct SimNetlink {
    state: Mutex<State>,
}

impl Default for SimNetlink {
    fn default() -> SimNetlink {
        let state = State { networks: BTreeMap::from([(Namespace::Host, fresh())]), ..State::default() };
        SimNetlink { state: Mutex::new(state) }
    }
}

fn fresh() -> Network {
    let lo = Link { name: "lo".into(), kind: LinkKind::Other, mtu: 65_536, up: false, mac: [0; 6] };
    Network { links: BTreeSet::from([lo]), ..Network::default() }
}

impl SimNetlink {
    /// Replaces what is configured on the node itself.
    pub fn set_host(&self, network: Network) {
        self.lock().networks.insert(Namespace::Host, network);
    }

    /// Adds a tracked connection.
    pub fn add_flow(&self, flow: Flow) {
        self.lock().flows.push(flow);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn network(&mut self, namespace: &Namespace) -> Result<&mut Network, NetlinkError> {
        let path = match namespace {
            Namespace::Host => PathBuf::new(),
            Namespace::Pinned(path) => path.clone(),
        };
        self.networks.get_mut(namespace).ok_or_else(|| NetlinkError::Namespace {
            what: "open",
            path,
            source: std::io::ErrorKind::NotFound.into(),
        })
    }

    fn remove_link(&mut self, namespace: &Namespace, name: &str) {
        if let Some(network) = self.networks.get_mut(namespace) {
            network.links.retain(|link| link.name != name);
            network.addresses.retain(|address| address.link != name);
            network.routes.retain(|route| route.link.as_deref() != Some(name));
            network.neighbours.retain(|neighbour| neighbour.link != name);
            network.forwards.retain(|forward| forward.link != name);
        }
        if let Some((far, peer)) = self.peers.remove(&(namespace.clone(), name.to_owned())) {
            self.remove_link(&far, &peer);
        }
    }

    fn update(
        &mut self,
        namespace: &Namespace,
        name: &str,
        set: impl FnOnce(&mut Link),
    ) -> Result<(), NetlinkError> {
        let network = self.network(namespace)?;
        let mut link = network.link(name).cloned().ok_or_else(|| NetlinkError::NoLink(name.to_owned()))?;
        network.links.remove(&link);
        set(&mut link);
        network.links.insert(link);
        Ok(())
    }

    fn create_veth(
        &mut self,
        here: &Namespace,
        name: &str,
        mtu: u32,
        peer: &str,
        there: &Path,
    ) -> Result<(), NetlinkError> {
        let there = Namespace::Pinned(there.to_owned());
        if self.network(here)?.link(name).is_some() {
            return Ok(());
        }
        let link = |name: &str, up| Link {
            name: name.to_owned(),
            kind: LinkKind::Veth,
            mtu,
            up,
            mac: [2, 0, 0, 0, 0, 1],
        };
        self.network(&there)?.links.insert(link(peer, false));
        self.network(here)?.links.insert(link(name, true));
        let (near, far) = ((here.clone(), name.to_owned()), (there, peer.to_owned()));
        self.peers.insert(near.clone(), far.clone());
        self.peers.insert(far, near);
        Ok(())
    }

    fn apply(&mut self, namespace: &Namespace, change: &Change) -> Result<(), NetlinkError> {
        let needs = |network: &Network, name: &str| match network.link(name) {
            Some(_) => Ok(()),
            None => Err(NetlinkError::NoLink(name.to_owned())),
        };
        match change {
            Change::CreateVeth { name, mtu, peer, peer_namespace } => {
                return self.create_veth(namespace, name, *mtu, peer, peer_namespace);
            }
            Change::DeleteLink(name) => self.remove_link(namespace, name),
            Change::SetUp(name) => return self.update(namespace, name, |link| link.up = true),
            Change::SetMtu(name, mtu) => return self.update(namespace, name, |link| link.mtu = *mtu),
            Change::SetSysctl { key, value } => {
                self.sysctls.insert((namespace.clone(), key.clone()), value.clone());
            }
            _ => {}
        }
        let network = self.network(namespace)?;
        match change {
            Change::CreateVxlan { name, vni, port, local, mac, mtu } if network.link(name).is_none() => {
                let kind = LinkKind::Vxlan { vni: *vni, port: *port, local: Some(*local) };
                network.links.insert(Link { name: name.clone(), kind, mtu: *mtu, up: false, mac: *mac });
            }
            Change::AddAddress(address) => {
                needs(network, &address.link)?;
                network.addresses.insert(address.clone());
            }
            Change::DeleteAddress(address) => drop(network.addresses.remove(address)),
            Change::SetRoute(route) => {
                route.link.iter().try_for_each(|link| needs(network, link))?;
                network.routes.retain(|old| old.destination != route.destination);
                network.routes.insert(route.clone());
            }
            Change::DeleteRoute(route) => drop(network.routes.remove(route)),
            Change::SetNeighbour(neighbour) => {
                needs(network, &neighbour.link)?;
                network
                    .neighbours
                    .retain(|old| (&old.link, old.address) != (&neighbour.link, neighbour.address));
                network.neighbours.insert(neighbour.clone());
            }
            Change::DeleteNeighbour(neighbour) => drop(network.neighbours.remove(neighbour)),
            Change::SetForward(forward) => {
                needs(network, &forward.link)?;
                network.forwards.retain(|old| (&old.link, old.mac) != (&forward.link, forward.mac));
                network.forwards.insert(forward.clone());
            }
            Change::DeleteForward(forward) => drop(network.forwards.remove(forward)),
            _ => {}
        }
        Ok(())
    }
}

impl Netlink for SimNetlink {
    fn observe(&self, namespace: &Namespace) -> Result<Network, NetlinkError> {
        self.lock().network(namespace).cloned()
    }

    fn link(&self, namespace: &Namespace, name: &str) -> Result<Option<Link>, NetlinkError> {
        Ok(self.lock().network(namespace)?.link(name).cloned())
    }

    fn apply(&self, namespace: &Namespace, changes: &[Change]) -> Result<(), NetlinkError> {
        let mut state = self.lock();
        changes.iter().try_for_each(|change| state.apply(namespace, change))
    }

    fn sysctl(&self, namespace: &Namespace, key: &str) -> Result<Option<String>, NetlinkError> {
        Ok(self.lock().sysctls.get(&(namespace.clone(), key.to_owned())).cloned())
    }

    fn pinned(&self, folder: &Path) -> Result<BTreeSet<PathBuf>, NetlinkError> {
        let state = self.lock();
        let paths = state.networks.keys().filter_map(|namespace| match namespace {
            Namespace::Pinned(path) if path.parent() == Some(folder) => Some(path.clone()),
            _ => None,
        });
        Ok(paths.collect())
    }

    fn is_pinned(&self, path: &Path) -> Result<bool, NetlinkError> {
        Ok(self.lock().networks.contains_key(&Namespace::Pinned(path.to_owned())))
    }

    fn pin(&self, path: &Path) -> Result<(), NetlinkError> {
        self.lock().networks.entry(Namespace::Pinned(path.to_owned())).or_insert_with(fresh);
        Ok(())
    }

    fn unpin(&self, path: &Path) -> Result<(), NetlinkError> {
        let mut state = self.lock();
        let namespace = Namespace::Pinned(path.to_owned());
        let names: Vec<String> = state
            .networks
            .get(&namespace)
            .map_or_else(Vec::new, |n| n.links.iter().map(|l| l.name.clone()).collect());
        for name in names {
            state.remove_link(&namespace, &name);
        }
        state.networks.remove(&namespace);
        state.sysctls.retain(|(at, _), _| *at != namespace);
        Ok(())
    }

    fn flows(&self, protocol: u8) -> Result<Vec<Flow>, NetlinkError> {
        Ok(self.lock().flows.iter().filter(|flow| flow.protocol == protocol).cloned().collect())
    }

    fn delete_flow(&self, flow: &Flow) -> Result<(), NetlinkError> {
        self.lock().flows.retain(|old| old != flow);
        Ok(())
    }
}
