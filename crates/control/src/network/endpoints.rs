//! Endpoints, the older form of EndpointSlices, of services with a selector. Upstream: `pkg/controller/endpoint`.

use std::collections::BTreeMap;

use api_record::scalar;
use api_types::core::v1::{EndpointAddress, EndpointPort, EndpointSubset, Endpoints, Pod, Service};
use base::time::Time;
use client::reconcile::{Controller, Name, Plan, Wires, World, Write};

use super::{backend, trigger};
use control_base::pod;

const HEADLESS: &str = "service.kubernetes.io/headless";
const MANAGED_BY: &str = "endpoints.kubernetes.io/managed-by";
const OVER_CAPACITY: &str = "endpoints.kubernetes.io/over-capacity";
/// How many addresses an object may have (`maxCapacity`).
const CAPACITY: usize = 1000;

/// The controller of Endpoints.
pub struct EndpointsObjects;

impl Controller for EndpointsObjects {
    const NAME: &'static str = "endpoint-controller";
    type Key = Name;

    fn wire(&self, wires: &mut Wires<Name>) {
        wires.primary::<Service>();
        wires.primary::<Endpoints>();
        wires.maps::<Pod>(backend::services_of);
    }

    fn plan(&self, (namespace, name): &Name, world: &World, _: Time) -> Plan {
        let mut plan = Plan::default();
        let current = world.get::<Endpoints>(namespace, name);
        let Some(service) = world.get::<Service>(namespace, name) else {
            // Endpoints without a service may be anybody's (a leader election's): only our own go.
            let own = current
                .filter(|it| it.metadata.labels.get(MANAGED_BY).map(String::as_str) == Some(Self::NAME));
            plan.stage(own.map(Write::delete));
            return plan;
        };
        if !backend::is_selecting(service) {
            return plan;
        }
        let mut new = current.cloned().unwrap_or_default();
        let (subsets, truncated) = subsets(service, world);
        new.subsets = subsets;
        new.metadata.labels = service.metadata.labels.clone();
        new.metadata.labels.remove(HEADLESS);
        if backend::is_headless(service) {
            new.metadata.labels.insert(HEADLESS.into(), String::new());
        }
        new.metadata.labels.insert(MANAGED_BY.into(), Self::NAME.into());
        new.metadata.annotations.remove(OVER_CAPACITY);
        if truncated {
            new.metadata.annotations.insert(OVER_CAPACITY.into(), "truncated".into());
        }
        let changed = changed(service, current, world);
        match current {
            Some(current) if *current == new => {}
            Some(_) => {
                trigger::note(&mut new.metadata, changed);
                plan.stage([Write::update(new)]);
            }
            None => {
                trigger::note(&mut new.metadata, changed);
                new.metadata.name.clone_from(name);
                new.metadata.namespace.clone_from(namespace);
                plan.stage([Write::create(new)]);
            }
        }
        plan
    }
}

/// When that happened which the object does not show yet.
fn changed(service: &Service, current: Option<&Endpoints>, world: &World) -> Option<scalar::Time> {
    let subsets = current.iter().flat_map(|current| &current.subsets);
    let shown = subsets.flat_map(|subset| {
        let ready = subset.addresses.iter().map(|address| (address, true));
        ready.chain(subset.not_ready_addresses.iter().map(|address| (address, false)))
    });
    let shown: BTreeMap<&str, bool> =
        shown.filter_map(|(address, ready)| Some((&*address.target_ref.as_ref()?.uid, ready))).collect();
    // Where those that are not ready are published too, their addresses do not say which they are.
    let publishing = service.spec.publish_not_ready_addresses;
    let was_ready = |pod: &Pod| {
        let shown = shown.get(&*pod.metadata.uid).copied();
        shown.map(|shown| if publishing { pod::is_ready(pod) } else { shown })
    };
    trigger::time(service, &backend::pods(service, world), current.map(|_| was_ready))
}

type Port = (String, i32, String, Option<String>);

/// The addresses grouped by the ports that they serve, and whether some had to be left out.
fn subsets(service: &Service, world: &World) -> (Vec<EndpointSubset>, bool) {
    let family = service.spec.ip_families.first().map(String::as_str);
    let family = family.or_else(|| backend::family_of(&service.spec.cluster_ip)).unwrap_or("IPv4");
    let publishing = service.spec.publish_not_ready_addresses;
    let mut addresses: BTreeMap<(Vec<Port>, bool), Vec<EndpointAddress>> = BTreeMap::new();
    for pod in backend::pods(service, world) {
        let staying = publishing || pod.metadata.deletion_timestamp.is_none();
        let Some(ip) = backend::address(pod, family).filter(|_| staying) else { continue };
        let ports = ports(service, pod);
        if ports.is_empty() && !(service.spec.ports.is_empty() && backend::is_headless(service)) {
            continue;
        }
        let ready = publishing || pod::is_ready(pod);
        addresses.entry((ports, ready)).or_default().push(address(service, pod, ip));
    }
    let total: usize = addresses.values().map(Vec::len).sum();
    (packed(addresses), total > CAPACITY)
}

fn packed(addresses: BTreeMap<(Vec<Port>, bool), Vec<EndpointAddress>>) -> Vec<EndpointSubset> {
    let mut subsets: BTreeMap<Vec<Port>, EndpointSubset> = BTreeMap::new();
    let mut room = CAPACITY;
    // Those that are ready first, if not all have room.
    let mut groups: Vec<_> = addresses.into_iter().collect();
    groups.sort_by_key(|((_, ready), _)| !ready);
    for ((ports, ready), mut list) in groups {
        list.sort_by(|a, b| a.ip.cmp(&b.ip));
        list.truncate(room);
        room -= list.len();
        let subset = subsets.entry(ports.clone()).or_insert_with(|| bare(&ports));
        *(if ready { &mut subset.addresses } else { &mut subset.not_ready_addresses }) = list;
    }
    subsets
        .into_values()
        .filter(|it| !it.addresses.is_empty() || !it.not_ready_addresses.is_empty())
        .collect()
}

fn bare(ports: &[Port]) -> EndpointSubset {
    let port = |(name, port, protocol, app_protocol): &Port| EndpointPort {
        name: name.clone(),
        port: *port,
        protocol: protocol.clone(),
        app_protocol: app_protocol.clone(),
    };
    EndpointSubset { ports: ports.iter().map(port).collect(), ..EndpointSubset::default() }
}

fn ports(service: &Service, pod: &Pod) -> Vec<Port> {
    let numbered = service.spec.ports.iter().filter_map(|port| {
        let number = backend::port_number(pod, port)?;
        Some((port.name.clone(), number, port.protocol.clone(), port.app_protocol.clone()))
    });
    let mut ports: Vec<Port> = numbered.collect();
    ports.sort();
    ports
}

fn address(service: &Service, pod: &Pod, ip: &str) -> EndpointAddress {
    EndpointAddress {
        ip: ip.to_owned(),
        hostname: backend::host_name(pod, service).unwrap_or_default().to_owned(),
        node_name: Some(pod.spec.node_name.clone()).filter(|node| !node.is_empty()),
        target_ref: Some(Box::new(backend::reference(pod))),
    }
}

#[cfg(test)]
mod tests {
    use api_record::scalar::IntOrString;
    use api_types::core::v1::{PodCondition, ServicePort};
    use client::Revision;
    use client::reconcile::name;

    use super::*;

    fn pod(number: u8, ready: bool) -> Pod {
        let mut pod = Pod::default();
        pod.metadata.name = format!("p{number}");
        pod.metadata.namespace = "shop".into();
        pod.metadata.labels = [("app".to_owned(), "web".to_owned())].into();
        pod.status.pod_ip = format!("10.0.0.{number}");
        let status = if ready { "True" } else { "False" };
        let ready = PodCondition { type_: "Ready".into(), status: status.into(), ..PodCondition::default() };
        pod.status.conditions = vec![ready];
        pod
    }

    fn service() -> Service {
        let mut service = Service::default();
        service.metadata.name = "web".into();
        service.metadata.namespace = "shop".into();
        service.spec.cluster_ip = "10.96.0.1".into();
        service.spec.selector = [("app".to_owned(), "web".to_owned())].into();
        let port = ServicePort { port: 80, protocol: "TCP".into(), ..ServicePort::default() };
        service.spec.ports = vec![ServicePort { target_port: IntOrString::Int(8080), ..port }];
        service
    }

    fn plan(services: Vec<Service>, endpoints: Vec<Endpoints>) -> Plan {
        plan_of([pod(2, true), pod(1, true), pod(3, false)], services, endpoints)
    }

    fn plan_of(
        pods: impl IntoIterator<Item = Pod>,
        services: Vec<Service>,
        endpoints: Vec<Endpoints>,
    ) -> Plan {
        let world =
            World::default().with(services, Revision(1)).with(pods, Revision(1)).with(endpoints, Revision(1));
        EndpointsObjects.plan(&name("shop", "web"), &world, Time::EPOCH)
    }

    #[test]
    fn addresses_are_grouped_by_ports_and_readiness() {
        let made = plan(vec![service()], vec![]);
        let endpoints: Endpoints = made.stages[0][0].object().cloned().expect("endpoints");
        let subset = &endpoints.subsets[0];
        assert_eq!(
            subset.addresses.iter().map(|it| it.ip.as_str()).collect::<Vec<_>>(),
            ["10.0.0.1", "10.0.0.2"]
        );
        assert_eq!(subset.not_ready_addresses[0].ip, "10.0.0.3");
        assert_eq!(subset.ports[0].port, 8080);
        assert!(plan(vec![service()], vec![endpoints.clone()]).stages.is_empty());
        assert_eq!(plan(vec![], vec![endpoints.clone()]).describe(), ["delete endpoints shop/web"]);
        let mut foreign = endpoints;
        foreign.metadata.labels.clear();
        assert!(plan(vec![], vec![foreign]).stages.is_empty());
    }
    #[test]
    fn they_say_when_that_happened_which_they_were_written_for() {
        let since = |mut pod: Pod, seconds: i64| {
            pod.metadata.uid = format!("u-{}", pod.metadata.name);
            let at = Some(scalar::Time { seconds });
            pod.status.conditions.iter_mut().for_each(|condition| condition.last_transition_time = at);
            pod
        };
        let made = |plan: &Plan| plan.stages[0][0].object::<Endpoints>().cloned().expect("endpoints");
        let led_by = |plan: &Plan| {
            made(plan).metadata.annotations.get("endpoints.kubernetes.io/last-change-trigger-time").cloned()
        };
        let mut service = service();
        service.metadata.creation_timestamp = Some(scalar::Time { seconds: 100 });
        let pods = || [since(pod(1, true), 110), since(pod(2, false), 110)];
        let first = plan_of(pods(), vec![service.clone()], vec![]);
        assert_eq!(led_by(&first).as_deref(), Some("1970-01-01T00:01:40Z"));
        let turned = [since(pod(1, false), 130), since(pod(2, true), 140)];
        let second = plan_of(turned, vec![service.clone()], vec![made(&first)]);
        assert_eq!(led_by(&second).as_deref(), Some("1970-01-01T00:02:10Z"), "ready no longer");
        let mut publishing = service.clone();
        publishing.spec.publish_not_ready_addresses = true;
        let published = plan_of(pods(), vec![publishing.clone()], vec![made(&first)]);
        assert_eq!(led_by(&published), None, "no pod has changed");
        publishing.spec.ports[0].target_port = IntOrString::Int(8081);
        assert_eq!(led_by(&plan_of(pods(), vec![publishing], vec![made(&published)])), None);
        let [stays, _] = pods();
        assert_eq!(led_by(&plan_of([stays], vec![service], vec![made(&first)])), None);
    }
}
