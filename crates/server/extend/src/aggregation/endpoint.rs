//! Where a service's server is: one of its ready endpoints, any of them.
//!
//! Follows `apiserver/pkg/util/proxy` (`ResolveEndpoint`), as upstream routes with `--enable-aggregator-routing`: the server need not be on a
//! machine from which the addresses of services lead anywhere. Names outside of the cluster are refused, as there.

use std::net::{IpAddr, SocketAddr};

use api_types::core::v1::Service;
use api_types::discovery::v1::EndpointSlice;
use base::random::Random;

use super::route::Backend;

/// The label that says whose endpoints a slice holds.
pub(super) const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// An address of a service's server.
///
/// # Errors
/// Why there is none, in upstream's words.
pub(super) fn resolve<'a>(
    backend: &Backend,
    service: Option<&Service>,
    slices: impl Iterator<Item = &'a EndpointSlice>,
    random: &dyn Random,
) -> Result<SocketAddr, String> {
    let Some(service) = service else { return Err(format!("service {:?} not found", backend.name)) };
    if !matches!(service.spec.type_.as_str(), "ClusterIP" | "LoadBalancer" | "NodePort") {
        return Err(format!("unsupported service type {:?}", service.spec.type_));
    }
    let port = service.spec.ports.iter().find(|port| port.port == backend.port);
    let port =
        port.ok_or_else(|| format!("no service port {} found for service {:?}", backend.port, backend.name))?;
    let mut slices: Vec<&EndpointSlice> = slices.filter(|slice| is_of(slice, backend)).collect();
    shuffle(&mut slices, random);
    let preferred = service.spec.ip_families.first().map_or("", String::as_str);
    slices.sort_by_key(|slice| slice.address_type != preferred);
    let found = slices.into_iter().find_map(|slice| any_ready(slice, &port.name, random));
    found.ok_or_else(|| format!("no endpoints available for service {:?}", backend.name))
}

/// Whether a slice holds endpoints of the service.
pub(super) fn is_of(slice: &EndpointSlice, backend: &Backend) -> bool {
    slice.metadata.namespace == backend.namespace
        && slice.metadata.labels.get(SERVICE_NAME) == Some(&backend.name)
}

/// Whether one of the slices has both somebody ready and the port, as upstream's availability controller asks.
pub(super) fn has_available<'a>(slices: impl IntoIterator<Item = &'a EndpointSlice>, port: &str) -> bool {
    slices.into_iter().any(|slice| {
        slice.endpoints.iter().any(|endpoint| endpoint.conditions.ready != Some(false))
            && slice.ports.iter().any(|own| own.name.as_deref() == Some(port) && own.port.is_some())
    })
}

fn any_ready(slice: &EndpointSlice, port: &str, random: &dyn Random) -> Option<SocketAddr> {
    let own = slice.ports.iter().find(|own| own.name.as_deref() == Some(port) && own.port.is_some())?;
    let port = u16::try_from(own.port?).ok()?;
    let ready = slice.endpoints.iter().filter(|endpoint| endpoint.conditions.ready != Some(false));
    let all: Vec<IpAddr> = ready.filter_map(|endpoint| endpoint.addresses.first()?.parse().ok()).collect();
    let address = *all.get(below(all.len(), random))?;
    Some(SocketAddr::new(address, port))
}

/// Any number below another; nought if there is none.
fn below(count: usize, random: &dyn Random) -> usize {
    let mut bytes = [0; 8];
    random.fill(&mut bytes);
    usize::try_from(u64::from_le_bytes(bytes) % (count.max(1) as u64)).unwrap_or_default()
}

fn shuffle<T>(items: &mut [T], random: &dyn Random) {
    for last in (1..items.len()).rev() {
        items.swap(last, below(last + 1, random));
    }
}

#[cfg(test)]
mod tests {
    use api_types::core::v1::ServicePort;
    use api_types::discovery::v1::{Endpoint, EndpointPort};
    use base::random::SystemRandom;

    use super::*;

    fn backend() -> Backend {
        Backend { namespace: "shop".to_owned(), name: "api".to_owned(), port: 443 }
    }

    fn service() -> Service {
        let mut service = Service::default();
        service.spec.type_ = "ClusterIP".to_owned();
        service.spec.ports =
            vec![ServicePort { name: "https".to_owned(), port: 443, ..ServicePort::default() }];
        service
    }

    fn slice(addresses: &[(&str, Option<bool>)], port: Option<&str>) -> EndpointSlice {
        let mut slice = EndpointSlice { address_type: "IPv4".to_owned(), ..EndpointSlice::default() };
        slice.metadata.namespace = "shop".to_owned();
        slice.metadata.labels.insert(SERVICE_NAME.to_owned(), "api".to_owned());
        let endpoint = |(address, ready): &(&str, Option<bool>)| {
            let mut endpoint =
                Endpoint { addresses: vec![(*address).to_owned()].into(), ..Endpoint::default() };
            endpoint.conditions.ready = *ready;
            endpoint
        };
        slice.endpoints = addresses.iter().map(endpoint).collect::<Vec<_>>().into();
        let port =
            EndpointPort { name: port.map(str::to_owned), port: Some(6443), ..EndpointPort::default() };
        slice.ports = vec![port].into();
        slice
    }

    fn found(service: Option<&Service>, slices: &[EndpointSlice]) -> Result<String, String> {
        resolve(&backend(), service, slices.iter(), &SystemRandom).map(|address| address.to_string())
    }

    #[test]
    fn one_that_is_ready_is_found() {
        let own = service();
        let slices = [
            slice(&[("10.0.0.1", Some(true))], Some("other")),
            slice(&[("10.0.0.2", Some(false)), ("10.0.0.3", None)], Some("https")),
        ];
        assert_eq!(found(Some(&own), &slices).as_deref(), Ok("10.0.0.3:6443"));
        assert!(has_available(&slices[1..], "https") && !has_available(&slices[..1], "https"));
        let none = Err("no endpoints available for service \"api\"".to_owned());
        assert_eq!(found(Some(&own), &slices[..1]), none);
        let mut elsewhere = slices[1].clone();
        elsewhere.metadata.namespace = "other".to_owned();
        assert_eq!(found(Some(&own), &[elsewhere]), none);
    }

    #[test]
    fn what_is_no_way_is_told() {
        assert_eq!(found(None, &[]), Err("service \"api\" not found".to_owned()));
        let mut own = service();
        own.spec.ports[0].port = 80;
        assert_eq!(found(Some(&own), &[]), Err("no service port 443 found for service \"api\"".to_owned()));
        own.spec.type_ = "ExternalName".to_owned();
        assert_eq!(found(Some(&own), &[]), Err("unsupported service type \"ExternalName\"".to_owned()));
    }
}
