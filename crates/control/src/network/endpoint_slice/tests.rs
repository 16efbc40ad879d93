//! Services, pods and the slices that they lead to.

use api_record::scalar::IntOrString;
use api_types::core::v1::{Container, ContainerPort, PodCondition, PodIP, ServicePort};
use client::Revision;

use super::*;

fn service() -> Service {
    let mut service = Service::default();
    service.metadata.name = "web".into();
    service.metadata.namespace = "shop".into();
    service.metadata.uid = "su".into();
    service.spec.cluster_ip = "10.96.0.1".into();
    service.spec.ip_families = vec!["IPv4".into()];
    service.spec.selector = [("app".to_owned(), "web".to_owned())].into();
    service.spec.ports = vec![ServicePort {
        name: "http".into(),
        protocol: "TCP".into(),
        port: 80,
        target_port: IntOrString::String("web".into()),
        ..ServicePort::default()
    }];
    service
}

fn pod(number: usize, ready: bool) -> Pod {
    let mut pod = Pod::default();
    pod.metadata.name = format!("p{number:03}");
    pod.metadata.uid = format!("u{number:03}");
    pod.metadata.namespace = "shop".into();
    pod.metadata.labels = [("app".to_owned(), "web".to_owned())].into();
    pod.spec.node_name = "n".into();
    let port = ContainerPort {
        name: "web".into(),
        container_port: 8080,
        protocol: "TCP".into(),
        ..Default::default()
    };
    pod.spec.containers = vec![Container { ports: vec![port], ..Container::default() }].into();
    pod.status.phase = "Running".into();
    pod.status.pod_ip = format!("10.0.{}.{}", number / 256, number % 256);
    pod.status.pod_ips =
        vec![PodIP { ip: pod.status.pod_ip.clone() }, PodIP { ip: format!("fd00::{number}") }];
    if ready {
        let ready = PodCondition { type_: "Ready".into(), status: "True".into(), ..PodCondition::default() };
        pod.status.conditions = vec![ready];
    }
    pod
}

fn zoned_node() -> Node {
    let mut node = Node::default();
    node.metadata.name = "n".into();
    node.metadata.labels = [(ZONE.to_owned(), "z".to_owned())].into();
    node
}

fn plan(service: Service, pods: &[Pod], slices: &[EndpointSlice]) -> Plan {
    plan_on([zoned_node()], service, pods, slices)
}

fn plan_on(
    nodes: impl IntoIterator<Item = Node>,
    service: Service,
    pods: &[Pod],
    slices: &[EndpointSlice],
) -> Plan {
    let world = World::default()
        .with([service], Revision(1))
        .with(pods.to_vec(), Revision(1))
        .with(slices.to_vec(), Revision(1))
        .with(nodes, Revision(1));
    EndpointSlices.plan(&name("shop", "web"), &world, Time::EPOCH)
}

fn made(plan: &Plan) -> Vec<EndpointSlice> {
    let slices = plan.writes().filter_map(|write| write.object::<EndpointSlice>().cloned());
    let mut slices: Vec<EndpointSlice> = slices.collect();
    for (number, slice) in slices.iter_mut().enumerate() {
        if slice.metadata.name.is_empty() {
            slice.metadata.name = format!("web-{number}");
        }
    }
    slices
}

#[test]
fn an_endpoint_says_where_its_pod_is_and_how_it_does() {
    let mut going = pod(2, true);
    going.metadata.deletion_timestamp = Some(Default::default());
    let mut ended = pod(3, true);
    ended.status.phase = "Succeeded".into();
    let slices = made(&plan(service(), &[pod(1, true), going, ended, pod(4, false)], &[]));
    assert_eq!(slices.len(), 1);
    let slice = &slices[0];
    assert_eq!((slice.address_type.as_str(), slice.metadata.generate_name.as_str()), ("IPv4", "web-"));
    assert_eq!(slice.metadata.labels[MANAGED_BY], MANAGER);
    assert_eq!((slice.ports[0].name.as_deref(), slice.ports[0].port), (Some("http"), Some(8080)));
    let shown: Vec<_> = slice
        .endpoints
        .iter()
        .map(|it| {
            (it.addresses[0].as_str(), it.conditions.ready, it.conditions.serving, it.conditions.terminating)
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("10.0.0.1", Some(true), Some(true), Some(false)),
            ("10.0.0.2", Some(false), Some(true), Some(true)),
            ("10.0.0.4", Some(false), Some(false), Some(false)),
        ]
    );
    assert_eq!(slice.endpoints[0].node_name.as_deref(), Some("n"));
}

#[test]
fn what_is_in_place_stays() {
    let pods: Vec<Pod> = (0..150).map(|number| pod(number, true)).collect();
    let slices = made(&plan(service(), &pods, &[]));
    assert_eq!(slices.iter().map(|slice| slice.endpoints.len()).collect::<Vec<_>>(), [100, 50]);
    assert!(plan(service(), &pods, &slices).stages.is_empty());
    let changed = plan(service(), &pods[1..], &slices);
    assert_eq!(changed.describe(), ["update endpointslices.discovery.k8s.io shop/web-0"]);
    let fewer = plan(service(), &pods[..100], &slices);
    assert_eq!(fewer.describe(), ["delete endpointslices.discovery.k8s.io shop/web-1"]);
}

#[test]
fn a_service_without_pods_has_an_empty_slice() {
    let empty = made(&plan(service(), &[], &[]));
    assert_eq!((empty.len(), empty[0].endpoints.len()), (1, 0));
    assert!(plan(service(), &[], &empty).stages.is_empty());
    let used = plan(service(), &[pod(1, true)], &empty);
    assert_eq!(used.describe(), ["update endpointslices.discovery.k8s.io shop/web-0"]);
}

#[test]
fn families_and_headless_services_are_told_apart() {
    let mut dual = service();
    dual.spec.cluster_ip = "None".into();
    dual.spec.ip_families.push("IPv6".into());
    dual.spec.publish_not_ready_addresses = true;
    let mut named = pod(1, false);
    named.spec.hostname = "one".into();
    named.spec.subdomain = "web".into();
    let slices = made(&plan(dual, &[named.clone()], &[]));
    let shown: Vec<_> = slices
        .iter()
        .map(|slice| (slice.address_type.as_str(), slice.endpoints[0].addresses[0].as_str()))
        .collect();
    assert_eq!(shown, [("IPv4", "10.0.0.1"), ("IPv6", "fd00::1")]);
    assert!(slices[0].metadata.labels.contains_key(HEADLESS));
    assert_eq!(slices[0].endpoints[0].hostname.as_deref(), Some("one"));
    assert_eq!(slices[0].endpoints[0].conditions.ready, Some(true));
    let single = plan(service(), &[named], &slices);
    assert!(single.describe().contains(&"delete endpointslices.discovery.k8s.io shop/web-1".to_owned()));
}

#[test]
fn services_without_selector_are_left_alone() {
    let mut bare = service();
    bare.spec.selector.clear();
    assert!(plan(bare, &[pod(1, true)], &[]).stages.is_empty());
}

#[test]
fn a_pod_of_a_node_that_is_not_there_is_left_out_and_looked_at_again() {
    let plan = plan_on([], service(), &[pod(1, true)], &[]);
    assert_eq!(made(&plan)[0].endpoints.len(), 0);
    let why = plan.failure.as_ref().map(|status| status.message.clone()).unwrap_or_default();
    assert!(why.ends_with("skipping Pod p001 for Service shop/web: Node n Not Found"), "{why}");
    let publishing = |service: &mut Service| service.spec.publish_not_ready_addresses = true;
    let mut eager = service();
    publishing(&mut eager);
    let plan = plan_on([], eager, &[pod(1, true)], &[]);
    assert_eq!((made(&plan)[0].endpoints.len(), plan.failure.is_none()), (1, true));
}

#[test]
fn slices_of_an_earlier_service_of_the_name_go() {
    let mut before = service();
    before.metadata.uid = "earlier".into();
    let old = made(&plan(before, &[pod(1, true)], &[]));
    let plan = plan(service(), &[pod(1, true)], &old);
    assert_eq!(
        plan.describe(),
        ["delete endpointslices.discovery.k8s.io shop/web-0", "create endpointslices.discovery.k8s.io shop/"]
    );
}

#[test]
fn whose_traffic_endpoints_are_for_is_as_the_service_says() {
    let shown = |distribution: Option<&str>, annotations: &[(&str, &str)], ready: bool| {
        let mut service = service();
        service.spec.traffic_distribution = distribution.map(str::to_owned);
        service.metadata.annotations =
            annotations.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let slices = made(&plan(service, &[pod(1, ready)], &[]));
        slices[0].endpoints[0].hints.as_deref().map(|hints| {
            let zones: Vec<_> = hints.for_zones.iter().map(|zone| zone.name.clone()).collect();
            let nodes: Vec<_> = hints.for_nodes.iter().map(|node| node.name.clone()).collect();
            (zones.concat(), nodes.concat())
        })
    };
    let hints = |zone: &str, node: &str| Some((zone.to_owned(), node.to_owned()));
    assert_eq!(shown(None, &[], true), None);
    assert_eq!(shown(Some("PreferClose"), &[], true), hints("z", ""));
    assert_eq!(shown(Some("PreferSameZone"), &[], true), hints("z", ""));
    assert_eq!(shown(Some("PreferSameNode"), &[], true), hints("z", "n"));
    assert_eq!(shown(Some("PreferSameNode"), &[], false), None);
    let by_annotation = [("service.kubernetes.io/topology-mode", "Auto")];
    assert_eq!(shown(Some("PreferSameNode"), &by_annotation, true), None);
    let switched_off = [("service.kubernetes.io/topology-aware-hints", "Disabled"), by_annotation[0]];
    assert_eq!(shown(Some("PreferSameZone"), &switched_off, true), hints("z", ""));
}

#[test]
fn slices_say_when_that_happened_which_they_were_written_for() {
    let at = |seconds: i64| Some(scalar::Time { seconds });
    let since = |mut pod: Pod, seconds: i64| {
        pod.status.conditions.iter_mut().for_each(|condition| condition.last_transition_time = at(seconds));
        pod
    };
    let led_by = |plan: &Plan| {
        made(plan)[0].metadata.annotations.get("endpoints.kubernetes.io/last-change-trigger-time").cloned()
    };
    let mut service = service();
    service.metadata.creation_timestamp = at(100);
    let first = plan(service.clone(), &[since(pod(1, true), 110)], &[]);
    assert_eq!(led_by(&first).as_deref(), Some("1970-01-01T00:01:40Z"), "the service's own");
    let slices = made(&first);
    let pods = [since(pod(1, true), 110), since(pod(2, true), 150), since(pod(3, true), 140)];
    let more = plan(service.clone(), &pods, &slices);
    assert_eq!(led_by(&more).as_deref(), Some("1970-01-01T00:02:20Z"), "the first that came to be ready");
    assert!(plan(service.clone(), &pods, &made(&more)).stages.is_empty());
    let fewer = plan(service, &pods[..2], &made(&more));
    assert_eq!(led_by(&fewer), None, "when a pod went nobody knows");
}
