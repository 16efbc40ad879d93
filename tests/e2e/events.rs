//! Events through both groups that serve them, what kubectl shows of them, and leases.

use crate::harness::Cluster;

const OLD: &str = r#"
apiVersion: v1
kind: Event
metadata: {name: old, namespace: default}
involvedObject: {apiVersion: v1, kind: ConfigMap, name: log, namespace: default}
reason: Written
message: the log was written
type: Warning
count: 3
firstTimestamp: "2026-01-01T00:00:00Z"
lastTimestamp: "2026-01-01T00:01:00Z"
source: {component: scribe}
"#;

const NEW: &str = r#"
apiVersion: events.k8s.io/v1
kind: Event
metadata: {name: new, namespace: default}
regarding: {apiVersion: v1, kind: ConfigMap, name: log, namespace: default}
eventTime: "2026-01-01T00:00:00.000001Z"
reason: Read
action: Reading
note: the log was read
type: Normal
reportingController: example.com/reader
reportingInstance: reader-0
"#;

#[test]
fn events_are_the_same_in_both_groups() {
    let cluster = Cluster::control_plane();
    cluster.apply(OLD);
    cluster.apply(NEW);
    let value = |resource: &str, name: &str, path: &str| cluster.value(&[resource, name], path);
    assert_eq!(
        value(
            "events.v1.events.k8s.io",
            "old",
            "{.note}|{.regarding.name}|{.deprecatedCount}|{.deprecatedSource.component}|{.deprecatedLastTimestamp}"
        ),
        "the log was written|log|3|scribe|2026-01-01T00:01:00Z"
    );
    assert_eq!(
        value("events.v1.", "new", "{.message}|{.involvedObject.name}|{.reportingComponent}|{.eventTime}"),
        "the log was read|log|example.com/reader|2026-01-01T00:00:00.000001Z"
    );
    series(&cluster);
    strictness(&cluster);
    shown(&cluster);
    leases(&cluster);
}

fn series(cluster: &Cluster) {
    let patch = r#"{"series":{"count":2,"lastObservedTime":"2026-01-01T00:02:00.000002Z"}}"#;
    cluster.kubectl(&["patch", "events.v1.events.k8s.io", "new", "--type=merge", "-p", patch]);
    assert_eq!(
        cluster.value(&["events.v1.", "new"], "{.series.count} {.series.lastObservedTime}"),
        "2 2026-01-01T00:02:00.000002Z"
    );
    let patch = r#"{"series":{"count":5}}"#;
    cluster.kubectl(&["patch", "events.v1.", "new", "--type=strategic", "-p", patch]);
    assert_eq!(cluster.value(&["events.v1.events.k8s.io", "new"], "{.series.count}"), "5");
}

fn strictness(cluster: &Cluster) {
    let refused = |patch: &str| {
        cluster.refused(&["patch", "events.v1.events.k8s.io", "new", "--type=merge", "-p", patch])
    };
    assert!(
        refused(r#"{"series":{"count":1}}"#)
            .contains("series.count: Invalid value: \"\": should be at least 2")
    );
    assert!(
        refused(r#"{"action":"Other"}"#).contains("action: Invalid value: \"Other\": field is immutable")
    );
    // The core group lets all of that be.
    cluster.kubectl(&["patch", "events.v1.", "new", "--type=merge", "-p", r#"{"action":"Other"}"#]);
    let late =
        NEW.replace("name: new", "name: late").replace("eventTime: \"2026-01-01T00:00:00.000001Z\"\n", "");
    let path = "/apis/events.k8s.io/v1/namespaces/default/events";
    let manifest = crate::apply::Manifest::new();
    let file = manifest.text(&late);
    let refused = cluster.refused(&crate::apply::Manifest::with(&["create"], &file));
    assert!(refused.contains("eventTime: Required value"), "{refused}");
    assert!(cluster.kubectl(&["get", "--raw", path]).contains("\"kind\":\"EventList\""));
}

fn shown(cluster: &Cluster) {
    let events = cluster.kubectl(&["events", "--for", "configmap/log", "--no-headers"]);
    for part in [
        "Written",
        "ConfigMap/log",
        "the log was written",
        "(x3 over",
        "(x5 over",
        "Read",
        "the log was read",
    ] {
        assert!(events.contains(part), "{part}: {events}");
    }
    let warnings = cluster.kubectl(&["events", "--types=Warning", "--for", "configmap/log", "--no-headers"]);
    assert!(warnings.contains("Written") && !warnings.contains("Read"), "{warnings}");
    let chosen = |resource: &str, selector: &str| {
        cluster.kubectl(&["get", resource, "-o", "name", "--field-selector", selector])
    };
    assert_eq!(chosen("events.v1.", "reportingComponent=example.com/reader"), "event/new\n");
    assert_eq!(
        chosen("events.v1.events.k8s.io", "regarding.name=log,reportingController=example.com/reader"),
        "event.events.k8s.io/new\n"
    );
    let table = cluster.kubectl(&["get", "events", "--field-selector", "involvedObject.name=log"]);
    let heading: Vec<&str> = table.lines().next().unwrap_or_default().split_whitespace().collect();
    assert_eq!(heading, ["LAST", "SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]);
    let mut watched = cluster.stream(&["events", "--for", "configmap/log", "--watch", "--no-headers"]);
    let first = [watched.next(), watched.next()].concat();
    assert!(first.contains("Written") && first.contains("Read"), "{first}");
    cluster.apply(&NEW.replace("name: new", "name: newest").replace("reason: Read", "reason: Closed"));
    assert!(watched.next().contains("Closed"));
    // Deleting through one group deletes for both.
    cluster.kubectl(&["delete", "events.v1.events.k8s.io", "old"]);
    assert!(cluster.refused(&["get", "events.v1.", "old"]).contains("NotFound"));
}

fn leases(cluster: &Cluster) {
    cluster.apply("apiVersion: coordination.k8s.io/v1\nkind: Lease\nmetadata: {name: helm}\nspec: {holderIdentity: one, leaseDurationSeconds: 15, acquireTime: '2026-01-01T00:00:00.000001Z', renewTime: '2026-01-01T00:00:01.000000Z', leaseTransitions: 1}\n");
    let row = cluster.kubectl(&["get", "lease", "helm", "--no-headers"]);
    assert!(row.starts_with("helm   one"), "{row}");
    assert_eq!(
        cluster.value(&["lease", "helm"], "{.spec.acquireTime} {.spec.renewTime}"),
        "2026-01-01T00:00:00.000001Z 2026-01-01T00:00:01.000000Z"
    );
    let refused = cluster.refused(&[
        "patch",
        "lease",
        "helm",
        "--type=merge",
        "-p",
        r#"{"spec":{"leaseDurationSeconds":0}}"#,
    ]);
    assert!(
        refused.contains("spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"),
        "{refused}"
    );
}
