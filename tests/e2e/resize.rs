//! Resources of pods that run, changed with `kubectl patch --subresource resize`: in place, by starting anew, later, and never.

use crate::harness::Cluster;

const GROWS: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: grows}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: stays
    image: example.com/shell:1
    imagePullPolicy: Never
    command: [/bin/sleep, '86400']
    resources: {requests: {cpu: 50m, memory: 20Mi}, limits: {cpu: 100m, memory: 40Mi}}
  - name: restarts
    image: example.com/shell:1
    imagePullPolicy: Never
    command: [/bin/sh, -c, 'trap "exit 0" TERM; while true; do sleep 0.1; done']
    resizePolicy: [{resourceName: memory, restartPolicy: RestartContainer}]
    resources: {requests: {cpu: 50m, memory: 20Mi}, limits: {cpu: 100m, memory: 40Mi}}
  restartPolicy: OnFailure
"#;

/// A container's resources, as `kubectl patch` takes them.
fn patch(container: &str, resources: &str) -> String {
    format!(r#"{{"spec":{{"containers":[{{"name":"{container}","resources":{resources}}}]}}}}"#)
}

impl Cluster {
    fn resize(&self, pod: &str, container: &str, resources: &str) {
        self.kubectl(&["patch", "pod", pod, "--subresource", "resize", "-p", &patch(container, resources)]);
    }

    /// Waits until a container has a limit by its status, and nothing is said of a resize any more.
    fn has(&self, container: &str, resource: &str, limit: &str) {
        let path = format!(
            "jsonpath={{.status.containerStatuses[?(@.name=='{container}')].resources.limits.{resource}}} \
             {{.status.conditions[?(@.type=='PodResizeInProgress')].type}}\
             {{.status.conditions[?(@.type=='PodResizePending')].type}}"
        );
        self.eventually(&["get", "pod", "grows", "-o", &path], |text| text.trim() == limit);
    }

    /// What a container reads of its own control group, of version 2 or 1.
    fn told(&self, container: &str, new: &str, old: &str) -> String {
        let line = format!("cat /sys/fs/cgroup/{new} 2>/dev/null || cat /sys/fs/cgroup/{old}");
        self.kubectl(&["exec", "grows", "-c", container, "--", "/bin/sh", "-c", &line]).trim().to_owned()
    }

    fn restarts(&self, container: &str) -> String {
        let path = format!("{{.status.containerStatuses[?(@.name=='{container}')].restartCount}}");
        self.value(&["pod", "grows"], &path)
    }

    fn condition(&self, type_: &str, wanted: impl Fn(&str) -> bool) -> String {
        let condition = format!(".status.conditions[?(@.type=='{type_}')]");
        let path = format!("jsonpath={{{condition}.reason}}: {{{condition}.message}}");
        self.eventually(&["get", "pod", "grows", "-o", &path], wanted)
    }
}

#[test]
fn resources_change_while_a_pod_runs() {
    let mut cluster = Cluster::with_node("resize");
    cluster.busybox_image("example.com/shell:1");
    cluster.apply(GROWS);
    cluster.kubectl(&["wait", "--for=condition=Ready", "pod/grows", "--timeout=60s"]);
    in_place(&cluster);
    by_starting_anew(&cluster);
    not_below_what_is_used(&cluster);
    refused(&cluster);
    later(&mut cluster);
    without_room(&cluster);
}

fn in_place(cluster: &Cluster) {
    let shown = "{.status.containerStatuses[0].resources.limits.cpu} {.status.containerStatuses[0].allocatedResources.cpu} \
                 {.status.resources.limits.memory} {.status.allocatedResources.cpu}";
    assert_eq!(cluster.value(&["pod", "grows"], shown), "100m 50m 80Mi 100m");
    cluster.resize(
        "grows",
        "stays",
        r#"{"requests":{"cpu":"100m"},"limits":{"cpu":"200m","memory":"64Mi"}}"#,
    );
    cluster.has("stays", "cpu", "200m");
    assert!(cluster.told("stays", "cpu.max", "cpu/cpu.cfs_quota_us").starts_with("20000"));
    assert_eq!(cluster.told("stays", "memory.max", "memory/memory.limit_in_bytes"), (64 << 20).to_string());
    assert_eq!(cluster.restarts("stays"), "0");
    assert_eq!(cluster.value(&["pod", "grows"], shown), "200m 100m 104Mi 150m");
    assert_eq!(
        cluster.value(&["pod", "grows"], "{.metadata.generation} {.status.observedGeneration}"),
        "2 2"
    );
    for reason in ["ResizeStarted", "ResizeCompleted"] {
        cluster.eventually(&["get", "events", "--field-selector", &format!("reason={reason}")], |events| {
            events.contains(r#"{"containers":[{"name":"stays","resources":{"limits":{"cpu":"200m""#)
        });
    }
    cluster.resize("grows", "stays", r#"{"requests":{"cpu":"50m"},"limits":{"cpu":"100m","memory":"40Mi"}}"#);
    cluster.has("stays", "memory", "40Mi");
    assert!(cluster.told("stays", "cpu.max", "cpu/cpu.cfs_quota_us").starts_with("10000"));
}

/// Its program ends well when it is stopped, and its policy would leave it at that.
fn by_starting_anew(cluster: &Cluster) {
    cluster.resize("grows", "restarts", r#"{"limits":{"memory":"50Mi"}}"#);
    cluster.has("restarts", "memory", "50Mi");
    cluster.kubectl(&["wait", "--for=condition=Ready", "pod/grows", "--timeout=60s"]);
    assert_eq!(
        cluster.told("restarts", "memory.max", "memory/memory.limit_in_bytes"),
        (50 << 20).to_string()
    );
    assert_eq!((cluster.restarts("restarts"), cluster.restarts("stays")), ("1".into(), "0".into()));
    cluster.resize("grows", "restarts", r#"{"limits":{"cpu":"150m"}}"#);
    cluster.has("restarts", "cpu", "150m");
    assert_eq!(cluster.restarts("restarts"), "1", "only memory calls for it");
}

fn not_below_what_is_used(cluster: &Cluster) {
    cluster.resize("grows", "stays", r#"{"requests":{"memory":"4Ki"},"limits":{"memory":"4Ki"}}"#);
    let said = cluster.condition("PodResizeInProgress", |said| said.starts_with("Error: "));
    assert!(
        said.contains("cannot decrease memory limits: ") && said.contains("below current usage"),
        "{said}"
    );
    assert_eq!(cluster.told("stays", "memory.max", "memory/memory.limit_in_bytes"), (40 << 20).to_string());
    cluster.resize("grows", "stays", r#"{"requests":{"memory":"20Mi"},"limits":{"memory":"40Mi"}}"#);
    cluster.has("stays", "memory", "40Mi");
    assert_eq!(cluster.restarts("stays"), "0");
}

fn refused(cluster: &Cluster) {
    for (resources, why) in [
        (
            r#"{"requests":{"cpu":"5k"},"limits":{"cpu":"5k"}}"#,
            "node didn't have enough allocatable resources: cpu",
        ),
        (r#"{"requests":{"ephemeral-storage":"1Gi"}}"#, "only cpu and memory resources are mutable"),
        (r#"{"limits":{"memory":null}}"#, "resource limits cannot be removed"),
    ] {
        let patch = patch("stays", resources);
        let said = cluster.refused(&["patch", "pod", "grows", "--subresource", "resize", "-p", &patch]);
        assert!(said.contains(why), "{said}");
    }
    let said =
        cluster.refused(&["patch", "pod", "grows", "-p", &patch("stays", r#"{"limits":{"cpu":"1"}}"#)]);
    assert!(said.contains("pod updates may not change fields other than"), "{said}");
}

/// Another pod has the rest of the node's CPUs; an agent that comes anew knows who waits for what.
fn later(cluster: &mut Cluster) {
    let millis = |text: String| match text.strip_suffix('m') {
        Some(millis) => millis.parse::<u64>().expect("a number"),
        None => text.parse::<u64>().expect("a number") * 1000,
    };
    let all = millis(cluster.value(&["node", "one"], "{.status.allocatable.cpu}"));
    let rest = all - 300;
    cluster.apply(&format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: takes}}\nspec:\n  terminationGracePeriodSeconds: 0\n  containers:\n  \
         - {{name: c, image: 'example.com/shell:1', imagePullPolicy: Never, command: [/bin/sleep, '86400'], \
         resources: {{requests: {{cpu: {rest}m}}}}}}"
    ));
    cluster.kubectl(&["wait", "--for=condition=Ready", "pod/takes", "--timeout=60s"]);
    cluster.resize("grows", "stays", r#"{"requests":{"cpu":"300m"},"limits":{"cpu":"300m"}}"#);
    let wanted = |said: &str| {
        said.starts_with("Deferred: Node didn't have enough resource: cpu, requested: 350, used: ")
    };
    cluster.condition("PodResizePending", wanted);
    cluster.eventually(&["get", "events", "--field-selector", "reason=ResizeDeferred"], |events| {
        events.contains("Pod resize Deferred: {")
    });
    let given = "{.status.containerStatuses[0].allocatedResources.cpu} {.status.containerStatuses[0].resources.limits.cpu}";
    assert_eq!(cluster.value(&["pod", "grows"], given), "50m 100m");
    cluster.crash_and_restart();
    cluster.settle();
    cluster.condition("PodResizePending", wanted);
    assert_eq!(cluster.value(&["pod", "grows"], given), "50m 100m");
    cluster.kubectl(&["delete", "pod", "takes"]);
    cluster.has("stays", "cpu", "300m");
    assert_eq!(cluster.value(&["pod", "grows"], given), "300m 300m");
    assert_eq!(cluster.restarts("stays"), "0");
}

/// Who says itself where it runs is not asked for by the scheduler.
fn without_room(cluster: &Cluster) {
    cluster.apply(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: large}\nspec:\n  nodeName: one\n  containers:\n  \
         - {name: c, image: 'example.com/shell:1', imagePullPolicy: Never, resources: {requests: {cpu: 5k}}}",
    );
    let path = "jsonpath={.status.phase} {.status.reason}: {.status.message}";
    cluster.eventually(&["get", "pod", "large", "-o", path], |said| {
        said.starts_with(
            "Failed OutOfcpu: Pod was rejected: Node didn't have enough resource: cpu, requested: 5000000, used: ",
        )
    });
}
