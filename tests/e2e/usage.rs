//! What nodes and pods use, as `kubectl top` shows it: built in, and another server's as soon as somebody brings one.

use crate::harness::Cluster;

const BUSY: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: busy, labels: {app: busy}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: spins
    image: example.com/shell:1
    imagePullPolicy: Never
    command: [/bin/sh, -c, 'while true; do :; done']
    resources: {limits: {cpu: 200m}}
  - {name: sleeps, image: example.com/shell:1, imagePullPolicy: Never, command: [/bin/sleep, '1000']}
"#;

#[test]
fn what_is_used_is_shown() {
    let cluster = Cluster::with_node("usage");
    cluster.busybox_image("example.com/shell:1");
    cluster.apply(BUSY);
    cluster.kubectl(&["wait", "--for=condition=Ready", "pod/busy", "--timeout=60s"]);
    let shown = cluster.eventually(&["top", "pod", "busy", "--containers", "--no-headers"], |text| {
        text.lines().count() == 2
    });
    let row = |name: &str| -> Vec<String> {
        let row = shown.lines().find(|line| line.contains(name)).expect("a row");
        row.split_whitespace().map(str::to_owned).collect()
    };
    let milli = |row: &[String]| row[2].trim_end_matches('m').parse::<u64>().expect("a number");
    let (spins, sleeps) = (row("spins"), row("sleeps"));
    assert!(milli(&spins) > 20 && milli(&sleeps) < 20, "{shown}");
    let node = cluster.kubectl(&["top", "node", "one", "--no-headers"]);
    let node: Vec<&str> = node.split_whitespace().collect();
    assert!(node[0] == "one" && node[1].ends_with('m') && node[3].ends_with("Mi"), "{node:?}");
    let labelled = cluster.kubectl(&["top", "pod", "-A", "-l", "app=busy", "--no-headers"]);
    assert_eq!(labelled.lines().count(), 1, "{labelled}");
    let table = cluster.kubectl(&["get", "pods.metrics.k8s.io"]);
    let header: Vec<&str> = table.lines().next().unwrap_or_default().split_whitespace().collect();
    assert_eq!(header, ["NAME", "CPU", "MEMORY", "WINDOW"]);
    cluster.kubectl(&["create", "rolebinding", "ada", "--clusterrole=view", "--user=ada"]);
    cluster.eventually(&["top", "pod", "busy", "--as", "ada"], |_| true);
    assert!(cluster.refused(&["top", "node", "--as", "ada"]).contains("nodes.metrics.k8s.io is forbidden"));
    let summary = cluster.kubectl(&["get", "--raw", "/api/v1/nodes/one/proxy/stats/summary"]);
    assert!(summary.contains(r#""nodeName":"one""#) && summary.contains(r#""name":"busy""#), "{summary}");
    let resource = cluster.kubectl(&["get", "--raw", "/api/v1/nodes/one/proxy/metrics/resource"]);
    assert!(resource.contains(r#"container_cpu_usage_seconds_total{container="spins""#), "{resource}");
    taken_over(&cluster);
}

/// Whoever installs metrics-server has it answer; without it, these answers are back.
fn taken_over(cluster: &Cluster) {
    let theirs = "
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1beta1.metrics.k8s.io}
spec:
  group: metrics.k8s.io
  version: v1beta1
  groupPriorityMinimum: 100
  versionPriority: 100
  insecureSkipTLSVerify: true
  service: {namespace: kube-system, name: metrics-server}
";
    cluster.apply(theirs);
    cluster.until(|| match cluster.try_kubectl(&["get", "pods.metrics.k8s.io"]) {
        output if !output.status.success() => Ok(()),
        _ => Err("it is answered still".to_owned()),
    });
    cluster.kubectl(&["delete", "apiservice", "v1beta1.metrics.k8s.io"]);
    cluster.eventually(&["top", "pod", "busy", "--no-headers"], |text| text.contains("busy"));
}
