//! The cluster's DNS on a node: a process of its own (`knarr dns`), so that names resolve while the server or agent is away.
//!
//! The node's wiring, of a server or an agent, calls [`keep`]; `knarr down` calls [`keep::stop`]; the process itself is
//! [`serve::run`]. It is this program executed again from the pinned copy that shims run too, detached, in the host's network
//! namespace and in a control group of its own beside the shims'. It reads the snapshot that the node's agent writes
//! (`<data>/agent/dns.json`) and follows its changes; it never talks to the API.
//!
//! State: `<state>/dns.pid` says which process serves what, `<state>/dns.log` what it has to say; both are lost with the machine,
//! as the process is. The address on `lo` is the process's: it takes it, and gives it back when it is asked to end.
//!
//! Its death costs lookups until it is back: clients ask again after their resolver's timeout, connections that exist are not
//! touched. While an agent runs it is started again at once; without one, by the next agent. Whoever holds its name in a cache
//! notices nothing.

mod keep;
pub mod serve;

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use cli::instance::Lifetime;
use host::netlink::{Address, Change, Cidr, LinuxNetlink, Namespace, Netlink as _};
use serde::{Deserialize, Serialize};

pub use keep::{keep, stop};

/// What a process is to serve. One that serves something else is replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Job {
    /// The SHA-256 of the program.
    program: String,
    /// The address to serve at, which the host's `lo` gets.
    address: IpAddr,
    /// The cluster's domain.
    domain: String,
    /// The file that records are read from.
    snapshot: PathBuf,
    /// The file that names the resolvers for everything else.
    resolv_conf: PathBuf,
    /// Where the process says that it serves.
    record: PathBuf,
}

/// Which process does which job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    lifetime: Lifetime,
    job: Job,
}

impl Record {
    /// The record at a path; `None` when there is none that makes sense, which counts as none.
    fn read(path: &Path) -> Option<Record> {
        serde_json::from_slice(&std::fs::read(path).ok()?).ok()
    }

    fn write(&self) -> anyhow::Result<()> {
        let path = &self.job.record;
        let beside = path.with_extension("new");
        std::fs::write(&beside, serde_json::to_vec(self)?)
            .and_then(|()| std::fs::rename(&beside, path))
            .with_context(|| format!("{} cannot be written", path.display()))
    }
}

/// Gives `lo` the address; answers whether it did not have it.
fn take_address(address: IpAddr) -> anyhow::Result<bool> {
    let (netlink, own) = (LinuxNetlink::new(), Address { link: "lo".to_owned(), cidr: Cidr::host(address) });
    let given = || format!("giving this machine the address {address} of the cluster's DNS");
    if netlink.observe(&Namespace::Host).with_context(given)?.addresses.contains(&own) {
        return Ok(false);
    }
    netlink.apply(&Namespace::Host, &[Change::AddAddress(own)]).with_context(given)?;
    Ok(true)
}

/// Takes the address from `lo`, if it has it.
fn return_address(address: IpAddr) -> anyhow::Result<()> {
    let change = Change::DeleteAddress(Address { link: "lo".to_owned(), cidr: Cidr::host(address) });
    LinuxNetlink::new()
        .apply(&Namespace::Host, &[change])
        .with_context(|| format!("taking the address {address} of the cluster's DNS from this machine"))
}
