//! Tables of pods.

use api_kind::AnyKind;
use api_kind::trial::{create, update};

use super::KIND;

const MINIMAL: &str = "spec: {containers: [{name: c, image: nginx}]}";

#[test]
fn a_minimal_pod_is_filled_in() {
    let made = create(&KIND, MINIMAL);
    assert_eq!(made.errors, [""; 0]);
    assert_eq!(
        made.body(),
        r#"{"metadata":{},"spec":{"containers":[{"name":"c","image":"nginx","resources":{},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File","imagePullPolicy":"Always"}],"restartPolicy":"Always","terminationGracePeriodSeconds":30,"dnsPolicy":"ClusterFirst","securityContext":{},"schedulerName":"default-scheduler","enableServiceLinks":true},"status":{"phase":"Pending","qosClass":"BestEffort"}}"#
    );
    assert_eq!(made.cells(&KIND), "x|0/1|Pending|0|<unknown>|<none>|<none>|<none>|<none>");
}

#[test]
fn nested_fields_are_filled_in() {
    let made = create(
        &KIND,
        "spec: {hostNetwork: true, volumes: [{name: e}, {name: s, secret: {secretName: s}}, {name: h, hostPath: {path: /a}}], containers: [{name: c, image: 'a:1', ports: [{containerPort: 80}], resources: {limits: {cpu: 1, memory: 1Gi}}, livenessProbe: {httpGet: {port: 80}}, env: [{name: A, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]}]}",
    );
    assert_eq!(made.errors, [""; 0]);
    let body = made.body();
    for part in [
        r#"{"name":"e","emptyDir":{}}"#,
        r#""secret":{"secretName":"s","defaultMode":420}"#,
        r#""hostPath":{"path":"/a","type":""}"#,
        r#""ports":[{"hostPort":80,"containerPort":80,"protocol":"TCP"}]"#,
        r#""requests":{"cpu":"1","memory":"1Gi"}"#,
        r#""livenessProbe":{"httpGet":{"path":"/","port":80,"scheme":"HTTP"},"timeoutSeconds":1,"periodSeconds":10,"successThreshold":1,"failureThreshold":3}"#,
        r#""fieldRef":{"apiVersion":"v1","fieldPath":"status.podIP"}"#,
        r#""imagePullPolicy":"IfNotPresent""#,
        r#""qosClass":"Guaranteed""#,
    ] {
        assert!(body.contains(part), "{part} in {body}");
    }
}

#[test]
fn what_is_wrong_is_said_in_upstreams_words() {
    for (spec, errors) in [
        ("{}", &["spec.containers: Required value"][..]),
        (
            "{containers: [{name: A, image: ''}]}",
            &[
                "spec.containers[0].name: Invalid value: \"A\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
                "spec.containers[0].image: Required value",
            ],
        ),
        (
            "{containers: [{name: c, image: i}, {name: c, image: i}]}",
            &["spec.containers[1].name: Duplicate value: \"c\""],
        ),
        (
            "{containers: [{image: i}], ephemeralContainers: [{image: i}]}",
            &[
                "spec.containers[0].name: Required value",
                "spec.ephemeralContainers[0].name: Required value",
                "spec.ephemeralContainers[0].name: Duplicate value: \"\"",
                "spec.ephemeralContainers: Forbidden: cannot be set on create",
            ],
        ),
        (
            "{containers: [{name: c, image: i, volumeMounts: [{name: v, mountPath: /a}]}]}",
            &["spec.containers[0].volumeMounts[0].name: Not found: \"v\""],
        ),
        (
            "{restartPolicy: Sometimes, containers: [{name: c, image: i}]}",
            &[
                "spec.restartPolicy: Unsupported value: \"Sometimes\": supported values: \"Always\", \"OnFailure\", \"Never\"",
            ],
        ),
        (
            "{containers: [{name: c, image: i, resources: {requests: {cpu: 2}, limits: {cpu: 1}}}]}",
            &[
                "spec.containers[0].resources.requests: Invalid value: \"2\": must be less than or equal to cpu limit of 1",
            ],
        ),
        (
            "{containers: [{name: c, image: i, ports: [{containerPort: 70000}]}]}",
            &[
                "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
            ],
        ),
        (
            "{containers: [{name: c, image: i, livenessProbe: {}}]}",
            &["spec.containers[0].livenessProbe: Required value: must specify a handler type"],
        ),
        (
            "{tolerations: [{value: a}], containers: [{name: c, image: i}]}",
            &[
                "spec.tolerations[0].operator: Invalid value: \"\": operator must be Exists when `key` is empty, which means \"match all values and all keys\"",
            ],
        ),
        (
            "{volumes: [{name: v, emptyDir: {}, hostPath: {path: /a}}], containers: [{name: c, image: i}]}",
            &["spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type"],
        ),
        (
            "{initContainers: [{name: c, image: i, livenessProbe: {exec: {command: [a]}}}], containers: [{name: d, image: i}]}",
            &[
                "spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always",
            ],
        ),
    ] {
        assert_eq!(create(&KIND, &format!("{{spec: {spec}}}")).errors, errors, "{spec}");
    }
}

#[test]
fn little_of_a_pod_changes_later() {
    let image = update(
        &KIND,
        "",
        MINIMAL,
        "spec: {containers: [{name: c, image: 'nginx:latest', imagePullPolicy: Always}], activeDeadlineSeconds: 5, tolerations: [{operator: Exists}]}",
    );
    assert_eq!(image.errors, [""; 0]);
    let more =
        update(&KIND, "", MINIMAL, "spec: {containers: [{name: c, image: nginx}, {name: d, image: nginx}]}");
    assert_eq!(more.errors, ["spec.containers: Forbidden: pod updates may not add or remove containers"]);
    let name = update(&KIND, "", MINIMAL, "spec: {nodeName: n1, containers: [{name: c, image: nginx}]}");
    assert!(
        name.errors[0].starts_with("spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n"),
        "{:?}",
        name.errors
    );
    let bound =
        update(&KIND, "binding", MINIMAL, "spec: {nodeName: n1, containers: [{name: c, image: nginx}]}");
    assert_eq!(bound.errors, [""; 0]);
}

#[test]
fn a_status_is_kept_apart() {
    let status = "{spec: {nodeName: other}, status: {phase: Running, podIP: 10.0.0.1, containerStatuses: [{name: c, ready: true, restartCount: 2, state: {running: {}}, lastState: {terminated: {exitCode: 1, finishedAt: '1969-12-31T23:59:00Z'}}, image: i, imageID: i}]}}";
    let running = update(&KIND, "status", MINIMAL, status);
    assert_eq!(running.errors, [""; 0]);
    assert_eq!(running.cells(&KIND), "x|1/1|Running|2 (60s ago)|<unknown>|10.0.0.1|<none>|<none>|<none>");
    let qos = update(&KIND, "status", MINIMAL, "status: {qosClass: Burstable}");
    assert_eq!(qos.errors, ["status.qosClass: Invalid value: \"Burstable\": field is immutable"]);
}

#[test]
fn grace_is_for_pods_that_run() {
    let unbound = create(&KIND, MINIMAL);
    assert_eq!(KIND.grace(&*unbound.object, None), Some(0));
    let bound = create(&KIND, "spec: {nodeName: n1, containers: [{name: c, image: i}]}");
    assert_eq!(KIND.grace(&*bound.object, None), Some(30));
    assert_eq!(KIND.grace(&*bound.object, Some(5)), Some(5));
    assert_eq!(KIND.grace(&*bound.object, Some(-5)), Some(1));
}

#[test]
fn a_resize_changes_processor_and_memory_and_nothing_else() {
    let pod = |whole: &str, own: &str, image: &str| {
        format!("spec: {{{whole}containers: [{{name: c, image: {image}, resources: {{{own}}}}}]}}")
    };
    let plain = pod("", "requests: {cpu: 1, memory: 1Gi}", "i");
    for (new, errors) in [
        (pod("", "requests: {cpu: 2, memory: 512Mi}, limits: {cpu: 3}", "other"), &[][..]),
        (
            pod("", "requests: {cpu: 2}", "i"),
            &["spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed"][..],
        ),
        (
            pod("", "requests: {cpu: 1, memory: 1Gi, ephemeral-storage: 1Gi}", "i"),
            &["spec: Forbidden: only cpu and memory resources are mutable"][..],
        ),
        (
            pod("", "limits: {cpu: 1, memory: 1Gi}", "i"),
            &["spec: Invalid value: \"Burstable\": Pod QOS Class may not change as a result of resizing"][..],
        ),
    ] {
        assert_eq!(update(&KIND, "resize", &plain, &new).errors, errors, "{new}");
    }
    let whole = pod("resources: {requests: {cpu: 2}}, ", "requests: {cpu: 1, memory: 1Gi}", "i");
    let resized = update(&KIND, "resize", &whole, &pod("", "requests: {cpu: 1, memory: 2Gi}", "i"));
    assert_eq!(
        resized.errors,
        [
            "spec.resources.requests[memory]: Invalid value: \"1Gi\": must be greater than or equal to aggregate container requests of 2Gi"
        ],
        "what the pod asks for stays where it is not named"
    );
    let given = update(
        &KIND,
        "resize",
        &whole,
        &pod("resources: {requests: {cpu: 3}}, ", "requests: {cpu: 1, memory: 2Gi}", "i"),
    );
    assert_eq!(given.errors, [""; 0]);
    assert!(
        given.body().contains(r#""resources":{"requests":{"cpu":"3","memory":"2Gi"}}"#),
        "{}",
        given.body()
    );
}
