//! Controllers of the network: which pods stand behind a service.

mod backend;
mod endpoint_slice;
mod endpoints;

pub use endpoint_slice::EndpointSlices;
pub use endpoints::EndpointsObjects;
