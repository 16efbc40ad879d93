//! What a cluster has on this machine besides its server: pods, and the node's traces in the kernel.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use anyhow::Context as _;
use base::time::SystemClock;
use cli::config::Place;
use cli::instance;
use cli::machine::{Machine, MachineError};
use futures_util::future::join_all;
use host::cgroup::{self, CgroupPath};
use host::mount::{LinuxMounts, Mounts as _};
use host::netlink::{Address, Change, Cidr, LinuxNetlink, Namespace, Netlink as _, ROUTE_PROTOCOL};
use host::nft::{Command, Family, LinuxNft, Nft as _, Table};
use net_pod::pod::GATEWAY;
use node_runtime::spec::PodSandbox;
use node_runtime::{Adopted, PodHandle, Runtime, RuntimeConfig};
use tokio::task::JoinSet;

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
}

/// The pods whose shims run, asked of the shims. The agent keeps them, which this process does not.
pub async fn running(place: &Place) -> anyhow::Result<Vec<PodHandle>> {
    let Some(runtime) = runtime(place, false).await? else { return Ok(Vec::new()) };
    Ok(runtime.adopt().await?.into_iter().filter_map(|one| one.pod.ok()).collect())
}

/// The runtime of a node whose state is there; `keeps` says whether its agent has ended, and this process takes care of the pods.
async fn runtime(place: &Place, keeps: bool) -> anyhow::Result<Option<Runtime>> {
    let state_dir = state_dir(place);
    if !state_dir.exists() {
        return Ok(None);
    }
    let config = RuntimeConfig {
        state_dir,
        data_dir: place.data_dir.join("agent"),
        executable: std::env::current_exe()?,
        shim_arguments: vec!["shim".to_owned()],
        shim_cgroup: None,
        keeps,
        clock: Arc::new(SystemClock),
    };
    Ok(Some(Runtime::open(config).await?))
}

/// Stops these pods at the same time, and says of each when it is gone.
async fn stop(place: &Place, pods: &BTreeSet<String>, stopped: mpsc::Sender<String>) -> anyhow::Result<()> {
    let Some(runtime) = runtime(place, true).await? else { return Ok(()) };
    let (mut problem, mut stopping) = (None, JoinSet::new());
    for Adopted { uid, pod } in runtime.adopt().await? {
        match pod {
            Ok(pod) if pods.contains(&name(pod.sandbox())) => {
                let stopped = stopped.clone();
                stopping.spawn(async move { end(&pod, &stopped).await.context(name(pod.sandbox())) });
            }
            Ok(_) => {}
            Err(error) => problem = Some(anyhow::Error::new(error).context(uid)),
        }
    }
    while let Some(ended) = stopping.join_next().await {
        if let Err(error) = ended? {
            problem = Some(error);
        }
    }
    problem.map_or(Ok(()), Err)
}

/// Ends a pod: its programs are asked, and have a while.
async fn end(pod: &PodHandle, stopped: &mpsc::Sender<String>) -> anyhow::Result<()> {
    let containers = pod.containers();
    // One that has ended already is stopped too.
    join_all(containers.iter().map(|container| pod.stop(&container.id, TERMINATE, GRACE))).await;
    pod.delete().await?;
    // Nobody need be listening.
    let _ = stopped.send(name(pod.sandbox()));
    Ok(())
}

fn name(sandbox: &PodSandbox) -> String {
    format!("{}/{}", sandbox.namespace, sandbox.name)
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
        let found = within(async {
            let runtime = runtime(&self.place, false).await?;
            Ok(runtime.map(|runtime| runtime.sandboxes()).transpose()?.unwrap_or_default())
        });
        Ok(found.map_err(failed)?.iter().map(name).collect())
    }

    fn stop_pods(&self, pods: &BTreeSet<String>, done: &mut dyn FnMut(&str)) -> Result<(), MachineError> {
        let (stopped, told) = mpsc::channel();
        // All of it on one runtime: the connections to the shims live there.
        let result = std::thread::scope(|scope| {
            let stopping = scope.spawn(move || within(stop(&self.place, pods, stopped)));
            told.iter().for_each(|name: String| done(&name));
            stopping.join().unwrap_or_else(|_| Err(anyhow::anyhow!("the work was lost")))
        });
        result.map_err(failed)
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
