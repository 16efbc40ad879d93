//! An API server of somebody else's behind this one, asked by the real kubectl: found, described, watched, and in nobody's way when it
//! does not answer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use base::random::SystemRandom;
use base::time::{Clock as _, SystemClock};
use server_authn::pki::Pki;
use server_authn::pki::component::Component;
use server_authn::pki::directory::Directory;

use crate::harbour::Harbour;
use crate::harness::Cluster;
use crate::raw;

const NAME: &str = "v1.harbour.example.com";
const AVAILABLE: &str = "{.status.conditions[?(@.type=='Available')]";

/// The service of a server outside of the cluster's pods, and the APIService that leads to it.
fn manifest(harbour: &Harbour) -> String {
    let (ip, port) = (harbour.address.ip(), harbour.address.port());
    let bundle = STANDARD.encode(&harbour.authority);
    format!(
        "
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: harbour, labels: {{kubernetes.io/service-name: harbour}}}}
addressType: IPv4
endpoints: [{{addresses: ['{ip}'], conditions: {{ready: true}}}}]
ports: [{{name: https, port: {port}}}]
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {{name: {NAME}}}
spec:
  group: harbour.example.com
  version: v1
  groupPriorityMinimum: 500
  versionPriority: 10
  caBundle: {bundle}
  service: {{namespace: default, name: harbour}}
"
    )
}

const SERVICE: &str =
    "apiVersion: v1\nkind: Service\nmetadata: {name: harbour}\nspec: {ports: [{name: https, port: 443}]}";

fn reason(cluster: &Cluster, wanted: &str) -> String {
    let path = format!("jsonpath={AVAILABLE}.reason}}");
    cluster.eventually(&["get", "apiservice", NAME, "-o", &path], |reason| reason == wanted);
    cluster.value(&["apiservice", NAME], &format!("{AVAILABLE}.message}}"))
}

#[test]
fn another_server_is_a_part_of_the_api() {
    let cluster = Cluster::of_parts("aggregation", &["--disable-agent"]);
    cluster.eventually(&["get", "namespace", "default"], |_| true);
    let harbour = Harbour::start(&cluster);
    registered(&cluster, &harbour);
    found_and_described(&cluster);
    asked(&cluster);
    upgraded(&cluster);
    a_namespace_ends(&cluster, &harbour);
    in_nobodys_way(&cluster, &harbour);
    cluster.kubectl(&["delete", "apiservice", NAME]);
    let none = "the server doesn't have a resource type";
    cluster.until(|| match cluster.refused(&["get", "berths.harbour.example.com"]) {
        refused if refused.contains(none) => Ok(()),
        refused => Err(refused),
    });
}

/// What is missing is said until nothing is.
fn registered(cluster: &Cluster, harbour: &Harbour) {
    cluster.apply(&manifest(harbour));
    assert_eq!(reason(cluster, "ServiceNotFound"), r#"service/harbour in "default" is not present"#);
    let path = "/apis/harbour.example.com/v1/namespaces/default/berths";
    let refused = cluster.refused(&["get", "--raw", path]);
    assert!(refused.contains("the server is currently unable to handle the request"), "{refused}");
    cluster.apply(&SERVICE.replace("443", "444"));
    let message = r#"service/harbour in "default" is not listening on port 443"#;
    assert_eq!(reason(cluster, "ServicePortError"), message);
    cluster.apply(SERVICE);
    assert_eq!(reason(cluster, "Passed"), "all checks passed");
    let row = cluster.kubectl(&["get", "apiservice", NAME, "--no-headers"]);
    let cells: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(cells[..3], [NAME, "default/harbour", "True"]);
    let local = cluster.kubectl(&["get", "apiservice", "v1.apps", "--no-headers"]);
    assert_eq!(local.split_whitespace().collect::<Vec<_>>()[1..3], ["Local", "True"]);
}

fn found_and_described(cluster: &Cluster) {
    let listed = ["api-resources", "--api-group", "harbour.example.com", "--no-headers", "--cached=false"];
    let listed = cluster.eventually(&listed, |text| text.contains("berths"));
    let row = ["berths", "bth", "harbour.example.com/v1", "true", "Berth"];
    assert_eq!(listed.split_whitespace().collect::<Vec<_>>(), row);
    let groups = cluster.kubectl(&["get", "--raw", "/apis"]);
    let groups: serde_json::Value = serde_json::from_str(&groups).expect("JSON");
    let names: Vec<&str> =
        groups["groups"].as_array().expect("groups").iter().filter_map(|own| own["name"].as_str()).collect();
    assert_eq!(names[..3], ["apiregistration.k8s.io", "apps", "events.k8s.io"]);
    assert!(names.contains(&"harbour.example.com"), "{names:?}");
    let one = cluster.kubectl(&["get", "--raw", "/apis/harbour.example.com"]);
    assert!(one.contains(r#""groupVersion":"harbour.example.com/v1""#), "{one}");
    cluster.eventually(&["get", "--raw", "/openapi/v3"], |index| {
        index.contains("harbour.example.com/v1?hash=1")
    });
    let explained = cluster.kubectl(&["explain", "berths.spec.ship"]);
    assert!(explained.contains("The name of the ship."), "{explained}");
    let second =
        cluster.eventually(&["get", "--raw", "/openapi/v2"], |text| text.contains("harbour.v1.Berth"));
    assert!(!second.contains("harbour.v1.Unused") && second.contains("io.k8s.api.core.v1.Pod"));
    cluster.kubectl(&["explain", "pods.spec.nodeName"]);
}

fn asked(cluster: &Cluster) {
    assert!(cluster.kubectl(&["get", "bth", "--no-headers"]).starts_with("one "));
    let said = |key: &str| cluster.value(&["berth", "two"], &format!("{{.metadata.annotations.{key}}}"));
    assert_eq!((said("user").as_str(), said("proxied").as_str()), ("kubernetes-super-admin", "true"));
    assert!(said("groups").contains("system:authenticated"), "{}", said("groups"));
    assert_eq!(said("authorization"), "");
    let made = r#"{"apiVersion": "harbour.example.com/v1", "kind": "Berth", "metadata": {"name": "three"}}"#;
    let made = cluster.create_raw("/apis/harbour.example.com/v1/namespaces/default/berths", made);
    assert!(made.contains(r#""name":"three""#), "{made}");
    let mut watched = cluster.stream(&["get", "berths", "-w", "--no-headers", "-o", "name"]);
    assert_eq!([watched.next(), watched.next(), watched.next()], ["berth.harbour.example.com/one"; 3]);
    let ada = ["get", "berths", "--as", "ada"];
    let refused = cluster.refused(&ada);
    assert!(
        refused.contains(r#"User "ada" cannot list resource "berths" in API group "harbour.example.com""#),
        "{refused}"
    );
    cluster.kubectl(&["create", "role", "guest", "--verb=get,list", "--resource=berths.harbour.example.com"]);
    cluster.kubectl(&["create", "rolebinding", "guest", "--role=guest", "--user=ada"]);
    cluster.eventually(&ada, |_| true);
    let ada = ["get", "berth", "two", "--as", "ada", "-o", "jsonpath={.metadata.annotations.user}"];
    assert_eq!(cluster.kubectl(&ada), "ada");
    assert!(cluster.refused(&["get", "berth", "none"]).contains("no such berth"));
}

/// Other protocols pass, and nobody is led elsewhere.
fn upgraded(cluster: &Cluster) {
    let files = Directory::new(cluster.keys());
    let now = SystemClock.now();
    let pki = Pki::open(&files, now, &SystemRandom).expect("the cluster's keys");
    let admin = pki.component(&files, &Component::SuperAdmin, now, &SystemRandom).expect("a certificate");
    let path = "/apis/harbour.example.com/v1/namespaces/default/berths/one/talk";
    let said = cluster.within(|| raw::talk(cluster, &admin, path, "hello"));
    assert!(said.starts_with("HTTP/1.1 101 Switching Protocols\r\n") && said.ends_with("olleh"), "{said}");
    let refused = cluster.refused(&["get", "berth", "away"]);
    assert!(refused.contains("the backend attempted to redirect this request"), "{refused}");
}

/// What another server keeps in a namespace goes before it, and keeps it while nobody can say what that is.
fn a_namespace_ends(cluster: &Cluster, harbour: &Harbour) {
    cluster.kubectl(&["create", "namespace", "quay"]);
    cluster.kubectl(&["delete", "namespace", "quay", "--timeout=60s"]);
    let left = cluster.kubectl(&["get", "berths", "-n", "quay", "-o", "name"]);
    assert_eq!(left, "", "somebody has deleted them");
    cluster.kubectl(&["create", "namespace", "pier"]);
    harbour.break_down();
    reason(cluster, "FailedDiscoveryCheck");
    cluster.kubectl(&["delete", "namespace", "pier", "--wait=false"]);
    let path = "jsonpath={.status.conditions[?(@.type=='NamespaceDeletionDiscoveryFailure')].message}";
    let wanted = "Discovery failed for some groups, 1 failing: unable to retrieve the complete list of server APIs: harbour.example.com/v1: stale GroupVersion discovery: harbour.example.com/v1";
    cluster.eventually(&["get", "namespace", "pier", "-o", path], |message| message == wanted);
    harbour.recover();
    reason(cluster, "Passed");
    cluster.kubectl(&["wait", "--for=delete", "namespace/pier", "--timeout=90s"]);
}

/// A server that takes requests and answers none is waited for by those alone who ask for what it serves.
fn in_nobodys_way(cluster: &Cluster, harbour: &Harbour) {
    harbour.fall_silent();
    let path = "/apis/harbour.example.com/v1/namespaces/default/berths";
    let mut waiting: Vec<_> = (0..5).map(|_| cluster.stream(&["get", "--raw", path])).collect();
    cluster.kubectl(&["get", "namespaces"]);
    let resources = cluster.kubectl(&["api-resources", "--cached=false"]);
    assert!(resources.contains("berths") && resources.contains("deployments"), "{resources}");
    let message = reason(cluster, "FailedDiscoveryCheck");
    let wanted = "failing or missing response from https://";
    assert!(message.starts_with(wanted) && message.contains("context deadline exceeded"), "{message}");
    let refused = cluster.refused(&["get", "--raw", path]);
    assert!(refused.contains("the server is currently unable to handle the request"), "{refused}");
    waiting.clear();
    harbour.recover();
    reason(cluster, "Passed");
    cluster.eventually(&["get", "bth", "--no-headers"], |text| text.starts_with("one "));
}
