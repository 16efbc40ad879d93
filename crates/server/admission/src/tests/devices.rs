//! Who may write what about devices, and when taints were added.

use api_types::core::v1::{Namespace, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm};
use api_types::resource::v1::{
    AllocatedDeviceStatus, AllocationResult, DeviceRequest, DeviceRequestAllocationResult, DeviceTaintRule,
    ExactDeviceRequest, ResourceClaim,
};
use server_registry::admit::Operation;

use super::{Ask, World, named};

const CLAIMS: (&str, &str) = ("resource.k8s.io", "resourceclaims");

fn admin() -> ResourceClaim {
    let exact = ExactDeviceRequest { admin_access: Some(true), ..ExactDeviceRequest::default() };
    let request = DeviceRequest { exactly: Some(Box::new(exact)), ..DeviceRequest::default() };
    let mut claim = ResourceClaim { metadata: named("default", "c"), ..ResourceClaim::default() };
    claim.spec.devices.requests = vec![request].into();
    claim
}

#[tokio::test]
async fn access_as_an_administrator_is_for_namespaces_that_are_labelled() {
    let mut labelled = Namespace { metadata: named("", "trusted"), ..Namespace::default() };
    labelled.metadata.labels.insert("resource.kubernetes.io/admin-access".into(), "true".into());
    let chain = World::usual().with("namespaces", labelled).chain();
    let create = |namespace| Ask::to(Operation::Create, CLAIMS, namespace, "c");
    assert_eq!(create("trusted").admit(&chain, Some(&mut admin()), None).await, Ok(()));
    assert_eq!(
        create("default").admit(&chain, Some(&mut admin()), None).await,
        Err("ResourceClaim.resource.k8s.io \"c\" is invalid: spec.devices.requests[0].adminAccess: Forbidden: admin access to devices requires the `resource.kubernetes.io/admin-access: true` label on the containing namespace".to_owned())
    );
}

fn allocated(node: &str) -> ResourceClaim {
    let wanted = NodeSelectorRequirement {
        key: "metadata.name".into(),
        operator: "In".into(),
        values: vec![node.into()],
    };
    let term = NodeSelectorTerm { match_fields: vec![wanted], ..NodeSelectorTerm::default() };
    let mut claim = ResourceClaim { metadata: named("default", "c"), ..ResourceClaim::default() };
    let mut allocation = AllocationResult {
        node_selector: Some(Box::new(NodeSelector { node_selector_terms: vec![term].into() })),
        ..AllocationResult::default()
    };
    allocation.devices.results = vec![DeviceRequestAllocationResult::default()];
    claim.status.allocation = Some(Box::new(allocation));
    claim
}

#[tokio::test]
async fn allocations_are_for_those_who_may_bind_claims() {
    let chain = World::usual().chain();
    let free = || ResourceClaim { metadata: named("default", "c"), ..ResourceClaim::default() };
    let update = |by: &str| {
        let ask = Ask::to(Operation::Update, CLAIMS, "default", "c").by(by, &[]);
        Ask { subresource: "status", ..ask }
    };
    assert_eq!(update("signer").admit(&chain, Some(&mut allocated("n1")), Some(&free())).await, Ok(()));
    assert_eq!(
        update("jane").admit(&chain, Some(&mut allocated("n1")), Some(&free())).await,
        Err("ResourceClaim.resource.k8s.io \"c\" is invalid: status.allocation: Forbidden: changing status.allocation or status.reservedFor requires resource=\"resourceclaims/binding\", verb=\"update\" permission: resourceclaims.resource.k8s.io is forbidden: User \"jane\" cannot update resource \"resourceclaims/binding\" in API group \"resource.k8s.io\" at the cluster scope".to_owned())
    );
    assert_eq!(update("jane").admit(&chain, Some(&mut free()), Some(&free())).await, Ok(()));
}

#[tokio::test]
async fn what_is_said_of_devices_is_for_drivers() {
    let chain = World::usual().chain();
    let said = || {
        let mut claim = allocated("n1");
        let device = AllocatedDeviceStatus { driver: "d.io".into(), ..AllocatedDeviceStatus::default() };
        claim.status.devices = vec![device];
        claim
    };
    let mut ask =
        Ask::to(Operation::Update, CLAIMS, "default", "c").by("system:serviceaccount:d:driver", &[]);
    ask.subresource = "status";
    for (node, verbs) in
        [("n1", "[associated-node:update arbitrary-node:update]"), ("n2", "[arbitrary-node:update]")]
    {
        let key = "authentication.kubernetes.io/node-name".to_owned();
        ask.caller.extra = [(key, vec![node.to_owned()])].into();
        let refused = ask.admit(&chain, Some(&mut said()), Some(&allocated("n1"))).await;
        let start = format!(
            "ResourceClaim.resource.k8s.io \"c\" is invalid: status.devices: Forbidden: changing status.devices requires resource=\"resourceclaims/driver\", verb=\"{verbs}\" permission: resourceclaims.resource.k8s.io \"d.io\" is forbidden"
        );
        assert!(refused.as_ref().is_err_and(|why| why.starts_with(&start)), "{refused:?}");
    }
    ask.caller.name = "signer".into();
    assert_eq!(ask.admit(&chain, Some(&mut said()), Some(&allocated("n1"))).await, Ok(()));
}

#[tokio::test]
async fn a_taint_counts_from_when_its_effect_was_written() {
    let chain = World::usual().chain();
    let rules = ("resource.k8s.io", "devicetaintrules");
    let rule = |effect: &str, at: Option<i64>| {
        let mut rule = DeviceTaintRule { metadata: named("", "r"), ..DeviceTaintRule::default() };
        rule.spec.taint.effect = effect.into();
        rule.spec.taint.time_added = at.map(|seconds| api_record::scalar::Time { seconds });
        rule
    };
    for (what, old, new, expected) in [
        ("new", None, rule("NoExecute", None), 0),
        ("said", None, rule("NoExecute", Some(7)), 7),
        ("the same", Some(rule("NoExecute", Some(7))), rule("NoExecute", Some(7)), 7),
        ("another effect", Some(rule("None", Some(7))), rule("NoExecute", Some(7)), 0),
        ("another effect and time", Some(rule("None", Some(7))), rule("NoExecute", Some(8)), 8),
    ] {
        let mut new = new;
        let operation = if old.is_some() { Operation::Update } else { Operation::Create };
        let ask = Ask::to(operation, rules, "", "r");
        ask.admit(&chain, Some(&mut new), old.as_ref()).await.expect("admitted");
        assert_eq!(new.spec.taint.time_added.map(|time| time.seconds), Some(expected), "{what}");
    }
}
