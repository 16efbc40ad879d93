//! What pods, services and nodes serve, asked through the API server by the real kubectl.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::harness::{Cluster, Lines};

const WEB: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: main
    image: example.com/shell:1
    imagePullPolicy: Never
    command: [/bin/sh, -c]
    args:
    - |
      mkdir -p /www/below /www/cgi-bin
      echo '<a href="/rewriteme">test</a>' > /www/index.html
      echo '<a href="relative">test</a>' > /www/below/index.html
      printf '#!/bin/sh\necho; echo "$REQUEST_METHOD $QUERY_STRING $HTTP_HOST"; cat\n' > /www/cgi-bin/echo
      /bin/busybox chmod +x /www/cgi-bin/echo
      exec httpd -f -p 8080 -h /www
    ports: [{name: http, containerPort: 8080}]
    readinessProbe: {httpGet: {port: 8080, path: /}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: http}]}
"#;

const NAMESPACE: &str = "/api/v1/namespaces/default";

#[test]
fn pods_services_and_nodes_are_asked_through_the_api_server() {
    let cluster = Cluster::with_node("proxy");
    cluster.busybox_image("example.com/shell:1");
    cluster.apply(WEB);
    cluster.kubectl(&["wait", "--for=condition=Ready", "pod/web", "--timeout=60s"]);
    pods_and_services(&cluster);
    a_node(&cluster);
    a_local_proxy(&cluster);
    let info = cluster.kubectl(&["cluster-info"]);
    assert!(info.contains("Kubernetes control plane") && info.contains("is running at"), "{info}");
    let dns = format!("{NAMESPACE}/services/kube-dns:dns/proxy").replace("/default/", "/kube-system/");
    assert!(info.contains(&dns), "{info}");
}

fn pods_and_services(cluster: &Cluster) {
    for name in
        ["pods/web", "pods/web:8080", "pods/http:web:8080", "services/web:http", "services/http:web:80"]
    {
        let path = format!("{NAMESPACE}/{name}/proxy");
        let page = cluster.eventually(&["get", "--raw", &format!("{path}/")], |_| true);
        assert_eq!(page, format!("<a href=\"{path}/rewriteme\">test</a>\n"));
        // kubectl follows what the slash that is missing leads to.
        let page = cluster.kubectl(&["get", "--raw", &path]);
        assert_eq!(page, format!("<a href=\"{path}/rewriteme\">test</a>\n"));
        let page = cluster.kubectl(&["get", "--raw", &format!("{path}/below")]);
        assert_eq!(page, "<a href=\"relative\">test</a>\n");
    }
    let echo = format!("{NAMESPACE}/pods/web/proxy/cgi-bin/echo?a=b");
    let said = cluster.kubectl(&["get", "--raw", &echo]);
    assert!(said.starts_with("GET a=b "), "{said}");
    let said = cluster.create_raw(&echo, "{}");
    assert!(said.starts_with("POST a=b "), "{said}");
    for (path, why) in [
        ("pods/web:81/proxy/", "error trying to reach service: dial tcp "),
        ("services/web/proxy/", "no endpoints available for service \"web\""),
        ("services/web:81/proxy/", "no service port 81 found for service \"web\""),
        ("pods/none/proxy/", "pods \"none\" not found"),
    ] {
        let said = cluster.refused(&["get", "--raw", &format!("{NAMESPACE}/{path}")]);
        assert!(said.contains(why), "{said}");
    }
    let said = cluster.refused(&["get", "--raw", &format!("{NAMESPACE}/pods/web/proxy/"), "--as", "jane"]);
    assert!(said.contains("User \"jane\" cannot get resource \"pods/proxy\""), "{said}");
}

fn a_node(cluster: &Cluster) {
    let get = |path: &str| cluster.kubectl(&["get", "--raw", &format!("/api/v1/nodes/{path}")]);
    for name in ["one", "one:10250"] {
        assert_eq!(get(&format!("{name}/proxy/healthz")), "ok");
        assert!(get(&format!("{name}/proxy/logs/")).contains("<pre>"));
    }
    let pods = get("one/proxy/pods");
    assert!(
        pods.starts_with(r#"{"kind":"PodList","apiVersion":"v1""#) && pods.contains(r#""name":"web""#),
        "{pods}"
    );
    let running = get("one/proxy/runningpods/");
    assert!(running.contains(r#""image":"example.com/shell:1""#), "{running}");
    let usage = get("one/proxy/metrics/resource");
    let measured =
        "container_memory_working_set_bytes{container=\"main\",namespace=\"default\",pod=\"web\"} ";
    assert!(usage.contains(measured) && usage.contains("\nresource_scrape_error 0\n"), "{usage}");
    let configuration = get("one/proxy/configz");
    assert!(configuration.contains(r#""clusterDNS":["10.243.0.10"]"#), "{configuration}");
}

/// `kubectl proxy` at a port and at a socket.
fn a_local_proxy(cluster: &Cluster) {
    let mut proxy = cluster.stream(&["proxy", "--port=0"]);
    let port = port(&mut proxy);
    let path = format!("{NAMESPACE}/services/web:http/proxy");
    let mut wget = cluster.program("/bin/busybox");
    let page = wget.args(["wget", "-qO-", &format!("http://127.0.0.1:{port}{path}/")]).output();
    let page = String::from_utf8_lossy(&page.expect("busybox runs").stdout).into_owned();
    assert_eq!(page, format!("<a href=\"{path}/rewriteme\">test</a>\n"));
    let directory = tempfile::tempdir().expect("a directory");
    let socket = directory.path().join("socket");
    let mut proxy = cluster.stream(&["proxy", "--unix-socket", &socket.to_string_lossy()]);
    assert!(proxy.next().starts_with("Starting to serve on "));
    let version = said(&socket, "GET /version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert!(version.contains("\"gitVersion\""), "{version}");
    // A body whose length is said: of the one that `kubectl create --raw` sends in pieces, busybox hands on what came with the head alone.
    let echo = format!("{NAMESPACE}/pods/web/proxy/cgi-bin/echo?a=b");
    let head = "Host: localhost\r\nConnection: close\r\nContent-Length: 15";
    let echoed = said(&socket, &format!("POST {echo} HTTP/1.1\r\n{head}\r\n\r\n{{\"sent\":\"body\"}}"));
    assert!(echoed.contains("POST a=b ") && echoed.contains(r#"{"sent":"body"}"#), "{echoed}");
    // Another protocol, through kubectl, the API server and the node's own API.
    let exec = "/api/v1/nodes/one/proxy/exec/default/web/main?command=echo&command=spoken&output=1";
    let handshake = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                     Sec-WebSocket-Key: a25hcnIga25hcnIga25hcg==\r\nSec-WebSocket-Protocol: v4.channel.k8s.io\r\n";
    let spoken = said(&socket, &format!("GET {exec} HTTP/1.1\r\nHost: localhost\r\n{handshake}\r\n"));
    assert!(spoken.starts_with("HTTP/1.1 101") && spoken.contains("spoken"), "{spoken}");
}

/// What is answered to a request over a socket until it ends.
fn said(socket: &Path, request: &str) -> String {
    let mut stream = UnixStream::connect(socket).expect("kubectl listens");
    stream.write_all(request.as_bytes()).expect("kubectl reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("kubectl answers");
    String::from_utf8_lossy(&answer).into_owned()
}

fn port(proxy: &mut Lines) -> String {
    let line = proxy.next();
    line.rsplit_once(':').map(|(_, port)| port.to_owned()).unwrap_or_default()
}
