//! The cluster's DNS is a process of its own: names resolve while the server is dead.

use std::process::Command;

use host::process::{Identity, LinuxProcesses, Processes as _};

use crate::harness::{Cluster, until, until_answer};

const WEB: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: web
    image: example.com/web:1
    imagePullPolicy: Never
    command: [/bin/sh, -c, "mkdir /pages; echo -n found by name > /pages/index.html; exec httpd -f -p 8080 -h /pages"]
    readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: shop}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
"#;

/// The DNS process by its own record, if there is one that runs.
fn process(cluster: &Cluster) -> Option<Identity> {
    let text = std::fs::read(cluster.state().join("dns.pid")).ok()?;
    let record: serde_json::Value = serde_json::from_slice(&text).ok()?;
    let process = serde_json::from_value(record["lifetime"]["process"].clone()).ok()?;
    runs(process).then_some(process)
}

fn runs(process: Identity) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.pid)).unwrap_or_default();
    LinuxProcesses.identify(process.pid) == Some(process) && !stat.contains(") Z ")
}

fn kill(process: Identity) {
    assert!(LinuxProcesses.signal(process, 9).expect("root may"), "it runs");
}

/// The page by the service's name, asked for by a program within the pod; the server need not run.
fn page(cluster: &Cluster) -> String {
    let inspected: serde_json::Value =
        serde_json::from_str(&cluster.knarr(&["inspect", "default/web"])).expect("JSON");
    let pid = inspected["containers"][0]["status"]["process"]["pid"].as_i64().expect("it runs");
    let mut wget = Command::new("nsenter");
    wget.args(["--all", "--target", &pid.to_string(), "/bin/wget", "-qO-", "http://shop"]);
    let output = wget.output().expect("util-linux is installed");
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn names_resolve_while_the_server_is_dead_and_a_dead_dns_comes_back() {
    let mut cluster = Cluster::with_node("dns");
    cluster.busybox_image("example.com/web:1");
    cluster.apply(WEB);
    cluster.kubectl(&["wait", "--for=condition=Ready", "pod/web", "--timeout=60s"]);
    until_answer("found by name", || page(&cluster));

    let first = process(&cluster).expect("DNS runs");
    kill(first);
    until("DNS is started again", || process(&cluster).is_some_and(|process| process != first));
    until_answer("found by name", || page(&cluster));

    let second = process(&cluster).expect("DNS runs");
    cluster.kill_server();
    assert!(runs(second));
    assert_eq!(page(&cluster), "found by name");
    cluster.start_server();
    assert_eq!(process(&cluster), Some(second), "it is adopted");
    cluster.stop_server();
    assert_eq!(page(&cluster), "found by name");

    let refused = cluster.start_fails_with(&["--cluster-domain", "example.test"]);
    assert!(
        refused.contains("--cluster-domain is cluster.local and cannot become example.test"),
        "{refused}"
    );
    assert_eq!(process(&cluster), Some(second), "nothing is changed");
    assert_eq!(page(&cluster), "found by name");

    let resolv = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(resolv.path(), "nameserver 192.0.2.53\n").expect("it can be written");
    cluster.add_flags(&["--resolv-conf", resolv.path().to_str().expect("letters")]);
    cluster.start_server();
    until("DNS that asks others replaces it", || process(&cluster).is_some_and(|third| third != second));
    assert!(!runs(second));
    let third = process(&cluster).expect("DNS runs");

    let (state, id) = (cluster.state(), cluster.id());
    let said = cluster.down();
    assert!(said.contains("the DNS server"), "{said}");
    assert!(!runs(third));
    assert!(!state.exists());
    assert_eq!(crate::reboot::cgroups(&id), Vec::<std::path::PathBuf>::new());
    let left =
        cluster.program("ip").args(["-4", "-o", "addr", "show", "dev", "lo"]).output().expect("iproute2");
    let left = String::from_utf8_lossy(&left.stdout).into_owned();
    assert_eq!(left.lines().count(), 1, "only its own address: {left}");
}
