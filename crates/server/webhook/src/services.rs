//! Where a service is reached.

use std::sync::{Arc, OnceLock};

use api_meta::quote;
use api_types::core::v1::Service;
use api_types::discovery::v1::EndpointSlice;
use base::random::Random;
use client::{RawView, Resource, view};

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
        let services = services.snapshot();
        let found = services.get(namespace, name).and_then(|object| object.downcast_ref::<Service>());
        let quoted = quote::go(name);
        let service = found.ok_or_else(|| format!("service {quoted} not found"))?;
        let own = &service.spec;
        match own.type_.as_str() {
            "ClusterIP" | "NodePort" | "LoadBalancer" => {}
            // Where no endpoints are known the name of those who serve it is: as with routing by the cluster's addresses.
            "ExternalName" => return Ok((own.external_name.clone(), port)),
            other => {
                return Err(format!("unsupported service type {}", quote::go(other)));
            }
        }
        let numbered = own.ports.iter().find(|own| own.port == i32::from(port));
        let numbered =
            numbered.ok_or_else(|| format!("no service port {port} found for service {quoted}"))?;
        let family = own.ip_families.first().map_or("", String::as_str);
        let slices = slices.snapshot();
        let slices = view::typed::<EndpointSlice>(slices.in_namespace(namespace));
        let candidates = endpoint::candidates(slices, name, &numbered.name, family, &*self.random);
        let first = candidates.first();
        let first = first.ok_or_else(|| format!("no endpoints available for service {quoted}"))?;
        Ok((first.address.ip().to_string(), first.address.port()))
    }
}

#[cfg(test)]
mod tests;
