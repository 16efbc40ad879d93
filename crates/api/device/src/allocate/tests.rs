//! What claims get of which slices, and why not.

mod fixture;

use api_types::core::v1::{NodeSelector, NodeSelectorRequirement, NodeSelectorTerm};
use api_types::resource::v1::{
    CELDeviceSelector, CapacityRequirements, Counter, CounterSet, Device, DeviceAttribute, DeviceCapacity,
    DeviceClaimConfiguration, DeviceClassConfiguration, DeviceConstraint, DeviceCounterConsumption,
    DeviceRequest, DeviceSelector, DeviceTaint, DeviceToleration, OpaqueDeviceConfiguration,
};

use fixture::*;

#[test]
fn devices_are_taken_in_the_order_of_pools_slices_and_their_own() {
    for (what, slices, requests, expected) in [
        ("one of several", vec![slice("s", "n", &["b", "a"])], vec![exactly("r", 1)], "r=b"),
        ("several", vec![slice("s", "n", &["a", "b", "c"])], vec![exactly("r", 2)], "r=a r=b"),
        (
            "slices by name",
            vec![of(2, slice("t", "n", &["a"])), of(2, slice("s", "n", &["b"]))],
            vec![exactly("r", 1)],
            "r=b",
        ),
        (
            "two requests",
            vec![slice("s", "n", &["a", "b"])],
            vec![exactly("r", 1), exactly("q", 1)],
            "r=a q=b",
        ),
        ("too many", vec![slice("s", "n", &["a", "b"])], vec![exactly("r", 3)], "-"),
        ("all", vec![slice("s", "n", &["a", "b"])], vec![all("r")], "r=a r=b"),
        ("all of nothing", vec![], vec![all("r")], "-"),
        ("all beside one", vec![slice("s", "n", &["a", "b"])], vec![all("r"), exactly("q", 1)], "-"),
        ("elsewhere", vec![slice("s", "m", &["a"])], vec![exactly("r", 1)], "-"),
        ("a pool for everybody", vec![everywhere(slice("s", "", &["a"]))], vec![exactly("r", 1)], "r=a"),
    ] {
        assert_eq!(got(&slices, claim(requests)), expected, "{what}");
    }
}

#[test]
fn pools_are_of_their_newest_generation_and_whole() {
    let newer = |mut own: api_types::resource::v1::ResourceSlice| {
        own.spec.pool.generation = 2;
        own
    };
    let twice = slice("t", "n", &["a"]);
    for (what, slices, requests, expected) in [
        (
            "an old slice",
            vec![slice("s", "n", &["a"]), newer(slice("t", "n", &["b"]))],
            vec![exactly("r", 1)],
            "r=b",
        ),
        ("a slice is missing", vec![of(2, slice("s", "n", &["a"]))], vec![exactly("r", 1)], "-"),
        (
            "a slice is missing for all",
            vec![of(2, slice("s", "n", &["a"]))],
            vec![all("r")],
            "claim shop/c, request r: asks for all devices, but resource pool d.io/n is currently being updated",
        ),
        (
            "the other slice is another node's",
            vec![of(2, slice("s", "n", &["a"])), in_pool("n", of(2, slice("t", "m", &["b"])))],
            vec![all("r")],
            "r=a",
        ),
        (
            "the other node has newer ones",
            vec![of(2, slice("s", "n", &["a"])), in_pool("n", newer(slice("t", "m", &["b"])))],
            vec![exactly("r", 1)],
            "-",
        ),
        (
            "a name twice",
            vec![of(2, slice("s", "n", &["a"])), of(2, twice)],
            vec![exactly("r", 1)],
            "invalid resource pools were encountered",
        ),
    ] {
        assert_eq!(got(&slices, claim(requests)), expected, "{what}");
    }
}

fn selected(mut request: DeviceRequest, expression: &str) -> DeviceRequest {
    let selector =
        DeviceSelector { cel: Some(Box::new(CELDeviceSelector { expression: expression.to_owned() })) };
    request.exactly.as_mut().expect("an exact request").selectors.push(selector);
    request
}

fn attributes(slice: &mut api_types::resource::v1::ResourceSlice, name: &str, values: &[&str]) {
    for (device, value) in slice.spec.devices.iter_mut().zip(values).filter(|(_, value)| !value.is_empty()) {
        let attribute = DeviceAttribute { string_value: Some((*value).to_owned()), ..Default::default() };
        device.attributes.insert(name.to_owned(), attribute);
    }
}

#[test]
fn selectors_choose() {
    let mut models = slice("s", "n", &["a", "b", "c"]);
    attributes(&mut models, "model", &["x", "y", "y"]);
    for (expression, expected) in [
        ("device.attributes['d.io'].model == 'y'", "r=b"),
        ("device.attributes['d.io'].model == 'z'", "-"),
        ("device.driver == 'e.io'", "-"),
        (
            "device.attributes['d.io'].speed > 3",
            "claim shop/c: selector #0 on device d.io/n/a: CEL runtime error: no such key: speed. consider using CEL optional chaining (.? followed by orValue()) or guarding the check with has() for optional fields",
        ),
    ] {
        let request = selected(exactly("r", 1), expression);
        assert_eq!(got(&[models.clone()], claim(vec![request])), expected, "{expression}");
    }
    let unknown = got(&[models], claim(vec![of_class("r", "none")]));
    assert_eq!(
        unknown,
        "claim shop/c, request r: could not retrieve device class none: deviceclass.resource.k8s.io \"none\" not found"
    );
}

#[test]
fn alternatives_are_tried_in_their_order() {
    let slices = [slice("s", "n", &["a", "b", "c"])];
    for (what, requests, expected) in [
        ("the first fits", vec![either("r", &[2, 1])], "r/0=a r/0=b"),
        ("the second fits", vec![either("r", &[4, 1])], "r/1=a"),
        ("none fits", vec![either("r", &[4, 5])], "-"),
        ("a later request needs more", vec![either("r", &[2, 1]), exactly("q", 2)], "r/1=a q=b q=c"),
        ("too many for a claim", vec![either("r", &[40, 1])], "r/1=a"),
    ] {
        assert_eq!(got(&slices, claim(requests)), expected, "{what}");
    }
    let too_many = got(&slices, claim(vec![exactly("r", 30), exactly("q", 3)]));
    assert_eq!(
        too_many,
        "claim shop/c, request q: adding 3 devices exceeds the claim limit of 32, with 30 already accounted for"
    );
}

#[test]
fn constraints_hold_for_the_requests_they_name() {
    let mut slices = slice("s", "n", &["a", "b", "c", "e"]);
    attributes(&mut slices, "root", &["1", "2", "2", ""]);
    let constraint = |requests: &[&str], same: Option<&str>, distinct: Option<&str>| DeviceConstraint {
        requests: requests.iter().map(|name| (*name).to_owned()).collect(),
        match_attribute: same.map(str::to_owned),
        distinct_attribute: distinct.map(str::to_owned),
    };
    let same = constraint(&[], Some("d.io/root"), None);
    for (what, requests, constraints, expected) in [
        ("the same", vec![exactly("r", 2)], vec![same.clone()], "r=b r=c"),
        ("the same of too many", vec![exactly("r", 3)], vec![same.clone()], "-"),
        (
            "one request only",
            vec![exactly("q", 1), exactly("r", 1)],
            vec![constraint(&["r"], Some("d.io/root"), None)],
            "q=a r=b",
        ),
        ("distinct", vec![exactly("r", 2)], vec![constraint(&[], None, Some("d.io/root"))], "r=a r=b"),
        ("distinct of too many", vec![exactly("r", 3)], vec![constraint(&[], None, Some("d.io/root"))], "-"),
        ("another domain's", vec![exactly("r", 1)], vec![constraint(&[], Some("e.io/root"), None)], "-"),
        (
            "all, which are not the same",
            vec![all("r")],
            vec![same],
            "claim shop/c, request r: cannot add device d.io/n/b because a claim constraint would not be satisfied",
        ),
        (
            "nothing",
            vec![exactly("r", 1)],
            vec![constraint(&[], None, None)],
            "claim shop/c, constraint #0: empty constraint (unsupported constraint type?)",
        ),
    ] {
        let mut claim = claim(requests);
        claim.spec.devices.constraints = constraints;
        assert_eq!(got(&[slices.clone()], claim), expected, "{what}");
    }
}

#[test]
fn what_is_allocated_is_not_allocated_again_but_to_administrators() {
    let slices = [slice("s", "n", &["a", "b"])];
    let mut admin = exactly("r", 1);
    admin.exactly.as_mut().expect("an exact request").admin_access = Some(true);
    let mut all_as_admin = all("r");
    all_as_admin.exactly.as_mut().expect("an exact request").admin_access = Some(true);
    for (what, request, expected) in [
        ("one is left", exactly("r", 1), "r=b"),
        ("only one is left", exactly("r", 2), "-"),
        ("all", all("r"), "-"),
        ("an administrator", admin, "r=a(admin)"),
        ("an administrator of all", all_as_admin, "r=a(admin) r=b(admin)"),
    ] {
        let world = World::of(&slices).with_allocated("a");
        assert_eq!(world.got(&[claim(vec![request])]), [expected], "{what}");
    }
    let two = World::of(&slices).got(&[claim(vec![exactly("r", 1)]), claim(vec![exactly("q", 1)])]);
    assert_eq!(two, ["r=a", "q=b"]);
}

#[test]
fn tainted_devices_go_to_those_that_tolerate_it() {
    let mut slices = slice("s", "n", &["a", "b"]);
    let taint = |effect: &str| DeviceTaint { key: "k".into(), effect: effect.into(), ..Default::default() };
    for (effect, tolerates, expected) in [
        ("NoSchedule", false, "r=b"),
        ("NoExecute", false, "r=b"),
        ("NoExecute", true, "r=a"),
        ("None", false, "r=a"),
    ] {
        slices.spec.devices[0].taints = vec![taint(effect)];
        let mut request = exactly("r", 1);
        if tolerates {
            let toleration =
                DeviceToleration { key: "k".into(), operator: "Exists".into(), ..Default::default() };
            request.exactly.as_mut().expect("an exact request").tolerations = vec![toleration];
        }
        assert_eq!(got(&[slices.clone()], claim(vec![request])), expected, "{effect} {tolerates}");
    }
}

#[test]
fn devices_share_counters() {
    let counter = |value: i64| Counter { value: quantity(&value.to_string()) };
    let consumes = |value: i64| DeviceCounterConsumption {
        counter_set: "set".into(),
        counters: [("slots".to_owned(), counter(value))].into(),
        compatibility_groups: Vec::new(),
    };
    let mut sets = of(2, slice("c", "n", &[]));
    sets.spec.shared_counters =
        vec![CounterSet { name: "set".into(), counters: [("slots".to_owned(), counter(4))].into() }];
    let mut devices = of(2, slice("s", "n", &["whole", "half-1", "half-2"]));
    for (device, value) in devices.spec.devices.iter_mut().zip([4, 2, 2]) {
        device.consumes_counters = vec![consumes(value)];
    }
    let slices = [sets, devices.clone()];
    for (what, allocated, requests, expected) in [
        ("the whole", "", vec![exactly("r", 1)], "r=whole"),
        ("both halves", "", vec![exactly("r", 2)], "r=half-1 r=half-2"),
        ("more than there is", "", vec![exactly("r", 3)], "-"),
        ("a half is gone", "half-1", vec![exactly("r", 1)], "r=half-2"),
        ("a half is gone", "half-1", vec![exactly("r", 2)], "-"),
    ] {
        let world = World::of(&slices).with_allocated(allocated);
        assert_eq!(world.got(&[claim(requests)]), [expected], "{what} {allocated}");
    }
    let nothing_said = got(&[of(1, devices)], claim(vec![exactly("r", 1)]));
    assert_eq!(nothing_said, "invalid resource pools were encountered");
}

#[test]
fn capacity_is_shared() {
    let mut slices = slice("s", "n", &["a"]);
    let device: &mut Device = &mut slices.spec.devices[0];
    device.allow_multiple_allocations = Some(true);
    let capacity = DeviceCapacity { value: quantity("10Gi"), request_policy: None };
    device.capacity.insert("memory".into(), capacity);
    let wants = |name: &str, size: &str| {
        let mut request = exactly(name, 1);
        let requests = [("memory".to_owned(), quantity(size))].into();
        request.exactly.as_mut().expect("an exact request").capacity =
            Some(Box::new(CapacityRequirements { requests }));
        request
    };
    for (what, requests, expected) in [
        ("a part", vec![wants("r", "4Gi")], "r=a(memory=4Gi)"),
        ("two parts", vec![wants("r", "4Gi"), wants("q", "6Gi")], "r=a(memory=4Gi) q=a(memory=6Gi)"),
        ("too much", vec![wants("r", "4Gi"), wants("q", "7Gi")], "-"),
        ("all of it", vec![exactly("r", 1)], "r=a(memory=10Gi)"),
    ] {
        assert_eq!(got(&[slices.clone()], claim(requests)), expected, "{what}");
    }
    let world = World::of(&[slices]);
    let before = world.allocate(&[claim(vec![wants("r", "8Gi")])]).expect("an allocation");
    let world = world.after(&before[0]);
    assert_eq!(world.got(&[claim(vec![wants("q", "2Gi")])]), ["q=a(memory=2Gi)"]);
    assert_eq!(world.got(&[claim(vec![wants("q", "3Gi")])]), ["-"]);
}

#[test]
fn what_is_allocated_says_from_where_it_can_be_reached() {
    let requirement = |key: &str| NodeSelectorRequirement {
        key: key.into(),
        operator: "Exists".into(),
        values: Vec::new(),
    };
    let labelled = |key: &str| {
        let term = NodeSelectorTerm { match_expressions: vec![requirement(key)], ..Default::default() };
        Some(Box::new(NodeSelector { node_selector_terms: vec![term].into() }))
    };
    let mut zone = slice("s", "", &["a"]);
    zone.spec.node_selector = labelled("zone");
    let mut each = slice("s", "", &["a", "b"]);
    each.spec.per_device_node_selection = Some(true);
    each.spec.devices[0].node_name = Some("m".into());
    each.spec.devices[1].node_selector = labelled("zone");
    let mut bound = everywhere(slice("s", "", &["a"]));
    bound.spec.devices[0].binds_to_node = Some(true);
    for (what, slice, expected) in [
        ("the node's own", slice("s", "n", &["a"]), "name=n"),
        ("everywhere", everywhere(slice("s", "", &["a"])), "anywhere"),
        ("where a label is", zone, "zone"),
        ("device by device", each, "zone"),
        ("bound to a node", bound, "name=n"),
    ] {
        let found = World::of(&[slice]).allocate(&[claim(vec![exactly("r", 1)])]).expect("an allocation");
        let shown = match found[0].node_selector.as_deref() {
            None => "anywhere".to_owned(),
            Some(selector) => {
                let term = &selector.node_selector_terms[0];
                let fields = term.match_fields.iter().map(|own| format!("name={}", own.values.join(",")));
                fields.chain(term.match_expressions.iter().map(|own| own.key.clone())).collect()
            }
        };
        assert_eq!(shown, expected, "{what}");
    }
}

#[test]
fn configurations_of_classes_and_claims_come_along() {
    let opaque = |driver: &str| api_types::resource::v1::DeviceConfiguration {
        opaque: Some(Box::new(OpaqueDeviceConfiguration { driver: driver.into(), ..Default::default() })),
    };
    let mut world = World::of(&[slice("s", "n", &["a", "b", "c"])]);
    world.class.spec.config = vec![DeviceClassConfiguration { device_configuration: opaque("class") }];
    let of_claim = |requests: &[&str], driver: &str| DeviceClaimConfiguration {
        requests: requests.iter().map(|name| (*name).to_owned()).collect(),
        device_configuration: opaque(driver),
    };
    let mut claim = claim(vec![exactly("q", 1), either("r", &[9, 1])]);
    claim.spec.devices.config = vec![
        of_claim(&[], "for-all"),
        of_claim(&["r/1"], "second"),
        of_claim(&["r/0"], "first"),
        of_claim(&["r", "q"], "both"),
    ];
    let found = world.allocate(&[claim]).expect("an allocation");
    let shown: Vec<String> = found[0]
        .devices
        .config
        .iter()
        .map(|own| {
            let driver = own.device_configuration.opaque.as_ref().map_or("", |opaque| &opaque.driver);
            format!("{} {} {driver}", own.source, own.requests.join(","))
        })
        .collect();
    assert_eq!(shown, ["FromClass  class", "FromClaim  for-all", "FromClaim r/1 second", "FromClaim  both"]);
}
