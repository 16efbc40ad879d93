//! Nothing that is ready ceases to be while its server is away: killed, stopped, or gone for longer than a lease is good for.
//!
//! Whatever flips leaves another `lastTransitionTime`, and an endpoint that was withdrawn another version of its slice.

use crate::harness::{Cluster, until};

const WEB: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: web
        image: example.com/web:1
        imagePullPolicy: Never
        command: [/bin/sleep, "86400"]
        readinessProbe: {exec: {command: [/bin/sh, -c, "echo >> /probes"]}, periodSeconds: 1}
---
apiVersion: v1
kind: Pod
metadata: {name: plain, labels: {app: plain}}
spec:
  terminationGracePeriodSeconds: 0
  containers: [{name: plain, image: "example.com/web:1", imagePullPolicy: Never, command: [/bin/sleep, "86400"]}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80}]
"#;

/// When each condition of readiness came to be what it is, and which version of its endpoints the service has.
fn readiness(cluster: &Cluster) -> String {
    let conditions = "{range .items[*]}{.metadata.name}{range .status.conditions[*]} {.type} {.status} {.lastTransitionTime}{end}{'\\n'}{end}";
    let pods = cluster.value(&["pods"], conditions);
    let nodes = cluster.value(&["nodes"], conditions);
    let deployments =
        cluster.value(&["deployments"], "{.items[*].status.conditions[?(@.type=='Available')]}");
    let slice = ["endpointslices", "-l", "kubernetes.io/service-name=web"];
    let endpoints = cluster
        .value(&slice, "{.items[*].metadata.resourceVersion} {.items[*].endpoints[*].conditions.ready}");
    assert!(endpoints.ends_with(" true true"), "{endpoints}");
    format!("{pods}{nodes}{deployments}\n{endpoints}")
}

/// How often the pods' readiness was probed.
fn probes(cluster: &Cluster) -> usize {
    // A server is ready before its node can be asked.
    cluster.eventually(&["exec", "deployment/web", "--", "/bin/cat", "/probes"], |_| true).lines().count()
}

/// Waits until the node's agent goes about its work again: it probes, and starts a new pod.
fn at_work(cluster: &Cluster, pod: &str) {
    let before = probes(cluster);
    until("readiness is probed again", || probes(cluster) > before + 1);
    let command = ["--image-pull-policy=Never", "--restart=Never", "--command", "--", "/bin/sleep", "86400"];
    cluster.kubectl(&[&["run", pod, "--image=example.com/web:1"], &command[..]].concat());
    cluster.kubectl(&["wait", "--for=condition=Ready", &format!("pod/{pod}"), "--timeout=60s"]);
    cluster.kubectl(&["delete", "pod", pod, "--grace-period=0", "--force"]);
    cluster.eventually(&["get", "pods", "-o", "name"], |names| names.lines().count() == 3);
}

#[test]
fn ready_never_flips_while_the_server_is_away() {
    let mut cluster = Cluster::with_node("ready");
    cluster.busybox_image("example.com/web:1");
    cluster.apply(WEB);
    cluster.kubectl(&["rollout", "status", "deployment", "web", "--timeout=60s"]);
    cluster.kubectl(&["wait", "--for=condition=Ready", "pod/plain", "--timeout=60s"]);
    let slice = [
        "get",
        "endpointslices",
        "-l",
        "kubernetes.io/service-name=web",
        "-o",
        "jsonpath={.items[*].endpoints[*].conditions.ready}",
    ];
    cluster.eventually(&slice, |ready| ready == "true true");
    let before = readiness(&cluster);

    cluster.crash_and_restart();
    at_work(&cluster, "after-a-crash");
    assert_eq!(readiness(&cluster), before, "after kill -9");

    cluster.stop_server();
    cluster.start_server();
    at_work(&cluster, "after-a-stop");
    assert_eq!(readiness(&cluster), before, "after SIGTERM");

    // Not waited for but written: the node was last heard of long ago.
    cluster.stop_server();
    cluster.start_server_with(&["--disable-agent"]);
    let lease = r#"{"spec":{"renewTime":"2020-01-01T00:00:00.000000Z"}}"#;
    cluster.kubectl(&["-n", "kube-node-lease", "patch", "lease", "one", "--type=merge", "-p", lease]);
    let heard = r#"{"status":{"conditions":[{"type":"Ready","lastHeartbeatTime":"2020-01-01T00:00:00Z"}]}}"#;
    cluster.kubectl(&["patch", "node", "one", "--subresource=status", "-p", heard]);
    cluster.stop_server();
    cluster.start_server();
    at_work(&cluster, "after-a-long-time");
    assert_eq!(readiness(&cluster), before, "after a time longer than a lease");
}
