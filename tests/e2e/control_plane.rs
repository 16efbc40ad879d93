//! A control plane without a node: what kubectl can do with objects alone.

use crate::harness::Cluster;

const SHOP: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: shop}
data: {greeting: hello}
---
apiVersion: v1
kind: Secret
metadata: {name: password, namespace: shop}
data: {password: c3dvcmRmaXNo}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: example.com/web:1
        ports: [{name: http, containerPort: 8080}]
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  type: NodePort
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http}]
"#;

#[test]
fn an_application_is_applied_read_scaled_explained_and_deleted() {
    let cluster = Cluster::control_plane();
    let applied = cluster.apply(SHOP);
    assert!(applied.contains("deployment.apps/web created"), "{applied}");
    let again = cluster.apply(SHOP);
    assert!(again.lines().all(|line| line.ends_with("unchanged")), "{again}");

    let shop = |arguments: &[&str]| cluster.kubectl(&[&["-n", "shop"], arguments].concat());
    let password = shop(&["get", "secret", "password", "-o", "jsonpath={.data.password}"]);
    assert_eq!(password, "c3dvcmRmaXNo");
    let address = shop(&["get", "service", "web", "-o", "jsonpath={.spec.clusterIP}"]);
    assert!(address.starts_with("10.243."), "{address}");
    let port = shop(&["get", "service", "web", "-o", "jsonpath={.spec.ports[0].nodePort}"]);
    assert!((30_000..=32_767).contains(&port.parse::<u16>().expect("a port")), "{port}");

    let pods = ["-n", "shop", "get", "pods", "-o", "jsonpath={.items[*].status.phase}"];
    cluster.eventually(&pods, |phases| phases == "Pending Pending");
    shop(&["scale", "deployment", "web", "--replicas=3"]);
    cluster.eventually(&pods, |phases| phases == "Pending Pending Pending");
    let table = shop(&["get", "deployment", "web"]);
    let heading: Vec<&str> = table.lines().next().unwrap_or_default().split_whitespace().collect();
    assert_eq!(heading, ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]);

    let explained = shop(&["explain", "deployment.spec.replicas"]);
    assert!(explained.contains("FIELD: replicas <integer>"), "{explained}");
    shop(&["delete", "deployment", "web"]);
    cluster.eventually(&["-n", "shop", "get", "pods", "-o", "name"], str::is_empty);
    cluster.kubectl(&["delete", "namespace", "shop"]);
    let gone = cluster.refused(&["get", "namespace", "shop"]);
    assert!(gone.contains("namespaces \"shop\" not found"), "{gone}");
}

#[test]
fn pods_that_fit_nowhere_say_why() {
    let cluster = Cluster::control_plane();
    cluster.apply(SHOP);
    let message = [
        "-n",
        "shop",
        "get",
        "pods",
        "-o",
        "jsonpath={.items[0].status.conditions[?(@.type=='PodScheduled')].message}",
    ];
    let said = cluster.eventually(&message, |message| !message.is_empty());
    assert!(said.starts_with("no nodes available to schedule pods"), "{said}");
    // A part that is the whole object can be read.
    let pod = cluster.kubectl(&["-n", "shop", "get", "pods", "-o", "jsonpath={.items[0].metadata.name}"]);
    for part in ["ephemeralcontainers", "resize"] {
        let path = format!("/api/v1/namespaces/shop/pods/{pod}/{part}");
        let read = cluster.kubectl(&["get", "--raw", &path]);
        assert!(read.contains(&format!("\"name\":\"{pod}\"")), "{read}");
    }
}

#[test]
fn what_is_wrong_is_said_in_upstreams_words() {
    let cluster = Cluster::control_plane();
    let unknown = cluster.refused(&["create", "namespace", "Shop"]);
    assert!(unknown.contains("a lowercase RFC 1123 label must consist of"), "{unknown}");
    let missing = cluster.refused(&["-n", "nowhere", "create", "configmap", "a"]);
    assert!(missing.contains("namespaces \"nowhere\" not found"), "{missing}");
    let forbidden = cluster.refused(&["get", "pods", "-A", "--as", "eve"]);
    assert!(forbidden.contains("is forbidden"), "{forbidden}");
}

#[test]
fn a_watch_shows_changes_as_they_come() {
    let cluster = Cluster::control_plane();
    let mut lines = cluster.stream(&[
        "get",
        "configmaps",
        "-w",
        "--no-headers",
        "-o",
        "name",
        "--field-selector",
        "metadata.name=late",
    ]);
    cluster.kubectl(&["create", "configmap", "late", "--from-literal=a=b"]);
    assert_eq!(lines.next(), "configmap/late");
}

#[test]
fn nothing_acknowledged_is_lost_when_the_server_is_killed() {
    let mut cluster = Cluster::control_plane();
    for number in 0..5 {
        cluster.kubectl(&["create", "configmap", &format!("kept-{number}"), "--from-literal=a=b"]);
    }
    cluster.crash_and_restart();
    let names = cluster.kubectl(&["get", "configmaps", "-o", "name"]);
    for number in 0..5 {
        assert!(names.contains(&format!("configmap/kept-{number}\n")), "{names}");
    }
}

const MORE: &str = r#"
apiVersion: networking.k8s.io/v1
kind: ServiceCIDR
metadata: {name: more}
spec: {cidrs: [10.250.1.0/24]}
"#;

#[test]
fn a_range_of_addresses_is_added_and_stays_while_a_service_has_one_of_it() {
    let cluster = Cluster::control_plane();
    let create = ["create", "service", "clusterip", "web", "--clusterip=10.250.1.9", "--tcp=80"];
    let refused = cluster.refused(&create);
    assert!(refused.contains("the provided network does not match the current range"), "{refused}");
    cluster.apply(MORE);
    let ready = |status: &str| {
        cluster.kubectl(&["wait", "servicecidr/more", "--for", &format!("condition=Ready={status}")])
    };
    ready("True");
    cluster.kubectl(&create);
    let parent = cluster.kubectl(&["get", "ipaddress", "10.250.1.9"]);
    assert!(parent.contains("services/default/web"), "{parent}");
    cluster.kubectl(&["delete", "servicecidr", "more", "--wait=false"]);
    ready("False");
    let refused =
        cluster.refused(&["create", "service", "clusterip", "other", "--clusterip=10.250.1.10", "--tcp=80"]);
    assert!(refused.contains("the provided network does not match the current range"), "{refused}");
    cluster.kubectl(&["delete", "service", "web"]);
    cluster.kubectl(&["wait", "servicecidr/more", "--for=delete", "--timeout=60s"]);
}
