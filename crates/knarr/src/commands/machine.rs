//! What a cluster has on this machine besides its server: pods, and the node's traces in the kernel.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base::time::SystemClock;
use cli::config::Place;
use cli::instance;
use cli::machine::{Machine, MachineError};
use host::cgroup::{self, CgroupPath};
use host::mount::{LinuxMounts, Mounts as _};
use host::netlink::{Address, Change, Cidr, LinuxNetlink, Namespace, Netlink as _, ROUTE_PROTOCOL};
use host::nft::{Command, Family, LinuxNft, Nft as _, Table};
use net_pod::pod::GATEWAY;
use node_runtime::{PodHandle, Runtime, RuntimeConfig};

use crate::dns;

/// How long a pod's programs have to end by themselves.
const GRACE: Duration = Duration::from_secs(10);

/// SIGTERM.
const TERMINATE: i32 = 15;

/// The machine, as far as it is a cluster's.
pub struct Own {
    place: Place,
}

impl Own {
    /// The traces of the cluster of a place.
    pub fn new(place: &Place) -> Own {
        Own { place: place.clone() }
    }

    /// The pods that run, by `namespace/name`.
    fn running(&self) -> anyhow::Result<Vec<(String, PodHandle)>> {
        let pods = within(running(&self.place))?;
        let named =
            pods.into_iter().map(|pod| (format!("{}/{}", pod.sandbox().namespace, pod.sandbox().name), pod));
        Ok(named.collect())
    }
}

/// The pods whose shims run, asked of the shims.
pub async fn running(place: &Place) -> anyhow::Result<Vec<PodHandle>> {
    let state_dir = state_dir(place);
    if !state_dir.exists() {
        return Ok(Vec::new());
    }
    let config = RuntimeConfig {
        state_dir,
        data_dir: place.data_dir.join("agent"),
        executable: std::env::current_exe()?,
        shim_arguments: vec!["shim".to_owned()],
        shim_cgroup: None,
        clock: Arc::new(SystemClock),
    };
    let runtime = Runtime::open(config).await?;
    Ok(runtime.adopt().await?.into_iter().filter_map(|one| one.pod.ok()).collect())
}

/// Where a cluster keeps what does not outlive the machine's uptime.
pub fn state_dir(place: &Place) -> PathBuf {
    instance::state_dir(Path::new(instance::CLUSTERS), place.cluster_id.as_str())
}

/// Runs asynchronous work from a thread that has no runtime, or is a blocking one of one.
fn within<T: Send>(work: impl Future<Output = anyhow::Result<T>> + Send) -> anyhow::Result<T> {
    std::thread::scope(|scope| {
        let thread = scope
            .spawn(|| tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work));
        thread.join().unwrap_or_else(|_| Err(anyhow::anyhow!("the work was lost")))
    })
}

fn failed(error: anyhow::Error) -> MachineError {
    MachineError::from(format!("{error:#}"))
}

impl Machine for Own {
    fn pods(&self) -> Result<BTreeSet<String>, MachineError> {
        let running = self.running().map_err(failed)?;
        Ok(running.into_iter().map(|(name, _)| name).collect())
    }

    fn stop_pods(&self, pods: &BTreeSet<String>, done: &mut dyn FnMut(&str)) -> Result<(), MachineError> {
        let mut problem = None;
        for (name, pod) in self.running().map_err(failed)? {
            if !pods.contains(&name) {
                continue;
            }
            let stopped = within(async move {
                for container in pod.containers() {
                    // One that has ended already is stopped too.
                    let _ = pod.stop(&container.id, TERMINATE, GRACE).await;
                }
                Ok(pod.delete().await?)
            });
            match stopped {
                Ok(()) => done(&name),
                Err(error) => problem = Some(error.context(name)),
            }
        }
        problem.map_or(Ok(()), |error| Err(failed(error)))
    }

    fn clear(&self) -> Result<Vec<String>, MachineError> {
        clear(&self.place).map_err(failed)
    }
}

fn clear(place: &Place) -> anyhow::Result<Vec<String>> {
    let id = place.cluster_id.as_str();
    let mut removed = Vec::new();
    if dns::stop(place)? {
        removed.push("the DNS server".to_owned());
    }
    let nft = LinuxNft::new();
    for family in [Family::Ip, Family::Ip6] {
        for part in ["pod", "service"] {
            let table = Table { family, name: format!("knarr-{id}-{part}") };
            if nft.list(&table)?.is_some() {
                nft.apply(&[Command::Drop(table.clone())])?;
                // One name for both families.
                let words = format!("the nftables table {}", table.name);
                if !removed.contains(&words) {
                    removed.push(words);
                }
            }
        }
    }
    let netlink = LinuxNetlink::new();
    let network = netlink.observe(&Namespace::Host)?;
    let own = |name: &str| name.starts_with(&format!("k{id}-")) || name == format!("k{id}vx");
    let mut changes: Vec<Change> = network
        .links
        .iter()
        .filter(|link| own(&link.name))
        .map(|link| Change::DeleteLink(link.name.clone()))
        .collect();
    if !changes.is_empty() {
        removed.push(format!("{} network interfaces", changes.len()));
    }
    // Also those whose server is stopped: their pods go on.
    let clusters = instance::present(Path::new(instance::CLUSTERS));
    if !clusters.iter().any(|other| other.cluster_id != id && other.shares_network()) {
        let gateway = Cidr::host(GATEWAY.into());
        changes.push(Change::DeleteAddress(Address { link: "lo".to_owned(), cidr: gateway }));
        // Routes to services and to other nodes' pods, which say that they are of Knarr but not of which cluster.
        let routes = network.routes.iter().filter(|route| route.protocol == ROUTE_PROTOCOL);
        changes.extend(routes.cloned().map(Change::DeleteRoute));
    }
    netlink.apply(&Namespace::Host, &changes)?;
    let mut mounts = 0;
    for folder in [state_dir(place), place.data_dir.clone()] {
        for target in LinuxMounts.below(&folder)? {
            LinuxMounts.unmount(&target)?;
            mounts += 1;
        }
    }
    if mounts > 0 {
        removed.push(format!("{mounts} mounts"));
    }
    let parent = CgroupPath::parse(&format!("/knarr-{id}"))?;
    // Where there are no control groups, there are none of ours.
    if let Some(cgroups) = cgroup::detect().ok().filter(|cgroups| cgroups.exists(&parent)) {
        cgroups.remove(&parent)?;
        removed.push(format!("the control group {}", parent.as_str()));
    }
    match std::fs::remove_dir_all(state_dir(place)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    instance::forget(place, Path::new(instance::CLUSTERS));
    Ok(removed)
}
