//! Versions that a webhook makes of each other, and their migration from one to the other in the store.

use base64::Engine as _;
use serde_json::{Value, json};

use crate::harness::Cluster;
use crate::hook::Hook;

fn definition(hook: &Hook, stored: &str) -> String {
    let bundle = base64::engine::general_purpose::STANDARD.encode(&hook.authority);
    let version = |name: &str, properties: &str| {
        let storage = name == stored;
        format!(
            "{{name: {name}, served: true, storage: {storage}, schema: {{openAPIV3Schema: {{type: object, properties: {properties}}}}}}}"
        )
    };
    format!(
        "apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: moorings.fleet.example.com}}
spec:
  group: fleet.example.com
  scope: Namespaced
  names: {{plural: moorings, kind: Mooring}}
  conversion:
    strategy: Webhook
    webhook:
      conversionReviewVersions: [v1, v1beta1]
      clientConfig: {{url: '{}', caBundle: {bundle}}}
  versions: [{}, {}]
",
        hook.url,
        version("v1", "{hostPort: {type: string}}"),
        version("v2", "{host: {type: string}, port: {type: string}}"),
    )
}

/// Makes `hostPort` of `host` and `port`, and back.
fn converted(mut object: Value, to: &Value) -> Value {
    object["apiVersion"] = to.clone();
    let fields = object.as_object_mut().expect("an object");
    let text = |value: Option<Value>| value.and_then(|own| own.as_str().map(str::to_owned));
    if to == "fleet.example.com/v2" {
        if let Some(both) = text(fields.shift_remove("hostPort")) {
            let (host, port) = both.split_once(':').expect("a host and a port");
            fields.insert("host".into(), host.into());
            fields.insert("port".into(), port.into());
        }
    } else if let (Some(host), Some(port)) =
        (text(fields.shift_remove("host")), text(fields.shift_remove("port")))
    {
        fields.insert("hostPort".into(), format!("{host}:{port}").into());
    }
    object
}

fn answer(review: Value) -> Value {
    let request = &review["request"];
    let objects = request["objects"].as_array().cloned().unwrap_or_default();
    let objects: Vec<Value> =
        objects.into_iter().map(|own| converted(own, &request["desiredAPIVersion"])).collect();
    json!({
        "apiVersion": review["apiVersion"],
        "kind": review["kind"],
        "response": { "uid": request["uid"], "result": { "status": "Success" }, "convertedObjects": objects },
    })
}

fn mooring(version: &str, name: &str, fields: &str) -> String {
    format!("apiVersion: fleet.example.com/{version}\nkind: Mooring\nmetadata: {{name: {name}}}\n{fields}\n")
}

#[test]
fn a_webhook_makes_one_version_of_another_until_all_are_migrated() {
    let cluster = Cluster::control_plane();
    let hook = Hook::new(&cluster, answer);
    cluster.apply(&definition(&hook, "v1"));
    cluster.kubectl(&[
        "wait",
        "--for=condition=Established",
        "crd/moorings.fleet.example.com",
        "--timeout=60s",
    ]);
    cluster.apply(&mooring("v1", "one", "hostPort: 'localhost:8080'"));
    let second = ["get", "moorings.v2.fleet.example.com"];
    let path = "-o=jsonpath={range .items[*]}{.metadata.name} {.host} {.port} {.hostPort};{end}";
    assert_eq!(cluster.kubectl(&[&second[..], &[path]].concat()), "one localhost 8080 ;");

    // Stored as v2 from now on: what is there stays as it is, and lists are mixed.
    cluster.apply(&definition(&hook, "v2"));
    let stored = ["crd", "moorings.fleet.example.com"];
    assert_eq!(cluster.value(&stored, "{.status.storedVersions}"), r#"["v1","v2"]"#);
    cluster.apply(&mooring("v1", "two", "hostPort: 'localhost:9090'"));
    for (version, wanted) in [
        ("moorings.v1.fleet.example.com", "one   localhost:8080;two   localhost:9090;"),
        ("moorings.v2.fleet.example.com", "one localhost 8080 ;two localhost 9090 ;"),
    ] {
        assert_eq!(cluster.kubectl(&["get", version, path]), wanted);
    }
    cluster.kubectl(&[
        "patch",
        "moorings.v2.fleet.example.com",
        "two",
        "--type=merge",
        "-p",
        r#"{"port":"1"}"#,
    ]);
    assert_eq!(cluster.value(&["moorings.v1.fleet.example.com", "two"], "{.hostPort}"), "localhost:1");

    cluster.apply(
        "apiVersion: storagemigration.k8s.io/v1
kind: StorageVersionMigration
metadata: {name: moorings}
spec: {resource: {group: fleet.example.com, resource: moorings}}
",
    );
    cluster.kubectl(&[
        "wait",
        "--for=condition=Succeeded",
        "storageversionmigration/moorings",
        "--timeout=60s",
    ]);
    cluster.eventually(
        &["get", "crd", "moorings.fleet.example.com", "-o=jsonpath={.status.storedVersions}"],
        |versions| versions == r#"["v2"]"#,
    );
    // So the first version can go.
    let last = definition(&hook, "v2")
        .replace("versions: [{name: v1, served: true", "versions: [{name: v1, served: false");
    cluster.apply(&last);
    cluster.eventually(&["get", "moorings", path], |shown| shown == "one localhost 8080 ;two localhost 1 ;");
}
