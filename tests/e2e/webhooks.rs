//! Webhooks of users: a real HTTPS server that changes and refuses what kubectl writes, at a URL and behind a service.

use std::net::{IpAddr, UdpSocket};
use std::sync::Arc;

use base::drain;
use base::time::SystemClock;
use base_serve::{Socket, Tls};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::harness::Cluster;

/// A server of webhooks on this machine.
struct Hooks {
    port: u16,
    /// Its certificate, which vouches for itself.
    bundle: String,
    signal: Option<drain::Signal>,
    runtime: tokio::runtime::Runtime,
}

impl Hooks {
    fn start() -> Hooks {
        let names = ["localhost".to_owned(), "hook.shop.svc".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).expect("a certificate is made");
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.expect("the defaults are known").with_no_client_auth();
        let chain = vec![CertificateDer::from(made.cert.der().to_vec())];
        let config = builder.with_single_cert(chain, key).expect("they belong together");
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("0.0.0.0:0")).expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let (signal, watch) = drain::channel();
        let socket =
            Socket { listener, tls: Tls::new(config), connections: 64, clock: Arc::new(SystemClock) };
        runtime.spawn(socket.run(watch, |_, request: http::Request<Incoming>| async move {
            let path = request.uri().path().to_owned();
            let body = request.into_body().collect().await.expect("the review comes whole").to_bytes();
            let review: Value = serde_json::from_slice(&body).expect("a review is JSON");
            let mut response = decide(&path, &review["request"]);
            response["uid"] = review["request"]["uid"].clone();
            let answer =
                json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "response": response});
            http::Response::new(Full::<Bytes>::from(answer.to_string()))
        }));
        Hooks { port, bundle: STANDARD.encode(made.cert.pem()), signal: Some(signal), runtime }
    }
}

impl Drop for Hooks {
    fn drop(&mut self) {
        if let Some(signal) = self.signal.take() {
            self.runtime.block_on(signal.drain());
        }
    }
}

fn decide(path: &str, request: &Value) -> Value {
    match path {
        "/mutate" => {
            let patch = json!([{"op": "add", "path": "/data/seen", "value": "yes"}]).to_string();
            json!({"allowed": true, "patchType": "JSONPatch", "patch": STANDARD.encode(patch), "warnings": ["mutated"]})
        }
        _ => {
            let bad = request["object"]["data"]["bad"] == "yes";
            json!({"allowed": !bad, "status": {"message": "it is bad", "code": 403, "reason": "Forbidden"}})
        }
    }
}

/// The address that this machine reaches others from, which may be an endpoint's.
fn own_address() -> IpAddr {
    let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket");
    socket.connect("203.0.113.1:9").expect("the machine has a route");
    socket.local_addr().expect("its address").ip()
}

/// What both sorts of configurations say.
fn configuration(kind: &str, client: &str, rest: &str) -> String {
    format!(
        "
apiVersion: admissionregistration.k8s.io/v1
kind: {kind}
metadata: {{name: maps}}
webhooks:
- name: maps.hook.test
  clientConfig: {client}
  rules: [{{apiGroups: [''], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps]}}]
  namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: shop}}}}
  admissionReviewVersions: [v1]
  sideEffects: None
  timeoutSeconds: 20
{rest}"
    )
}

#[test]
fn webhooks_change_and_refuse_what_is_written() {
    let cluster = Cluster::control_plane();
    let hooks = Hooks::start();
    cluster.kubectl(&["create", "namespace", "shop"]);
    let (port, bundle) = (hooks.port, &hooks.bundle);
    cluster.apply(&format!(
        "
apiVersion: v1
kind: Service
metadata: {{name: hook, namespace: shop}}
spec: {{ports: [{{port: 8443, name: https}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: hook-1, namespace: shop, labels: {{kubernetes.io/service-name: hook}}}}
addressType: IPv4
ports: [{{name: https, port: {port}}}]
endpoints: [{{addresses: ['{}']}}]
",
        own_address()
    ));
    let url = format!("{{url: 'https://localhost:{port}/mutate', caBundle: {bundle}}}");
    cluster.apply(&configuration("MutatingWebhookConfiguration", &url, ""));
    let service = format!(
        "{{service: {{namespace: shop, name: hook, path: /validate, port: 8443}}, caBundle: {bundle}}}"
    );
    cluster.apply(&configuration("ValidatingWebhookConfiguration", &service, ""));

    // Configurations take effect soon after they are written.
    let probe = ["-n", "shop", "create", "configmap", "probe", "--from-literal=bad=yes", "--dry-run=server"];
    let denied = "admission webhook \"maps.hook.test\" denied the request: it is bad";
    cluster.until(|| {
        let output = cluster.try_kubectl(&probe);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if said.contains(denied) { Ok(()) } else { Err(format!("nobody refuses it: {said}")) }
    });
    let made = cluster.try_kubectl(&["-n", "shop", "create", "configmap", "good", "--from-literal=a=b"]);
    assert!(String::from_utf8_lossy(&made.stderr).contains("Warning: mutated"), "{made:?}");
    assert_eq!(cluster.value(&["-n", "shop", "configmap", "good"], "{.data}"), r#"{"a":"b","seen":"yes"}"#);
    let bad = ["-n", "shop", "patch", "configmap", "good", "-p", r#"{"data":{"bad":"yes"}}"#];
    assert!(cluster.refused(&bad).contains("denied the request: it is bad"));
    cluster.kubectl(&["create", "configmap", "elsewhere", "--from-literal=bad=yes"]);

    drop(hooks);
    let refused = cluster.refused(&["-n", "shop", "create", "configmap", "late", "--from-literal=a=b"]);
    let why = format!(
        "failed calling webhook \"maps.hook.test\": failed to call webhook: Post \"https://localhost:{port}/mutate?timeout=20s\": "
    );
    assert!(refused.contains(&why) && refused.contains("connection refused"), "{refused}");
    for kind in ["mutatingwebhookconfiguration", "validatingwebhookconfiguration"] {
        cluster.kubectl(&["patch", kind, "maps", "--type=json", "-p", IGNORED]);
    }
    let late = ["-n", "shop", "create", "configmap", "late", "--from-literal=a=b", "-o", "jsonpath={.data}"];
    let made = cluster.eventually(&late, |_| true);
    assert_eq!(made, r#"{"a":"b"}"#, "nobody was asked");
}

const IGNORED: &str = r#"[{"op":"replace","path":"/webhooks/0/failurePolicy","value":"Ignore"}]"#;
