//! The graph as pods and volumes come and go.

use api_types::core::v1::{
    AzureFilePersistentVolumeSource, ConfigMapEnvSource, Container, EnvFromSource, EnvVar, EnvVarSource,
    EphemeralContainer, EphemeralVolumeSource, LocalObjectReference, PodExtendedResourceClaimStatus,
    PodResourceClaim, PodResourceClaimStatus, ProjectedVolumeSource, SecretKeySelector, SecretProjection,
    VolumeProjection,
};
use proptest::prelude::*;

use super::*;
use crate::node::graph::Kind;

fn needs(graph: &Graph, kind: Kind, name: &str) -> bool {
    graph.needs("n1", kind, "shop", name)
}

fn local(name: &str) -> LocalObjectReference {
    LocalObjectReference { name: name.into() }
}

fn container() -> Container {
    let secret_key = SecretKeySelector { local_object_reference: local("env"), ..Default::default() };
    let value_from = EnvVarSource { secret_key_ref: Some(Box::new(secret_key)), ..Default::default() };
    let config_map = ConfigMapEnvSource { local_object_reference: local("env-from"), ..Default::default() };
    Container {
        env: vec![EnvVar { value_from: Some(Box::new(value_from)), ..Default::default() }],
        env_from: vec![EnvFromSource { config_map_ref: Some(Box::new(config_map)), ..Default::default() }],
        ..Default::default()
    }
}

#[test]
fn whatever_a_pod_names_is_found() {
    let mut projected = Volume { name: "projected".into(), ..Default::default() };
    let secret = SecretProjection { local_object_reference: local("projected"), ..Default::default() };
    let sources = vec![VolumeProjection { secret: Some(Box::new(secret)), ..Default::default() }];
    projected.volume_source.projected =
        Some(Box::new(ProjectedVolumeSource { sources: sources.into(), ..Default::default() }));
    let mut ephemeral = Volume { name: "scratch".into(), ..Default::default() };
    ephemeral.volume_source.ephemeral = Some(Box::new(EphemeralVolumeSource::default()));

    let mut pod = pod("web", "n1", vec![projected, ephemeral]);
    pod.spec.image_pull_secrets = vec![local("pull"), local("")];
    pod.spec.init_containers = vec![container()];
    let mut debugger = EphemeralContainer::default();
    let secret_key = SecretKeySelector { local_object_reference: local("debug"), ..Default::default() };
    let value_from = EnvVarSource { secret_key_ref: Some(Box::new(secret_key)), ..Default::default() };
    debugger.ephemeral_container_common.env =
        vec![EnvVar { value_from: Some(Box::new(value_from)), ..Default::default() }];
    pod.spec.ephemeral_containers = vec![debugger];
    pod.spec.resource_claims = vec![
        PodResourceClaim {
            name: "own".into(),
            resource_claim_name: Some("gpu".into()),
            ..Default::default()
        },
        PodResourceClaim {
            name: "made".into(),
            resource_claim_template_name: Some("t".into()),
            ..Default::default()
        },
        PodResourceClaim {
            name: "pending".into(),
            resource_claim_template_name: Some("t".into()),
            ..Default::default()
        },
    ];
    pod.status.resource_claim_statuses =
        vec![PodResourceClaimStatus { name: "made".into(), resource_claim_name: Some("web-made-x".into()) }];
    pod.status.extended_resource_claim_status = Some(Box::new(PodExtendedResourceClaimStatus {
        resource_claim_name: "extended".into(),
        ..Default::default()
    }));

    let mut graph = Graph::new();
    graph.put_pod(&pod);
    for (kind, name) in [
        (Kind::Secret, "pull"),
        (Kind::Secret, "env"),
        (Kind::Secret, "debug"),
        (Kind::Secret, "projected"),
        (Kind::ConfigMap, "env-from"),
        (Kind::PersistentVolumeClaim, "web-scratch"),
        (Kind::ResourceClaim, "gpu"),
        (Kind::ResourceClaim, "web-made-x"),
        (Kind::ResourceClaim, "extended"),
        (Kind::ServiceAccount, "till"),
    ] {
        assert!(needs(&graph, kind, name), "{kind:?} {name}");
    }
    for name in ["", "t", "pending"] {
        assert!(!needs(&graph, Kind::ResourceClaim, name) && !needs(&graph, Kind::Secret, name), "{name}");
    }
}

#[test]
fn a_mirror_pod_gives_its_node_nothing_but_itself() {
    let mut mirror = pod("web", "n1", vec![secret_volume("cert")]);
    mirror.metadata.annotations.insert("kubernetes.io/config.mirror".into(), "x".into());
    let mut graph = Graph::new();
    graph.put_pod(&mirror);
    assert!(graph.runs_pod("n1", "shop", "web"));
    assert!(!needs(&graph, Kind::Secret, "cert") && !needs(&graph, Kind::ServiceAccount, "till"));
}

#[test]
fn a_need_ends_with_the_last_pod_that_has_it() {
    let mut graph = Graph::new();
    graph.put_pod(&pod("a", "", vec![secret_volume("cert")]));
    assert_eq!(graph, Graph::new(), "not yet on a node");
    graph.put_pod(&pod("a", "n1", vec![secret_volume("cert")]));
    graph.put_pod(&pod("b", "n1", vec![secret_volume("cert")]));
    graph.put_pod(&pod("c", "n2", vec![secret_volume("cert")]));
    graph.remove_pod("shop", "a");
    assert!(needs(&graph, Kind::Secret, "cert"));
    graph.remove_pod("shop", "b");
    assert!(!needs(&graph, Kind::Secret, "cert"));
    graph.remove_pod("shop", "b");
    graph.remove_pod("shop", "c");
    assert_eq!(graph, Graph::new());
}

#[test]
fn volumes_and_pods_may_come_in_any_order() {
    let volume = persistent_volume("pv1", "data", "mount");
    let mut graph = Graph::new();
    graph.put_persistent_volume(&volume);
    assert!(!graph.uses_volume("n1", "pv1"));
    graph.put_pod(&pod("web", "n1", vec![claim_volume("data")]));
    assert!(graph.uses_volume("n1", "pv1") && !graph.uses_volume("n2", "pv1"));
    assert!(graph.needs("n1", Kind::Secret, "vault", "mount"));
    graph.put_persistent_volume(&persistent_volume("pv1", "other", "mount"));
    assert!(!graph.uses_volume("n1", "pv1") && !graph.needs("n1", Kind::Secret, "vault", "mount"));
    graph.put_persistent_volume(&volume);
    graph.remove_persistent_volume("pv1");
    assert!(!graph.needs("n1", Kind::Secret, "vault", "mount"));
}

#[test]
fn a_volume_s_secret_is_in_the_claim_s_namespace_unless_it_says_otherwise() {
    let azure = |namespace: Option<&str>| {
        let mut volume = persistent_volume("pv1", "data", "x");
        let source = AzureFilePersistentVolumeSource {
            secret_name: "azure".into(),
            secret_namespace: namespace.map(str::to_owned),
            ..Default::default()
        };
        volume.spec.persistent_volume_source = Default::default();
        volume.spec.persistent_volume_source.azure_file = Some(Box::new(source));
        volume
    };
    for (named, namespace) in [(None, "shop"), (Some(""), "shop"), (Some("vault"), "vault")] {
        let mut graph = Graph::new();
        graph.put_pod(&pod("web", "n1", vec![claim_volume("data")]));
        graph.put_persistent_volume(&azure(named));
        assert!(graph.needs("n1", Kind::Secret, namespace, "azure"), "{named:?}");
    }
}

#[test]
fn attachments_and_slices_without_a_node_are_nobody_s() {
    let mut graph = Graph::new();
    graph.put_volume_attachment(&attachment("a", ""));
    graph.put_resource_slice(&slice("s", ""));
    assert_eq!(graph, Graph::new());
    graph.put_resource_slice(&slice("s", "n1"));
    assert!(graph.has_slice("n1", "s") && !graph.has_slice("n2", "s"));
    graph.remove_resource_slice("s");
    assert_eq!(graph, Graph::new());
}

#[derive(Clone, Debug)]
enum Change {
    Pod(Box<Pod>),
    NoPod(String),
    Volume(Box<PersistentVolume>),
    NoVolume(String),
    Attachment(VolumeAttachment),
    NoAttachment(String),
    Request(PodCertificateRequest),
    NoRequest(String),
}

fn apply(graph: &mut Graph, change: &Change) {
    match change {
        Change::Pod(pod) => graph.put_pod(pod),
        Change::NoPod(name) => graph.remove_pod("shop", name),
        Change::Volume(volume) => graph.put_persistent_volume(volume),
        Change::NoVolume(name) => graph.remove_persistent_volume(name),
        Change::Attachment(attachment) => graph.put_volume_attachment(attachment),
        Change::NoAttachment(name) => graph.remove_volume_attachment(name),
        Change::Request(request) => graph.put_pod_certificate_request(request),
        Change::NoRequest(name) => graph.remove_pod_certificate_request("shop", name),
    }
}

/// Which object a change is about.
fn object(change: &Change) -> (u8, &str) {
    match change {
        Change::Pod(pod) => (0, &pod.metadata.name),
        Change::NoPod(name) => (0, name),
        Change::Volume(volume) => (1, &volume.metadata.name),
        Change::NoVolume(name) => (1, name),
        Change::Attachment(attachment) => (2, &attachment.metadata.name),
        Change::NoAttachment(name) => (2, name),
        Change::Request(request) => (3, &request.metadata.name),
        Change::NoRequest(name) => (3, name),
    }
}

fn changes() -> impl Strategy<Value = Change> {
    let pick = || prop::sample::select(vec!["a", "b", "c"]);
    (0..8u8, pick(), prop::sample::select(vec!["n1", "n2"]), pick(), pick()).prop_map(
        |(kind, name, node, one, other)| match kind {
            0 => Change::Pod(Box::new(pod(name, node, vec![secret_volume(one), claim_volume(other)]))),
            1 => Change::NoPod(name.into()),
            2 => Change::Volume(Box::new(persistent_volume(name, one, other))),
            3 => Change::NoVolume(name.into()),
            4 => Change::Attachment(attachment(name, node)),
            5 => Change::NoAttachment(name.into()),
            6 => Change::Request(certificate_request(name, node)),
            _ => Change::NoRequest(name.into()),
        },
    )
}

proptest! {
    #[test]
    fn however_it_came_about_it_equals_a_rebuild(history in prop::collection::vec(changes(), 0..40)) {
        let mut graph = Graph::new();
        let mut rebuilt = Graph::new();
        for change in &history {
            apply(&mut graph, change);
        }
        for (at, change) in history.iter().enumerate().rev() {
            if history[at + 1..].iter().all(|later| object(later) != object(change)) {
                apply(&mut rebuilt, change);
            }
        }
        prop_assert_eq!(graph, rebuilt);
    }
}
