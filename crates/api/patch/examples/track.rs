//! What it costs to say who owns what when a node writes the status of a pod: `cargo run --release -p api-patch --example track`.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "it measures time")]

use std::time::Instant;

use api_codec::limits::Limits;
use api_codec::{json, yaml};
use api_patch::apply::{Request, Reset, Set, Versions, track};
use api_record::Record;
use api_record::scalar::Time;
use api_types::core::v1::Pod;
use api_types::{object_meta, object_meta_mut};

const WRITES: u32 = 20_000;

const POD: &str = "
metadata:
  name: web-7c5ddbdf54-x8k2p
  generateName: web-7c5ddbdf54-
  namespace: default
  uid: 0d1f2c3b-4a59-4687-9786-a5b4c3d2e1f0
  labels: {app: web, pod-template-hash: 7c5ddbdf54}
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web-7c5ddbdf54, uid: u, controller: true, blockOwnerDeletion: true}]
spec:
  containers:
  - name: main
    image: example.com/web:1
    imagePullPolicy: IfNotPresent
    ports: [{containerPort: 8080, protocol: TCP}]
    env: [{name: A, value: b}, {name: C, value: d}]
    resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {memory: 128Mi}}
    readinessProbe: {httpGet: {path: /, port: 8080, scheme: HTTP}, periodSeconds: 10, timeoutSeconds: 1, successThreshold: 1, failureThreshold: 3}
    volumeMounts: [{name: token, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}]
    terminationMessagePath: /dev/termination-log
    terminationMessagePolicy: File
  volumes:
  - name: token
    projected: {defaultMode: 420, sources: [{serviceAccountToken: {path: token, expirationSeconds: 3607}}]}
  nodeName: one
  restartPolicy: Always
  dnsPolicy: ClusterFirst
  schedulerName: default-scheduler
  serviceAccountName: default
  serviceAccount: default
  securityContext: {}
  enableServiceLinks: true
  preemptionPolicy: PreemptLowerPriority
  priority: 0
  terminationGracePeriodSeconds: 30
  tolerations:
  - {key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: 300}
  - {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 300}
status:
  phase: Pending
  qosClass: Burstable
";

fn running(ready: &str, restarts: u32) -> String {
    let condition = |kind: &str, status: &str| {
        format!("{{type: {kind}, status: '{status}', lastTransitionTime: '2026-01-01T00:00:00Z'}}")
    };
    format!(
        "status:
  phase: Running
  qosClass: Burstable
  hostIP: 192.0.2.1
  hostIPs: [{{ip: 192.0.2.1}}]
  podIP: 10.42.0.7
  podIPs: [{{ip: 10.42.0.7}}]
  startTime: '2026-01-01T00:00:00Z'
  conditions: [{}, {}, {}, {}]
  containerStatuses:
  - {{name: main, ready: {ready}, started: true, restartCount: {restarts}, image: example.com/web:1, imageID: example.com/web@sha256:0, containerID: 'knarr://0', state: {{running: {{startedAt: '2026-01-01T00:00:00Z'}}}}}}
",
        condition("Initialized", "True"),
        condition("Ready", if ready == "true" { "True" } else { "False" }),
        condition("ContainersReady", if ready == "true" { "True" } else { "False" }),
        condition("PodScheduled", "True"),
    )
}

fn read(text: &str) -> Pod {
    let text = yaml::to_json(text.as_bytes(), Limits::REQUEST).expect("YAML");
    let mut pod = Pod::default();
    json::decode(&text, &mut pod, None, Limits::REQUEST).expect("a pod");
    pod
}

struct One;

impl Versions for One {
    fn empty(&self, _: &str) -> Option<Box<dyn Record>> {
        Some(Box::new(Pod::default()))
    }
    fn convert(&self, object: &dyn Record, _: &str, _: &str) -> Option<Box<dyn Record>> {
        Some(object.boxed_clone())
    }
}

fn written(manager: &str, subresource: &str, reset: &[&str], live: &Pod, new: &mut Pod, seconds: i64) {
    let request = Request {
        manager,
        api_version: "v1",
        kind: "Pod",
        subresource,
        reset: Reset::Fields(Set::of_fields(reset.iter().copied())),
        now: Time { seconds },
        versions: &One,
    };
    track(&request, live, new);
}

fn main() {
    let mut pod = read(POD);
    let uid = std::mem::take(&mut pod.metadata.uid);
    written("kube-controller-manager", "", &["status"], &Pod::default(), &mut pod, 1);
    pod.metadata.uid = uid;
    let with = |pod: &Pod, ready: &str, restarts| Pod {
        status: read(&running(ready, restarts)).status,
        ..pod.clone()
    };
    let states = [with(&pod, "true", 0), with(&pod, "false", 1)];
    let owners =
        |pod: &dyn Record| object_meta(pod).map(|meta| meta.managed_fields.clone()).unwrap_or_default();
    let mut live = pod;
    let mut spent = std::time::Duration::ZERO;
    for number in 0..WRITES {
        let mut new = states[number as usize % 2].clone();
        if let Some(meta) = object_meta_mut(&mut new) {
            meta.managed_fields = owners(&live);
        }
        let begun = Instant::now();
        written("kubelet", "status", &["spec"], &live, &mut new, i64::from(number) + 2);
        spent += begun.elapsed();
        live = new;
    }
    let bytes: usize =
        owners(&live).iter().filter_map(|entry| entry.fields_v1.as_ref().map(|raw| raw.text().len())).sum();
    println!("{:.1} µs a write, {bytes} bytes of fields", spent.as_secs_f64() * 1e6 / f64::from(WRITES));
}
