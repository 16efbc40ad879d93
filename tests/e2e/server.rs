//! What the server and its controllers do of their own accord.

use crate::harness::Cluster;

const SERVICE: &str = "
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {selector: {app: web}, ports: [{port: 80}]}
";
const MAKER: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: maker, labels: {rbac.authorization.k8s.io/aggregate-to-view: 'true'}}
rules:
- {apiGroups: [rbac.authorization.k8s.io], resources: [clusterroles], verbs: [create, get]}
- {apiGroups: [example.com], resources: [boats], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: maker}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: maker}
subjects: [{kind: User, name: jane, apiGroup: rbac.authorization.k8s.io}]
";

#[test]
fn roles_gather_and_grant_no_more_than_is_held_and_addresses_are_mended() {
    let cluster = Cluster::control_plane();
    let parts = cluster.kubectl(&["get", "componentstatuses"]);
    let lines: Vec<Vec<&str>> = parts.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["NAME", "STATUS", "MESSAGE", "ERROR"]);
    assert_eq!(
        lines[1..].concat().join(" "),
        "controller-manager Healthy ok etcd-0 Healthy ok scheduler Healthy ok"
    );

    cluster.apply(MAKER);
    let view = ["get", "clusterrole", "view", "-o", "jsonpath={.rules[*].resources[*]}"];
    let gathered = cluster.eventually(&view, |resources| resources.contains("boats"));
    assert!(gathered.contains("configmaps"), "{gathered}");
    let create = |name: &str, resource: &str| {
        let resource = format!("--resource={resource}");
        cluster.try_kubectl(&["--as", "jane", "create", "clusterrole", name, "--verb=get", &resource])
    };
    let refused = create("more", "secrets");
    let refused = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.contains("attempting to grant RBAC permissions not currently held"), "{refused}");
    assert!(create("same", "clusterroles.rbac.authorization.k8s.io").status.success());

    cluster.apply(SERVICE);
    let address = cluster.kubectl(&["get", "service", "web", "-o", "jsonpath={.spec.clusterIP}"]);
    let uid = ["get", "ipaddress", &address, "-o", "jsonpath={.metadata.uid}"];
    let before = cluster.kubectl(&uid);
    cluster.kubectl(&["delete", "ipaddress", &address]);
    cluster.eventually(&uid, |uid| !uid.is_empty() && uid != before);
    let events = ["get", "events", "-o", "jsonpath={.items[*].reason}"];
    cluster.eventually(&events, |reasons| reasons.contains("ClusterIPNotAllocated"));
}

#[test]
fn metrics_have_upstreams_names() {
    let cluster = Cluster::control_plane();
    let mut watch = cluster.stream(&["get", "namespaces", "--watch", "-o", "name"]);
    assert!(watch.next().starts_with("namespace/"));
    let metrics = cluster.eventually(&["get", "--raw", "/metrics"], |text| {
        text.contains("workqueue_adds_total{name=\"clusterrole-aggregation-controller\"}")
    });
    for sample in [
        "apiserver_request_total{code=\"200\",component=\"apiserver\",dry_run=\"\",group=\"\",resource=\"namespaces\",scope=\"cluster\",subresource=\"\",verb=\"LIST\",version=\"v1\"} ",
        "apiserver_request_duration_seconds_bucket{component=\"apiserver\",dry_run=\"\",group=\"\",resource=\"namespaces\",scope=\"cluster\",subresource=\"\",verb=\"LIST\",version=\"v1\",le=\"0.005\"} ",
        "apiserver_longrunning_requests{component=\"apiserver\",group=\"\",resource=\"namespaces\",scope=\"cluster\",subresource=\"\",verb=\"WATCH\",version=\"v1\"} 1",
        "apiserver_current_inflight_requests{request_kind=\"readOnly\"} 1",
        "apiserver_resource_objects{group=\"rbac.authorization.k8s.io\",resource=\"clusterroles\"} ",
        "workqueue_queue_duration_seconds_bucket{name=\"namespace-controller\",le=\"1e-08\"} ",
        "scheduler_schedule_attempts_total{profile=\"default-scheduler\",result=\"scheduled\"} ",
        "process_start_time_seconds ",
    ] {
        assert!(metrics.lines().any(|line| line.starts_with(sample)), "{sample}\n{metrics}");
    }
    let families: Vec<&str> = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    let mut once = families.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(families.len(), once.len(), "a metric is there twice");
}
