//! Pods with claims of devices: who is held back, what is said of those that cannot run, and what is written about the claims of the others.

use std::sync::Arc;
use std::time::Duration;

use api_device::claim::{FINALIZER, reference};
use api_types::core::v1::{
    NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, Pod, PodResourceClaim, PodResourceClaimStatus,
};
use api_types::meta::v1::OwnerReference;
use api_types::resource::v1::{
    AllocationResult, CELDeviceSelector, Device, DeviceClass, DeviceRequest, DeviceRequestAllocationResult,
    DeviceSelector, DeviceSubRequest, DeviceTaint, DeviceTaintRule, DeviceTaintSelector, ExactDeviceRequest,
    ResourceClaim, ResourceSlice,
};

use super::fixture::*;
use crate::{Action, Bindings, Event, FailureReason, Plugin, Score};

fn using(mut pod: Pod, claim: &str) -> Pod {
    pod.spec.resource_claims.push(PodResourceClaim {
        name: claim.into(),
        resource_claim_name: Some(claim.into()),
        resource_claim_template_name: None,
    });
    pod
}

fn claim(name: &str, class: &str) -> ResourceClaim {
    let exact = ExactDeviceRequest {
        device_class_name: class.into(),
        allocation_mode: "ExactCount".into(),
        count: 1,
        ..ExactDeviceRequest::default()
    };
    let request =
        DeviceRequest { name: "r".into(), exactly: Some(Box::new(exact)), first_available: Vec::new() };
    let mut claim = ResourceClaim::default();
    (claim.metadata.namespace, claim.metadata.name) = ("default".into(), name.into());
    claim.metadata.uid = format!("uid-of-{name}");
    claim.metadata.resource_version = "1".into();
    claim.spec.devices.requests = vec![request].into();
    claim
}

fn slice(node: &str, devices: &[&str]) -> ResourceSlice {
    let mut slice = ResourceSlice::default();
    slice.metadata.name = format!("slice-of-{node}");
    slice.spec.driver = "d.io".into();
    slice.spec.pool.name = node.into();
    slice.spec.pool.resource_slice_count = 1;
    slice.spec.node_name = Some(node.into());
    slice.spec.devices =
        devices.iter().map(|name| Device { name: (*name).into(), ..Device::default() }).collect();
    slice
}

fn class(name: &str) -> DeviceClass {
    let mut class = DeviceClass::default();
    class.metadata.name = name.into();
    class
}

/// A claim that has a device of a node.
fn allocated(mut claim: ResourceClaim, node: &str, device: &str) -> ResourceClaim {
    let wanted = NodeSelectorRequirement {
        key: "metadata.name".into(),
        operator: "In".into(),
        values: vec![node.into()],
    };
    let term = NodeSelectorTerm { match_fields: vec![wanted], ..NodeSelectorTerm::default() };
    let mut allocation = AllocationResult {
        node_selector: Some(Box::new(NodeSelector { node_selector_terms: vec![term].into() })),
        ..AllocationResult::default()
    };
    allocation.devices.results = vec![DeviceRequestAllocationResult {
        request: "r".into(),
        driver: "d.io".into(),
        pool: node.into(),
        device: device.into(),
        ..DeviceRequestAllocationResult::default()
    }];
    claim.status.allocation = Some(Box::new(allocation));
    claim.metadata.finalizers = vec![FINALIZER.into()];
    claim.metadata.resource_version = "5".into();
    claim
}

/// Two nodes, of which the second has a device.
fn rig() -> Rig {
    let mut rig = Rig::new(&[node("n1", "a", "4", "10"), node("n2", "b", "4", "10")]);
    rig.step(Event::DeviceClass(&class("gpu")));
    rig.step(Event::Slice(&slice("n1", &[])));
    rig.step(Event::Slice(&slice("n2", &["a"])));
    rig
}

fn decided(actions: &[Action]) -> (String, Arc<Bindings>) {
    let found = actions.iter().find_map(|action| match action {
        Action::BindDevices { node, bindings, .. } => Some((node.to_string(), Arc::clone(bindings))),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("{actions:?}"))
}

/// The claims as they are once what was decided has been written.
fn written(bindings: &Bindings, pod: &Pod) -> Vec<ResourceClaim> {
    let one = |binding: &crate::Binding| {
        let mut claim = binding.claim.clone();
        if let Some(allocation) = &binding.allocation {
            claim.status.allocation = Some(Box::new(allocation.clone()));
        }
        claim.status.reserved_for.push(reference(&pod.metadata.name, &pod.metadata.uid));
        claim.metadata.resource_version = "10".into();
        claim
    };
    bindings.claims.iter().map(one).collect()
}

fn refusal(rig: &mut Rig, pod: &Pod) -> String {
    let message = rig.refused(pod).message;
    message.split(" preemption:").next().unwrap_or_default().to_owned()
}

#[test]
fn a_pod_gets_a_device_where_there_is_one() {
    let mut rig = rig();
    rig.step(Event::DeviceClaim(&claim("c", "gpu")));
    let pod = using(pod("p", "1"), "c");
    let (node, bindings) = decided(&rig.try_pod(&pod));
    assert_eq!(node, "n2");
    assert_eq!(format!("{bindings:?}"), "Bindings([((\"default\", \"c\"), [\"d.io/n2/a\"])])");
    assert!(bindings.claims[0].allocation.as_ref().is_some_and(|own| own.allocation_timestamp.is_some()));
    // What is on its way is nobody else's.
    rig.step(Event::DeviceClaim(&claim("d", "gpu")));
    let other = using(super::fixture::pod("q", "1"), "d");
    assert_eq!(refusal(&mut rig, &other), "0/2 nodes are available: 2 cannot allocate all claims.");
    let claims = written(&bindings, &pod);
    let event = Event::DevicesWritten { uid: "uid-p", claims: &claims, result: Ok(()) };
    assert_eq!(bound(&rig.step(event).actions).as_deref(), Some("n2"));
    // The view is behind, and nothing is forgotten.
    rig.step(Event::DeviceClaim(&claim("c", "gpu")));
    rig.now = rig.now + Duration::from_secs(20);
    rig.run();
    rig.step(Event::DeviceClaim(&claims[0]));
    // Given back, it is the other's.
    let mut free = claim("c", "gpu");
    free.metadata.resource_version = "11".into();
    rig.step(Event::DeviceClaim(&free));
    rig.now = rig.now + Duration::from_secs(20);
    assert_eq!(decided(&rig.run()).0, "n2");
}

#[test]
fn pods_are_held_back_until_their_claims_are_there() {
    let mut rig = rig();
    let waiting = using(pod("p", "1"), "c");
    assert!(rig.try_pod(&waiting).is_empty());
    rig.step(Event::DeviceClaim(&claim("other", "gpu")));
    assert!(rig.run().is_empty());
    rig.step(Event::DeviceClaim(&claim("c", "gpu")));
    assert_eq!(decided(&rig.run()).0, "n2");

    let mut of_template = pod("t", "1");
    of_template.spec.resource_claims.push(PodResourceClaim {
        name: "gpu".into(),
        resource_claim_name: None,
        resource_claim_template_name: Some("template".into()),
    });
    let mut own = claim("t-gpu-x", "gpu");
    own.metadata.owner_references =
        vec![OwnerReference { uid: "uid-t".into(), controller: Some(true), ..OwnerReference::default() }];
    rig.step(Event::DeviceClaim(&own));
    assert!(rig.try_pod(&of_template).is_empty());
    of_template.status.resource_claim_statuses =
        vec![PodResourceClaimStatus { name: "gpu".into(), resource_claim_name: Some("t-gpu-x".into()) }];
    assert_eq!(refusal(&mut rig, &of_template), "0/2 nodes are available: 2 cannot allocate all claims.");
    // One that was found not to be needed is not waited for.
    let mut not_needed = of_template.clone();
    (not_needed.metadata.name, not_needed.metadata.uid) = ("u".into(), "uid-u".into());
    not_needed.status.resource_claim_statuses[0].resource_claim_name = None;
    assert!(bound(&rig.try_pod(&not_needed)).is_some());
}

#[test]
fn claims_that_no_node_helps_are_told_of() {
    let mut rig = rig();
    let mut unknown = claim("unknown", "gpu");
    unknown.spec.devices.requests =
        vec![DeviceRequest { name: "r".into(), ..DeviceRequest::default() }].into();
    for (claim, message) in [
        (claim("c", "none"), "request r: device class none does not exist."),
        (unknown, "resource claim default/unknown, request r: unknown request type."),
    ] {
        rig.step(Event::DeviceClaim(&claim));
        let pod = using(pod(&format!("p-{}", claim.metadata.name), "1"), &claim.metadata.name);
        let failure = rig.refused(&pod);
        assert_eq!(
            failure.message,
            format!(
                "0/2 nodes are available: {message} preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling."
            )
        );
        assert_eq!(failure.plugins, [Plugin::DynamicResources]);
    }
    rig.step(Event::DeviceClass(&class("none")));
    rig.now = rig.now + Duration::from_secs(20);
    assert_eq!(decided(&rig.run()).0, "n2");
}

#[test]
fn an_expression_that_fails_fails_the_attempt() {
    let mut rig = rig();
    let mut broken = claim("c", "gpu");
    let mut requests: Vec<DeviceRequest> = broken.spec.devices.requests.iter().cloned().collect();
    let expression = "device.attributes['d.io'].speed > 1".to_owned();
    let selector = DeviceSelector { cel: Some(Box::new(CELDeviceSelector { expression })) };
    requests[0].exactly.as_mut().unwrap().selectors = vec![selector];
    broken.spec.devices.requests = requests.into();
    rig.step(Event::DeviceClaim(&broken));
    let failure = rig.refused(&using(pod("p", "1"), "c"));
    assert_eq!(failure.reason, FailureReason::SchedulerError);
    assert!(
        failure.message.starts_with(
            "running \"DynamicResources\" filter plugin: claim default/c: selector #0 on device d.io/n2/a: CEL runtime error: no such key: speed"
        ),
        "{}",
        failure.message
    );
}

#[test]
fn a_claim_that_has_a_device_is_used_where_that_is() {
    let mut rig = rig();
    rig.step(Event::DeviceClaim(&allocated(claim("c", "gpu"), "n2", "a")));
    let (node, bindings) = decided(&rig.try_pod(&using(pod("p", "1"), "c")));
    assert_eq!(node, "n2");
    assert!(bindings.claims[0].allocation.is_none());
    // Reserved already, nothing has to be written.
    let mut reserved = allocated(claim("d", "gpu"), "n2", "b");
    reserved.status.reserved_for = vec![reference("q", "uid-q")];
    rig.step(Event::DeviceClaim(&reserved));
    assert_eq!(bound(&rig.try_pod(&using(pod("q", "1"), "d"))).as_deref(), Some("n2"));
}

#[test]
fn devices_that_are_in_the_way_are_given_back() {
    let mut rig = rig();
    rig.step(Event::DeviceClaim(&allocated(claim("c", "gpu"), "n9", "z")));
    let actions = rig.try_pod(&using(pod("p", "1"), "c"));
    let given_back = actions.iter().find_map(|action| match action {
        Action::Deallocate { claim, .. } => Some(claim.0.clone()),
        _ => None,
    });
    assert!(given_back.is_some_and(|claim| claim.status.allocation.is_none()), "{actions:?}");
    let said = format!("{actions:?}");
    assert!(
        said.contains(
            "2 resourceclaim not available on the node. deallocation of ResourceClaim completed, preemption: "
        ),
        "{said}"
    );
    let mut used = allocated(claim("d", "gpu"), "n9", "y");
    used.status.reserved_for = vec![reference("other", "uid-other")];
    rig.step(Event::DeviceClaim(&used));
    let actions = rig.try_pod(&using(pod("q", "1"), "d"));
    assert!(!actions.iter().any(|action| matches!(action, Action::Deallocate { .. })), "{actions:?}");
}

#[test]
fn a_pod_whose_devices_cannot_be_written_down_is_tried_again() {
    let mut rig = rig();
    rig.step(Event::DeviceClaim(&claim("c", "gpu")));
    let pod = using(pod("p", "1"), "c");
    let (_, bindings) = decided(&rig.try_pod(&pod));
    let mut claims = written(&bindings, &pod);
    let event = Event::DevicesWritten { uid: "uid-p", claims: &claims, result: Err("no way") };
    let actions = rig.step(event).actions;
    let failed = actions.iter().any(|action| match action {
        Action::Failed(failure) => {
            failure.reason == FailureReason::SchedulerError
                && failure.message == "running PreBind plugin \"DynamicResources\": no way"
        }
        _ => false,
    });
    let unreserved = actions.iter().any(|action| matches!(action, Action::Unreserve { .. }));
    assert!(failed && unreserved, "{actions:?}");
    claims[0].status.reserved_for.clear();
    claims[0].metadata.resource_version = "12".into();
    rig.step(Event::DeviceClaim(&claims[0]));
    rig.now = rig.now + Duration::from_secs(20);
    assert!(decided(&rig.run()).1.claims[0].allocation.is_none());
}

#[test]
fn a_driver_may_have_its_device_made_ready_first() {
    let mut rig = rig();
    let mut offered = slice("n2", &["a"]);
    offered.spec.devices[0].binding_conditions = vec!["Attached".into()];
    rig.step(Event::Slice(&offered));
    rig.step(Event::DeviceClaim(&claim("c", "gpu")));
    let pod = using(pod("p", "1"), "c");
    let (_, bindings) = decided(&rig.try_pod(&pod));
    let claims = written(&bindings, &pod);
    let event = Event::DevicesWritten { uid: "uid-p", claims: &claims, result: Ok(()) };
    assert_eq!(bound(&rig.step(event).actions), None);
    let mut ready = claims[0].clone();
    ready.metadata.resource_version = "11".into();
    let condition = api_types::meta::v1::Condition {
        type_: "Attached".into(),
        status: "True".into(),
        ..Default::default()
    };
    ready.status.devices = vec![api_types::resource::v1::AllocatedDeviceStatus {
        driver: "d.io".into(),
        pool: "n2".into(),
        device: "a".into(),
        conditions: vec![condition].into(),
        ..Default::default()
    }];
    assert_eq!(bound(&rig.step(Event::DeviceClaim(&ready)).actions).as_deref(), Some("n2"));
}

#[test]
fn a_device_that_is_never_ready_is_given_up() {
    let mut rig = rig();
    let mut offered = slice("n2", &["a"]);
    offered.spec.devices[0].binding_conditions = vec!["Attached".into()];
    rig.step(Event::Slice(&offered));
    rig.step(Event::DeviceClaim(&claim("c", "gpu")));
    let pod = using(pod("p", "1"), "c");
    let (_, bindings) = decided(&rig.try_pod(&pod));
    let claims = written(&bindings, &pod);
    rig.step(Event::DevicesWritten { uid: "uid-p", claims: &claims, result: Ok(()) });
    rig.now = rig.now + Duration::from_secs(602);
    let said = format!("{:?}", rig.run());
    assert!(
        said.contains("running PreBind plugin \\\"DynamicResources\\\": device binding timeout: claim=c"),
        "{said}"
    );
}

#[test]
fn rules_taint_devices_from_outside() {
    let mut rig = rig();
    let mut rule = DeviceTaintRule::default();
    rule.metadata.name = "broken".into();
    let selector = DeviceTaintSelector { driver: Some("d.io".into()), ..Default::default() };
    rule.spec.device_selector = Some(Box::new(selector));
    rule.spec.taint = DeviceTaint { key: "k".into(), effect: "NoSchedule".into(), ..Default::default() };
    rig.step(Event::TaintRule(&rule));
    rig.step(Event::DeviceClaim(&claim("c", "gpu")));
    let pod = using(pod("p", "1"), "c");
    assert_eq!(refusal(&mut rig, &pod), "0/2 nodes are available: 2 cannot allocate all claims.");
    rig.step(Event::TaintRuleGone("broken"));
    rig.now = rig.now + Duration::from_secs(20);
    assert_eq!(decided(&rig.run()).0, "n2");
}

#[test]
fn nodes_with_an_earlier_alternative_are_better() {
    let mut rig = rig();
    rig.step(Event::Slice(&slice("n1", &["a", "b"])));
    let mut either = claim("c", "gpu");
    let alternative = |name: &str, count| DeviceSubRequest {
        name: name.into(),
        device_class_name: "gpu".into(),
        allocation_mode: "ExactCount".into(),
        count,
        ..DeviceSubRequest::default()
    };
    let first_available = vec![alternative("two", 2), alternative("one", 1)];
    let request = DeviceRequest { name: "r".into(), exactly: None, first_available };
    either.spec.devices.requests = vec![request].into();
    rig.step(Event::DeviceClaim(&either));
    rig.step(Event::Pod(&using(pod("p", "1"), "c")));
    let survey = rig.scheduler.survey("uid-p").expect("a pod");
    let score = |node: &str| survey.nodes[node].scores[&Score::DynamicResources];
    assert_eq!((score("n1"), score("n2")), (200, 174));
    assert_eq!(decided(&rig.run()).0, "n1");
}
