//! Classes of runtimes, storage and ingresses, and what nodes give to their pods.

use api_record::scalar::Time;
use api_types::core::v1::{Binding, Node, PersistentVolumeClaim, Pod, Toleration};
use api_types::networking::v1::{Ingress, IngressClass};
use api_types::node::v1::{Overhead, RuntimeClass, Scheduling};
use api_types::storage::v1::StorageClass;
use server_registry::admit::Operation;

use super::limits::list;
use super::{Ask, World, named, pod};

const PODS: (&str, &str) = ("", "pods");

async fn create(world: World, mut pod: Pod) -> Result<Pod, String> {
    let ask = Ask::to(Operation::Create, PODS, "default", "web");
    ask.admit(&world.chain(), Some(&mut pod), None).await.map(|()| pod)
}

fn toleration(key: &str) -> Toleration {
    Toleration { key: key.into(), operator: "Exists".into(), ..Toleration::default() }
}

fn sandboxed() -> World {
    let class = RuntimeClass {
        metadata: named("", "sandboxed"),
        handler: "sandbox".into(),
        overhead: Some(Box::new(Overhead { pod_fixed: list("cpu=250m") })),
        scheduling: Some(Box::new(Scheduling {
            node_selector: [("kind".to_owned(), "big".to_owned())].into(),
            tolerations: vec![toleration("sandbox")],
        })),
    };
    World::usual().with("runtimeclasses", class)
}

#[tokio::test]
async fn a_runtime_class_brings_its_overhead_and_its_nodes() {
    let mut asked = pod("web");
    asked.spec.runtime_class_name = Some("sandboxed".into());
    asked.spec.tolerations = vec![toleration("sandbox"), toleration("own")];
    let made = create(sandboxed(), asked.clone()).await.expect("admitted");
    assert_eq!(made.spec.overhead, list("cpu=250m"));
    assert_eq!(made.spec.node_selector["kind"], "big");
    let keys: Vec<&str> = made.spec.tolerations.iter().map(|one| one.key.as_str()).collect();
    assert_eq!(keys.iter().filter(|key| **key == "sandbox").count(), 1, "{keys:?}");
    for (change, why) in [
        (
            (|pod: &mut Pod| pod.spec.runtime_class_name = Some("none".into())) as fn(&mut Pod),
            "pod rejected: RuntimeClass \"none\" not found",
        ),
        (
            |pod| pod.spec.overhead = list("cpu=1"),
            "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead",
        ),
        (
            |pod| pod.spec.node_selector = [("kind".to_owned(), "small".to_owned())].into(),
            "conflict: runtimeClass.scheduling.nodeSelector[kind] = big; pod.spec.nodeSelector[kind] = small",
        ),
        (
            |pod| {
                pod.spec.runtime_class_name = None;
                pod.spec.overhead = list("cpu=1");
            },
            "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead",
        ),
    ] {
        let mut asked = asked.clone();
        change(&mut asked);
        let refused = create(sandboxed(), asked).await.err();
        assert_eq!(refused, Some(format!("pods \"web\" is forbidden: {why}")));
    }
}

#[tokio::test]
async fn claims_and_ingresses_get_the_newest_default_class() {
    let storage = |name: &str, seconds, mark: Option<&str>| {
        let mut class = StorageClass { metadata: named("", name), ..StorageClass::default() };
        class.metadata.creation_timestamp = Some(Time { seconds });
        let mark = mark.map(|mark| (mark.to_owned(), "true".to_owned()));
        class.metadata.annotations.extend(mark);
        class
    };
    let mark = "storageclass.kubernetes.io/is-default-class";
    let beta = "storageclass.beta.kubernetes.io/is-default-class";
    let mut ingresses = IngressClass { metadata: named("", "web"), ..IngressClass::default() };
    ingresses
        .metadata
        .annotations
        .insert("ingressclass.kubernetes.io/is-default-class".into(), "true".into());
    let chain = World::usual()
        .with("storageclasses", storage("old", 1, Some(mark)))
        .with("storageclasses", storage("newer", 2, Some(mark)))
        .with("storageclasses", storage("new", 2, Some(beta)))
        .with("storageclasses", storage("plain", 3, None))
        .with("ingressclasses", ingresses)
        .chain();
    let claims = Ask::to(Operation::Create, ("", "persistentvolumeclaims"), "default", "data");
    for (asked, given) in [(None, Some("new")), (Some(""), Some("")), (Some("old"), Some("old"))] {
        let mut claim = PersistentVolumeClaim::default();
        claim.spec.storage_class_name = asked.map(str::to_owned);
        claims.admit(&chain, Some(&mut claim), None).await.expect("admitted");
        assert_eq!(claim.spec.storage_class_name.as_deref(), given);
    }
    let mut claim = PersistentVolumeClaim::default();
    claims.admit(&chain, Some(&mut claim), None).await.expect("admitted");
    assert_eq!(claim.metadata.finalizers, ["kubernetes.io/pvc-protection"], "held while it is in use");
    let create = Ask::to(Operation::Create, ("networking.k8s.io", "ingresses"), "default", "site");
    let mut ingress = Ingress::default();
    create.admit(&chain, Some(&mut ingress), None).await.expect("admitted");
    assert_eq!(ingress.spec.ingress_class_name.as_deref(), Some("web"));
    let mut annotated = Ingress::default();
    annotated.metadata.annotations.insert("kubernetes.io/ingress.class".into(), "other".into());
    create.admit(&chain, Some(&mut annotated), None).await.expect("admitted");
    assert_eq!(annotated.spec.ingress_class_name, None);
}

#[tokio::test]
async fn a_claim_grows_once_it_is_bound_and_if_its_class_lets_it() {
    let class = |name: &str, grows| StorageClass {
        metadata: named("", name),
        allow_volume_expansion: Some(grows),
        ..StorageClass::default()
    };
    let chain = World::usual()
        .with("storageclasses", class("grows", true))
        .with("storageclasses", class("stays", false))
        .chain();
    let claim = |class: &str, phase: &str, storage: &str| {
        let mut claim = PersistentVolumeClaim { metadata: named("default", "data"), ..Default::default() };
        claim.spec.storage_class_name = Some(class.into());
        claim.status.phase = phase.into();
        claim.spec.resources.requests = list(&format!("storage={storage}"));
        claim
    };
    let fixed = "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support \
                 resize";
    let update = Ask::to(Operation::Update, ("", "persistentvolumeclaims"), "default", "data");
    for (class, phase, to, why) in [
        ("grows", "Bound", "2Gi", None),
        ("grows", "Pending", "2Gi", Some("Only bound persistent volume claims can be expanded")),
        ("stays", "Bound", "2Gi", Some(fixed)),
        ("none", "Bound", "2Gi", Some(fixed)),
        ("stays", "Bound", "1Gi", None),
    ] {
        let (old, mut new) = (claim(class, phase, "1Gi"), claim(class, phase, to));
        let refused = update.admit(&chain, Some(&mut new), Some(&old)).await.err();
        let why = why.map(|why| format!("persistentvolumeclaims \"data\" is forbidden: {why}"));
        assert_eq!(refused, why, "{class} {phase}");
    }
}

fn zoned() -> World {
    let mut node = Node { metadata: named("", "n1"), ..Node::default() };
    node.metadata.labels =
        [("topology.kubernetes.io/zone", "z"), ("topology.kubernetes.io/region", "r"), ("other", "o")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into();
    node.status.allocatable = list("cpu=2,memory=1Gi");
    World::usual().with("nodes", node)
}

#[tokio::test]
async fn a_bound_pod_bears_its_nodes_zone_and_region() {
    let expected = [("topology.kubernetes.io/region", "r"), ("topology.kubernetes.io/zone", "z")];
    let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let mut binding = Binding::default();
    (binding.target.kind, binding.target.name) = ("Node".into(), "n1".into());
    binding.metadata.labels.insert("topology.kubernetes.io/zone".into(), "wrong".into());
    let ask = Ask::to(Operation::Create, PODS, "default", "web").at("binding");
    ask.admit(&zoned().chain(), Some(&mut binding), None).await.expect("admitted");
    assert!(binding.metadata.labels.into_iter().eq(expected.clone()));
    let mut bound = pod("web");
    bound.spec.node_name = "n1".into();
    let create = Ask::to(Operation::Create, PODS, "default", "web");
    create.admit(&zoned().chain(), Some(&mut bound), None).await.expect("admitted");
    assert!(bound.metadata.labels.clone().into_iter().eq(expected));
    let mut unlabelled = bound.clone();
    unlabelled.metadata.labels.clear();
    let update = Ask::to(Operation::Update, PODS, "default", "web");
    update.admit(&zoned().chain(), Some(&mut unlabelled), Some(&bound)).await.expect("admitted");
    assert!(unlabelled.metadata.labels.is_empty(), "they may be taken away");
}

#[tokio::test]
async fn a_pod_is_not_resized_past_its_node() {
    let of = |cpu: &str, memory: &str, node: &str| {
        let mut pod = pod("web");
        pod.spec.node_name = node.into();
        pod.spec.containers[0].resources.requests = list(&format!("cpu={cpu},memory={memory}"));
        pod
    };
    let resize = Ask::to(Operation::Update, PODS, "default", "web").at("resize");
    for (cpu, memory, node, why) in [
        ("2", "1Gi", "n1", None),
        ("9", "9Gi", "", None),
        (
            "3",
            "2Gi",
            "n1",
            Some(
                "node didn't have enough allocatable resources: cpu, requested: 3000, allocatable: 2000; memory, \
                 requested: 2147483648, allocatable: 1073741824",
            ),
        ),
        ("3", "1Gi", "n9", Some("node \"n9\" not found")),
    ] {
        let (old, mut new) = (of("1", "1Mi", node), of(cpu, memory, node));
        let refused = resize.admit(&zoned().chain(), Some(&mut new), Some(&old)).await.err();
        assert_eq!(refused, why.map(|why| format!("pods \"web\" is forbidden: {why}")));
    }
}

#[tokio::test]
async fn a_pod_is_not_changed_into_what_its_node_cannot_run() {
    let of = |cpu: &str, whole: &str| {
        let mut pod = pod("web");
        pod.spec.node_name = "n1".into();
        pod.spec.init_containers = vec![pod.spec.containers[0].clone()];
        pod.spec.init_containers[0].resources.requests = list(&format!("cpu={cpu}"));
        pod.spec.resources.get_or_insert_default().requests = list(whole);
        pod
    };
    let world = |features: &[&str]| {
        let mut node = Node { metadata: named("", "n1"), ..Node::default() };
        node.status.allocatable = list("cpu=2,memory=1Gi");
        node.status.declared_features = features.iter().map(|name| (*name).to_owned()).collect();
        World::usual().with("nodes", node)
    };
    let (init, whole) =
        ("InPlacePodVerticalScalingInitContainers", "InPlacePodLevelResourcesVerticalScaling");
    let resize = Ask::to(Operation::Update, PODS, "default", "web").at("resize");
    for (features, new, missing) in [
        (&[][..], of("1", "cpu=1"), None),
        (&[][..], of("2", "cpu=1"), Some(init.to_owned())),
        (&[init][..], of("2", "cpu=1"), None),
        (&[init][..], of("1", "cpu=2"), Some(whole.to_owned())),
        (&[][..], of("2", "cpu=2"), Some(format!("{whole}, {init}"))),
        (&[init, whole][..], of("2", "cpu=2"), None),
    ] {
        let mut new = new;
        let refused =
            resize.admit(&world(features).chain(), Some(&mut new), Some(&of("1", "cpu=1"))).await.err();
        let why = missing.map(|missing| {
            format!(
                "pods \"web\" is forbidden: pod update requires features {missing} which are not available on node \"n1\""
            )
        });
        assert_eq!(refused, why);
    }
}
