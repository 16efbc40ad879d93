//! What the kernel is told, by table.

use api_types::core::v1::ResourceRequirements;

use super::*;

fn list(text: &str) -> ResourceList {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.parse().expect("a quantity"))).collect()
}

/// `requests|limits`.
fn resources(text: &str) -> ResourceRequirements {
    let (requests, limits) = text.split_once('|').unwrap_or((text, ""));
    ResourceRequirements { requests: list(requests), limits: list(limits), ..Default::default() }
}

fn container(name: &str, text: &str) -> Container {
    Container { name: name.into(), resources: resources(text), ..Container::default() }
}

fn pod(whole: Option<&str>, init: Vec<Container>, containers: Vec<Container>) -> Pod {
    let mut pod = Pod::default();
    pod.spec.resources = whole.map(|text| Box::new(resources(text)));
    pod.spec.init_containers = init;
    pod.spec.containers = containers.into();
    pod
}

fn told(limits: &Limits) -> String {
    let shares = limits.cpu_shares.map(|shares| format!("s{shares}"));
    let quota = limits.cpu_quota_micros.map(|quota| format!("q{quota}"));
    let memory = limits.memory_bytes.map(|bytes| format!("m{bytes}"));
    [shares, quota, memory].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_pods_group_has_what_it_asks_for_and_limits_where_all_have_them() {
    let (a, b) = (|| container("a", "cpu=1|cpu=2,memory=1Ki"), || container("b", "cpu=500m|cpu=500m"));
    for (pod, expected) in [
        (pod(None, vec![], vec![container("a", "")]), "s2"),
        (pod(None, vec![], vec![a(), b()]), "s1536 q250000"),
        (pod(None, vec![], vec![a()]), "s1024 q200000 m1024"),
        (pod(None, vec![container("i", "cpu=3|cpu=3,memory=2Ki")], vec![a()]), "s3072 q300000 m2048"),
        (pod(Some("cpu=4|memory=8Ki"), vec![], vec![a(), b()]), "s4096 q250000 m8192"),
        (
            pod(Some("cpu=1,memory=1Ki|cpu=1,memory=1Ki"), vec![], vec![container("a", "")]),
            "s1024 q100000 m1024",
        ),
    ] {
        assert_eq!(told(&pod_limits(&pod)), expected);
    }
}

#[test]
fn a_container_without_limits_is_held_to_its_pods() {
    let pod = pod(Some("cpu=1|cpu=3,memory=1Ki"), vec![], vec![]);
    assert_eq!(told(&container_limits(&pod, &container("a", "cpu=1"))), "s1024 q300000 m1024");
    assert_eq!(told(&container_limits(&pod, &container("a", ""))), "s3072 q300000 m1024");
    assert_eq!(told(&container_limits(&Pod::default(), &container("a", ""))), "s2");
    assert_eq!(told(&container_limits(&Pod::default(), &container("a", "|cpu=1m"))), "s2 q1000");
}

#[test]
fn who_asks_for_more_memory_is_killed_later() {
    let sidecar = |text| Container { restart_policy: Some("Always".into()), ..container("s", text) };
    let one = |pod: &Pod, name: &str| {
        let (container, _) = all(pod).find(|(container, _)| container.name == name).expect("a container");
        oom_score_adj(pod, container, 1000)
    };
    let plain =
        pod(None, vec![sidecar("memory=10")], vec![container("a", "memory=300"), container("b", "cpu=1")]);
    assert_eq!((one(&plain, "a"), one(&plain, "b"), one(&plain, "s")), (700, 999, 990));
    let served = pod(None, vec![sidecar("memory=10")], vec![container("a", "memory=300")]);
    assert_eq!(one(&served, "s"), 700, "a sidecar goes no sooner than what it serves");
    let whole =
        pod(Some("memory=600"), vec![], vec![container("a", "memory=300"), container("b", "memory=100")]);
    assert_eq!((one(&whole, "a"), one(&whole, "b")), (600, 800), "what is over is shared equally");
    assert_eq!(one(&pod(None, vec![], vec![container("a", "")]), "a"), 1000);
}
