//! Records against a real process, places that are taken once, and clusters that clash.

use std::process::{Child, Command, Stdio};

use super::*;
use crate::arguments::value::PortRange;

struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A process that runs until its standard input ends.
fn child() -> Reaped {
    let command = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
    Reaped(command.expect("cat starts"))
}

fn identity(child: &Reaped) -> Identity {
    LinuxProcesses.identify(i32::try_from(child.0.id()).unwrap()).expect("the child runs")
}

fn record(place: &Place, process: Identity) -> Record {
    Record {
        role: Role::Server,
        process,
        boot: boot_id(),
        data_dir: place.data_dir.clone(),
        cluster_id: place.cluster_id.to_string(),
        kubeconfig: place.kubeconfig.clone(),
        supervised: false,
        network: "net:[1]".to_owned(),
        ranges: None,
        settings: Settings::new(),
        kept: Settings::new(),
        made: None,
    }
}

fn taking(role: Role, ranges: Option<Ranges>) -> Taking {
    Taking { role, ranges, settings: Settings::new() }
}

fn ranges(port: u16, cluster: &str, service: &str, first_node_port: u16) -> Ranges {
    Ranges {
        network: "net:[1]".to_owned(),
        https_listen_port: Some(port),
        kubelet_port: Some(port + 1),
        cluster_cidr: cluster.to_owned(),
        service_cidr: service.to_owned(),
        service_node_port_range: Some(PortRange { first: first_node_port, last: first_node_port + 100 }),
    }
}

#[test]
fn a_record_counts_as_long_as_its_very_process_runs() {
    let dir = tempfile::tempdir().unwrap();
    let place = Place::new(dir.path().to_owned(), None);
    make_directory(&dir.path().join("server"), 0o755).unwrap();
    let child = child();
    let process = identity(&child);
    let file = pid_file(&place, Role::Server);
    for (changed, alive) in [
        (record(&place, process), true),
        (record(&place, Identity { started_ticks: process.started_ticks + 1, ..process }), false),
        (Record { boot: "an earlier one".to_owned(), ..record(&place, process) }, false),
    ] {
        write(&file, &changed).unwrap();
        assert_eq!(find(&place).is_some(), alive, "{changed:?}");
    }
    write(&file, &record(&place, process)).unwrap();
    // Ended, though nobody has reaped it yet.
    let mut child = child;
    child.0.kill().unwrap();
    crate::stop::stop(process, crate::limits::STOP).unwrap();
    assert_eq!(find(&place), None);
    drop(child);
    assert_eq!(find(&place), None);
    fs::write(&file, "{").unwrap();
    assert_eq!(find(&place), None);
}

#[test]
fn a_place_is_taken_once_and_free_again() {
    let dir = tempfile::tempdir().unwrap();
    let place = Place::new(dir.path().join("data"), None);
    let clusters = dir.path().join("clusters");
    let claimed = claim(&place, taking(Role::Server, None), &clusters).unwrap();
    assert_eq!(find(&place).map(|record| record.process.pid), i32::try_from(std::process::id()).ok());
    assert_eq!(present(&clusters).len(), 1);
    for role in [Role::Server, Role::Agent] {
        let error = claim(&place, taking(role, None), &clusters).expect_err("taken").to_string();
        assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
    }
    drop(claimed);
    assert_eq!(find(&place), None);
    assert!(present(&clusters).is_empty());
    let error = claim(&place, taking(Role::Agent, None), &clusters).expect_err("a server's data").to_string();
    assert!(error.contains("holds the data of knarr server: give knarr agent another --data-dir"), "{error}");
    drop(claim(&place, taking(Role::Server, None), &clusters).unwrap());
    let second = Place::new(dir.path().join("second"), None);
    drop(claim(&second, taking(Role::Agent, None), &clusters).unwrap());
    assert_eq!((role_of(&place), role_of(&second)), (Some(Role::Server), Some(Role::Agent)));
    assert!(last(&second).is_some_and(|record| record.role == Role::Agent && !record.is_alive()));
}

#[test]
fn clashing_clusters_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let place = |name: &str| Place::new(dir.path().join(name), None);
    let clusters = dir.path().join("clusters");
    let first = ranges(6443, "10.42.0.0/16", "10.43.0.0/16", 30000);
    let _first = claim(&place("first"), taking(Role::Server, Some(first)), &clusters).unwrap();
    let second = place("second");
    let apart = || ranges(7443, "10.52.0.0/16", "10.53.0.0/16", 31000);
    for (wanted, expected) in [
        (
            Ranges { https_listen_port: Some(6443), ..apart() },
            "--https-listen-port 6443 clashes with --https-listen-port 6443",
        ),
        (
            Ranges { kubelet_port: Some(6444), ..apart() },
            "--kubelet-port 6444 clashes with --kubelet-port 6444",
        ),
        (
            Ranges { cluster_cidr: "10.40.0.0/13".into(), ..apart() },
            "--cluster-cidr 10.40.0.0/13 clashes with --cluster-cidr 10.42.0.0/16",
        ),
        (
            Ranges { service_cidr: "10.42.0.0/24".into(), ..apart() },
            "--service-cidr 10.42.0.0/24 clashes with --cluster-cidr 10.42.0.0/16",
        ),
        (
            Ranges { service_node_port_range: Some(PortRange { first: 30050, last: 31100 }), ..apart() },
            "--service-node-port-range 30050-31100 clashes with --service-node-port-range 30000-30100",
        ),
        (
            Ranges { https_listen_port: Some(30007), ..apart() },
            "--https-listen-port 30007 clashes with --service-node-port-range",
        ),
    ] {
        let error =
            claim(&second, taking(Role::Server, Some(wanted)), &clusters).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
        assert!(error.contains(&dir.path().join("first").display().to_string()), "{error}");
    }
    drop(claim(&second, taking(Role::Server, Some(apart())), &clusters).unwrap());
    let elsewhere =
        Ranges { network: "net:[2]".into(), ..ranges(6443, "10.42.0.0/16", "10.43.0.0/16", 30000) };
    let claimed = claim(&second, taking(Role::Server, Some(elsewhere)), &clusters).unwrap();
    let alone = present(&clusters).iter().filter(|record| record.shares_network()).count();
    assert_eq!(alone, 0, "neither is in this process's network");
    drop(claimed);
}

#[test]
fn a_stopped_cluster_counts_as_long_as_its_node_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let place = |name: &str| Place::new(dir.path().join(name), None);
    let clusters = dir.path().join("clusters");
    let first = || ranges(6443, "10.42.0.0/16", "10.43.0.0/16", 30000);
    let claimed = claim(&place("first"), taking(Role::Server, Some(first())), &clusters).unwrap();
    let node = state_dir(&clusters, place("first").cluster_id.as_str());
    fs::create_dir(&node).unwrap();
    drop(claimed);
    assert_eq!(present(&clusters).len(), 1);
    let wanted = || ranges(6443, "10.52.0.0/16", "10.43.0.0/16", 31000);
    let second = place("second");
    let error =
        claim(&second, taking(Role::Server, Some(wanted())), &clusters).expect_err("taken").to_string();
    let start = "--service-cidr 10.43.0.0/16 clashes with --service-cidr 10.43.0.0/16 of the cluster in ";
    assert!(
        error.starts_with(start) && error.contains("is stopped, but whose pods and network go on"),
        "{error}"
    );
    // Its ports are free.
    let apart = Ranges { service_cidr: "10.53.0.0/16".to_owned(), ..wanted() };
    drop(claim(&place("third"), taking(Role::Server, Some(apart)), &clusters).unwrap());

    // After a reboot nothing of it is there, whether its directory was in memory or not.
    let file = note(&clusters, place("first").cluster_id.as_str());
    let old = Record { boot: "an earlier one".to_owned(), ..read(&file).unwrap() };
    write(&file, &old).unwrap();
    drop(claim(&place("fourth"), taking(Role::Server, Some(wanted())), &clusters).unwrap());
    write(&file, &Record { boot: boot_id(), ..old }).unwrap();
    fs::remove_dir(&node).unwrap();
    assert!(present(&clusters).is_empty(), "it was taken down");
    forget(&place("first"), &clusters);
    assert!(!file.exists());
}

#[test]
fn an_agents_ranges_count_once_it_knows_them() {
    let dir = tempfile::tempdir().unwrap();
    let place = |name: &str| Place::new(dir.path().join(name), None);
    let clusters = dir.path().join("clusters");
    let server = || ranges(6443, "10.42.0.0/16", "10.43.0.0/16", 30000);
    let of_node = |cluster: &str, service: &str| Ranges {
        https_listen_port: None,
        service_node_port_range: None,
        ..ranges(7443, cluster, service, 0)
    };
    let agent = claim(&place("agent"), taking(Role::Agent, None), &clusters).unwrap();
    let server_claim = claim(&place("server"), taking(Role::Server, Some(server())), &clusters).unwrap();
    let error = agent.take(of_node("10.52.0.0/16", "10.43.0.0/16")).expect_err("taken").to_string();
    assert!(error.starts_with("--service-cidr 10.43.0.0/16 clashes with"), "{error}");
    agent.take(of_node("10.52.0.0/16", "10.53.0.0/16")).unwrap();
    drop(server_claim);
    let wanted = Ranges { cluster_cidr: "10.52.0.0/16".into(), ..server() };
    let error = claim(&place("server"), taking(Role::Server, Some(wanted)), &clusters).expect_err("taken");
    assert!(error.to_string().starts_with("--cluster-cidr 10.52.0.0/16 clashes with"), "{error}");
}

#[test]
fn what_a_cluster_was_made_with_is_kept_once_it_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let place = Place::new(dir.path().join("data"), None);
    let clusters = dir.path().join("clusters");
    let start = |name: &str, disable_agent: &str| {
        let settings = [("node-name", name), ("disable-agent", disable_agent)];
        let settings = settings.map(|(flag, value)| (flag.to_owned(), value.to_owned())).into();
        claim(&place, Taking { role: Role::Server, ranges: None, settings }, &clusters)
    };
    let kept = || last(&place).unwrap().kept.get("node-name").cloned();
    drop(start("one", "false").unwrap());
    assert_eq!(kept(), None, "nothing was made");
    start("two", "false").unwrap().keep().unwrap();
    assert_eq!(kept().as_deref(), Some("two"));
    let error = start("three", "false").expect_err("another node's data").to_string();
    assert!(error.contains("is called two and cannot become three"), "{error}");
    start("three", "true").expect("no node runs").keep().unwrap();
    assert_eq!(kept().as_deref(), Some("two"), "and the node there was goes on being called so");
}
