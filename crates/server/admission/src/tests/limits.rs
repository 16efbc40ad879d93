//! What limit ranges give and refuse.

use api_quota::ResourceList;
use api_types::core::v1::{Container, LimitRange, LimitRangeItem, PersistentVolumeClaim, Pod};
use api_types::core::v1::{ResourceRequirements, VolumeResourceRequirements};
use server_registry::admit::Operation;

use super::{Ask, World, named, pod};

const PODS: (&str, &str) = ("", "pods");

pub(super) fn list(text: &str) -> ResourceList {
    let pairs =
        text.split(',').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').expect("a pair"));
    pairs.map(|(name, value)| (name.to_owned(), value.parse().expect("a quantity"))).collect()
}

fn range(kind: &str, fill: impl Fn(&mut LimitRangeItem)) -> LimitRange {
    let mut item = LimitRangeItem { type_: kind.into(), ..LimitRangeItem::default() };
    fill(&mut item);
    let mut range = LimitRange { metadata: named("default", "limits"), ..LimitRange::default() };
    range.spec.limits = vec![item].into();
    range
}

fn asking(requests: &str, limits: &str) -> Pod {
    let mut pod = pod("web");
    pod.spec.containers[0].resources = ResourceRequirements {
        requests: list(requests),
        limits: list(limits),
        ..ResourceRequirements::default()
    };
    pod
}

async fn create(range: LimitRange, mut pod: Pod) -> Result<Pod, String> {
    let chain = World::usual().with("limitranges", range).chain();
    let ask = Ask::to(Operation::Create, PODS, "default", "web");
    ask.admit(&chain, Some(&mut pod), None).await.map(|()| pod)
}

#[tokio::test]
async fn who_says_nothing_is_given_the_defaults_and_is_told_so() {
    let defaults = range("Container", |item| {
        item.default_ = list("cpu=500m,memory=1Gi");
        item.default_request = list("cpu=100m,memory=512Mi");
    });
    let mut asked = asking("cpu=1", "cpu=2");
    asked.spec.init_containers = vec![Container { name: "first".into(), ..Container::default() }];
    let made = create(defaults, asked).await.expect("admitted");
    let resources = |container: &Container| {
        (api_quota::shown(&container.resources.requests), api_quota::shown(&container.resources.limits))
    };
    assert_eq!(
        resources(&made.spec.containers[0]),
        ("cpu=1,memory=512Mi".to_owned(), "cpu=2,memory=1Gi".to_owned())
    );
    assert_eq!(
        resources(&made.spec.init_containers[0]),
        ("cpu=100m,memory=512Mi".to_owned(), "cpu=500m,memory=1Gi".to_owned())
    );
    assert_eq!(
        made.metadata.annotations["kubernetes.io/limit-ranger"],
        "LimitRanger plugin set: memory request for container main; memory limit for container main; cpu, memory request \
         for init container first; cpu, memory limit for init container first"
    );
}

#[tokio::test]
async fn who_says_too_much_or_too_little_is_refused() {
    let bounds = || {
        range("Container", |item| {
            item.min = list("cpu=100m");
            item.max = list("cpu=1");
            item.max_limit_request_ratio = list("cpu=2");
        })
    };
    for (requests, limits, expected) in [
        ("cpu=500m", "cpu=1", None),
        ("cpu=50m", "cpu=50m", Some("[minimum cpu usage per Container is 100m, but request is 50m]")),
        (
            "cpu=200m",
            "cpu=1",
            Some("[cpu max limit to request ratio per Container is 2, but provided ratio is 5.000000]"),
        ),
        ("cpu=2", "cpu=3", Some("[maximum cpu usage per Container is 1, but limit is 3]")),
        (
            "",
            "",
            Some(
                "[minimum cpu usage per Container is 100m.  No request is specified, maximum cpu usage per Container is \
                 1.  No limit is specified, cpu max limit to request ratio per Container is 2, but no request is \
                 specified or request is 0]",
            ),
        ),
    ] {
        let expected = expected.map(|why: &str| {
            let one = why.matches(", maximum").count() == 0;
            let why = if one { why.trim_matches(['[', ']']) } else { why };
            format!("pods \"web\" is forbidden: {why}")
        });
        assert_eq!(create(bounds(), asking(requests, limits)).await.err(), expected, "{requests} {limits}");
    }
}

#[tokio::test]
async fn a_pod_is_bounded_as_a_whole_by_what_runs_at_once() {
    let bounds = || range("Pod", |item| item.max = list("cpu=1"));
    let mut asked = asking("cpu=600m", "cpu=600m");
    let sidecar = Container {
        name: "side".into(),
        restart_policy: Some("Always".into()),
        resources: asking("cpu=500m", "cpu=500m").spec.containers[0].resources.clone(),
        ..Container::default()
    };
    asked.spec.init_containers = vec![sidecar];
    let why = "pods \"web\" is forbidden: maximum cpu usage per Pod is 1, but limit is 1100m";
    assert_eq!(create(bounds(), asked.clone()).await.err().as_deref(), Some(why));
    asked.spec.resources = Some(Box::new(ResourceRequirements {
        limits: list("cpu=1"),
        requests: list("cpu=1"),
        ..Default::default()
    }));
    assert!(create(bounds(), asked.clone()).await.is_ok(), "what is said of the pod counts");
    asked.spec.resources = None;
    asked.spec.init_containers[0].restart_policy = None;
    assert!(create(bounds(), asked).await.is_ok(), "they do not run at once");
}

#[tokio::test]
async fn resizes_are_bounded_and_other_changes_are_not() {
    let bounds = range("Container", |item| item.max = list("cpu=1"));
    let chain = World::usual().with("limitranges", bounds).chain();
    let mut old = asking("cpu=1", "cpu=1");
    let mut new = asking("cpu=2", "cpu=2");
    let update = Ask::to(Operation::Update, PODS, "default", "web");
    assert_eq!(update.admit(&chain, Some(&mut new.clone()), Some(&old)).await, Ok(()));
    let resize = update.at("resize");
    let why = "pods \"web\" is forbidden: maximum cpu usage per Container is 1, but limit is 2";
    let refused = resize.admit(&chain, Some(&mut new), Some(&old)).await;
    assert_eq!(refused.err().as_deref(), Some(why));
    old.metadata.deletion_timestamp = Some(api_record::scalar::Time { seconds: 1 });
    assert_eq!(resize.admit(&chain, Some(&mut new), Some(&old)).await, Ok(()), "what is going is left alone");
}

#[tokio::test]
async fn claims_of_volumes_are_bounded_by_what_they_ask_for() {
    let bounds = range("PersistentVolumeClaim", |item| {
        item.min = list("storage=1Gi");
        item.max = list("storage=5Gi");
    });
    let chain = World::usual().with("limitranges", bounds).chain();
    for (storage, expected) in [
        ("2Gi", None),
        ("512Mi", Some("minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 512Mi")),
        ("6Gi", Some("maximum storage usage per PersistentVolumeClaim is 5Gi, but request is 6Gi")),
    ] {
        let mut claim = PersistentVolumeClaim { metadata: named("default", "data"), ..Default::default() };
        claim.spec.resources = VolumeResourceRequirements {
            requests: list(&format!("storage={storage}")),
            ..Default::default()
        };
        let ask = Ask::to(Operation::Create, ("", "persistentvolumeclaims"), "default", "data");
        let refused = ask.admit(&chain, Some(&mut claim), None).await.err();
        let expected = expected.map(|why| format!("persistentvolumeclaims \"data\" is forbidden: {why}"));
        assert_eq!(refused, expected);
    }
}
