//! The node's share of the pod network: the gateway address, forwarding, routes to peers, rules. [`plan`] is pure.

use std::collections::BTreeMap;
use std::net::IpAddr;

use host::netlink::{Address, Change, Cidr, Namespace, Netlink, NetlinkError, Network};
use host::nft::{Command, Contents, Family, Nft, NftError};

use crate::peers::{self, Here, Peer};
use crate::pod::GATEWAY;
use crate::rules::{self, RulesWant};

/// What this node's network should be. Build it only from views that have synced: peers and pods that are not in it lose
/// their routes and ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeWant {
    /// This node.
    pub here: Here,
    /// The other nodes.
    pub peers: Vec<Peer>,
    /// The rules.
    pub rules: RulesWant,
}

/// What it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeHave {
    /// Links, addresses, routes.
    pub network: Network,
    /// Sysctls of interest.
    pub sysctls: BTreeMap<String, String>,
    /// Our tables.
    pub tables: BTreeMap<Family, Contents>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Changes links, addresses, routes or sysctls.
    Network(Vec<Change>),
    /// Changes rules, in one transaction.
    Rules(Vec<Command>),
}

/// Why the node's network could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// Links, addresses, routes or sysctls.
    #[error("the node's network configuration")]
    Netlink(#[from] NetlinkError),
    /// Rules.
    #[error("the node's packet rules")]
    Nft(#[from] NftError),
}

const FORWARD: &str = "net/ipv4/ip_forward";
const FORWARD_6: &str = "net/ipv6/conf/all/forwarding";
const LOCALNET: &str = "net/ipv4/conf/all/route_localnet";

/// Sysctls that pods need. `route_localnet` lets a connection from 127.0.0.1 to a host port leave the node's own stack;
/// martian 127.0.0.0/8 packets from outside are dropped by rules.
fn sysctls(want: &NodeWant) -> Vec<&'static str> {
    let mut keys = vec![FORWARD, LOCALNET];
    if want.here.pod_cidrs.iter().any(|cidr| !cidr.is_ipv4()) {
        keys.push(FORWARD_6);
    }
    keys
}

/// Reads what is there.
pub fn observe(netlink: &dyn Netlink, nft: &dyn Nft, want: &NodeWant) -> Result<NodeHave, NodeError> {
    let mut have = NodeHave { network: netlink.observe(&Namespace::Host)?, ..NodeHave::default() };
    for key in sysctls(want) {
        if let Some(value) = netlink.sysctl(&Namespace::Host, key)? {
            have.sysctls.insert(key.to_owned(), value);
        }
    }
    for family in rules::FAMILIES {
        if let Some(contents) = nft.list(&want.here.cluster.table(family))? {
            have.tables.insert(family, contents);
        }
    }
    Ok(have)
}

/// What is missing of links, addresses and routes.
pub(crate) fn changes(here: &Here, peers: &[Peer], network: &Network) -> Vec<Change> {
    let mut changes = Vec::new();
    let gateway = Address { link: "lo".to_owned(), cidr: Cidr::host(IpAddr::V4(GATEWAY)) };
    if !network.link("lo").is_some_and(|lo| lo.up) {
        changes.push(Change::SetUp("lo".to_owned()));
    }
    if !network.addresses.contains(&gateway) {
        changes.push(Change::AddAddress(gateway));
    }
    changes.extend(peers::plan(here, peers, network));
    changes
}

/// The steps from `have` to `want`.
pub fn plan(want: &NodeWant, have: &NodeHave) -> Vec<Step> {
    let changes = changes(&want.here, &want.peers, &have.network);
    // Rules come before forwarding: a node never forwards unmasqueraded for a moment, nor answers for 127.0.0.0/8.
    let mut steps = Vec::new();
    if !changes.is_empty() {
        steps.push(Step::Network(changes));
    }
    for family in rules::FAMILIES {
        let commands = rules::plan(&want.rules, family, have.tables.get(&family));
        if !commands.is_empty() {
            steps.push(Step::Rules(commands));
        }
    }
    let off = |key: &&str| have.sysctls.get(*key).is_none_or(|value| value != "1");
    let on = |key: &str| Change::SetSysctl { key: key.to_owned(), value: "1".to_owned() };
    let switches: Vec<Change> = sysctls(want).into_iter().filter(off).map(on).collect();
    if !switches.is_empty() {
        steps.push(Step::Network(switches));
    }
    steps
}

/// Carries out one step. Repeating it is harmless, save that rules are to be planned again from what is observed.
pub fn apply(netlink: &dyn Netlink, nft: &dyn Nft, step: &Step) -> Result<(), NodeError> {
    match step {
        Step::Network(changes) => Ok(netlink.apply(&Namespace::Host, changes)?),
        Step::Rules(commands) => Ok(nft.apply(commands)?),
    }
}
