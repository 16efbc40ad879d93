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

#[test]
fn a_stopped_cluster_keeps_what_its_pods_use() {
    let mut first = Cluster::with_node("stopped");
    first.busybox_image("example.com/web:1");
    first.apply(&POD.replace("$(CLUSTER)", "the first"));
    first.kubectl(&["wait", "pod", "server", "--for=condition=Ready", "--timeout=60s"]);
    let address = first.kubectl(&["get", "service", "web", "-o", "jsonpath={.spec.clusterIP}"]);
    let url = format!("http://{address}");
    let page = |cluster: &Cluster| {
        let output =
            cluster.program("/bin/busybox").args(["wget", "-qO-", &url]).output().expect("busybox runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    for stop in [Cluster::stop_server, Cluster::kill_server] {
        stop(&mut first);
        let data = tempfile::tempdir().expect("a temporary directory");
        let mut server = first.program(env!("CARGO_BIN_EXE_knarr"));
        server.args(["server", "--service-cidr", "10.245.0.0/16", "--cluster-cidr", "10.242.128.0/17"]);
        let port = crate::harness::free_port().to_string();
        server.args(["--https-listen-port", &port, "--service-node-port-range", "28000-29999"]);
        let refused = server.arg("--data-dir").arg(data.path()).output().expect("the binary was built");
        let complaint = String::from_utf8_lossy(&refused.stderr);
        assert!(
            complaint.contains("--cluster-cidr 10.242.128.0/17 clashes with --cluster-cidr 10.242.0.0/16")
                && complaint.contains("is stopped, but whose pods and network go on"),
            "{complaint}"
        );
        let second = first.neighbour();
        let range = "spec: {type: NodePort, ports: [{port: 80}]}";
        second.apply(&format!("apiVersion: v1\nkind: Service\nmetadata: {{name: outside}}\n{range}\n"));
        let port = second.value(&["service", "outside"], "{.spec.ports[0].nodePort}");
        assert!((28_000..30_000).contains(&port.parse().expect("a port")), "of its own range: {port}");
        second.down();
        assert_eq!(page(&first), "hello from the first\n", "the other's end is not felt");
        first.start_server();
    }
    first.kubectl(&["delete", "pod", "server", "--timeout=60s"]);
}
