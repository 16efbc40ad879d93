//! `knarr why` and `knarr plan`: asked of a server as its users ask.

use std::process::Output;

use crate::harness::Cluster;

const NODE: &str = "
apiVersion: v1
kind: Node
metadata: {name: small, labels: {kubernetes.io/hostname: small}}
status:
  allocatable: {cpu: '1', memory: 1Gi, pods: '10'}
  capacity: {cpu: '1', memory: 1Gi, pods: '10'}
  conditions: [{type: Ready, status: 'True'}]
";

const POD: &str = "
apiVersion: v1
kind: Pod
metadata: {name: large, namespace: default}
spec: {containers: [{name: main, image: app, resources: {requests: {cpu: '2'}}}]}
";

const DEPLOYMENT: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      tolerations: [{operator: Exists}]
      containers: [{name: main, image: app, resources: {requests: {cpu: 600m}}}]
";

fn ask(cluster: &Cluster, words: &[&str]) -> Output {
    let kubeconfig = cluster.kubeconfig();
    let kubeconfig = kubeconfig.to_str().expect("a path of text");
    let mut command = cluster.program(env!("CARGO_BIN_EXE_knarr"));
    command.args(words).args(["--kubeconfig", kubeconfig]).output().expect("the binary was built")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn why_a_pod_is_pending_is_told_with_what_would_help() {
    let cluster = Cluster::control_plane();
    cluster.eventually(&["get", "serviceaccount", "default"], |_| true);
    cluster.apply(NODE);
    cluster.apply(POD);
    let condition = "jsonpath={.status.conditions[?(@.type=='PodScheduled')].reason}";
    cluster.eventually(&["get", "pod", "large", "-o", condition], |reason| reason == "Unschedulable");
    let output = ask(&cluster, &["why", "po/large"]);
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    for wanted in [
        "Pod default/large: Pending, waits for a node",
        "Node small: ",
        "asks for 2 cpu, and it has 1 in all",
        "Changed:",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    let output = ask(&cluster, &["why", "pod", "large", "-o", "json"]);
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(answer["findings"][0]["reason"], "Unschedulable", "{answer}");
    let output = ask(&cluster, &["why", "pod/none"]);
    assert!(
        !output.status.success() && said(&output).contains("pods \"none\" not found"),
        "{}",
        said(&output)
    );
}

#[test]
fn what_a_file_would_lead_to_is_told_and_nothing_is_changed() {
    let cluster = Cluster::control_plane();
    cluster.eventually(&["get", "serviceaccount", "default"], |_| true);
    cluster.apply(NODE);
    let folder = tempfile::tempdir().expect("a temporary directory");
    let file = folder.path().join("web.yaml");
    std::fs::write(&file, DEPLOYMENT).expect("it can be written");
    let file = file.to_str().expect("a path of text");
    let output = ask(&cluster, &["plan", "-f", file]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    for wanted in [
        "Deployment default/web would be created",
        "Scaled up replica set web-",
        "is on node small",
        "stays pending: 0/1 nodes are available: 1 Insufficient cpu.",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    assert_eq!(cluster.kubectl(&["get", "deployments,pods", "-o", "name"]).trim(), "");
    cluster.kubectl(&["apply", "--server-side", "-f", file]);
    let output = ask(&cluster, &["plan", "-f", file]);
    assert_eq!(
        (output.status.code(), said(&output).as_str()),
        (Some(0), "Deployment default/web is so already\n")
    );
}
