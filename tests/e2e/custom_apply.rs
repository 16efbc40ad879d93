//! Custom resources applied by the server: who owns what of them, in which version, and which fields are refused.

use crate::apply::{Manifest, owners};
use crate::harness::Cluster;
use crate::raw::Proxy;

const DEFINITION: &str = r#"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: boats.fleet.example.com}
spec:
  group: fleet.example.com
  scope: Namespaced
  names: {plural: boats, kind: Boat}
  versions:
  - name: v1
    served: true
    storage: true
    schema: &schema
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              crew: {type: integer}
              flag: {type: string}
              ports:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [number, side]
                items:
                  type: object
                  required: [number]
                  properties: {number: {type: integer}, side: {type: string, default: left}, note: {type: string}}
              cargo: {type: object, x-kubernetes-preserve-unknown-fields: true}
              template: {type: object, x-kubernetes-embedded-resource: true, x-kubernetes-preserve-unknown-fields: true}
          status: {type: object, properties: {phase: {type: string}}}
    subresources: &parts
      status: {}
      scale: {specReplicasPath: .spec.crew, statusReplicasPath: .status.crew}
  - name: v1beta1
    served: true
    storage: false
    schema: *schema
    subresources: *parts
"#;

fn boat(version: &str, rest: &str) -> String {
    format!("apiVersion: fleet.example.com/{version}\nkind: Boat\nmetadata: {{name: karve}}\n{rest}\n")
}

fn spec(cluster: &Cluster) -> String {
    cluster.value(&["boat", "karve"], "{.spec}")
}

#[test]
fn custom_resources_are_applied_by_the_server() {
    let mut cluster = Cluster::control_plane();
    cluster.apply(DEFINITION);
    cluster.kubectl(&["wait", "--for=condition=Established", "crd/boats.fleet.example.com", "--timeout=60s"]);
    let manifest = Manifest::new();
    conflicts(&cluster, &manifest);
    subresources(&cluster, &manifest);
    versions(&cluster, &manifest);
    fields(&cluster);
    by_the_client(&cluster, &manifest);
    cluster.crash_and_restart();
    assert_eq!(owners(&cluster, "boat/raft"), "kubectl Apply; kubectl-last-applied Apply");
}

fn conflicts(cluster: &Cluster, manifest: &Manifest) {
    let apply = ["apply", "--server-side"];
    let file = manifest.text(&boat(
        "v1",
        "spec: {crew: 6, flag: red, ports: [{number: 1, note: a}], cargo: {wool: {bales: 2}}}",
    ));
    assert_eq!(
        cluster.kubectl(&Manifest::with(&apply, &file)),
        "boat.fleet.example.com/karve serverside-applied\n"
    );
    let fields =
        cluster.value(&["boat", "karve", "--show-managed-fields"], "{.metadata.managedFields[*].fieldsV1}");
    assert_eq!(
        fields,
        r#"{"f:spec":{"f:cargo":{"f:wool":{".":{},"f:bales":{}}},"f:crew":{},"f:flag":{},"f:ports":{"k:{\"number\":1,\"side\":\"left\"}":{".":{},"f:note":{},"f:number":{}}}}}"#
    );
    let other = [&apply[..], &["--field-manager", "other"]].concat();
    let file = manifest.text(&boat("v1", "spec: {crew: 7, ports: [{number: 2}], cargo: {wool: {bales: 3}}}"));
    let refused = cluster.refused(&Manifest::with(&other, &file));
    assert!(
        refused.contains("Apply failed with 2 conflicts: conflicts with \"kubectl\":\n- .spec.crew\n- .spec.cargo.wool.bales"),
        "{refused}"
    );
    cluster.kubectl(&Manifest::with(&[&other[..], &["--force-conflicts"]].concat(), &file));
    assert_eq!(
        spec(cluster),
        r#"{"cargo":{"wool":{"bales":3}},"crew":7,"flag":"red","ports":[{"note":"a","number":1,"side":"left"},{"number":2,"side":"left"}]}"#
    );
    // What nobody applies any more goes; what another applies stays.
    let file = manifest.text(&boat("v1", "spec: {ports: [{number: 1}]}"));
    cluster.kubectl(&Manifest::with(&apply, &file));
    assert_eq!(
        spec(cluster),
        r#"{"cargo":{"wool":{"bales":3}},"crew":7,"ports":[{"number":1,"side":"left"},{"number":2,"side":"left"}]}"#
    );
    let before = cluster.value(&["boat", "karve"], "{.metadata.resourceVersion}");
    cluster.kubectl(&Manifest::with(&apply, &file));
    assert_eq!(cluster.value(&["boat", "karve"], "{.metadata.resourceVersion}"), before, "nothing changed");
}

fn subresources(cluster: &Cluster, manifest: &Manifest) {
    let file = manifest.text(&boat("v1", "spec: {crew: 1}\nstatus: {phase: Built}"));
    let apply = ["apply", "--server-side", "--subresource=status", "--field-manager=yard"];
    cluster.kubectl(&Manifest::with(&apply, &file));
    assert_eq!(cluster.value(&["boat", "karve"], "{.status.phase} {.spec.crew}"), "Built 7");
    cluster.kubectl(&["scale", "boat", "karve", "--replicas=9"]);
    let shown = cluster.value(
        &["boat", "karve", "--show-managed-fields"],
        "{range .metadata.managedFields[*]}{.manager} {.operation} {.subresource} {.fieldsV1};{end}",
    );
    assert!(shown.contains(r#"yard Apply status {"f:status":{"f:phase":{}}};"#), "{shown}");
    assert!(shown.contains(r#"kubectl Update scale {"f:spec":{"f:crew":{}}};"#), "{shown}");
    assert!(
        !shown.contains(r#"other Apply  {"f:spec":{"f:cargo":{"f:wool":{".":{},"f:bales":{}}},"f:crew""#),
        "{shown}"
    );
}

fn versions(cluster: &Cluster, manifest: &Manifest) {
    let file = manifest.text(&boat("v1beta1", "spec: {flag: blue}"));
    cluster.kubectl(&Manifest::with(&["apply", "--server-side", "--field-manager=old"], &file));
    let entries = |cluster: &Cluster| {
        cluster.value(
            &["boat", "karve", "--show-managed-fields"],
            "{range .metadata.managedFields[*]}{.manager}@{.apiVersion};{end}",
        )
    };
    assert!(entries(cluster).contains("old@fleet.example.com/v1beta1;"), "{}", entries(cluster));
    let file = manifest.text(&boat("v1", "spec: {flag: green}"));
    let refused = cluster.refused(&Manifest::with(&["apply", "--server-side", "--field-manager=new"], &file));
    assert!(refused.contains("conflict with \"old\": .spec.flag"), "{refused}");
    // Whoever owned fields in a version that is gone owns nothing any more.
    cluster.kubectl(&[
        "patch",
        "crd",
        "boats.fleet.example.com",
        "--type=json",
        "-p",
        r#"[{"op":"remove","path":"/spec/versions/1"}]"#,
    ]);
    cluster
        .eventually(&["get", "--raw", "/apis/fleet.example.com"], |versions| !versions.contains("v1beta1"));
    cluster.kubectl(&Manifest::with(&["apply", "--server-side", "--field-manager=new"], &file));
    assert!(!entries(cluster).contains("old@"), "{}", entries(cluster));
}

/// Upstream's `field_validation.go`, for creating, replacing, patching and applying.
fn fields(cluster: &Cluster) {
    let proxy = Proxy::start(cluster);
    let send = |verb: &str, name: &str, validation: &str, content: &str, body: &str| {
        let path = format!("/apis/fleet.example.com/v1/namespaces/default/boats{name}");
        let first = format!("{verb} {path}?fieldManager=me&fieldValidation={validation}");
        let headers = [("Connection", "close"), ("Content-Type", content), ("Accept", "application/json")];
        String::from_utf8_lossy(&proxy.ask(&first, &headers, body)).replace("\\\"", "\"")
    };
    let json = "application/json";
    let odd = r#"{"apiVersion":"fleet.example.com/v1","kind":"Boat","metadata":{"name":"odd","oddest":5},"odd":1,"spec":{"crew":1,"crew":2,"sails":3,"template":{"apiVersion":"v1","kind":"Pod","metadata":{"name":"x","odder":4}}}}"#;
    let complaints = [
        r#"duplicate field "spec.crew""#,
        r#"unknown field "metadata.oddest""#,
        r#"unknown field "odd""#,
        r#"unknown field "spec.sails""#,
        r#"unknown field "spec.template.metadata.odder""#,
    ];
    let refused = send("POST", "", "Strict", json, odd);
    assert!(refused.contains(&format!("strict decoding error: {}", complaints.join(", "))), "{refused}");
    let warned = send("POST", "", "Warn", json, odd);
    assert!(warned.starts_with("HTTP/1.1 201"), "{warned}");
    for complaint in complaints {
        assert!(warned.contains(&format!("299 - \"{complaint}\"")), "{complaint}: {warned}");
    }
    assert_eq!(cluster.value(&["boat", "odd"], "{.spec.crew}{.spec.sails}{.odd}"), "2");
    let version = cluster.value(&["boat", "odd"], "{.metadata.resourceVersion}");
    let named = format!(r#""name":"odd","resourceVersion":"{version}""#);
    let ignored = send("PUT", "/odd", "Ignore", json, &odd.replace(r#""name":"odd""#, &named));
    assert!(ignored.starts_with("HTTP/1.1 200") && !ignored.contains("299 -"), "{ignored}");
    let patch = r#"{"spec":{"crew":3,"crew":4,"sails":3}}"#;
    let refused = send("PATCH", "/odd", "Strict", "application/merge-patch+json", patch);
    assert!(
        refused.contains(r#"strict decoding error: duplicate field "spec.crew", unknown field "spec.sails""#),
        "{refused}"
    );
    let apply = "application/apply-patch+yaml";
    let config =
        |rest: &str| format!("apiVersion: fleet.example.com/v1\nkind: Boat\nmetadata: {{name: odd}}\n{rest}");
    for (rest, why) in [
        ("spec: {sails: 3}", ".spec.sails: field not declared in schema"),
        ("unknownField: unknown", ".unknownField: field not declared in schema"),
        (
            "spec: {template: {apiVersion: v1, kind: Pod, metadata: {name: x, unknownSubMeta: 1}}}",
            ".spec.template.metadata.unknownSubMeta: field not declared in schema",
        ),
    ] {
        let refused = send("PATCH", "/odd", "Ignore", apply, &config(rest));
        assert!(refused.starts_with("HTTP/1.1 500") && refused.contains(why), "{refused}");
    }
    let twice = config("spec:\n  cargo: {a: b}\n  cargo: {a: c}\n");
    let refused = send("PATCH", "/odd", "Strict", apply, &twice);
    assert!(
        refused.starts_with("HTTP/1.1 400") && refused.contains("error strict decoding patch"),
        "{refused}"
    );
    assert!(refused.contains("key \"cargo\" already set in map"), "{refused}");
    let warned = send("PATCH", "/odd", "Warn", apply, &twice);
    assert!(warned.starts_with("HTTP/1.1 200") && warned.contains("already set in map"), "{warned}");
    cluster.kubectl(&["delete", "boat", "odd"]);
}

/// `kubectl apply` of what has no strategic merge patch, then the server's way.
fn by_the_client(cluster: &Cluster, manifest: &Manifest) {
    let raft = |rest: &str| manifest.text(&boat("v1", rest).replace("karve", "raft"));
    cluster.kubectl(&Manifest::with(&["apply"], &raft("spec: {crew: 1, flag: red}")));
    assert_eq!(owners(cluster, "boat/raft"), "kubectl-client-side-apply Update");
    cluster.kubectl(&Manifest::with(&["apply"], &raft("spec: {crew: 2}")));
    assert_eq!(cluster.value(&["boat", "raft"], "{.spec}"), r#"{"crew":2}"#);
    cluster.kubectl(&Manifest::with(&["apply", "--server-side"], &raft("spec: {flag: blue}")));
    assert_eq!(cluster.value(&["boat", "raft"], "{.spec}"), r#"{"flag":"blue"}"#);
}
