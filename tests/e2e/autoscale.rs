//! A workload that grows with what its pods use: a Deployment with real containers, and a resource of a definition, by its scale.

use crate::harness::Cluster;

const BUSY: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: busy}
spec:
  selector: {matchLabels: {app: busy}}
  template:
    metadata: {labels: {app: busy}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: spins
        image: example.com/shell:1
        imagePullPolicy: Never
        command: [/bin/sh, -c, 'while true; do :; done']
        resources: {requests: {cpu: 20m}, limits: {cpu: 60m}}
"#;

const TOYS: &str = r#"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: toys.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: toys, singular: toy, kind: Toy}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
    subresources:
      status: {}
      scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas, labelSelectorPath: .status.selector}
"#;

const TOY: &str = r#"
apiVersion: example.com/v1
kind: Toy
metadata: {name: ball}
spec: {replicas: 9}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: ball}
spec:
  scaleTargetRef: {apiVersion: example.com/v1, kind: Toy, name: ball}
  maxReplicas: 4
"#;

#[test]
fn a_workload_grows_with_what_it_uses() {
    let cluster = Cluster::with_node("autoscale");
    cluster.busybox_image("example.com/shell:1");
    cluster.apply(BUSY);
    cluster.kubectl(&["rollout", "status", "deployment", "busy", "--timeout=120s"]);
    cluster.kubectl(&["autoscale", "deployment", "busy", "--cpu-percent=50", "--max=3"]);
    cluster.eventually(&["get", "deployment", "busy", "-o", "jsonpath={.spec.replicas}"], |replicas| {
        replicas == "3"
    });
    let shown = cluster.kubectl(&["get", "hpa", "busy", "--no-headers"]);
    assert!(shown.contains("Deployment/busy") && shown.contains("%/50%"), "{shown}");
    let told = cluster.eventually(&["describe", "hpa", "busy"], |text| text.contains("SuccessfulRescale"));
    let why = "reason: cpu resource utilization (percentage of request) above target";
    assert!(told.contains("New size: 3") && told.contains(why), "{told}");
    let condition = |type_: &str| {
        let path = format!("{{.status.conditions[?(@.type==\"{type_}\")].reason}}");
        cluster.value(&["hpa", "busy"], &path)
    };
    assert_eq!(condition("ScalingActive"), "ValidMetricFound");
    // A new spec is looked at before the next round.
    cluster.kubectl(&["patch", "hpa", "busy", "-p", r#"{"spec":{"maxReplicas":2}}"#]);
    cluster.eventually(&["get", "deployment", "busy", "-o", "jsonpath={.spec.replicas}"], |replicas| {
        replicas == "2"
    });
    cluster.kubectl(&["scale", "deployment", "busy", "--replicas=0"]);
    cluster.until(|| match condition("ScalingActive").as_str() {
        "ScalingDisabled" => Ok(()),
        other => Err(other.to_owned()),
    });
    cluster.apply(TOYS);
    cluster.kubectl(&["wait", "--for=condition=Established", "crd/toys.example.com", "--timeout=60s"]);
    cluster.apply(TOY);
    cluster
        .eventually(&["get", "toy", "ball", "-o", "jsonpath={.spec.replicas}"], |replicas| replicas == "4");
}
