//! The control plane in parts: controllers and scheduler as processes of their own, each on its kubeconfig.

use std::process::{Child, Stdio};

use host::process::{LinuxProcesses, Processes as _};

use crate::harness::{Cluster, PATIENCE};

/// A component that runs until the value ends.
struct Component(Child);

impl Component {
    fn start(cluster: &Cluster, words: &[&str], kubeconfig: &str) -> Component {
        let log = std::fs::File::create(cluster.data().join(format!("{}.log", words[0]))).expect("a log");
        let mut command = cluster.program(env!("CARGO_BIN_EXE_knarr"));
        command.args(words).arg("--kubeconfig").arg(cluster.data().join("server/cred").join(kubeconfig));
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

#[test]
fn controllers_and_scheduler_run_alone_on_their_kubeconfigs() {
    let cluster = Cluster::of_parts("apart", &["--disable-scheduler", "--disable-controller-manager"]);
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
    assert_eq!(leases, "kube-controller-manager kube-scheduler");
    let who = "jsonpath={.items[*].metadata.name}";
    let accounts = cluster.kubectl(&["-n", "kube-system", "get", "serviceaccounts", "-o", who]);
    assert!(
        accounts.contains("replicaset-controller"),
        "controllers act as accounts of their own: {accounts}"
    );

    // One that only waits to lead ends when it is asked to.
    let mut waiting = Component::start(&cluster, &["scheduler"], "scheduler.kubeconfig");
    let pid = i32::try_from(waiting.0.id()).expect("a process id");
    let process = LinuxProcesses.identify(pid).expect("it runs");
    let log = cluster.data().join("scheduler.log");
    let begun = std::time::Instant::now();
    while !std::fs::read_to_string(&log).unwrap_or_default().contains("component.started") {
        assert!(begun.elapsed() < PATIENCE, "it does not start");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert!(LinuxProcesses.signal(process, 15).expect("it can be signalled"));
    assert!(waiting.0.wait().expect("it ends").success());

    // Another that waits takes over from one that has died.
    drop(scheduler);
    let _second = Component::start(&cluster, &["scheduler"], "scheduler.kubeconfig");
    cluster.kubectl(&["scale", "deployment", "web", "--replicas=3"]);
    cluster.kubectl(&["rollout", "status", "deployment", "web", "--timeout=90s"]);
    cluster.kubectl(&["delete", "deployment", "web", "--timeout=60s"]);
}
