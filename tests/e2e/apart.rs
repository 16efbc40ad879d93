//! The control plane in parts: controllers and scheduler as processes of their own, each on its kubeconfig.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use host::process::{LinuxProcesses, Processes as _};

use crate::harness::{Cluster, PATIENCE, program_in};

/// A component that runs until the value ends.
struct Component(Child);

impl Component {
    fn start(cluster: &Cluster, words: &[&str], kubeconfig: &str) -> Component {
        let kubeconfig = cluster.data().join("server/cred").join(kubeconfig);
        Component::start_with(cluster, words, "--kubeconfig", &kubeconfig)
    }

    fn start_with(cluster: &Cluster, words: &[&str], flag: &str, file: &Path) -> Component {
        let log = std::fs::File::create(cluster.data().join(format!("{}.log", words[0]))).expect("a log");
        let mut command = cluster.program(env!("CARGO_BIN_EXE_knarr"));
        command.args(words).arg(flag).arg(file);
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a second handle")).stderr(log);
        Component(command.spawn().expect("the binary was built"))
    }
}

impl Drop for Component {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const DEPLOYMENT: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: web, image: "example.com/web:1", imagePullPolicy: Never, command: [sleep, "1000"]}]
"#;

/// Asks a process to end once its log says this, and waits until it has ended well.
fn ends_once_asked(mut component: Component, log: &Path, says: &str) {
    let begun = Instant::now();
    while !std::fs::read_to_string(log).unwrap_or_default().contains(says) {
        assert!(begun.elapsed() < PATIENCE, "{} never says {says}", log.display());
        std::thread::sleep(Duration::from_millis(20));
    }
    let pid = i32::try_from(component.0.id()).expect("a process id");
    let process = LinuxProcesses.identify(pid).expect("it runs");
    assert!(LinuxProcesses.signal(process, 15).expect("it can be signalled"));
    while component.0.try_wait().expect("it can be asked").is_none() {
        assert!(begun.elapsed() < PATIENCE, "it does not end");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(component.0.wait().expect("it has ended").success());
}

/// Without controllers nobody approves.
fn a_node_that_waits_for_its_approval_ends_when_it_is_asked_to(cluster: &Cluster) {
    let machine = cluster.second_machine("unapproved");
    let (server, token) = cluster.invitation();
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("log");
    let log = std::fs::File::create(&path).expect("a log");
    let mut agent = program_in(Some(&machine), env!("CARGO_BIN_EXE_knarr"));
    agent.args(["agent", "--server", &server, "--token", &token, "--node-name", "two", "--data-dir"]);
    agent.arg(dir.path().join("data")).stdin(Stdio::null());
    agent.stdout(log.try_clone().expect("a second handle")).stderr(log);
    let agent = Component(agent.spawn().expect("the binary was built"));
    ends_once_asked(agent, &path, "agent.joining");
}

#[test]
fn controllers_and_scheduler_run_alone_on_their_kubeconfigs() {
    let cluster = Cluster::of_parts("apart", &["--disable-scheduler", "--disable-controller-manager"]);
    a_node_that_waits_for_its_approval_ends_when_it_is_asked_to(&cluster);
    let words = ["controller-manager", "--cluster-cidr", "10.242.0.0/16"];
    let _controllers = Component::start(&cluster, &words, "controller.kubeconfig");
    cluster.settle();
    cluster.busybox_image("example.com/web:1");
    cluster.apply(DEPLOYMENT);
    let phases = ["get", "pods", "-o", "jsonpath={.items[*].status.phase}"];
    cluster.eventually(&phases, |phases| phases == "Pending Pending");
    let scheduler = Component::start(&cluster, &["scheduler"], "scheduler.kubeconfig");
    cluster.kubectl(&["rollout", "status", "deployment", "web", "--timeout=60s"]);
    let holders = "jsonpath={.items[*].metadata.name}";
    let leases = cluster.kubectl(&["-n", "kube-system", "get", "leases", "-o", holders]);
    let (server, components) = leases.split_once(' ').expect("the API server's lease, and others");
    assert!(server.starts_with("apiserver-"), "{server}");
    assert_eq!(components, "kube-controller-manager kube-scheduler");
    let who = "jsonpath={.items[*].metadata.name}";
    let accounts = cluster.kubectl(&["-n", "kube-system", "get", "serviceaccounts", "-o", who]);
    assert!(
        accounts.contains("replicaset-controller"),
        "controllers act as accounts of their own: {accounts}"
    );

    // One that only waits to lead ends when it is asked to.
    let waiting = Component::start(&cluster, &["scheduler"], "scheduler.kubeconfig");
    ends_once_asked(waiting, &cluster.data().join("scheduler.log"), "component.started");

    // Another that waits takes over from one that has died. Its configuration says where the API is.
    let config = cluster.data().join("scheduler.yaml");
    let text = format!(
        "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\nclientConnection: {{kubeconfig: {}}}\n",
        cluster.data().join("server/cred/scheduler.kubeconfig").display()
    );
    std::fs::write(&config, text).expect("a configuration");
    drop(scheduler);
    let _second = Component::start_with(&cluster, &["scheduler"], "--config", &config);
    cluster.kubectl(&["scale", "deployment", "web", "--replicas=3"]);
    cluster.kubectl(&["rollout", "status", "deployment", "web", "--timeout=90s"]);
    cluster.kubectl(&["delete", "deployment", "web", "--timeout=60s"]);
}
