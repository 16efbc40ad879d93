//! Sums by table.

use api_types::core::v1::PodCondition;

use super::*;

fn list(text: &str) -> ResourceList {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.parse().expect("a quantity"))).collect()
}

fn shown(list: &ResourceList) -> String {
    list.iter().map(|(name, quantity)| format!("{name}={quantity}")).collect::<Vec<_>>().join(",")
}

fn resources(requests: &str, limits: &str) -> ResourceRequirements {
    ResourceRequirements { requests: list(requests), limits: list(limits), ..ResourceRequirements::default() }
}

fn container(name: &str, requests: &str, limits: &str) -> Container {
    Container { name: name.into(), resources: resources(requests, limits), ..Container::default() }
}

fn sidecar(name: &str, requests: &str) -> Container {
    Container { restart_policy: Some("Always".into()), ..container(name, requests, "") }
}

fn pod(init: Vec<Container>, containers: Vec<Container>) -> Pod {
    let mut pod = Pod::default();
    pod.spec.init_containers = init;
    pod.spec.containers = containers.into();
    pod
}

fn status(name: &str, allocated: &str, requests: &str, limits: &str) -> ContainerStatus {
    ContainerStatus {
        name: name.into(),
        allocated_resources: list(allocated),
        resources: Some(Box::new(resources(requests, limits))),
        ..ContainerStatus::default()
    }
}

#[test]
fn init_containers_and_sidecars_overlap_as_upstreams_do() {
    for (what, init, expected) in [
        ("containers alone", vec![], "cpu=1"),
        ("a small init container hides", vec![container("i", "cpu=500m", "")], "cpu=1"),
        ("a large init container rules", vec![container("i", "cpu=3", "")], "cpu=3"),
        ("a sidecar adds", vec![sidecar("s", "cpu=500m")], "cpu=1500m"),
        (
            "an init container runs beside the sidecars before it",
            vec![sidecar("s", "cpu=500m"), container("i", "cpu=2", "")],
            "cpu=2500m",
        ),
        (
            "but not beside those after it",
            vec![container("i", "cpu=2", ""), sidecar("s", "cpu=500m")],
            "cpu=2",
        ),
    ] {
        let pod = pod(init, vec![container("m", "cpu=1", "")]);
        assert_eq!(shown(&requests(&pod, Count::Wished)), expected, "{what}");
    }
}

#[test]
fn what_the_pod_says_goes_before_its_containers_and_overhead_adds() {
    let mut pod = pod(vec![], vec![container("m", "cpu=1,memory=1Gi", "cpu=2")]);
    pod.spec.overhead = list("cpu=250m,memory=1Gi");
    pod.spec.resources = Some(Box::new(resources("cpu=2", "memory=8Gi")));
    assert_eq!(shown(&requests(&pod, Count::Wished)), "cpu=2250m,memory=2Gi");
    assert_eq!(shown(&limits(&pod, Count::Wished)), "cpu=2250m,memory=9Gi");
}

#[test]
fn what_containers_do_not_name_can_count_something() {
    let pod = pod(vec![], vec![container("a", "", ""), container("b", "cpu=0,memory=1", "")]);
    let missing = list("cpu=100m,memory=200");
    assert_eq!(shown(&requests_with(&pod, Count::Wished, &missing)), "cpu=100m,memory=201");
}

#[test]
fn a_resize_counts_the_most_until_it_is_done() {
    let mut pod = pod(vec![sidecar("s", "cpu=1")], vec![container("m", "cpu=1", "cpu=1")]);
    pod.status.init_container_statuses = vec![status("s", "cpu=2", "cpu=1", "")];
    pod.status.container_statuses = vec![status("m", "cpu=2", "cpu=3", "cpu=4")];
    assert_eq!(shown(&requests(&pod, Count::Wished)), "cpu=2");
    assert_eq!(shown(&requests(&pod, Count::InForce)), "cpu=4");
    assert_eq!(shown(&limits(&pod, Count::InForce)), "cpu=4");
    pod.spec.containers[0].resources = resources("cpu=9", "cpu=9");
    assert_eq!(shown(&requests(&pod, Count::InForce)), "cpu=10");
    assert_eq!(shown(&limits(&pod, Count::InForce)), "cpu=9");
    pod.status.conditions = vec![PodCondition {
        type_: "PodResizePending".into(),
        status: "True".into(),
        reason: "Infeasible".into(),
        ..PodCondition::default()
    }];
    assert_eq!(shown(&requests(&pod, Count::InForce)), "cpu=4", "what can never be does not count");
    assert_eq!(shown(&limits(&pod, Count::InForce)), "cpu=4");
}

#[test]
fn what_the_node_says_of_the_pod_goes_before_what_it_says_of_containers() {
    let mut pod = pod(vec![], vec![container("m", "cpu=1,memory=1", "")]);
    pod.status.container_statuses = vec![status("m", "cpu=9", "cpu=9", "")];
    pod.status.allocated_resources = list("cpu=2,memory=1");
    pod.status.resources = Some(Box::new(resources("cpu=3,memory=1", "memory=5")));
    assert_eq!(shown(&requests(&pod, Count::InForce)), "cpu=3,memory=1");
    assert_eq!(shown(&limits(&pod, Count::InForce)), "memory=5");
    pod.spec.resources = Some(Box::new(resources("cpu=4", "cpu=4")));
    assert_eq!(shown(&requests(&pod, Count::InForce)), "cpu=4,memory=1");
    assert_eq!(shown(&limits(&pod, Count::InForce)), "cpu=4,memory=5");
}
