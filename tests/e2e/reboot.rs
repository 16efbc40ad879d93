//! A machine that boots again, simulated: no process, namespace, mount, control group or file in memory of the cluster is left. Only
//! this cluster's own are touched, by its id.

use std::path::{Path, PathBuf};
use std::process::Command;

use host::process::{LinuxProcesses, Processes as _};

use crate::harness::{Cluster, until};
use crate::network::{ADDRESS, Network};

const APPLICATION: &str = include_str!("../../examples/shop/shop.yaml");

/// The control groups of a cluster, in every hierarchy.
pub fn cgroups(id: &str) -> Vec<PathBuf> {
    let root = PathBuf::from("/sys/fs/cgroup");
    let hierarchies = std::fs::read_dir(&root).into_iter().flatten().flatten().map(|entry| entry.path());
    let own = format!("knarr-{id}");
    [root.clone()]
        .into_iter()
        .chain(hierarchies)
        .map(|path| path.join(&own))
        .filter(|path| path.exists())
        .collect()
}

/// A directory and all below it, the innermost first.
fn tree(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let folders = entries.map(|entry| entry.path()).filter(|path| path.is_dir() && !path.is_symlink());
    folders.flat_map(|path| tree(&path)).chain([path.to_owned()]).collect()
}

/// Ends and forgets what a cluster has in this machine's memory. Its server is dead already.
pub fn forget(id: &str, state: &Path, data: &Path) {
    let groups: Vec<PathBuf> = cgroups(id).iter().flat_map(|group| tree(group)).collect();
    let members = || -> Vec<i32> {
        let lists =
            groups.iter().filter_map(|group| std::fs::read_to_string(group.join("cgroup.procs")).ok());
        lists.flat_map(|list| list.lines().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect()
    };
    until("every process of the cluster is gone", || {
        let alive: Vec<i32> = members();
        for process in alive.iter().filter_map(|pid| LinuxProcesses.identify(*pid)) {
            let _ = LinuxProcesses.signal(process, 9);
        }
        alive.is_empty()
    });
    for group in &groups {
        until("an empty control group can be removed", || {
            std::fs::remove_dir(group).is_ok() || !group.exists()
        });
    }
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").expect("proc is mounted");
    let points: Vec<&str> = mounts.lines().filter_map(|line| line.split(' ').nth(4)).collect();
    for point in
        points.iter().rev().filter(|point| [state, data].iter().any(|own| Path::new(point).starts_with(own)))
    {
        let status = Command::new("umount").args(["-l", point]).status().expect("util-linux is installed");
        assert!(status.success(), "{point}");
    }
    std::fs::remove_dir_all(state).expect("nothing holds it any more");
    let _ = std::fs::remove_file(format!("/run/knarr/clusters/{id}.json"));
}

#[test]
fn pods_return_after_a_reboot_with_another_address_and_no_default_route() {
    let mut cluster = Cluster::in_network(Network::with("boot", ADDRESS, Some("198.51.100.254")));
    cluster.example_image("example.com/shop:1");
    cluster.apply(APPLICATION);
    let shop = |cluster: &Cluster, object: &str, path: &str| cluster.value(&["-n", "shop", object], path);
    cluster.kubectl(&["-n", "shop", "rollout", "status", "deployment", "web", "--timeout=60s"]);
    assert_eq!(cluster.value(&["nodes"], "{.items[*].status.addresses[0].address}"), ADDRESS);
    let uids = shop(&cluster, "pods", "{.items[*].metadata.uid}");

    const MOVED: &str = "198.51.100.7";
    cluster.reboot(Network::with("boot-again", MOVED, None));
    let restarted = ["-n", "shop", "get", "pods", "-o"];
    let counts = "jsonpath={.items[*].status.containerStatuses[0].restartCount} {.items[*].status.conditions[?(@.type=='Ready')].status}";
    cluster.eventually(&[&restarted[..], &[counts]].concat(), |counts| counts == "1 1 True True");
    assert_eq!(shop(&cluster, "pods", "{.items[*].metadata.uid}"), uids, "they are the same pods");
    let reasons =
        shop(&cluster, "pods", "{.items[*].status.containerStatuses[0].lastState.terminated.exitCode}");
    assert_eq!(reasons, "137 137", "nobody saw how they ended");

    // Everything follows the address.
    let addresses = ["get", "node", "one", "-o", "jsonpath={.status.addresses[0].address}"];
    cluster.eventually(&addresses, |address| address == MOVED);
    assert_eq!(cluster.value(&["endpoints", "kubernetes"], "{.subsets[0].addresses[*].ip}"), MOVED);
    let slice = ["endpointslices", "kubernetes"];
    assert_eq!(cluster.value(&slice, "{.endpoints[*].addresses[*]}"), MOVED);
    let port = cluster.value(&slice, "{.ports[0].port}");
    let server = format!("--server=https://{MOVED}:{port}");
    assert_eq!(cluster.kubectl(&[&server, "get", "--raw", "/readyz"]), "ok");
    let page = |url: &str| {
        let output = cluster.program("/bin/busybox").args(["wget", "-qO-", url]).output().expect("it runs");
        String::from_utf8_lossy(&output.stdout).ends_with("the shop sells nothing yet\n")
    };
    until("node ports are at the new address", || page(&format!("http://{MOVED}:30080")));
    until("and at this machine's own", || page("http://127.0.0.1:30080"));
    assert!(!page(&format!("http://{ADDRESS}:30080")), "but not at the old one");
    let by_name = ["-n", "shop", "exec", "deployment/web", "--", "wget", "-qO-", "http://web.shop"];
    assert!(cluster.eventually(&by_name, |_| true).ends_with("the shop sells nothing yet\n"));

    // Nothing stale: of each pod and container, what runs and no more.
    let count = |path: PathBuf| std::fs::read_dir(path).into_iter().flatten().count();
    assert_eq!(count(cluster.state().join("pods")), 2);
    assert_eq!(count(cluster.data().join("agent/pods")), 2);
    let listed = cluster.knarr(&["ps", "-a"]);
    assert_eq!(listed.lines().count(), 3, "{listed}");
    assert_eq!(count(cluster.data().join("agent/containers")), 2, "{listed}");
    cluster.kubectl(&["delete", "namespace", "shop", "--timeout=60s"]);
    assert_eq!(count(cluster.state().join("pods")), 0);
    cluster.down();
}
