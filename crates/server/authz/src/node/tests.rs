//! What a node may do, and the graph as it changes.

mod graph;

use api_types::certificates::v1::PodCertificateRequest;
use api_types::core::v1::{
    CSIPersistentVolumeSource, ObjectReference, PersistentVolume, PersistentVolumeClaimVolumeSource, Pod,
    SecretReference, SecretVolumeSource, Volume,
};
use api_types::meta::v1::ObjectMeta;
use api_types::resource::v1::ResourceSlice;
use api_types::storage::v1::VolumeAttachment;

use super::Graph;
use crate::{Attributes, Authorize, Decision, FieldOperator, FieldRequirement};

fn meta(namespace: &str, name: &str) -> ObjectMeta {
    ObjectMeta { namespace: namespace.into(), name: name.into(), ..Default::default() }
}

fn secret_volume(secret: &str) -> Volume {
    let mut volume = Volume { name: "secret".into(), ..Default::default() };
    volume.volume_source.secret =
        Some(Box::new(SecretVolumeSource { secret_name: secret.into(), ..Default::default() }));
    volume
}

fn claim_volume(claim: &str) -> Volume {
    let mut volume = Volume { name: "claim".into(), ..Default::default() };
    volume.volume_source.persistent_volume_claim =
        Some(Box::new(PersistentVolumeClaimVolumeSource { claim_name: claim.into(), read_only: false }));
    volume
}

fn pod(name: &str, node: &str, volumes: Vec<Volume>) -> Pod {
    let mut pod = Pod { metadata: meta("shop", name), ..Default::default() };
    pod.spec.node_name = node.into();
    pod.spec.service_account_name = "till".into();
    pod.spec.volumes = volumes;
    pod
}

/// Bound to a claim of the shop, with one secret for nodes and one for controllers, both in `vault`.
fn persistent_volume(name: &str, claim: &str, secret: &str) -> PersistentVolume {
    let mut volume = PersistentVolume { metadata: meta("", name), ..Default::default() };
    volume.spec.claim_ref = Some(Box::new(ObjectReference {
        namespace: "shop".into(),
        name: claim.into(),
        ..Default::default()
    }));
    let reference =
        |name: &str| Some(Box::new(SecretReference { name: name.into(), namespace: "vault".into() }));
    volume.spec.persistent_volume_source.csi = Some(Box::new(CSIPersistentVolumeSource {
        node_stage_secret_ref: reference(secret),
        controller_publish_secret_ref: reference("controllers"),
        ..Default::default()
    }));
    volume
}

fn attachment(name: &str, node: &str) -> VolumeAttachment {
    let mut attachment = VolumeAttachment { metadata: meta("", name), ..Default::default() };
    attachment.spec.node_name = node.into();
    attachment
}

fn slice(name: &str, node: &str) -> ResourceSlice {
    let mut slice = ResourceSlice { metadata: meta("", name), ..Default::default() };
    slice.spec.node_name = Some(node.into());
    slice
}

fn certificate_request(name: &str, node: &str) -> PodCertificateRequest {
    let mut request = PodCertificateRequest { metadata: meta("shop", name), ..Default::default() };
    request.spec.node_name = node.into();
    request
}

/// Node n1 runs `web` with a secret and a claim bound to a volume; n2 runs `db`.
fn shop() -> Graph {
    let mut graph = Graph::new();
    graph.put_pod(&pod("web", "n1", vec![secret_volume("cert"), claim_volume("data")]));
    graph.put_pod(&pod("db", "n2", vec![secret_volume("key")]));
    graph.put_persistent_volume(&persistent_volume("pv1", "data", "mount"));
    graph.put_volume_attachment(&attachment("va1", "n1"));
    graph.put_resource_slice(&slice("slice1", "n1"));
    graph.put_pod_certificate_request(&certificate_request("pcr1", "n1"));
    graph
}

/// Asks as n1: `get core/secrets cert shop [spec.nodeName=n1]`, `-` for none.
fn asks(graph: &Graph, text: &str) -> Decision {
    let groups = ["system:nodes".to_owned(), "system:authenticated".to_owned()];
    let mut parts = text.split(' ').map(|part| if part == "-" { "" } else { part });
    let mut next = || parts.next().unwrap_or("");
    let (verb, what, name, namespace, selector) = (next(), next(), next(), next(), next());
    let of = Attributes::of("system:node:n1", &groups);
    if what.starts_with('/') {
        return graph.authorize(&of.at(verb, what));
    }
    let (group, what) = what.split_once('/').expect("a group and a resource");
    let (resource, subresource) = what.split_once('/').unwrap_or((what, ""));
    let group = if group == "core" { "" } else { group };
    let field_selector: Vec<_> = match (selector.split_once("!="), selector.split_once('=')) {
        (Some((field, value)), _) => {
            vec![FieldRequirement { field, operator: FieldOperator::NotEquals, value }]
        }
        (None, Some((field, value))) => {
            vec![FieldRequirement { field, operator: FieldOperator::Equals, value }]
        }
        (None, None) => Vec::new(),
    };
    let request = Attributes {
        subresource,
        name,
        namespace,
        field_selector: &field_selector,
        ..of.on(verb, group, resource)
    };
    graph.authorize(&request)
}

#[track_caller]
fn check(cases: &[(&str, Result<(), &str>)]) {
    let graph = shop();
    for (request, expected) in cases {
        let expected = match expected {
            Ok(()) => Decision::allow(""),
            Err(reason) => Decision::no_opinion(*reason),
        };
        assert_eq!(asks(&graph, request), expected, "{request}");
    }
}

const UNRELATED: Result<(), &str> = Err("no relationship found between node 'n1' and this object");

#[test]
fn only_nodes_are_spoken_about() {
    let graph = shop();
    let nodes = ["system:nodes".to_owned()];
    let services = |user, groups| graph.authorize(&Attributes::of(user, groups).on("list", "", "services"));
    assert_eq!(services("jane", &nodes[..]), Decision::no_opinion(""));
    assert_eq!(services("system:node:n1", &[]), Decision::no_opinion(""));
    assert_eq!(
        services("system:node:", &nodes),
        Decision::no_opinion("unknown node for user \"system:node:\"")
    );
    assert_eq!(services("system:node:n1", &nodes), Decision::allow(""));
}

#[test]
fn secrets_and_config_maps_of_its_pods() {
    check(&[
        ("get core/secrets cert shop", Ok(())),
        ("list core/secrets cert shop", Ok(())),
        ("watch core/secrets cert shop", Ok(())),
        ("get core/secrets key shop", UNRELATED),
        ("get core/secrets cert other", UNRELATED),
        ("get core/configmaps cert shop", UNRELATED),
        ("get core/secrets unheard-of shop", UNRELATED),
        ("list core/secrets - shop", Err("No Object name found")),
        ("list core/secrets cert -", Err("can only read namespaced object of this type")),
        ("update core/secrets cert shop", Err("can only read resources of this type")),
        ("get core/secrets/part cert shop", Err("cannot read subresource")),
    ]);
}

#[test]
fn claims_volumes_and_the_volumes_secrets() {
    check(&[
        ("get core/persistentvolumeclaims data shop", Ok(())),
        ("get core/persistentvolumeclaims data other", UNRELATED),
        ("list core/persistentvolumeclaims - shop", Err("can only get individual resources of this type")),
        ("get core/persistentvolumeclaims/part data shop", Err("cannot get subresource")),
        ("patch core/persistentvolumeclaims/status data shop", Ok(())),
        ("update core/persistentvolumeclaims/status other shop", UNRELATED),
        ("get core/persistentvolumeclaims/status data shop", Err("can only get/update/patch this type")),
        ("get core/persistentvolumes pv1", Ok(())),
        ("get core/persistentvolumes pv2", UNRELATED),
        ("watch core/persistentvolumes pv1", Err("can only get individual resources of this type")),
        ("get core/secrets mount vault", Ok(())),
        ("get core/secrets controllers vault", UNRELATED),
        ("get storage.k8s.io/volumeattachments va1", Ok(())),
        ("get storage.k8s.io/volumeattachments va2", UNRELATED),
        (
            "delete storage.k8s.io/volumeattachments va1",
            Err("can only get individual resources of this type"),
        ),
    ]);
}

#[test]
fn accounts_of_its_pods() {
    check(&[
        ("get core/serviceaccounts till shop", Ok(())),
        ("get core/serviceaccounts other shop", UNRELATED),
        ("create core/serviceaccounts/token till shop", Ok(())),
        ("create core/serviceaccounts/token other shop", UNRELATED),
        (
            "create core/serviceaccounts/token - shop",
            Err("can only create tokens for individual service accounts"),
        ),
        (
            "list core/serviceaccounts till shop",
            Err("can only create tokens for individual service accounts"),
        ),
        ("create core/serviceaccounts till shop", Err("can only create token subresource of serviceaccount")),
    ]);
}

#[test]
fn its_own_node_lease_and_csi_node() {
    let csi_verbs = Err("can only get, create, update, patch, or delete a CSINode");
    check(&[
        ("get core/nodes n1", Ok(())),
        ("watch core/nodes n1", Ok(())),
        ("get core/nodes n2", Err("node 'n1' cannot read 'n2', only its own Node object")),
        ("list core/nodes", Err("node 'n1' cannot read all nodes, only its own Node object")),
        ("create core/nodes", Ok(())),
        ("patch core/nodes/status n1", Ok(())),
        ("get core/nodes/status n1", Err("")),
        ("delete core/nodes n1", Err("")),
        ("get core/nodes/proxy n1", Err("")),
        ("update coordination.k8s.io/leases n1 kube-node-lease", Ok(())),
        ("create coordination.k8s.io/leases - kube-node-lease", Ok(())),
        (
            "get coordination.k8s.io/leases n2 kube-node-lease",
            Err("can only access node lease with the same name as the requesting node"),
        ),
        (
            "get coordination.k8s.io/leases n1 shop",
            Err("can only access leases in the \"kube-node-lease\" system namespace"),
        ),
        (
            "list coordination.k8s.io/leases n1 kube-node-lease",
            Err("can only get, create, update, patch, or delete a node lease"),
        ),
        ("create storage.k8s.io/csinodes", Ok(())),
        ("delete storage.k8s.io/csinodes n1", Ok(())),
        (
            "get storage.k8s.io/csinodes n2",
            Err("can only access CSINode with the same name as the requesting node"),
        ),
        ("list storage.k8s.io/csinodes", csi_verbs),
        (
            "get storage.k8s.io/csinodes/status n1",
            Err("CSINode status access requires CSIVolumeHealth feature"),
        ),
        ("get storage.k8s.io/csinodes/part n1", Err("cannot authorize CSINode subresources")),
    ]);
}

#[test]
fn its_pods_by_selector_or_by_name() {
    let selector = Err("can only list/watch pods with spec.nodeName field selector");
    check(&[
        ("list core/pods - - spec.nodeName=n1", Ok(())),
        ("watch core/pods - shop spec.nodeName=n1", Ok(())),
        ("list core/pods - - spec.nodeName=n2", selector),
        ("list core/pods - - spec.nodeName!=n1", selector),
        ("list core/pods - - status.phase=n1", selector),
        ("list core/pods", selector),
        ("get core/pods web shop", Ok(())),
        ("get core/pods db shop", UNRELATED),
        ("watch core/pods web shop", Ok(())),
        ("watch core/pods db shop", UNRELATED),
        ("create core/pods - shop", Ok(())),
        ("delete core/pods db shop", Ok(())),
        ("patch core/pods/status db shop", Ok(())),
        ("create core/pods/eviction db shop", Ok(())),
        ("update core/pods web shop", Err("")),
        ("deletecollection core/pods - shop", Err("")),
        ("get core/pods/log web shop", Err("")),
    ]);
}

#[test]
fn its_slices_and_certificate_requests() {
    let selector = Err("can only list/watch/deletecollection resourceslices with nodeName field selector");
    check(&[
        ("create resource.k8s.io/resourceslices", Ok(())),
        ("update resource.k8s.io/resourceslices slice1", Ok(())),
        ("delete resource.k8s.io/resourceslices slice2", UNRELATED),
        ("deletecollection resource.k8s.io/resourceslices - - spec.nodeName=n1", Ok(())),
        ("list resource.k8s.io/resourceslices - - spec.nodeName=n2", selector),
        ("watch resource.k8s.io/resourceslices", selector),
        (
            "get resource.k8s.io/resourceslices/status slice1",
            Err("cannot authorize ResourceSlice subresources"),
        ),
        (
            "proxy resource.k8s.io/resourceslices slice1",
            Err(
                "only the following verbs are allowed for a ResourceSlice: get, watch, list, create, update, patch, delete, deletecollection",
            ),
        ),
        ("create certificates.k8s.io/podcertificaterequests - shop", Ok(())),
        ("get certificates.k8s.io/podcertificaterequests pcr1 shop", Ok(())),
        ("get certificates.k8s.io/podcertificaterequests pcr2 shop", UNRELATED),
        ("watch certificates.k8s.io/podcertificaterequests - - spec.nodeName=n1", Ok(())),
        (
            "list certificates.k8s.io/podcertificaterequests",
            Err("can only list/watch podcertificaterequests with nodeName field selector"),
        ),
        (
            "delete certificates.k8s.io/podcertificaterequests pcr1 shop",
            Err("nodes may not delete podcertificaterequests"),
        ),
        (
            "get certificates.k8s.io/podcertificaterequests/status pcr1 shop",
            Err("nodes may not access the status subresource of PodCertificateRequests"),
        ),
    ]);
}

#[test]
fn the_rest_by_the_rules_of_all_nodes() {
    check(&[
        ("list core/services", Ok(())),
        ("create core/events - shop", Ok(())),
        ("create authentication.k8s.io/tokenreviews", Ok(())),
        ("watch certificates.k8s.io/clustertrustbundles", Ok(())),
        ("list node.k8s.io/runtimeclasses", Ok(())),
        ("list apps/deployments", Err("")),
        ("get core/pods.x web shop", Err("")),
        ("get /healthz", Err("")),
    ]);
}
