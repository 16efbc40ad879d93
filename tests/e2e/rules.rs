//! Rules in CEL: judged when a definition is written, carried out when its objects are, let pass where nothing has changed.

use std::io::Write as _;
use std::process::{Output, Stdio};

use crate::harness::Cluster;

const DEFINITION: &str = r#"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: crews.fleet.example.com}
spec:
  group: fleet.example.com
  scope: Namespaced
  names: {plural: crews, kind: Crew}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            x-kubernetes-validations:
            - {rule: self.least <= self.most, message: least must not exceed most, fieldPath: .least}
            - {rule: self.ship == oldSelf.ship, message: a crew stays with its ship, reason: FieldValueForbidden}
            properties:
              least: {type: integer}
              most: {type: integer}
              ship: {type: string}
              list: {type: array, maxItems: 725, items: {type: integer}, x-kubernetes-validations: [{rule: 'self.all(x, self.all(y, y == x))'}]}
          status:
            type: object
            x-kubernetes-validations: [{rule: "self.health in ['ok', 'ill']", messageExpression: "'no such health: ' + self.health"}]
            properties: {health: {type: string}}
"#;

fn crew(spec: &str) -> String {
    format!("apiVersion: fleet.example.com/v1\nkind: Crew\nmetadata: {{name: knarr}}\nspec: {{{spec}}}\n")
}

/// What kubectl says when it applies a text.
fn applied(cluster: &Cluster, text: &str) -> Output {
    let mut kubectl = cluster.program("kubectl");
    kubectl.arg("--kubeconfig").arg(cluster.kubeconfig()).args(["apply", "-f", "-"]);
    let piped = kubectl.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().expect("kubectl is installed: ./dev setup");
    child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("kubectl reads");
    child.wait_with_output().expect("kubectl ends")
}

fn refused(cluster: &Cluster, text: &str, wanted: &str) {
    let output = applied(cluster, text);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains(wanted), "{wanted}: {said}");
}

#[test]
fn rules_hold_from_the_definition_to_the_last_update() {
    let cluster = Cluster::control_plane();
    let missing = DEFINITION.replace("self.least <= self.most", "self.leest <= self.most");
    refused(&cluster, &missing, "undefined field 'leest'");
    refused(
        &cluster,
        &missing,
        "spec.validation.openAPIV3Schema.properties[spec].x-kubernetes-validations[0].rule",
    );
    refused(&cluster, &DEFINITION.replace("self.least <= self.most", "self = 42"), "Syntax error");
    refused(
        &cluster,
        &DEFINITION.replace(", maxItems: 725", ""),
        "estimated rule cost exceeds budget by factor of more than 100x",
    );
    assert!(applied(&cluster, DEFINITION).status.success());
    cluster.kubectl(&["wait", "--for=condition=Established", "crd/crews.fleet.example.com", "--timeout=60s"]);

    refused(
        &cluster,
        &crew("least: 3, most: 2, ship: a"),
        "spec.least: Invalid value: least must not exceed most",
    );
    let many = vec!["20"; 725].join(", ");
    let costly = crew(&format!("least: 1, most: 2, ship: a, list: [{many}]"));
    refused(&cluster, &costly, "call cost exceeds limit for rule: self.all(x, self.all(y, y == x))");
    let wrong = crew("least: x, most: 2, ship: a");
    refused(&cluster, &wrong, "spec.least");
    let made = applied(&cluster, &crew("least: 1, most: 2, ship: a, list: [2, 2]"));
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    refused(&cluster, &crew("least: 1, most: 2, ship: b"), "spec: Forbidden: a crew stays with its ship");
    let status = ["patch", "crew", "knarr", "--subresource=status", "--type=merge", "-p"];
    let ill = cluster.refused(&[&status[..], &[r#"{"status":{"health":"odd"}}"#]].concat());
    assert!(ill.contains("status: Invalid value: no such health: odd"), "{ill}");
    cluster.kubectl(&[&status[..], &[r#"{"status":{"health":"ok"}}"#]].concat());

    // What was right before is let pass as long as it stays as it is, with a warning.
    let stricter = DEFINITION.replace(
        "health: {type: string}",
        "health: {type: string, x-kubernetes-validations: [{rule: 'size(self) > 5', message: too short}]}",
    );
    assert!(applied(&cluster, &stricter).status.success());
    let labelled = cluster.until(|| {
        let output = cluster.try_kubectl(&["label", "crew", "knarr", "--overwrite", "seen=yes"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        cluster.kubectl(&["label", "crew", "knarr", "seen-"]);
        assert!(output.status.success(), "{said}");
        if said.contains("too short") { Ok(said) } else { Err(said) }
    });
    assert!(labelled.contains("Warning: status.health: Invalid value: \"ok\": too short"), "{labelled}");

    let described = cluster.kubectl(&["get", "--raw", "/openapi/v3/apis/fleet.example.com/v1"]);
    assert!(described.contains("x-kubernetes-validations"), "{described}");
}
