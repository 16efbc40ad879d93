//! A kind that users define: from its definition to kubectl's every verb, and to its end.

use std::io::Write as _;
use std::process::{Output, Stdio};

use crate::harness::Cluster;

const DEFINITION: &str = r#"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: ships.fleet.example.com}
spec:
  group: fleet.example.com
  scope: Namespaced
  names: {plural: ships, kind: Ship, shortNames: [sh], categories: [all]}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        description: A ship of the fleet.
        type: object
        properties:
          spec:
            description: What the ship should be.
            type: object
            required: [crew]
            properties:
              crew: {type: integer, minimum: 1, description: How many sail it.}
              cargo: {type: string, default: grain}
          status:
            type: object
            properties: {crew: {type: integer}}
    subresources:
      status: {}
      scale: {specReplicasPath: .spec.crew, statusReplicasPath: .status.crew}
    selectableFields: [{jsonPath: .spec.cargo}]
    additionalPrinterColumns:
    - {name: Crew, type: integer, jsonPath: .spec.crew}
    - {name: Cargo, type: string, jsonPath: .spec.cargo}
"#;

const SHIP: &str = r#"
apiVersion: fleet.example.com/v1
kind: Ship
metadata: {name: knarr}
spec: {crew: 6}
"#;

fn try_apply(cluster: &Cluster, text: &str) -> Output {
    let mut kubectl = cluster.program("kubectl");
    kubectl.arg("--kubeconfig").arg(cluster.kubeconfig()).args(["create", "-f", "-"]);
    let mut child = kubectl
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("kubectl is installed: ./dev setup");
    child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("kubectl reads");
    child.wait_with_output().expect("kubectl ends")
}

fn refused(cluster: &Cluster, text: &str) -> String {
    let output = try_apply(cluster, text);
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_kind_is_defined_used_explained_changed_and_deleted() {
    let cluster = Cluster::control_plane();
    cluster.apply(DEFINITION);
    let established = ["wait", "--for=condition=Established", "crd/ships.fleet.example.com", "--timeout=60s"];
    cluster.kubectl(&established);
    let resources = cluster.kubectl(&["api-resources", "--api-group=fleet.example.com", "--no-headers"]);
    let words: Vec<&str> = resources.split_whitespace().collect();
    assert_eq!(words, ["ships", "sh", "fleet.example.com/v1", "true", "Ship"]);

    assert_eq!(cluster.apply(SHIP), "ship.fleet.example.com/knarr created\n");
    assert_eq!(cluster.apply(SHIP), "ship.fleet.example.com/knarr unchanged\n");
    let row = cluster.kubectl(&["get", "sh", "--no-headers"]);
    assert_eq!(row.split_whitespace().collect::<Vec<_>>(), ["knarr", "6", "grain"]);
    assert!(cluster.kubectl(&["get", "all", "-o", "name"]).contains("ship.fleet.example.com/knarr"));
    let chosen =
        |selector: &str| cluster.kubectl(&["get", "ships", "-o", "name", "--field-selector", selector]);
    assert_eq!(chosen("spec.cargo=grain"), "ship.fleet.example.com/knarr\n");
    assert_eq!(chosen("spec.cargo=wool"), "");
    let described = cluster.kubectl(&["describe", "ship", "knarr"]);
    assert!(described.contains("Cargo:  grain"), "{described}");
    judged(&cluster);

    cluster.kubectl(&["patch", "ship", "knarr", "--type=merge", "-p", r#"{"spec":{"cargo":"wool"}}"#]);
    cluster.kubectl(&["scale", "ship", "knarr", "--replicas=8"]);
    let spec = cluster.kubectl(&[
        "get",
        "ship",
        "knarr",
        "-o",
        "jsonpath={.spec.crew} {.spec.cargo} {.metadata.generation}",
    ]);
    assert_eq!(spec, "8 wool 3");
    explained(&cluster);

    collected(&cluster);
    cluster.kubectl(&["delete", "crd", "ships.fleet.example.com", "--timeout=60s"]);
    cluster.eventually(&["get", "--raw", "/apis"], |groups| !groups.contains("fleet.example.com"));
    assert!(
        cluster.refused(&["get", "--raw", "/apis/fleet.example.com/v1/ships"]).contains("could not find")
    );
}

fn judged(cluster: &Cluster) {
    let unknown = refused(cluster, &SHIP.replace("crew: 6", "crew: 6, sails: 2").replace("knarr", "other"));
    assert!(unknown.contains("unknown field \"spec.sails\""), "{unknown}");
    let missing = refused(cluster, &SHIP.replace("crew: 6", "cargo: x").replace("knarr", "other"));
    assert!(missing.contains("spec.crew: Required value"), "{missing}");
    let small = refused(cluster, &SHIP.replace("crew: 6", "crew: 0").replace("knarr", "other"));
    assert!(small.contains("spec.crew in body should be greater than or equal to 1"), "{small}");
}

fn explained(cluster: &Cluster) {
    let kind = cluster.eventually(&["explain", "ships"], |text| text.contains("A ship of the fleet."));
    assert!(kind.contains("APIVersion defines the versioned schema"), "{kind}");
    let field = cluster.kubectl(&["explain", "ships.spec.crew"]);
    assert!(field.contains("How many sail it."), "{field}");
    let old = cluster.kubectl(&["get", "--raw", "/openapi/v2"]);
    assert!(old.contains("com.example.fleet.v1.Ship"), "it is told in version 2 as well");
}

/// What a custom resource owns goes with it, and a namespace takes its custom resources along.
fn collected(cluster: &Cluster) {
    let uid = cluster.value(&["ship", "knarr"], "{.metadata.uid}");
    cluster.apply(&format!(
        "apiVersion: v1
kind: ConfigMap
metadata:
  name: log
  ownerReferences: [{{apiVersion: fleet.example.com/v1, kind: Ship, name: knarr, uid: {uid}}}]
"
    ));
    cluster.kubectl(&["delete", "ship", "knarr"]);
    cluster.eventually(&["get", "configmaps", "-o", "name"], |names| !names.contains("/log"));
    cluster.kubectl(&["create", "namespace", "harbour"]);
    cluster.apply(&SHIP.replace("name: knarr", "name: knarr, namespace: harbour"));
    cluster.kubectl(&["delete", "namespace", "harbour", "--timeout=60s"]);
    assert_eq!(cluster.kubectl(&["get", "ships", "-A", "-o", "name"]), "");
}
