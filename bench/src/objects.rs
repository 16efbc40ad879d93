//! The objects that the benchmarks write.

use api_codec::proto;
use api_types::GroupVersionKind;
use api_types::core::v1::ConfigMap;
use bytes::Bytes;
use serde_json::{Value, json};

/// Where pods of the default namespace are written.
pub const PODS: &str = "/api/v1/namespaces/default/pods";

/// Where configuration of the default namespace is written.
pub const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";

/// A ConfigMap that carries 1 KiB, in protobuf.
pub fn config_map(name: &str) -> Bytes {
    let mut object = ConfigMap::default();
    object.metadata.name = name.to_owned();
    object.data.insert("data".to_owned(), "x".repeat(1_024));
    proto::encode(&object, &GroupVersionKind { group: "", version: "v1", kind: "ConfigMap" }).into()
}

/// A pod of an image with a shell that the node has, which runs until it is told to stop, and then stops at once.
pub fn runnable_pod(name: &str, image: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": name },
        "spec": {
            "terminationGracePeriodSeconds": 5,
            "containers": [{
                "name": "main",
                "image": image,
                "imagePullPolicy": "Never",
                "command": ["/bin/sh", "-c", "trap 'exit 0' TERM; sleep 1000 & wait"],
            }],
        },
    })
}

/// A node that nobody runs.
pub fn node(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": name } })
}

/// A pod as a Deployment's are: labels, one container with environment, ports, resources and a probe, one volume. Admission adds
/// the service account's volume and the default tolerations.
pub fn typical_pod(name: &str, node: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "labels": { "app": "web", "pod-template-hash": "5d69c9b7c8", "team": "shop" },
            "annotations": { "example.com/config-hash": "b5bb9d8014a0f9b1d61e21e796d78dcc" },
        },
        "spec": {
            "nodeName": node,
            "containers": [{
                "name": "web",
                "image": "registry.example.com/shop/web:1.27.3",
                "ports": [{ "name": "http", "containerPort": 8080 }],
                "env": [
                    { "name": "GREETING", "value": "hello" },
                    { "name": "PASSWORD", "valueFrom": { "secretKeyRef": { "name": "web", "key": "password" } } },
                    { "name": "POD_NAME", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } },
                ],
                "resources": {
                    "requests": { "cpu": "100m", "memory": "128Mi" },
                    "limits": { "memory": "256Mi" },
                },
                "readinessProbe": { "httpGet": { "path": "/healthz", "port": "http" }, "periodSeconds": 5 },
                "volumeMounts": [{ "name": "config", "mountPath": "/etc/web" }],
            }],
            "volumes": [{ "name": "config", "configMap": { "name": "web" } }],
        },
    })
}

/// What a node says of such a pod once it runs.
pub fn typical_status(index: usize) -> Value {
    let condition =
        |kind: &str| json!({ "type": kind, "status": "True", "lastTransitionTime": "2026-11-28T12:00:00Z" });
    let conditions = ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"]
        .map(condition);
    let address = format!("10.242.{}.{}", index / 250 % 250, index % 250 + 1);
    json!({
        "phase": "Running",
        "conditions": conditions,
        "hostIP": "198.51.100.1",
        "hostIPs": [{ "ip": "198.51.100.1" }],
        "podIP": address,
        "podIPs": [{ "ip": address }],
        "startTime": "2026-11-28T12:00:00Z",
        "containerStatuses": [{
            "name": "web",
            "state": { "running": { "startedAt": "2026-11-28T12:00:00Z" } },
            "ready": true,
            "started": true,
            "restartCount": 0,
            "image": "registry.example.com/shop/web:1.27.3",
            "imageID": "registry.example.com/shop/web@sha256:\
                4b5a1f6d1f3c0f9d0b9d3e1e3a9a6f6b7c8d9e0f1a2b3c4d5e6f708192a3b4c5",
            "containerID": format!("knarr://{index:064x}"),
        }],
        "qosClass": "Burstable",
    })
}
