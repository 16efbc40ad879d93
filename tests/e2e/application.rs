//! A real application in a whole cluster: real containers, reached by name, by address and from the host.

use std::process::Stdio;

use crate::harness::Cluster;
use crate::network::ADDRESS;

const APPLICATION: &str = include_str!("../../examples/shop/shop.yaml");

#[test]
fn an_application_is_deployed_reached_updated_rolled_back_and_outlives_its_server() {
    let mut cluster = Cluster::with_node("app");
    cluster.example_image("example.com/shop:1");
    cluster.example_image("example.com/shop:2");
    cluster.apply(APPLICATION);
    let shop =
        |cluster: &Cluster, arguments: &[&str]| cluster.kubectl(&[&["-n", "shop"], arguments].concat());
    shop(&cluster, &["rollout", "status", "deployment", "web", "--timeout=60s"]);

    let logs = shop(&cluster, &["logs", "deployment/web"]);
    assert!(logs.starts_with("the shop is open at 0.0.0.0:8080\n"), "{logs}");
    let password = shop(&cluster, &["exec", "deployment/web", "--", "sh", "-c", "echo $PASSWORD"]);
    assert_eq!(password, "swordfish\n");
    let by_name = shop(&cluster, &["exec", "deployment/web", "--", "wget", "-qO-", "http://web.shop"]);
    assert!(is_page(&by_name), "{by_name}");
    for url in [format!("http://{ADDRESS}:30080"), "http://127.0.0.1:30080".to_owned()] {
        let mut wget = cluster.program("/bin/busybox");
        let page = wget.args(["wget", "-qO-", &url]).output().expect("busybox runs");
        let page = String::from_utf8_lossy(&page.stdout);
        assert!(is_page(&page), "{url}: {page}");
    }
    forwarded(&cluster);

    shop(&cluster, &["set", "image", "deployment/web", "web=example.com/shop:2"]);
    shop(&cluster, &["rollout", "status", "deployment", "web", "--timeout=60s"]);
    let image = ["get", "pods", "-o", "jsonpath={.items[*].spec.containers[0].image}"];
    let images = [&["-n", "shop"][..], &image].concat();
    cluster.eventually(&images, |images| images == "example.com/shop:2 example.com/shop:2");
    shop(&cluster, &["rollout", "undo", "deployment", "web"]);
    cluster.eventually(&images, |images| images == "example.com/shop:1 example.com/shop:1");
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

/// Whether this is the example's page: who greets from which pod, and what the ConfigMap says.
fn is_page(text: &str) -> bool {
    text.starts_with("hello from web-") && text.ends_with("\nthe shop sells nothing yet\n")
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
    let page = String::from_utf8_lossy(&page.stdout);
    assert!(is_page(&page), "{line}: {page}");
}
