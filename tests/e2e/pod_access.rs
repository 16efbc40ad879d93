//! Into a running pod and out of it again: files, ports, a container beside its own, its log over a WebSocket.

use std::io::Write as _;

use crate::harness::Cluster;
use crate::raw::Proxy;

const POD: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: shell}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: main
    image: example.com/shell:1
    imagePullPolicy: Never
    command: [/bin/sh, -c, "echo container is alive; mkdir -p /www; echo served > /www/index.html; exec httpd -f -p 8080 -h /www"]
"#;

#[test]
fn kubectl_reaches_into_pods() {
    let cluster = Cluster::with_node("podaccess");
    cluster.busybox_image("example.com/shell:1");
    cluster.apply(POD);
    cluster.kubectl(&["wait", "--for=condition=Ready", "pod/shell", "--timeout=60s"]);
    cluster.eventually(&["logs", "shell"], |log| log == "container is alive\n");
    logs(&cluster);
    files(&cluster);
    ports(&cluster);
    debugging(&cluster);
}

/// As upstream's test "should support retrieving logs from the container over websockets".
fn logs(cluster: &Cluster) {
    let proxy = Proxy::start(cluster);
    let log = "/api/v1/namespaces/default/pods/shell/log?container=main";
    let (head, messages) = proxy.web_socket(log, "binary.k8s.io");
    assert!(
        head.starts_with("HTTP/1.1 101")
            && head.to_lowercase().contains("sec-websocket-protocol: binary.k8s.io"),
        "{head}"
    );
    assert_eq!(messages.first().map(Vec::len), Some(0), "the first one is empty");
    assert_eq!(messages.concat(), b"container is alive\n");
    let (_, messages) = proxy.web_socket(log, "base64.binary.k8s.io");
    assert_eq!(messages.concat(), b"Y29udGFpbmVyIGlzIGFsaXZlCg==");
    let (head, _) = proxy.web_socket(log, "other");
    assert!(head.starts_with("HTTP/1.1 403"), "{head}");
    let (head, _) =
        proxy.web_socket("/api/v1/namespaces/default/pods/shell/log?container=none", "binary.k8s.io");
    assert!(head.starts_with("HTTP/1.1 400"), "what is no log is answered without one: {head}");
}

fn files(cluster: &Cluster) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = |name: &str| dir.path().join(name).to_str().expect("a path of letters").to_owned();
    std::fs::create_dir(path("tree")).expect("a directory");
    std::fs::write(path("tree/one"), "first").expect("a file");
    std::fs::write(path("tree/two"), vec![7u8; 300_000]).expect("a file");
    cluster.kubectl(&["cp", &path("tree"), "shell:/copied"]);
    assert_eq!(cluster.kubectl(&["exec", "shell", "--", "/bin/cat", "/copied/one"]), "first");
    cluster.kubectl(&["cp", "default/shell:/copied", &path("back"), "-c", "main"]);
    assert_eq!(std::fs::read(path("back/two")).expect("it came back"), vec![7u8; 300_000]);
    cluster.kubectl(&["cp", "shell:/www/index.html", &path("page")]);
    assert_eq!(std::fs::read_to_string(path("page")).expect("it came back"), "served\n");
}

fn ports(cluster: &Cluster) {
    let mut forward = cluster.stream(&["port-forward", "pod/shell", ":8080"]);
    let line = forward.next();
    let port = line.strip_prefix("Forwarding from 127.0.0.1:").and_then(|rest| rest.split(' ').next());
    let url = format!("http://127.0.0.1:{}/", port.expect("kubectl says where it listens"));
    let said = cluster.until(|| {
        let output =
            cluster.program("/bin/busybox").args(["wget", "-q", "-O", "-", &url]).output().expect("busybox");
        if output.status.success() { Ok(output.stdout) } else { Err(format!("nothing at {url}")) }
    });
    assert_eq!(said, b"served\n");
}

fn debugging(cluster: &Cluster) {
    let copy = [
        "debug",
        "shell",
        "--copy-to=twin",
        "--container=main",
        "--image=example.com/shell:1",
        "--",
        "/bin/sleep",
        "86400",
    ];
    cluster.kubectl(&copy);
    cluster.kubectl(&["wait", "--for=condition=Ready", "pod/twin", "--timeout=60s"]);
    assert_eq!(cluster.value(&["pod", "twin"], "{.spec.containers[0].command}"), r#"["/bin/sleep","86400"]"#);
    let mut debug = cluster.program("kubectl");
    debug.args([
        "debug",
        "node/one",
        "--image=example.com/shell:1",
        "--image-pull-policy=Never",
        "-i",
        "--quiet",
        "--",
        "/bin/sh",
    ]);
    debug
        .env("KUBECONFIG", cluster.kubeconfig())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped());
    let mut child = debug.spawn().expect("kubectl is on the PATH");
    let mut input = child.stdin.take().expect("it is piped");
    input.write_all(b"[ -e /host/etc/passwd ] && echo the node; exit\n").expect("it reads");
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("the node"),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}
