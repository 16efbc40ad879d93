//! Who somebody is: a pod with its own token, and whom a trusted proxy names.

use std::process::Output;

use base::random::SystemRandom;
use base::time::{Clock as _, SystemClock};
use serde_json::{Value, json};
use server_authn::pki::Pki;
use server_authn::pki::component::Component;
use server_authn::pki::directory::Directory;

use crate::harness::{Cluster, busybox};
use crate::raw;

const POD: &str = "
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: default}
spec:
  serviceAccountName: default
  containers: [{name: web, image: 'example.com/web:1'}]
";
const USER: &str = "system:serviceaccount:default:default";

/// The answer of a TokenReview.
fn review(cluster: &Cluster, token: &str, audiences: &[&str]) -> Value {
    let review = json!({
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenReview",
        "spec": {"token": token, "audiences": audiences},
    });
    let answer = cluster.create_raw("/apis/authentication.k8s.io/v1/tokenreviews", &review.to_string());
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    answer["status"].clone()
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_pods_token_is_its_pods_for_its_audience_and_ends_with_it() {
    let cluster = Cluster::control_plane();
    cluster.eventually(&["get", "serviceaccount", "default", "-o", "name"], |name| !name.is_empty());
    cluster.apply(POD);
    let bound = ["create", "token", "default", "--bound-object-kind", "Pod", "--bound-object-name", "web"];
    let token = cluster.kubectl(&bound);
    let token = token.trim();
    // The name under which pods reach the API stands in its certificate.
    let identity = ["--token", token, "--tls-server-name", "kubernetes.default.svc"];
    let asked = ["auth", "whoami", "-o", "json"];
    let answer = cluster.until(|| {
        let output = cluster.try_kubectl_as(&identity, &asked);
        if output.status.success() { Ok(output.stdout) } else { Err(errors(&output)) }
    });
    let answer: Value = serde_json::from_slice(&answer).expect("JSON");
    let user = &answer["status"]["userInfo"];
    assert_eq!(user["username"], USER);
    assert_eq!(user["extra"]["authentication.kubernetes.io/pod-name"], json!(["web"]));
    let groups = user["groups"].as_array().expect("groups");
    assert!(groups.contains(&json!("system:serviceaccounts:default")), "{groups:?}");

    let reviewed = review(&cluster, token, &[]);
    assert_eq!((&reviewed["authenticated"], &reviewed["user"]["username"]), (&json!(true), &json!(USER)));
    let elsewhere = review(&cluster, token, &["vault"]);
    assert_eq!(elsewhere["authenticated"], json!(null), "{elsewhere}");
    assert!(elsewhere["error"].as_str().is_some_and(|error| error.contains("vault")), "{elsewhere}");
    let vault = cluster.kubectl(&[&bound[..], &["--audience", "vault"]].concat());
    let reviewed = review(&cluster, vault.trim(), &["vault", "bank"]);
    assert_eq!((&reviewed["authenticated"], &reviewed["audiences"]), (&json!(true), &json!(["vault"])));
    let here = cluster.try_kubectl_as(&["--token", vault.trim()], &asked);
    assert!(errors(&here).contains("Unauthorized"), "{}", errors(&here));

    let uid = cluster.kubectl(&["get", "pod", "web", "-o", "jsonpath={.metadata.uid}"]);
    cluster.kubectl(&["delete", "pod", "web", "--wait"]);
    cluster.apply(POD);
    let other = cluster.kubectl(&["get", "pod", "web", "-o", "jsonpath={.metadata.uid}"]);
    assert_ne!(uid, other);
    let refused = cluster.until(|| {
        let output = cluster.try_kubectl_as(&identity, &asked);
        if output.status.success() { Err("the token still counts".to_owned()) } else { Ok(errors(&output)) }
    });
    assert!(refused.contains("Unauthorized"), "{refused}");
}

#[test]
fn a_trusted_proxy_names_users_and_others_do_not() {
    let cluster = Cluster::control_plane();
    let files = Directory::new(cluster.keys());
    let now = SystemClock.now();
    let pki = Pki::open(&files, now, &SystemRandom).expect("the cluster's keys");
    let identity = |component| pki.component(&files, &component, now, &SystemRandom).expect("a certificate");
    let headers =
        [("X-Remote-User", "ada"), ("X-Remote-Group", "navigators"), ("X-Remote-Extra-Ship", "knarr")];
    let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}).to_string();
    let ask = |component| raw::post(&cluster, &identity(component), &headers, path, &review);
    let named = ask(Component::FrontProxy);
    assert!(named.starts_with("HTTP/1.1 201"), "{named}");
    let body = named.split_once("\r\n\r\n").expect("a body").1;
    let answer: Value = serde_json::from_str(body).expect("JSON");
    let user = &answer["status"]["userInfo"];
    assert_eq!((&user["username"], &user["extra"]), (&json!("ada"), &json!({"ship": ["knarr"]})));
    assert_eq!(user["groups"], json!(["navigators", "system:authenticated"]));
    let other = ask(Component::Scheduler);
    assert!(other.contains("system:kube-scheduler") && !other.contains("navigators"), "{other}");

    let map = ["get", "configmap", "extension-apiserver-authentication", "-n", "kube-system", "-o", "json"];
    let map: Value = serde_json::from_str(&cluster.kubectl(&map)).expect("JSON");
    let data = &map["data"];
    assert_eq!(data["requestheader-client-ca-file"], pki.front_proxy.certificate_pem());
    assert_eq!(data["client-ca-file"], pki.cluster.certificate_pem());
    assert_eq!(data["requestheader-allowed-names"], r#"["front-proxy-client"]"#);
}

const CLIENT: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: client}
spec:
  restartPolicy: Never
  containers:
  - name: client
    image: example.com/client:1
    imagePullPolicy: Never
    command:
    - /bin/sh
    - -c
    - |
      cd /var/run/secrets/kubernetes.io/serviceaccount
      kubectl auth whoami -o 'jsonpath={.status.userInfo.username}' && echo
      kubectl --server https://kubernetes.default.svc --certificate-authority ca.crt --token "$(cat token)" \
        auth whoami -o 'jsonpath={.status.userInfo.extra.authentication\.kubernetes\.io/pod-name[0]}'
    env: [{name: PATH, value: /bin}]
"#;

#[test]
fn a_pod_calls_the_api_with_its_own_token() {
    let cluster = Cluster::with_node("client");
    let root = tempfile::tempdir().expect("a temporary directory");
    busybox(root.path());
    let path = std::env::var_os("PATH").expect("there is a PATH");
    let kubectl = std::env::split_paths(&path).map(|dir| dir.join("kubectl")).find(|file| file.exists());
    let kubectl = kubectl.expect("kubectl is on the PATH: ./dev setup says how to get it");
    std::fs::copy(kubectl, root.path().join("bin/kubectl")).expect("it can be copied");
    cluster.build_image(root.path(), "example.com/client:1");
    cluster.apply(CLIENT);
    let phase = ["get", "pod", "client", "-o", "jsonpath={.status.phase}"];
    cluster.eventually(&phase, |phase| matches!(phase, "Succeeded" | "Failed"));
    // As its environment says where the API is, and by the API's name.
    // (The last program ends its line with nothing, and so does the log.)
    assert_eq!(cluster.kubectl(&["logs", "client"]), format!("{USER}\nclient"));
}

#[test]
fn a_watch_over_a_websocket_is_a_message_an_event() {
    let cluster = Cluster::control_plane();
    cluster.eventually(&["get", "namespace", "default", "-o", "name"], |name| !name.is_empty());
    let files = Directory::new(cluster.keys());
    let now = SystemClock.now();
    let pki = Pki::open(&files, now, &SystemRandom).expect("the cluster's keys");
    let scheduler = pki.component(&files, &Component::Scheduler, now, &SystemRandom).expect("a certificate");
    let path = "/api/v1/namespaces?watch=true&fieldSelector=metadata.name%3Ddefault&timeoutSeconds=1";
    let said = raw::web_socket(&cluster, &scheduler, path);
    assert!(said.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{said}");
    // The key's answer is as RFC 6455 has it; the object is in one unmasked message of text.
    assert!(
        said.contains(
            r#"{"type":"ADDED","object":{"kind":"Namespace","apiVersion":"v1","metadata":{"name":"default""#
        ),
        "{said}"
    );
}

const SECRET: &str = "
apiVersion: v1
kind: Secret
metadata:
  name: lasting
  annotations: {kubernetes.io/service-account.name: default}
type: kubernetes.io/service-account-token
";

#[test]
fn a_secret_of_an_account_holds_a_token_that_counts_until_the_account_has_gone() {
    let cluster = Cluster::control_plane();
    cluster.kubectl(&["create", "serviceaccount", "robot"]);
    cluster.apply(&SECRET.replace("name: default", "name: robot"));
    let held =
        ["get", "secret", "lasting", "-o", "go-template={{with .data.token}}{{. | base64decode}}{{end}}"];
    let token = cluster.eventually(&held, |token| !token.is_empty());
    let identity = ["--token", token.trim(), "--tls-server-name", "kubernetes.default.svc"];
    let asked = ["auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"];
    let robot = "system:serviceaccount:default:robot";
    let answer = cluster.until(|| {
        let output = cluster.try_kubectl_as(&identity, &asked);
        if output.status.success() { Ok(output.stdout) } else { Err(errors(&output)) }
    });
    assert_eq!(String::from_utf8_lossy(&answer), robot);
    let label = "jsonpath={.metadata.labels.kubernetes\\.io/legacy-token-last-used}";
    let used = cluster.eventually(&["get", "secret", "lasting", "-o", label], |day| !day.is_empty());
    assert_eq!(used.len(), "2006-01-02".len(), "{used}");
    let parts = cluster.kubectl(&[
        "get",
        "secret",
        "lasting",
        "-o",
        "go-template={{range $k, $v := .data}}{{$k}} {{end}}",
    ]);
    assert_eq!(parts, "ca.crt namespace token ");

    cluster.kubectl(&["delete", "serviceaccount", "robot"]);
    cluster.kubectl(&["wait", "--for=delete", "secret/lasting", "--timeout=60s"]);
    let refused = cluster.until(|| {
        let output = cluster.try_kubectl_as(&identity, &asked);
        if output.status.success() { Err("it counts still".to_owned()) } else { Ok(errors(&output)) }
    });
    assert!(refused.contains("Unauthorized"), "{refused}");
}
