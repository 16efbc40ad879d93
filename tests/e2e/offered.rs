//! What Kubernetes leaves off is served and kept once somebody asks for it.

use std::process::Command;

use crate::harness::Cluster;

const CLASS: &str = "
apiVersion: resource.k8s.io/v1beta2
kind: DeviceClass
metadata: {name: gpus}
spec: {selectors: [{cel: {expression: 'device.driver == \"gpu.example.com\"'}}]}
";

const POD: &str = "
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers: [{name: web, image: web}]
  volumes: [{name: scratch, emptyDir: {mode: 448}}]
";

#[test]
fn versions_and_features_are_switched_by_upstreams_flags() {
    let cluster = Cluster::control_plane_with(&[
        "--runtime-config=resource.k8s.io/v1beta2=true,apps/v1/daemonsets=false",
        "--feature-gates=EmptyDirVolumeMode=true",
    ]);
    cluster.eventually(&["get", "serviceaccount", "default"], |_| true);
    let versions = cluster.kubectl(&["api-versions"]);
    assert!(
        versions.contains("resource.k8s.io/v1beta2") && !versions.contains("resource.k8s.io/v1beta1"),
        "{versions}"
    );
    assert!(!cluster.try_kubectl(&["get", "daemonsets.v1.apps"]).status.success());
    cluster.apply(CLASS);
    let expression = [
        "get",
        "deviceclasses.v1.resource.k8s.io",
        "gpus",
        "-o",
        "jsonpath={.spec.selectors[0].cel.expression}",
    ];
    assert_eq!(cluster.kubectl(&expression), "device.driver == \"gpu.example.com\"");
    let explained = cluster.kubectl(&["explain", "deviceclass", "--api-version=resource.k8s.io/v1beta2"]);
    assert!(explained.contains("VERSION:    v1beta2"), "{explained}");
    cluster.apply(POD);
    let mode = ["get", "pod", "web", "-o", "jsonpath={.spec.volumes[0].emptyDir.mode}"];
    assert_eq!(cluster.kubectl(&mode), "448");
    let metrics = cluster.kubectl(&["get", "--raw", "/metrics"]);
    let enabled = "kubernetes_feature_enabled{name=\"EmptyDirVolumeMode\",stage=\"ALPHA\"} 1";
    assert!(metrics.contains(enabled));
}

#[test]
fn what_cannot_be_switched_is_told_before_anything_is_made() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    for (flag, why) in [
        ("--feature-gates=Nonsense=true", "--feature-gates: unrecognized feature gate: Nonsense"),
        ("--runtime-config=boats.example.com/v1", "--runtime-config: unknown api groups boats.example.com"),
    ] {
        let data = dir.path().join("data");
        let mut server = Command::new(env!("CARGO_BIN_EXE_knarr"));
        server
            .args(["server", "--disable-agent", "--https-listen-port", "26443", flag, "--data-dir"])
            .arg(&data);
        let ended = server.output().expect("the binary was built");
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(!ended.status.success() && said.contains(why), "{said}");
        assert!(!data.exists());
    }
}
