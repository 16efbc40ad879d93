//! Knarr's parts: all in the server where the API is Knarr's, alone on a kubeconfig where it is not.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::{Cluster, DNS, Maker, POD_RANGE, PORT, Parts, Programs, SERVICE_RANGE};
use crate::machine::{Daemon, Machine, wait_until};

/// How full this machine's disk is is nobody's subject here.
const NO_EVICTION: [&str; 2] = ["--kubelet-arg", "eviction-hard=memory.available<1Mi"];

/// The data directory of a cluster on the link of this name, on its machines. Clusters are told apart by it, and those of different names or
/// checkouts may run at the same time: their control groups are one kernel's.
pub(super) fn data(link: &str) -> String {
    format!("/var/lib/knarr/{link}")
}

/// Where that directory lies for us.
fn seen(machine: &Machine, data: &str) -> PathBuf {
    machine.directory.join(data.replacen("/var", "data", 1))
}

/// Starts the server without those of its parts that others do, and answers where the authorities' files are.
pub(super) fn server(
    programs: &Programs<'_>,
    machine: &Machine,
    data: &str,
    parts: Parts,
    daemons: &mut Vec<Daemon>,
) -> Result<PathBuf> {
    let mut command = machine.command(&programs.knarr);
    command
        .args(["server", "--bind-address", "0.0.0.0", "--https-listen-port", &PORT.to_string()])
        .args(["--cluster-cidr", POD_RANGE, "--service-cidr", SERVICE_RANGE, "--cluster-dns", DNS])
        .args(["--advertise-address", &machine.address, "--node-name", &machine.name])
        .args(["--data-dir", data])
        .args(NO_EVICTION);
    for (part, flag) in [
        (parts.node, "--disable-agent"),
        (parts.scheduler, "--disable-scheduler"),
        (Some(parts.controllers), "--disable-controller-manager"),
    ] {
        if part != Some(Maker::Knarr) {
            command.arg(flag);
        }
    }
    let mut daemon = machine.start("knarr", &mut command)?;
    let data = seen(machine, data).join("server");
    wait_until("the server has its keys and its token", || {
        daemon.check()?;
        Ok(data.join("tls/sa.key").exists() && data.join("token").exists())
    })?;
    daemons.push(daemon);
    Ok(data.join("tls"))
}

/// The control groups of the pods of a cluster whose files lie there. Its nodes share them here: they have one kernel.
pub(super) fn groups(directory: &Path) -> BTreeSet<String> {
    let entries = |path: PathBuf| std::fs::read_dir(path).into_iter().flatten().flatten();
    let places =
        entries(directory.to_owned()).flat_map(|machine| entries(machine.path().join("data/lib/knarr")));
    let notes =
        places.flat_map(|place| ["server", "agent"].map(|role| place.path().join(role).join("knarr.pid")));
    let id = |note: PathBuf| -> Option<String> {
        let note: serde_json::Value = serde_json::from_slice(&std::fs::read(note).ok()?).ok()?;
        Some(format!("knarr-{}", note["clusterId"].as_str()?))
    };
    notes.filter_map(id).collect()
}

/// Grants Knarr's parts what they need of an API server that is not Knarr's, as its README says.
pub(super) fn permissions(cluster: &Cluster) -> Result<()> {
    let manifest = std::env::current_dir()?.join("examples/any-cluster/permissions.yaml");
    cluster.kubectl(&["apply", "-f", &manifest.display().to_string()]).map(drop)
}

/// Starts the controllers alone.
pub(super) fn controllers(cluster: &mut Cluster, programs: &Programs<'_>, keys: &Path) -> Result<()> {
    let machine = cluster.machines[0].clone();
    let kubeconfig = cluster.identity("controller-manager", "system:kube-controller-manager", &[])?;
    let mut command = machine.command(&programs.knarr);
    command.args(["controller-manager", "--leader-elect=false", "--cluster-cidr", POD_RANGE]);
    command.arg("--service-account-private-key-file").arg(keys.join("sa.key"));
    command.arg("--kubeconfig").arg(kubeconfig);
    cluster.start(&machine, "knarr-controller-manager", &mut command)
}

/// Starts the scheduler alone.
pub(super) fn scheduler(cluster: &mut Cluster, programs: &Programs<'_>) -> Result<()> {
    let machine = cluster.machines[0].clone();
    let kubeconfig = cluster.identity("scheduler", "system:kube-scheduler", &[])?;
    let mut command = machine.command(&programs.knarr);
    command.args(["scheduler", "--leader-elect=false", "--kubeconfig"]).arg(kubeconfig);
    cluster.start(&machine, "knarr-scheduler", &mut command)
}

/// Starts an agent, unless the server has it in it.
pub(super) fn node(cluster: &mut Cluster, programs: &Programs<'_>, index: usize) -> Result<()> {
    let machine = cluster.machines[index].clone();
    let mut command = machine.command(&programs.knarr);
    command.args(["agent", "--node-name", &machine.name, "--node-ip", &machine.address]).args(NO_EVICTION);
    command.args(["--data-dir", &cluster.data]);
    match cluster.parts.api {
        Maker::Knarr if index == 0 => return Ok(()),
        Maker::Knarr => {
            let token = seen(&cluster.machines[0], &cluster.data).join("server/token");
            let token = std::fs::read_to_string(token).context("the server's token")?;
            command.args(["--server", &cluster.server(), "--token", token.trim()]);
        }
        Maker::Stock => {
            let user = format!("system:node:{}", machine.name);
            let kubeconfig = cluster.identity(&machine.name, &user, &["system:nodes"])?;
            command.arg("--kubeconfig").arg(kubeconfig);
            command.args([
                "--cluster-cidr",
                POD_RANGE,
                "--service-cidr",
                SERVICE_RANGE,
                "--cluster-dns",
                DNS,
            ]);
        }
    }
    cluster.start(&machine, "knarr-agent", &mut command)
}
