//! A second node, on another machine of the same link: joined by token, reached through the API server, its pods by direct
//! routes.

use std::path::Path;
use std::process::{Child, Stdio};

use tempfile::TempDir;

use crate::harness::{Cluster, busybox, program_in};
use crate::network::{Network, SECOND_ADDRESS};

/// A running agent on a machine of its own.
pub struct Agent {
    network: Network,
    dir: TempDir,
    process: Child,
    flags: Vec<String>,
}

impl Agent {
    /// Joins a cluster as the node `two`.
    pub fn start(cluster: &Cluster) -> Agent {
        let network = cluster.second_machine("second");
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (server, token) = cluster.invitation();
        let flags =
            ["--server", &server, "--token", &token, "--node-name", "two"].map(str::to_owned).to_vec();
        let process = spawn(&network, dir.path(), &flags);
        Agent { network, dir, process, flags }
    }

    /// Makes an image of a directory, in the store of this node.
    pub fn build_image(&self, from: &Path, tag: &str) {
        let mut command = program_in(Some(&self.network), env!("CARGO_BIN_EXE_knarr"));
        command.args(["image", "build", "--tag", tag, "--from"]).arg(from);
        let output =
            command.arg("--data-dir").arg(self.dir.path().join("data")).output().expect("it was built");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn crash_and_restart(&mut self) {
        self.process.kill().expect("the agent can be killed");
        self.process.wait().expect("the agent can be waited for");
        self.process = spawn(&self.network, self.dir.path(), &self.flags);
    }

    /// Writes a kubeconfig of the certificate that it joined with.
    fn kubeconfig(&self) -> std::path::PathBuf {
        let tls = self.dir.path().join("data/agent/tls");
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
             contexts: [{{name: c, context: {{cluster: k, user: n}}}}]\n\
             clusters: [{{name: k, cluster: {{server: '{}', certificate-authority: {}}}}}]\n\
             users: [{{name: n, user: {{client-certificate: {}, client-key: {}}}}}]\n",
            self.flags[1],
            tls.join("server-ca.crt").display(),
            tls.join("node-client.crt").display(),
            tls.join("node-client.key").display(),
        );
        let path = self.dir.path().join("kubeconfig");
        std::fs::write(&path, text).expect("it can be written");
        path
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    fn try_knarr(&self, words: &[&str]) -> std::process::Output {
        let mut command = program_in(Some(&self.network), env!("CARGO_BIN_EXE_knarr"));
        command.args(words).arg("--data-dir").arg(self.dir.path().join("data"));
        command.output().expect("it was built")
    }

    fn knarr(&self, words: &[&str]) -> String {
        let output = self.try_knarr(words);
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the agent's log:\n{}", self.log());
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
        if self.dir.path().join("data").exists() {
            self.try_knarr(&["down", "--purge"]);
        }
    }
}

fn spawn(network: &Network, dir: &Path, flags: &[String]) -> Child {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(dir.join("log")).expect("a log");
    program_in(Some(network), env!("CARGO_BIN_EXE_knarr"))
        .arg("agent")
        .args(["--kubelet-arg", "eviction-hard=memory.available<1Mi"])
        .arg("--data-dir")
        .arg(dir.join("data"))
        .args(flags)
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a second handle"))
        .stderr(log)
        .spawn()
        .expect("the binary was built")
}

const PODS: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: here, labels: {app: web}}
spec:
  nodeName: one
  terminationGracePeriodSeconds: 1
  containers:
  - {name: web, image: "example.com/web:1", imagePullPolicy: Never, command: [httpd, -f, -p, "8080", -h, /pages], volumeMounts: [{name: pages, mountPath: /pages}]}
  volumes: [{name: pages, configMap: {name: pages}}]
---
apiVersion: v1
kind: Pod
metadata: {name: there, labels: {app: web, side: there}}
spec:
  nodeSelector: {kubernetes.io/hostname: two}
  terminationGracePeriodSeconds: 1
  containers:
  - name: web
    image: example.com/web:1
    imagePullPolicy: Never
    command: [/bin/sh, -c, "echo serving; exec httpd -f -p 8080 -h /pages"]
    readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
    volumeMounts: [{name: pages, mountPath: /pages}]
  volumes: [{name: pages, configMap: {name: pages}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: pages}
data: {index.html: "a page"}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: NodePort, selector: {side: there}, ports: [{port: 80, targetPort: 8080, nodePort: 30081}]}
"#;

#[test]
fn a_second_node_joins_by_token_and_runs_pods_that_all_can_reach() {
    let cluster = Cluster::with_node("nodes");
    let mut agent = Agent::start(&cluster);
    let ready = r#"jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}"#;
    cluster.eventually(&["get", "nodes", "-o", ready], |states| states == "True True");
    let ranges = cluster.kubectl(&["get", "nodes", "-o", "jsonpath={.items[*].spec.podCIDR}"]);
    assert_eq!(ranges, "10.242.0.0/24 10.242.1.0/24");

    let root = tempfile::tempdir().expect("a temporary directory");
    busybox(root.path());
    cluster.build_image(root.path(), "example.com/web:1");
    agent.build_image(root.path(), "example.com/web:1");
    cluster.apply(PODS);
    cluster.kubectl(&["wait", "pod", "--all", "--for=condition=Ready", "--timeout=60s"]);
    let at = |pod: &str| cluster.kubectl(&["get", "pod", pod, "-o", "jsonpath={.status.podIP}"]);
    let (here, there) = (at("here"), at("there"));
    assert!(there.starts_with("10.242.1."), "{there}");

    // What the API server must fetch from the other node.
    assert_eq!(cluster.kubectl(&["logs", "there"]), "serving\n");
    let fetch = |pod: &str, url: &str| cluster.kubectl(&["exec", pod, "--", "wget", "-qO-", url]);
    assert_eq!(fetch("there", &format!("http://{here}:8080")), "a page", "from the second to the first");
    assert_eq!(fetch("here", &format!("http://{there}:8080")), "a page", "from the first to the second");
    assert_eq!(fetch("here", "http://web"), "a page", "by name, from the first");
    assert_eq!(fetch("there", "http://web"), "a page", "by name, from the second");
    let mut forward = cluster.stream(&["port-forward", "pod/there", ":8080"]);
    let line = forward.next();
    assert!(line.contains("127.0.0.1:"), "{line}");
    for address in [crate::network::ADDRESS, SECOND_ADDRESS] {
        let url = format!("http://{address}:30081");
        let page = cluster.program("/bin/busybox").args(["wget", "-qO-", &url]).output().expect("it runs");
        assert_eq!(String::from_utf8_lossy(&page.stdout), "a page", "{url}");
    }

    let raw = cluster.kubectl(&["get", "--raw", "/api/v1/nodes/two"]);
    assert!(raw.contains("\"kubeletEndpoint\":{\"Port\":10250}"), "{raw}");

    let status = agent.knarr(&["status"]);
    let api = format!("api:        ready, of {}\n", agent.flags[1]);
    for part in ["agent runs, process ", api.as_str(), "node:       Ready\n", "pods here:  1\n"] {
        assert!(status.contains(part) && !status.contains("kubeconfig"), "{part}: {status}");
    }

    let started = ["get", "pod", "there", "-o", "jsonpath={.status.containerStatuses[0].containerID}"];
    let before = cluster.kubectl(&started);
    agent.crash_and_restart();
    // A new line in its log is fetched by the new agent.
    cluster.eventually(&["exec", "there", "--", "echo", "again"], |text| text == "again\n");
    assert_eq!(cluster.kubectl(&started), before, "the container has not been started again");

    // A node of a cluster that says nothing of itself: its kubeconfig and its flags say all.
    let kubeconfig = agent.kubeconfig();
    let kubeconfig = kubeconfig.to_str().expect("a path of letters");
    agent.flags = ["--kubeconfig", kubeconfig, "--cluster-cidr", "10.242.0.0/16", "--service-cidr"]
        .into_iter()
        .chain(["10.243.0.0/16", "--cluster-dns", "10.243.0.10", "--node-name", "two"])
        .map(str::to_owned)
        .collect();
    agent.crash_and_restart();
    cluster.eventually(&["exec", "there", "--", "echo", "as before"], |text| text == "as before\n");
    assert_eq!(cluster.kubectl(&started), before, "the container has not been started again");

    cluster.kubectl(&["delete", "pod", "here", "--timeout=60s"]);
    // Deleted while its agent runs, it registers again, with a lease that is the new one's.
    let uid = ["get", "node", "two", "-o", "jsonpath={.metadata.uid}"];
    let old = cluster.kubectl(&uid);
    cluster.kubectl(&["delete", "node", "two"]);
    let new = cluster.eventually(&uid, |new| !new.is_empty() && new != old);
    let owner =
        ["-n", "kube-node-lease", "get", "lease", "two", "-o", "jsonpath={.metadata.ownerReferences[0].uid}"];
    cluster.eventually(&owner, |owner| owner == new);
    taken_down(&agent);
}

/// `down` speaks of a node, and leaves nothing of it when it is told to purge.
fn taken_down(agent: &Agent) {
    let record = std::fs::read(agent.dir.path().join("data/agent/knarr.pid")).expect("the agent left it");
    let record: serde_json::Value = serde_json::from_slice(&record).expect("it is JSON");
    let run = Path::new("/run/knarr").join(record["clusterId"].as_str().expect("its short name"));
    let down = agent.knarr(&["down"]);
    let again = format!("Start it again with: knarr agent --kubeconfig {}", agent.flags[1]);
    for part in ["Stopped the agent, process ", "Stopping 1 pod", "Left: the node's data", &again] {
        assert!(down.contains(part), "{part}: {down}");
    }
    let status = agent.try_knarr(&["status"]);
    let text = String::from_utf8_lossy(&status.stdout).into_owned();
    assert_eq!(status.status.code(), Some(3));
    assert!(
        text.contains("agent stopped\npods here:  0\n") && text.contains("knarr agent --kubeconfig"),
        "{text}"
    );
    let refused = agent.try_knarr(&["up", "--disable-agent", "--advertise-address", "203.0.113.1"]);
    let complaint = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        complaint.contains("belongs to a node of another cluster, whose agent is stopped"),
        "{complaint}"
    );
    let purged = agent.knarr(&["down", "--purge"]);
    assert!(purged.contains("Left in the cluster: the node two"), "{purged}");
    let note = Path::new("/run/knarr/clusters").join(run.with_extension("json").file_name().expect("a name"));
    for path in [agent.dir.path().join("data"), run, note] {
        assert!(!path.exists(), "{}", path.display());
    }
}

#[test]
fn a_node_with_a_wrong_token_is_told_so() {
    let cluster = Cluster::with_node("wrong");
    let network = cluster.second_machine("stranger");
    let (server, token) = cluster.invitation();
    let other_cluster = format!("K10{}::abcdef.0123456789abcdef", "0".repeat(64));
    let unknown = format!("{}::abcdef.0123456789abcdef", token.split("::").next().expect("a digest"));
    for (token, wanted) in [
        (other_cluster.as_str(), "this is not the cluster that the token is for"),
        (unknown.as_str(), "the token is not, or no longer, the server's"),
        ("nonsense", "a join token has the form"),
    ] {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut command = program_in(Some(&network), env!("CARGO_BIN_EXE_knarr"));
        command.args(["agent", "--server", &server, "--token", token, "--node-name", "two"]);
        let output = command.arg("--data-dir").arg(dir.path().join("data")).output().expect("it was built");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(wanted), "{token}: {said}");
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut command = program_in(Some(&network), env!("CARGO_BIN_EXE_knarr"));
    command.args(["agent", "--server", &server, "--token", &token, "--node-name", "one"]);
    let output = command.arg("--data-dir").arg(dir.path().join("data")).output().expect("it was built");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let wanted = "a Node with name \"one\" and status Ready already exists in the cluster";
    assert!(!output.status.success() && said.contains(wanted), "{said}");
    assert!(!dir.path().join("data/agent/tls/node-client.key").exists(), "nobody else is that node");
    assert_eq!(cluster.kubectl(&["get", "csr", "-o", "name"]), "", "nobody asked to be");
    assert_eq!(cluster.kubectl(&["get", "nodes", "-o", "name"]), "node/one\n");
}
