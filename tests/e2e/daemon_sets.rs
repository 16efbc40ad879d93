//! A DaemonSet on two machines: a pod on each, a new template, back again, and a node that is emptied around it.

use crate::harness::{Cluster, busybox};
use crate::second_node::Agent;

const DAEMONS: &str = r#"
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: agent, image: "example.com/agent:1", imagePullPolicy: Never, command: [sleep, "3600"]}]
---
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
      topologySpreadConstraints:
      - {maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: ScheduleAnyway, labelSelector: {matchLabels: {app: web}}}
      containers: [{name: web, image: "example.com/agent:1", imagePullPolicy: Never, command: [sleep, "3600"]}]
"#;

#[test]
fn a_daemon_set_runs_on_each_node_is_updated_undone_and_outlasts_a_drain() {
    let cluster = Cluster::with_node("daemons");
    let agent = Agent::start(&cluster);
    let ready = r#"jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}"#;
    cluster.eventually(&["get", "nodes", "-o", ready], |states| states == "True True");
    let root = tempfile::tempdir().expect("a temporary directory");
    busybox(root.path());
    for tag in ["example.com/agent:1", "example.com/agent:2"] {
        cluster.build_image(root.path(), tag);
        agent.build_image(root.path(), tag);
    }
    cluster.apply(DAEMONS);
    let rolled_out = || cluster.kubectl(&["rollout", "status", "daemonset", "agent", "--timeout=60s"]);
    let pods = |shown: &str| {
        let path = format!("jsonpath={{range .items[*]}}{shown}{{\"\\n\"}}{{end}}");
        let text = cluster.kubectl(&["get", "pods", "-l", "app=agent", "-o", &path]);
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    const PLACE: &str = "{.spec.nodeName} {.spec.containers[0].image}";
    assert!(rolled_out().contains("daemon set \"agent\" successfully rolled out"));
    assert_eq!(pods(PLACE), ["one example.com/agent:1", "two example.com/agent:1"]);
    let row = cluster.kubectl(&["get", "daemonset", "agent", "--no-headers"]);
    let cells: Vec<&str> = row.split_whitespace().take(7).collect();
    assert_eq!(cells, ["agent", "2", "2", "2", "2", "2", "<none>"]);

    cluster.kubectl(&["set", "image", "daemonset/agent", "agent=example.com/agent:2"]);
    rolled_out();
    assert_eq!(pods(PLACE), ["one example.com/agent:2", "two example.com/agent:2"]);
    let history = cluster.kubectl(&["rollout", "history", "daemonset", "agent"]);
    let revisions: Vec<&str> = history.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(revisions, ["daemonset.apps/agent", "REVISION", "1", "2"], "{history}");
    let first = cluster.kubectl(&["rollout", "history", "daemonset", "agent", "--revision=1"]);
    assert!(first.contains("example.com/agent:1"), "{first}");
    cluster.kubectl(&["rollout", "undo", "daemonset", "agent"]);
    rolled_out();
    assert_eq!(pods(PLACE), ["one example.com/agent:1", "two example.com/agent:1"]);
    let numbers = ["get", "controllerrevisions", "-o", "jsonpath={.items[*].revision}"];
    let numbers = cluster.kubectl(&numbers);
    assert!(numbers == "2 3" || numbers == "3 2", "{numbers}");

    cluster.kubectl(&["rollout", "status", "deployment", "web", "--timeout=60s"]);
    let before = pods("{.metadata.name}");
    let said = cluster.kubectl(&["drain", "two", "--ignore-daemonsets", "--timeout=60s"]);
    assert!(said.contains("node/two cordoned") && said.contains("node/two drained"), "{said}");
    let web = ["get", "pods", "-l", "app=web", "-o", "jsonpath={.items[*].spec.nodeName}"];
    cluster.eventually(&web, |nodes| nodes == "one one");
    assert_eq!(pods("{.metadata.name}"), before, "a drain is no reason to go");
    let going = before.iter().map(String::as_str);
    let deleted: Vec<&str> = ["delete", "pod"].into_iter().chain(going).collect();
    cluster.kubectl(&deleted);
    rolled_out();
    assert_eq!(pods(PLACE).len(), 2, "it comes to a node that is cordoned");

    cluster.kubectl(&["delete", "daemonset", "agent", "--cascade=foreground", "--timeout=60s"]);
    let left = ["get", "pods,controllerrevisions", "-l", "app=agent", "-o", "name"];
    assert_eq!(cluster.kubectl(&left), "");
}
