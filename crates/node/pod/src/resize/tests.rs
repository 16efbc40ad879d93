//! Resizes by table.

use api_types::core::v1::{ContainerResizePolicy, ResourceRequirements};

use super::*;
use crate::allocation::Allocation;
use crate::record::State;

fn list(text: &str) -> ResourceList {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.parse().expect("a quantity"))).collect()
}

/// `requests|limits`.
fn resources(text: &str) -> ResourceRequirements {
    let (requests, limits) = text.split_once('|').unwrap_or((text, ""));
    ResourceRequirements { requests: list(requests), limits: list(limits), ..Default::default() }
}

fn container(name: &str, text: &str, restarts: &[&str]) -> Container {
    let policy = |resource: &&str| ContainerResizePolicy {
        resource_name: (*resource).into(),
        restart_policy: "RestartContainer".into(),
    };
    Container {
        name: name.into(),
        resources: resources(text),
        resize_policy: restarts.iter().map(policy).collect(),
        ..Container::default()
    }
}

fn pod(containers: &[(&str, &str, &[&str])]) -> Pod {
    let mut pod = Pod::default();
    pod.status.qos_class = "Burstable".into();
    let all = containers.iter().map(|(name, text, restarts)| container(name, text, restarts));
    pod.spec.containers = all.collect::<Vec<_>>().into();
    pod
}

/// A pod that runs with what `pod` asks for.
fn running(pod: &Pod) -> PodRecord {
    let mut record = PodRecord { sandbox: true, group: pod_limits(pod), ..PodRecord::default() };
    record.allocation = Some(Allocation::of(pod));
    record.actuated = pod.spec.resources.as_deref().map(Share::of);
    let whole = record.actuated.clone();
    for (container, _) in all(pod) {
        let known = record.container(&container.name);
        known.state = State::Running(1);
        known.started = true;
        known.actuated = Some(Share::of(&container.resources).within(whole.as_ref()));
    }
    record
}

fn names(updates: &[Update]) -> Vec<&str> {
    updates.iter().map(|update| update.container.as_str()).collect()
}

#[test]
fn what_gives_back_comes_first_and_policies_restart() {
    let before = pod(&[
        ("a", "cpu=1,memory=1Gi", &[]),
        ("b", "cpu=2,memory=1Gi|cpu=2", &[]),
        ("c", "cpu=1,memory=1Gi", &["memory"]),
    ]);
    let record = running(&before);
    assert_eq!(wanted(&before, &record, true), Wanted::default());
    let after = pod(&[
        ("a", "cpu=2,memory=1Gi", &[]),
        ("b", "cpu=1,memory=2Gi|cpu=1", &[]),
        ("c", "cpu=2,memory=1Gi", &["memory"]),
    ]);
    let found = wanted(&after, &record, true);
    assert_eq!(found.restart, [""; 0]);
    assert_eq!((names(&found.change.cpu), names(&found.change.memory)), (vec!["b", "a", "c"], vec!["b"]));
    assert!(found.change.group && !found.change.whole);
    assert!(is_in_progress(&after, &record));
    let restarts = pod(&[
        ("a", "cpu=1,memory=1Gi", &[]),
        ("b", "cpu=2,memory=1Gi|cpu=2", &[]),
        ("c", "cpu=1,memory=2Gi", &["memory"]),
    ]);
    assert_eq!(wanted(&restarts, &record, true).restart, ["c"]);
    assert_eq!(wanted(&restarts, &record, false).restart, [""; 0], "nothing of it runs before it may");
}

#[test]
fn only_what_runs_is_resized() {
    let before = pod(&[("a", "cpu=1", &[])]);
    let after = pod(&[("a", "cpu=2", &[])]);
    let mut record = running(&before);
    record.container("a").state = State::Absent;
    let found = wanted(&after, &record, true);
    assert_eq!((found.change.cpu.len(), found.change.group), (0, true), "but its pod is made ready for it");
    record.group = pod_limits(&after);
    assert!(!is_in_progress(&after, &record));
}

#[test]
fn sidecars_that_have_started_and_init_containers_are_resized_too() {
    let of = |cpu: &str| {
        let mut pod = pod(&[("m", "cpu=1", &[])]);
        let sidecar = Container { restart_policy: Some("Always".into()), ..container("s", cpu, &[]) };
        pod.spec.init_containers = vec![sidecar, container("i", cpu, &[])];
        pod
    };
    let mut record = running(&of("cpu=1"));
    assert_eq!(names(&wanted(&of("cpu=2"), &record, false).change.cpu), ["i", "s"]);
    record.container("s").started = false;
    assert_eq!(names(&wanted(&of("cpu=2"), &record, false).change.cpu), ["i"]);
}

#[test]
fn a_pods_limit_grows_before_its_containers_and_shrinks_after_them() {
    let shown = |from: &str, to: &str| -> Vec<String> {
        let (before, after) = (pod(&[("a", from, &[])]), pod(&[("a", to, &[])]));
        let record = running(&before);
        let change = wanted(&after, &record, true).change;
        let write = |write: Write| match write {
            Write::Group(limits) => format!("pod {}", told(&limits)),
            Write::Container { container, limits, resource } => {
                format!("{container}.{resource} {}", told(&limits))
            }
        };
        writes(&change, &record.group, &pod_limits(&after)).into_iter().map(write).collect()
    };
    for (from, to, expected) in [
        (
            "cpu=1,memory=1Ki|cpu=1,memory=1Ki",
            "cpu=2,memory=2Ki|cpu=2,memory=2Ki",
            &[
                "pod m2048",
                "a.memory s1024 q100000 m2048",
                "pod q200000",
                "pod s2048",
                "a.cpu s2048 q200000 m2048",
            ][..],
        ),
        (
            "cpu=2,memory=2Ki|cpu=2,memory=2Ki",
            "cpu=1,memory=1Ki|cpu=1,memory=1Ki",
            &[
                "a.memory s2048 q200000 m1024",
                "pod m1024",
                "a.cpu s1024 q100000 m1024",
                "pod s1024",
                "pod q100000",
            ],
        ),
        ("cpu=1", "cpu=1|cpu=2", &["pod q200000", "a.cpu s1024 q200000"]),
        ("memory=2Ki", "memory=1Ki", &["a.memory s2"]),
        ("memory=1Ki", "memory=1Ki|memory=2Ki", &["a.memory s2 m2048", "pod m2048"]),
    ] {
        assert_eq!(shown(from, to), expected, "{from} -> {to}");
    }
}

fn told(limits: &Limits) -> String {
    let shares = limits.cpu_shares.map(|shares| format!("s{shares}"));
    let quota = limits.cpu_quota_micros.map(|quota| format!("q{quota}"));
    let memory = limits.memory_bytes.map(|bytes| format!("m{bytes}"));
    [shares, quota, memory].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

#[test]
fn memory_in_use_is_not_taken_away() {
    let (before, after) = (
        pod(&[("a", "|memory=4Ki", &[]), ("b", "|memory=4Ki", &[])]),
        pod(&[("a", "|memory=1Ki", &[]), ("b", "|memory=8Ki", &[])]),
    );
    let record = running(&before);
    let change = wanted(&after, &record, true).change;
    let wants = pod_limits(&after);
    let used = |pod, a| Usage { pod, containers: [("a".to_owned(), a)].into() };
    assert!(lowers_memory(&change, &record.group, &wants));
    assert_eq!(check_memory(&change, &record.group, &wants, &used(Some(9000), 1023)), Ok(()));
    assert_eq!(
        check_memory(&change, &record.group, &wants, &used(None, 1024)),
        Err("cannot decrease memory limits: attempting to set container \"a\" memory limit (1024) below current usage (1024)".into())
    );
    let less = pod(&[("a", "|memory=1Ki", &[]), ("b", "|memory=4Ki", &[])]);
    let change = wanted(&less, &record, true).change;
    assert_eq!(
        check_memory(&change, &record.group, &pod_limits(&less), &used(Some(6000), 2000)),
        Err("cannot decrease memory limits: [attempting to set pod memory limit (5120) below current usage (6000), \
             attempting to set container \"a\" memory limit (1024) below current usage (2000)]"
            .into())
    );
    let grows = wanted(&pod(&[("a", "|memory=8Ki", &[]), ("b", "|memory=4Ki", &[])]), &record, true).change;
    assert!(!lowers_memory(&grows, &record.group, &Limits::default()));
}

#[test]
fn a_pod_that_asks_for_something_as_a_whole_is_resized_with_its_containers() {
    let of = |whole: &str| {
        let mut pod = pod(&[("a", "cpu=1", &[]), ("b", "cpu=1|cpu=1", &[])]);
        pod.spec.resources = Some(Box::new(resources(whole)));
        pod
    };
    let record = running(&of("cpu=2|cpu=3"));
    let after = of("cpu=2|cpu=4");
    let found = wanted(&after, &record, true).change;
    assert_eq!(names(&found.cpu), ["a"], "it has its pod's limit, for it has none of its own");
    assert!(found.group && found.whole);
    assert!(is_in_progress(&after, &record));
}

#[test]
fn events_say_what_is_asked_for_as_kubelets_do() {
    let mut pod = pod(&[("c1", "memory=100|memory=200", &[]), ("c2", "", &[])]);
    assert_eq!(
        summary("Pod resize completed", &pod, 2, ""),
        r#"Pod resize completed: {"containers":[{"name":"c1","resources":{"limits":{"memory":"200"},"requests":{"memory":"100"}}},{"name":"c2","resources":{}}],"generation":2}"#
    );
    pod.spec.init_containers = vec![container("c0", "cpu=100m|cpu=200m", &[])];
    pod.spec.containers.clear();
    assert_eq!(
        summary("Pod resize error", &pod, 1, "no"),
        r#"Pod resize error: {"initContainers":[{"name":"c0","resources":{"limits":{"cpu":"200m"},"requests":{"cpu":"100m"}}}],"generation":1,"error":"no"}"#
    );
}

#[test]
fn the_time_of_a_condition_is_that_of_its_reason() {
    let at = Time::from_unix_seconds;
    let first = Progress::next(None, "Deferred", "a", 1, at(5));
    let second = Progress::next(Some(&first), "Deferred", "b", 2, at(6));
    assert_eq!((second.since_nanos, second.looked_nanos), (first.since_nanos, at(6).unix_nanos()));
    assert_eq!(Progress::next(Some(&first), "Error", "b", 2, at(6)).since_nanos, at(6).unix_nanos());
    let condition = second.condition(PENDING);
    assert_eq!((condition.status.as_str(), condition.observed_generation), ("True", 2));
}
