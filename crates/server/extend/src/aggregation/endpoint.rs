//! Which slices hold a service's endpoints, and whether anybody is there, as upstream's availability controller asks.

use api_types::discovery::v1::EndpointSlice;
use server_webhook::endpoint::SERVICE_NAME;

use super::route::Backend;

/// Whether a slice holds endpoints of the service.
pub(super) fn is_of(slice: &EndpointSlice, backend: &Backend) -> bool {
    slice.metadata.namespace == backend.namespace
        && slice.metadata.labels.get(SERVICE_NAME) == Some(&backend.name)
}

/// Whether one of the slices has both somebody ready and the port.
pub(super) fn has_available<'a>(slices: impl IntoIterator<Item = &'a EndpointSlice>, port: &str) -> bool {
    slices.into_iter().any(|slice| {
        slice.endpoints.iter().any(|endpoint| endpoint.conditions.ready != Some(false))
            && slice.ports.iter().any(|own| own.name.as_deref() == Some(port) && own.port.is_some())
    })
}

#[cfg(test)]
mod tests {
    use api_types::discovery::v1::{Endpoint, EndpointPort};

    use super::*;

    fn slice(ready: &[Option<bool>], port: &str) -> EndpointSlice {
        let mut slice = EndpointSlice::default();
        slice.metadata.namespace = "shop".to_owned();
        slice.metadata.labels.insert(SERVICE_NAME.to_owned(), "api".to_owned());
        let endpoint = |ready: &Option<bool>| {
            let mut endpoint = Endpoint::default();
            endpoint.conditions.ready = *ready;
            endpoint
        };
        slice.endpoints = ready.iter().map(endpoint).collect::<Vec<_>>().into();
        let port = EndpointPort { name: Some(port.to_owned()), port: Some(6443), ..EndpointPort::default() };
        slice.ports = vec![port].into();
        slice
    }

    #[test]
    fn somebody_is_there_who_has_the_port() {
        let of = |ready: &[Option<bool>], port: &str| has_available([&slice(ready, port)], "https");
        assert!(of(&[Some(false), None], "https") && of(&[Some(true)], "https"));
        assert!(!of(&[Some(true)], "other") && !of(&[Some(false)], "https") && !of(&[], "https"));
    }

    #[test]
    fn slices_are_of_their_namespaces_services() {
        let backend =
            |namespace: &str| Backend { namespace: namespace.to_owned(), name: "api".to_owned(), port: 443 };
        assert!(is_of(&slice(&[], "https"), &backend("shop")));
        assert!(!is_of(&slice(&[], "https"), &backend("other")));
    }
}
