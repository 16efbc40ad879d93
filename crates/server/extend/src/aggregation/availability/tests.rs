//! Worlds of services, and what is said of the APIServices that lead to them.

use api_kinds_more::apiregistration::api_service::condition;
use api_types::apiregistration::v1::ServiceReference;
use api_types::core::v1::ServicePort;
use api_types::discovery::v1::{Endpoint, EndpointPort};
use client::Revision;

use super::super::tests::nothing;
use super::*;

fn api_service() -> APIService {
    let mut service = APIService::default();
    service.metadata.name = "v1.shop".to_owned();
    service.metadata.uid = "u".to_owned();
    service.spec.group = "shop".to_owned();
    service.spec.version = "v1".to_owned();
    let (namespace, name) = ("shop".to_owned(), "api".to_owned());
    service.spec.service = Some(Box::new(ServiceReference { namespace, name, port: Some(443) }));
    service
}

fn service(type_: &str, port: i32) -> Service {
    let mut service = Service::default();
    service.metadata.namespace = "shop".to_owned();
    service.metadata.name = "api".to_owned();
    service.spec.type_ = type_.to_owned();
    service.spec.ports = vec![ServicePort { name: "https".to_owned(), port, ..ServicePort::default() }];
    service
}

fn slice(port: &str, ready: Option<bool>) -> EndpointSlice {
    let mut slice = EndpointSlice { address_type: "IPv4".to_owned(), ..EndpointSlice::default() };
    slice.metadata.namespace = "shop".to_owned();
    slice.metadata.name = "api-1".to_owned();
    slice.metadata.labels.insert(SERVICE_NAME.to_owned(), "api".to_owned());
    let mut endpoint = Endpoint { addresses: vec!["10.0.0.1".to_owned()].into(), ..Endpoint::default() };
    endpoint.conditions.ready = ready;
    slice.endpoints = vec![endpoint].into();
    let port = EndpointPort { name: Some(port.to_owned()), port: Some(6443), ..EndpointPort::default() };
    slice.ports = vec![port].into();
    slice
}

fn world(services: Vec<Service>, slices: Vec<EndpointSlice>) -> World {
    World::default().with([api_service()], Revision(7)).with(services, Revision(7)).with(slices, Revision(7))
}

fn said(plan: &Plan) -> String {
    let write = plan.writes().next().and_then(|write| write.object::<APIService>());
    let own = write.and_then(|service| condition(service, "Available"));
    own.map(|own| format!("{} {}: {}", own.status, own.reason, own.message)).unwrap_or_default()
}

#[tokio::test]
async fn what_the_cluster_knows_is_said_without_asking() {
    let key = "v1.shop".to_owned();
    for (services, slices, wanted) in [
        (vec![], vec![], r#"False ServiceNotFound: service/api in "shop" is not present"#),
        (
            vec![service("ClusterIP", 80)],
            vec![],
            r#"False ServicePortError: service/api in "shop" is not listening on port 443"#,
        ),
        (
            vec![service("ClusterIP", 443)],
            vec![],
            r#"False EndpointsNotFound: cannot find endpointslices for service/api in "shop""#,
        ),
        (
            vec![service("ClusterIP", 443)],
            vec![slice("other", None)],
            r#"False MissingEndpoints: endpointslices for service/api in "shop" have no addresses with port name "https""#,
        ),
        (
            vec![service("ClusterIP", 443)],
            vec![slice("https", Some(false))],
            r#"False MissingEndpoints: endpointslices for service/api in "shop" have no addresses with port name "https""#,
        ),
    ] {
        let plan = Availability::new(nothing()).plan(&key, &world(services, slices), Time::EPOCH);
        assert_eq!((said(&plan).as_str(), plan.asks.len()), (wanted, 0));
    }
}

#[tokio::test]
async fn whoever_may_be_there_is_asked_and_the_answer_holds_for_a_while() {
    let (controller, key) = (Availability::new(nothing()), "v1.shop".to_owned());
    let world = world(vec![service("ClusterIP", 443)], vec![slice("https", None)]);
    let plan = controller.plan(&key, &world, Time::EPOCH);
    assert_eq!(
        (plan.describe(), plan.again),
        (vec!["ask whether v1.shop is answered".to_owned()], Some(Duration::ZERO))
    );
    // The views of this test's server show no such service.
    (plan.asks[0].work)().await.expect("asking fails nobody");
    let probes = controller.probes.lock().expect("nobody panics").remove(&key).expect("an answer");
    let after = probes.until;
    controller.probes.lock().expect("nobody panics").insert(key.clone(), probes);
    let now = after - Duration::from_millis(100);
    let plan = controller.plan(&key, &world, now);
    assert_eq!(said(&plan), r#"False FailedDiscoveryCheck: service "api" not found"#);
    assert_eq!((plan.asks.len(), plan.again), (0, Some(Duration::from_millis(100))));
    assert_eq!(controller.plan(&key, &world, after).asks.len(), 1);
    let mut other = slice("https", None);
    other.metadata.resource_version = "8".to_owned();
    let changed = super::tests::world(vec![service("ClusterIP", 443)], vec![other]);
    assert_eq!(controller.plan(&key, &changed, now).asks.len(), 1);
}

#[test]
fn failures_are_asked_after_less_and_less_often() {
    let waits: Vec<u128> = [1, 2, 3, 8, 40].map(|failures| wait(failures).as_millis()).to_vec();
    assert_eq!(waits, [250, 500, 1000, 30_000, 30_000]);
    assert_eq!(wait(0), PROBE_AGAIN);
}
