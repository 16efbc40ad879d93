//! A real application in a whole cluster: real containers, reached by name, by address and from the host.

use std::process::Stdio;

use crate::harness::Cluster;
use crate::network::ADDRESS;

const APPLICATION: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: pages, namespace: shop}
data: {index.html: "hello from the shop"}
---
apiVersion: v1
kind: Secret
metadata: {name: password, namespace: shop}
stringData: {password: swordfish}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: web
        image: example.com/web:1
        imagePullPolicy: Never
        command: [/bin/sh, -c, "echo the password is $PASSWORD; exec httpd -f -p 8080 -h /pages"]
        env: [{name: PASSWORD, valueFrom: {secretKeyRef: {name: password, key: password}}}]
        ports: [{name: http, containerPort: 8080}]
        readinessProbe: {httpGet: {path: /, port: http}, periodSeconds: 1}
        volumeMounts: [{name: pages, mountPath: /pages}]
      volumes: [{name: pages, configMap: {name: pages}}]
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  type: NodePort
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http, nodePort: 30080}]
"#;

#[test]
fn an_application_is_deployed_reached_updated_rolled_back_and_outlives_its_server() {
    let mut cluster = Cluster::with_node("app");
    cluster.busybox_image("example.com/web:1");
    cluster.busybox_image("example.com/web:2");
    cluster.apply(APPLICATION);
    let shop =
        |cluster: &Cluster, arguments: &[&str]| cluster.kubectl(&[&["-n", "shop"], arguments].concat());
    shop(&cluster, &["rollout", "status", "deployment", "web", "--timeout=60s"]);

    let logs = shop(&cluster, &["logs", "deployment/web"]);
    assert_eq!(logs, "the password is swordfish\n");
    let by_name = shop(&cluster, &["exec", "deployment/web", "--", "wget", "-qO-", "http://web.shop"]);
    assert_eq!(by_name, "hello from the shop");
    for url in [format!("http://{ADDRESS}:30080"), "http://127.0.0.1:30080".to_owned()] {
        let mut wget = cluster.program("/bin/busybox");
        let page = wget.args(["wget", "-qO-", &url]).output().expect("busybox runs");
        assert_eq!(String::from_utf8_lossy(&page.stdout), "hello from the shop", "{url}");
    }
    forwarded(&cluster);

    shop(&cluster, &["set", "image", "deployment/web", "web=example.com/web:2"]);
    shop(&cluster, &["rollout", "status", "deployment", "web", "--timeout=60s"]);
    let image = ["get", "pods", "-o", "jsonpath={.items[*].spec.containers[0].image}"];
    let images = [&["-n", "shop"][..], &image].concat();
    cluster.eventually(&images, |images| images == "example.com/web:2 example.com/web:2");
    shop(&cluster, &["rollout", "undo", "deployment", "web"]);
    cluster.eventually(&images, |images| images == "example.com/web:1 example.com/web:1");
    shop(&cluster, &["rollout", "status", "deployment", "web", "--timeout=60s"]);

    let started =
        ["get", "pods", "-o", "jsonpath={.items[*].status.containerStatuses[0].state.running.startedAt}"];
    let before = shop(&cluster, &started);
    cluster.crash_and_restart();
    assert_eq!(shop(&cluster, &started), before, "the containers have not been started again");
    let ready = ["-n", "shop", "get", "deployment", "web", "-o", "jsonpath={.status.readyReplicas}"];
    assert_eq!(cluster.eventually(&ready, |ready| ready == "2"), "2");
    let restarts = shop(
        &cluster,
        &["get", "pods", "-o", "jsonpath={.items[*].status.containerStatuses[0].restartCount}"],
    );
    assert_eq!(restarts, "0 0");

    cluster.kubectl(&["delete", "namespace", "shop", "--timeout=60s"]);
    let said = cluster.down();
    assert!(said.contains("Stopped the server"), "{said}");
    for (program, arguments) in
        [("nft", &["list", "tables"][..]), ("ip", &["-4", "-o", "addr", "show", "scope", "global"])]
    {
        let left = cluster.program(program).args(arguments).output().expect("it is installed: ./dev setup");
        let left = String::from_utf8_lossy(&left.stdout).into_owned();
        let foreign = left.lines().find(|line| !line.contains(ADDRESS));
        assert_eq!(foreign, None, "{program} shows what was left behind");
    }
}

/// The page by `kubectl port-forward`.
fn forwarded(cluster: &Cluster) {
    let mut forward = cluster.stream(&["-n", "shop", "port-forward", "service/web", ":80"]);
    let line = forward.next();
    let port =
        line.rsplit_once("127.0.0.1:").and_then(|(_, rest)| rest.split(' ').next()).unwrap_or_default();
    let mut wget = cluster.program("/bin/busybox");
    let page = wget
        .args(["wget", "-qO-", &format!("http://127.0.0.1:{port}")])
        .stderr(Stdio::inherit())
        .output()
        .expect("busybox runs");
    assert_eq!(String::from_utf8_lossy(&page.stdout), "hello from the shop", "{line}");
}
