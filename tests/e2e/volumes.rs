//! Volumes that outlive pods: directories of a node by the default class, and a path that somebody offers, with the real kubectl.

use std::path::Path;
use std::process::Command;

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
  replicas: 1
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      terminationGracePeriodSeconds: 0
      securityContext: {runAsUser: 1000, fsGroup: 2000}
      containers:
      - name: db
        image: example.com/db:1
        imagePullPolicy: Never
        command: [/bin/sh, -c, exec sleep 100000]
        volumeMounts: [{name: data, mountPath: /data}]
  volumeClaimTemplates:
  - metadata: {name: data}
    spec:
      accessModes: [ReadWriteOnce]
      resources: {requests: {storage: 1Mi}}
"#;

const OFFERED: &str = r#"
apiVersion: v1
kind: PersistentVolume
metadata: {name: offered}
spec:
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteOnce]
  hostPath: {path: PATH}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: wanted}
spec:
  storageClassName: ""
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Mi}}
---
apiVersion: v1
kind: Pod
metadata: {name: reader}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: c
    image: example.com/db:1
    imagePullPolicy: Never
    command: [/bin/sh, -c, exec sleep 100000]
    volumeMounts: [{name: v, mountPath: /v}, {name: v, mountPath: /part, subPath: sub}]
  - name: writer
    image: example.com/db:1
    imagePullPolicy: Never
    command: [/bin/sh, -c, exec sleep 100000]
    volumeMounts: [{name: own, mountPath: /own}]
  volumes:
  - name: v
    persistentVolumeClaim: {claimName: wanted, readOnly: true}
  - name: own
    ephemeral:
      volumeClaimTemplate:
        spec:
          accessModes: [ReadWriteOnce]
          resources: {requests: {storage: 1Mi}}
"#;

/// What a driver's volume needs; the driver itself is played by hand. The pod is on a node that nobody runs.
const ATTACHED: &str = r#"
apiVersion: v1
kind: Node
metadata:
  name: far
  annotations: {volumes.kubernetes.io/controller-managed-attach-detach: "true"}
---
apiVersion: storage.k8s.io/v1
kind: CSIDriver
metadata: {name: disk.example.com}
spec: {attachRequired: true}
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: disk}
spec:
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteOnce]
  csi: {driver: disk.example.com, volumeHandle: h1}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: disk}
spec:
  storageClassName: ""
  volumeName: disk
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Mi}}
---
apiVersion: v1
kind: Pod
metadata: {name: far}
spec:
  nodeName: far
  terminationGracePeriodSeconds: 0
  containers:
  - {name: c, image: "example.com/db:1", volumeMounts: [{name: v, mountPath: /v}]}
  volumes:
  - name: v
    persistentVolumeClaim: {claimName: disk}
"#;

/// A path that the next one gets empty.
const WIPED: &str = r#"
apiVersion: v1
kind: PersistentVolume
metadata: {name: shared}
spec:
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteOnce]
  persistentVolumeReclaimPolicy: Recycle
  hostPath: {path: PATH}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: first}
spec:
  storageClassName: ""
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Mi}}
"#;

fn rolled_out(cluster: &Cluster) {
    cluster.kubectl(&["rollout", "status", "statefulset", "db", "--timeout=120s"]);
}

fn gone(cluster: &Cluster, what: &str) {
    cluster.kubectl(&["wait", "--for=delete", what, "--timeout=120s"]);
}

#[test]
fn a_claim_keeps_its_data_over_pods_and_goes_with_it() {
    let cluster = Cluster::with_node("volumes");
    cluster.busybox_image("example.com/db:1");
    cluster.apply(DATABASE);
    rolled_out(&cluster);
    let claim = |name: &str, path: &str| cluster.value(&["pvc", name], path);
    assert_eq!(claim("data-db-0", "{.status.phase} {.spec.storageClassName}"), "Bound local");
    let volume = claim("data-db-0", "{.spec.volumeName}");
    let directory = cluster.value(&["pv", &volume], "{.spec.local.path}");
    cluster.kubectl(&["exec", "db-0", "--", "sh", "-c", "echo kept > /data/file"]);
    let file = Path::new(&directory).join("file");
    assert_eq!(std::fs::read_to_string(&file).expect("the directory is the node's"), "kept\n");
    let owner = cluster.kubectl(&["exec", "db-0", "--", "busybox", "stat", "-c", "%u %g", "/data/file"]);
    assert_eq!(owner, "1000 2000\n", "it belongs to the pod's group");

    let before = cluster.value(&["pod", "db-0"], "{.metadata.uid}");
    cluster.kubectl(&["delete", "pod", "db-0"]);
    cluster.eventually(&["get", "pod", "db-0", "-o", "jsonpath={.metadata.uid}"], |uid| uid != before);
    rolled_out(&cluster);
    assert_eq!(cluster.kubectl(&["exec", "db-0", "--", "cat", "/data/file"]), "kept\n");

    cluster.kubectl(&["scale", "statefulset", "db", "--replicas=2"]);
    rolled_out(&cluster);
    assert_eq!(claim("data-db-1", "{.status.phase}"), "Bound");
    assert_eq!(cluster.kubectl(&["exec", "db-1", "--", "busybox", "ls", "/data"]), "", "each has its own");

    cluster.kubectl(&["delete", "pvc", "data-db-0", "--wait=false"]);
    assert_ne!(claim("data-db-0", "{.metadata.deletionTimestamp}"), "", "it stays while a pod uses it");
    cluster.kubectl(&["scale", "statefulset", "db", "--replicas=0"]);
    gone(&cluster, "pvc/data-db-0");
    gone(&cluster, &format!("pv/{volume}"));
    assert!(!Path::new(&directory).exists(), "the directory has gone with the claim");
    assert_eq!(claim("data-db-1", "{.status.phase}"), "Bound", "the other one stays");
}

#[test]
fn a_path_that_is_offered_is_bound_and_read_and_a_pods_own_claim_goes_with_the_pod() {
    let cluster = Cluster::with_node("offered");
    cluster.busybox_image("example.com/db:1");
    let directory = tempfile::tempdir().expect("a temporary directory");
    std::fs::create_dir(directory.path().join("sub")).expect("a directory");
    std::fs::write(directory.path().join("sub/file"), "here\n").expect("a file");
    cluster.apply(&OFFERED.replace("PATH", directory.path().to_str().expect("a path of letters")));
    cluster.kubectl(&["wait", "--for=condition=Ready", "pod/reader", "--timeout=120s"]);
    assert_eq!(cluster.value(&["pv", "offered"], "{.status.phase} {.spec.claimRef.name}"), "Bound wanted");
    for place in ["/v/sub/file", "/part/file"] {
        assert_eq!(cluster.kubectl(&["exec", "reader", "-c", "c", "--", "cat", place]), "here\n");
    }
    let refused = cluster.try_kubectl(&["exec", "reader", "-c", "c", "--", "touch", "/v/new"]);
    assert!(!refused.status.success() && !directory.path().join("new").exists());
    cluster.kubectl(&["exec", "reader", "-c", "writer", "--", "touch", "/own/new"]);
    assert_eq!(cluster.value(&["pvc", "reader-own"], "{.status.phase}"), "Bound");
    cluster.kubectl(&["delete", "pod", "reader"]);
    gone(&cluster, "pvc/reader-own");
    cluster.kubectl(&["delete", "pvc", "wanted"]);
    cluster
        .eventually(&["get", "pv", "offered", "-o", "jsonpath={.status.phase}"], |phase| phase == "Released");
    assert!(directory.path().join("sub/file").exists(), "what is offered is nobody's to take away");
}

#[test]
fn a_drivers_volume_is_attached_where_its_pod_is_and_detached_when_that_has_gone() {
    let cluster = Cluster::control_plane();
    cluster.eventually(&["get", "serviceaccount", "default", "-o", "name"], |name| !name.is_empty());
    cluster.apply(ATTACHED);
    let attachments = |path: &'static str| ["get", "volumeattachments", "-o", path];
    let name = cluster.eventually(&attachments("jsonpath={.items[*].metadata.name}"), |all| !all.is_empty());
    // By the shell: printf h1disk.example.comfar | sha256sum
    assert_eq!(name, "csi-7a135f95059582d8035f115f0741ee684cbe4294da50fb6b668d37b3ebd382ed");
    let seen =
        cluster.value(&["volumeattachment", &name], "{.spec.nodeName} {.spec.source.persistentVolumeName}");
    assert_eq!(seen, "far disk");
    assert_eq!(cluster.value(&["node", "far"], "{.status.volumesAttached}"), "", "nobody has attached it");
    let done = r#"{"status":{"attached":true}}"#;
    let patch = |what: &[&str], patch: &str| {
        let arguments =
            [&["patch"][..], what, &["--subresource=status", "--type=merge", "-p", patch]].concat();
        cluster.kubectl(&arguments);
    };
    patch(&["volumeattachment", &name], done);
    let listed = ["get", "node", "far", "-o", "jsonpath={.status.volumesAttached[*].name}"];
    let unique = "kubernetes.io/csi/disk.example.com^h1";
    cluster.eventually(&listed, |all| all == unique);
    let told = ["get", "events", "-o", "jsonpath={.items[?(@.involvedObject.name==\"far\")].reason}"];
    cluster.eventually(&told, |all| all.contains("SuccessfulAttachVolume"));

    // The node has mounted it: it stays until that is over.
    patch(&["node", "far"], &format!(r#"{{"status":{{"volumesInUse":["{unique}"]}}}}"#));
    cluster.kubectl(&["delete", "pod", "far", "--force", "--grace-period=0"]);
    assert_eq!(cluster.kubectl(&attachments("name")).lines().count(), 1);
    patch(&["node", "far"], r#"{"status":{"volumesInUse":[]}}"#);
    gone(&cluster, &format!("volumeattachment/{name}"));
    cluster.eventually(&listed, str::is_empty);
}

/// Copies a program of this machine, with the libraries that it needs, to where it lies below a root.
fn with_libraries(program: &Path, root: &Path) {
    let needed = Command::new("ldd").arg(program).output().expect("ldd is there").stdout;
    let needed = String::from_utf8(needed).expect("text");
    let libraries = needed.split_whitespace().filter(|word| word.starts_with('/'));
    for path in libraries.map(Path::new).chain([program]) {
        let to = root.join(path.strip_prefix("/").expect("it begins so"));
        std::fs::create_dir_all(to.parent().expect("a file lies somewhere")).expect("a directory");
        std::fs::copy(path, to).expect("the file can be copied");
    }
}

#[test]
fn a_path_is_wiped_before_the_next_claim_gets_it() {
    let cluster = Cluster::with_node("wiped");
    let root = tempfile::tempdir().expect("a temporary directory");
    // Busybox has a find that deletes nothing.
    for program in ["/bin/sh", "/usr/bin/find", "/usr/bin/ls"] {
        with_libraries(Path::new(program), root.path());
    }
    cluster.build_image(root.path(), "registry.k8s.io/build-image/debian-base:bookworm-v1.0.6");
    let directory = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(directory.path().join("file"), "mine\n").expect("a file");
    cluster.apply(&WIPED.replace("PATH", directory.path().to_str().expect("a path of letters")));
    let phase = ["get", "pv", "shared", "-o", "jsonpath={.status.phase}"];
    cluster.eventually(&phase, |phase| phase == "Bound");
    cluster.kubectl(&["delete", "pvc", "first"]);
    cluster.eventually(&phase, |phase| phase == "Available");
    assert!(!directory.path().join("file").exists(), "what was the first's is nobody's any more");
    assert_eq!(cluster.value(&["pv", "shared"], "{.spec.claimRef}"), "");
    gone(&cluster, "pod/recycler-for-shared");
    let told = ["get", "events", "-o", "jsonpath={.items[?(@.involvedObject.name==\"shared\")].reason}"];
    cluster.eventually(&told, |all| all.contains("VolumeRecycled"));
}
