//! Where a service is reached.

use std::sync::{Arc, OnceLock};

use api_meta::quote;
use api_types::core::v1::Service;
use api_types::discovery::v1::EndpointSlice;
use base::random::Random;
use client::{RawView, Resource, Snapshot, view};

use crate::endpoint;

/// Finds one of those who serve a service.
pub trait Services: Send + Sync {
    /// The host, an address or a name, and the port that a service's port is served at.
    ///
    /// # Errors
    /// When there is none, in upstream's words.
    fn find(&self, namespace: &str, name: &str, port: u16) -> Result<(String, u16), String>;
}

/// Finds them by what views show. (`apiserver/pkg/util/proxy`, `ResolveEndpoint`.)
pub struct Endpoints {
    views: OnceLock<[RawView; 2]>,
    random: Arc<dyn Random>,
}

impl Endpoints {
    /// What [`Endpoints::follow`] wants views of: services, and their endpoints.
    pub const RESOURCES: [Resource; 2] =
        [Resource::of("", "v1", "services"), Resource::of("discovery.k8s.io", "v1", "endpointslices")];

    /// Without any view yet: whoever asks webhooks is there before the API that shows them.
    pub fn new(random: Arc<dyn Random>) -> Endpoints {
        Endpoints { views: OnceLock::new(), random }
    }

    /// Finds services by views of all [`Endpoints::RESOURCES`] from now on; said once.
    pub fn follow(&self, views: [RawView; 2]) {
        let _ = self.views.set(views);
    }
}

impl Services for Endpoints {
    fn find(&self, namespace: &str, name: &str, port: u16) -> Result<(String, u16), String> {
        let [services, slices] = self.views.get().ok_or("the services are not known yet")?;
        let place = (namespace, name, i32::from(port));
        resolve(&services.snapshot(), &slices.snapshot(), place, &*self.random)
    }
}

/// The host and the port at which a service's port is served, by what is known of services and of the slices of their endpoints; the service
/// is named by its namespace, its name and its port.
///
/// # Errors
/// Why there is none, in upstream's words.
pub fn resolve(
    services: &Snapshot,
    slices: &Snapshot,
    (namespace, name, port): (&str, &str, i32),
    random: &dyn Random,
) -> Result<(String, u16), String> {
    let found = services.get(namespace, name).and_then(|object| object.downcast_ref::<Service>());
    let quoted = quote::go(name);
    let service = found.ok_or_else(|| format!("service {quoted} not found"))?;
    let own = &service.spec;
    let unknown = || format!("no service port {port} found for service {quoted}");
    match own.type_.as_str() {
        "ClusterIP" | "NodePort" | "LoadBalancer" => {}
        // Where no endpoints are known the name of those who serve it is: as with routing by the cluster's addresses.
        "ExternalName" => {
            return Ok((own.external_name.clone(), u16::try_from(port).map_err(|_| unknown())?));
        }
        other => {
            return Err(format!("unsupported service type {}", quote::go(other)));
        }
    }
    let numbered = own.ports.iter().find(|own| own.port == port).ok_or_else(unknown)?;
    let family = own.ip_families.first().map_or("", String::as_str);
    let slices = view::typed::<EndpointSlice>(slices.in_namespace(namespace));
    let candidates = endpoint::candidates(slices, name, &numbered.name, family, random);
    let first = candidates.first();
    let first = first.ok_or_else(|| format!("no endpoints available for service {quoted}"))?;
    Ok((first.address.ip().to_string(), first.address.port()))
}

#[cfg(test)]
mod tests;
