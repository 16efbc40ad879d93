//! Pods with names of their own: made in order, found by name, rolled out, undone and scaled with the real kubectl.

use crate::harness::Cluster;

const DATABASE: &str = r#"
apiVersion: v1
kind: Service
metadata: {name: db}
spec:
  clusterIP: None
  selector: {app: db}
  ports: [{port: 80}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  replicas: 3
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: db
        image: example.com/db:1
        imagePullPolicy: Never
        command: [/bin/sh, -c, exec sleep 100000]
        readinessProbe: {exec: {command: [test, -d, /bin]}, periodSeconds: 1}
"#;

fn each(cluster: &Cluster, path: &str) -> Vec<String> {
    let pods = cluster
        .value(&["pods", "--sort-by=.metadata.name"], &format!("{{range .items[*]}}{{{path}}}|{{end}}"));
    pods.split_terminator('|').map(str::to_owned).collect()
}

fn rolled_out(cluster: &Cluster) {
    cluster.kubectl(&["rollout", "status", "statefulset", "db", "--timeout=120s"]);
}

#[test]
fn a_stateful_set_keeps_order_and_names_through_rollouts_an_undo_and_scaling() {
    let cluster = Cluster::with_node("stateful");
    for tag in ["example.com/db:1", "example.com/db:2"] {
        cluster.busybox_image(tag);
    }
    cluster.apply(DATABASE);
    rolled_out(&cluster);
    assert_eq!(each(&cluster, ".metadata.name"), ["db-0", "db-1", "db-2"]);
    let made = each(&cluster, ".metadata.creationTimestamp");
    let ready = each(&cluster, ".status.conditions[?(@.type=='Ready')].lastTransitionTime");
    for (before, next) in ready.iter().zip(&made[1..]) {
        assert!(before <= next, "a pod was made at {next}, and the one before was ready at {before}");
    }
    assert_eq!(cluster.kubectl(&["exec", "db-1", "--", "cat", "/etc/hostname"]), "db-1\n");
    let address = cluster.value(&["pod", "db-0"], "{.status.podIP}");
    cluster.eventually(
        &["exec", "db-1", "--", "busybox", "nslookup", "db-0.db.default.svc.cluster.local"],
        |said| said.contains(&address),
    );

    cluster.kubectl(&["set", "image", "statefulset/db", "db=example.com/db:2"]);
    rolled_out(&cluster);
    let image = ".spec.containers[0].image";
    assert_eq!(each(&cluster, image), ["example.com/db:2"; 3]);
    let history = cluster.kubectl(&["rollout", "history", "statefulset/db"]);
    let numbers: Vec<&str> = history.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(numbers.contains(&"1") && numbers.contains(&"2"), "{history}");
    let first = cluster.kubectl(&["rollout", "history", "statefulset/db", "--revision=1"]);
    assert!(first.contains("example.com/db:1"), "{first}");
    cluster.kubectl(&["rollout", "undo", "statefulset/db"]);
    rolled_out(&cluster);
    assert_eq!(each(&cluster, image), ["example.com/db:1"; 3]);
    let numbers = cluster.value(&["controllerrevisions", "--sort-by=.revision"], "{.items[*].revision}");
    assert_eq!(numbers, "2 3", "the first revision is the last again");

    cluster.kubectl(&["scale", "statefulset", "db", "--replicas=2"]);
    cluster.kubectl(&["wait", "--for=delete", "pod/db-2", "--timeout=60s"]);
    let patch = r#"{"spec":{"updateStrategy":{"rollingUpdate":{"partition":1}}}}"#;
    cluster.kubectl(&["patch", "statefulset", "db", "-p", patch]);
    cluster.kubectl(&["set", "image", "statefulset/db", "db=example.com/db:2"]);
    rolled_out(&cluster);
    assert_eq!(each(&cluster, image), ["example.com/db:1", "example.com/db:2"]);

    let before = cluster.value(&["pod", "db-0"], "{.metadata.uid}");
    cluster.kubectl(&["delete", "pod", "db-0"]);
    let uid = ["get", "pod", "db-0", "-o", "jsonpath={.metadata.uid}"];
    cluster.eventually(&uid, |uid| uid != before);
    cluster.eventually(&["get", "statefulset", "db", "-o", "jsonpath={.status.readyReplicas}"], |ready| {
        ready == "2"
    });
    assert_eq!(
        each(&cluster, image),
        ["example.com/db:1", "example.com/db:2"],
        "below the partition nothing changes"
    );
    let shown = cluster.kubectl(&["get", "statefulset", "db"]);
    assert!(shown.contains("READY") && shown.contains("2/2"), "{shown}");
}
