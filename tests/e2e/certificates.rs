//! A node's certificates: with a bootstrap token it gets one to ask with, and with that one to serve with.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use server_authn::certificate::AlternativeName;
use server_authn::certificate::name::Name;
use server_authn::key::PrivateKey;
use server_authn::request;
use tempfile::TempDir;

use crate::harness::Cluster;

const TOKEN: &str = "abcdef.0123456789abcdef";
const SECRET: &str = "
apiVersion: v1
kind: Secret
metadata: {name: bootstrap-token-abcdef, namespace: kube-system}
type: bootstrap.kubernetes.io/token
data:
  token-id: YWJjZGVm
  token-secret: MDEyMzQ1Njc4OWFiY2RlZg==
  usage-bootstrap-authentication: dHJ1ZQ==
";
const USER: &str = "system:node:two";

struct Node {
    cluster: Cluster,
    key: PrivateKey,
    dir: TempDir,
}

impl Node {
    fn new(cluster: Cluster) -> Node {
        let dir = tempfile::tempdir().expect("a temporary directory");
        Node { cluster, key: PrivateKey::generate().expect("a key"), dir }
    }

    fn file(&self, name: &str, content: &str) -> String {
        let path: PathBuf = self.dir.path().join(name);
        std::fs::write(&path, content).expect("the file can be written");
        path.display().to_string()
    }

    /// The manifest of a request, which says of itself that it is approved.
    fn manifest(&self, name: &str, signer: &str, usage: &str, names: &[AlternativeName]) -> String {
        let subject = Name::new(USER, &["system:nodes"]);
        let text = request::create(&self.key, &subject, names).expect("a request");
        let text = STANDARD.encode(text);
        let manifest = json!({
            "apiVersion": "certificates.k8s.io/v1",
            "kind": "CertificateSigningRequest",
            "metadata": {"name": name},
            "spec": {"signerName": signer, "request": text, "usages": ["digital signature", usage]},
            "status": {"conditions": [{"type": "Approved", "status": "True", "reason": "Forged"}]},
        });
        self.file(name, &manifest.to_string())
    }

    fn certificate(&self, name: &str) -> String {
        let asked = ["get", "csr", name, "-o", "jsonpath={.status.certificate}"];
        let text = self.cluster.eventually(&asked, |text| !text.is_empty());
        String::from_utf8(STANDARD.decode(text).expect("base64")).expect("PEM")
    }
}

#[test]
fn a_node_gets_its_certificates_without_a_person() {
    let node = Node::new(Cluster::control_plane());
    node.cluster.apply(SECRET);
    let token = ["--token", TOKEN];
    let as_joiner = |arguments: &[&str]| node.cluster.kubectl_as(&token, arguments);
    let other = "kubernetes.io/kube-apiserver-client";
    as_joiner(&["create", "-f", &node.manifest("forged", other, "client auth", &[])]);
    let client = "kubernetes.io/kube-apiserver-client-kubelet";
    as_joiner(&["create", "-f", &node.manifest("client", client, "client auth", &[])]);

    let certificate = node.file("two.crt", &node.certificate("client"));
    let key = node.file("two.key", &node.key.to_pem());
    let identity = ["--client-certificate", &certificate, "--client-key", &key];
    let as_node = |arguments: &[&str]| node.cluster.kubectl_as(&identity, arguments);
    let who = as_node(&["auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"]);
    assert_eq!(who, USER);

    let object = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "two"}});
    as_node(&["create", "-f", &node.file("node", &object.to_string())]);
    let object = as_node(&["get", "node", "two", "-o", "json"]);
    let mut object: Value = serde_json::from_str(&object).expect("JSON");
    object["status"]["addresses"] =
        json!([{"type": "InternalIP", "address": "192.0.2.7"}, {"type": "Hostname", "address": "two"}]);
    let file = node.file("node", &object.to_string());
    as_node(&["replace", "--raw", "/api/v1/nodes/two/status", "-f", &file]);
    let address = |text: &str| AlternativeName::Ip(text.parse().expect("an address"));
    let host = AlternativeName::Dns("two".to_owned());
    let serving = "kubernetes.io/kubelet-serving";
    let foreign = [host.clone(), address("192.0.2.8")];
    as_node(&["create", "-f", &node.manifest("foreign", serving, "server auth", &foreign)]);
    let own = [host, address("192.0.2.7")];
    as_node(&["create", "-f", &node.manifest("own", serving, "server auth", &own)]);
    assert!(node.certificate("own").starts_with("-----BEGIN CERTIFICATE-----"));

    let reasons = "jsonpath={range .items[*]}{.metadata.name}:{.status.conditions[*].reason} {end}";
    let reasons = node.cluster.kubectl(&["get", "csr", "-o", reasons]);
    assert_eq!(reasons.trim(), "client:AutoApproved foreign: forged: own:AutoApproved");
}
