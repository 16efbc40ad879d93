//! `kubectl drain`: pods leave a node as their budget allows, and stay where it allows nothing.

use crate::harness::Cluster;

const GUARDED: &str = r#"
apiVersion: v1
kind: ReplicationController
metadata: {name: web}
spec:
  replicas: 2
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: c, image: "example.com/busybox:1", command: [sleep, "1000000"]}]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {minAvailable: 1, selector: {matchLabels: {app: web}}}
"#;

#[test]
fn kubectl_drains_a_node_as_far_as_a_budget_allows() {
    let cluster = Cluster::with_node("drained");
    cluster.busybox_image("example.com/busybox:1");
    cluster.apply(GUARDED);
    let allowed = ["get", "pdb", "web", "-o", "jsonpath={.status.disruptionsAllowed}"];
    cluster.eventually(&allowed, |allowed| allowed == "1");
    let status = |path: &str| cluster.value(&["pdb", "web"], &format!("{{.status.{path}}}"));
    assert_eq!((status("currentHealthy"), status("desiredHealthy")), ("2".to_owned(), "1".to_owned()));
    assert_eq!((status("expectedPods"), status("observedGeneration")), ("2".to_owned(), "1".to_owned()));

    let node = cluster.value(&["nodes"], "{.items[0].metadata.name}");
    let drain = ["drain", &node, "--pod-selector", "app=web", "--timeout"];
    let refused = cluster.refused(&[&drain[..], &["15s"]].concat());
    let why = "Cannot evict pod as it would violate the pod's disruption budget.";
    assert!(refused.contains(why), "{refused}");
    // One has gone; the one in its place finds no node.
    assert_eq!(status("currentHealthy"), "1");
    let running = ["get", "pods", "-l", "app=web", "--field-selector", "status.phase=Running", "-o", "name"];
    assert_eq!(cluster.kubectl(&running).lines().count(), 1);

    let one = cluster.kubectl(&running).trim().trim_start_matches("pod/").to_owned();

    cluster.kubectl(&["delete", "pdb", "web"]);
    let drained = cluster.kubectl(&[&drain[..], &["60s"]].concat());
    assert!(drained.contains(&format!("pod/{one} evicted")), "{drained}");
    cluster.kubectl(&["uncordon", &node]);
    let ready = ["get", "rc", "web", "-o", "jsonpath={.status.readyReplicas}"];
    cluster.eventually(&ready, |ready| ready == "2");
    cluster.kubectl(&["scale", "rc", "web", "--replicas=1"]);
    cluster.eventually(&ready, |ready| ready == "1");
    cluster.kubectl(&["delete", "rc", "web", "--cascade=orphan"]);
    cluster.eventually(&running, |names| names.lines().count() == 1);

    // What it is answered with says in its body the code that its head says.
    let left = cluster.kubectl(&running).trim().trim_start_matches("pod/").to_owned();
    let eviction = cluster.data().join("eviction.json");
    let body = serde_json::json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": left}});
    std::fs::write(&eviction, body.to_string()).expect("a file");
    let path = format!("/api/v1/namespaces/default/pods/{left}/eviction");
    let said = cluster.kubectl(&["create", "--raw", &path, "-f", &eviction.display().to_string()]);
    assert!(said.contains(r#""status":"Success""#) && said.contains(r#""code":201"#), "{said}");
}
