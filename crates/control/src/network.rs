//! Controllers of the network: which pods stand behind a service.

mod backend;
mod endpoint_slice;
mod endpoints;
mod service_address;

pub use endpoint_slice::EndpointSlices;
pub use endpoints::EndpointsObjects;
pub use service_address::ServiceAddresses;
