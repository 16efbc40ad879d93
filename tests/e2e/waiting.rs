//! `kubectl wait`: for conditions, values, creation and deletion, and in vain.

use crate::harness::Cluster;

const QUEUE: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {a: b}}
spec:
  replicas: 0
  selector: {matchLabels: {a: b}}
  template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: example.com/none}]}}
"#;

#[test]
fn kubectl_waits() {
    let cluster = Cluster::control_plane();
    let mut created = cluster.stream(&["wait", "--for=create", "deployment/web", "--timeout=60s"]);
    cluster.apply(QUEUE);
    assert_eq!(created.next(), "deployment.apps/web condition met");
    let wait =
        |condition: &str| cluster.kubectl(&["wait", "--for", condition, "deployment/web", "--timeout=60s"]);
    let met = "deployment.apps/web condition met\n";
    assert_eq!(wait("condition=Available"), met);
    assert_eq!(wait("condition=Progressing=true"), met);
    assert_eq!(wait("jsonpath={.spec.replicas}=0"), met);
    assert_eq!(wait("jsonpath={.status.observedGeneration}"), met);
    assert_eq!(wait("jsonpath={.status.conditions[?(@.type==\"Available\")].status}=True"), met);
    let mut changed =
        cluster.stream(&["wait", "--for=jsonpath={.spec.paused}=true", "deployment/web", "--timeout=60s"]);
    cluster.kubectl(&["rollout", "pause", "deployment/web"]);
    assert_eq!(changed.next(), met.trim());
    let vain = cluster.refused(&["wait", "--for=condition=Nothing", "deployment/web", "--timeout=0s"]);
    assert!(
        vain.contains("timed out waiting for the condition") || vain.contains("condition not met"),
        "{vain}"
    );
    let absent = cluster.refused(&["wait", "--for=condition=Ready", "deployment/other", "--timeout=1s"]);
    assert!(absent.contains("deployments.apps \"other\" not found"), "{absent}");
    let mut gone = cluster.stream(&["wait", "--for=delete", "deployment/web", "--timeout=60s"]);
    cluster.kubectl(&["delete", "deployment", "web", "--wait=false"]);
    // It may have been gone before kubectl looked, of which it says nothing.
    assert!(matches!(&*gone.next(), "" | "deployment.apps/web condition met"));
    assert!(gone.has_ended());
    assert_eq!(cluster.kubectl(&["wait", "--for=delete", "deployment/web", "--timeout=1s"]), "");
}
