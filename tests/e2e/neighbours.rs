//! Two clusters side by side on one machine.

use crate::harness::Cluster;

const POD: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: server, labels: {app: web}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: web
    image: example.com/web:1
    imagePullPolicy: Never
    command: [/bin/sh, -c, "mkdir /pages && echo $GREETING > /pages/index.html && exec httpd -f -p 8080 -h /pages"]
    env: [{name: GREETING, value: "hello from $(CLUSTER)"}]
    readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
"#;

#[test]
fn two_clusters_run_side_by_side_and_one_ends_without_the_other() {
    let first = Cluster::with_node("neighbours");
    let second = first.neighbour();
    for (cluster, name) in [(&first, "the first"), (&second, "the second")] {
        cluster.busybox_image("example.com/web:1");
        cluster.apply(&POD.replace("$(CLUSTER)", name));
    }
    let page = |cluster: &Cluster| {
        cluster.kubectl(&["wait", "pod", "server", "--for=condition=Ready", "--timeout=60s"]);
        cluster.kubectl(&["exec", "server", "--", "wget", "-qO-", "http://web"])
    };
    assert_eq!(page(&first), "hello from the first\n");
    assert_eq!(page(&second), "hello from the second\n");
    second.kubectl(&["delete", "pod", "server", "--timeout=60s"]);
    second.down();
    assert_eq!(page(&first), "hello from the first\n", "the other's end is not felt");
    let address = first.kubectl(&["get", "service", "web", "-o", "jsonpath={.spec.clusterIP}"]);
    let url = format!("http://{address}");
    let output = first.program("/bin/busybox").args(["wget", "-qO-", &url]).output().expect("busybox runs");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "hello from the first\n", "from the node");
    first.kubectl(&["delete", "pod", "server", "--timeout=60s"]);
}
