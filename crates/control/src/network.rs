//! Controllers of the network: which pods stand behind a service, and which addresses services have.

mod backend;
mod endpoint_slice;
mod endpoint_slice_mirror;
mod endpoints;
mod service_address;
mod service_cidr;
mod trigger;

pub use endpoint_slice::EndpointSlices;
pub use endpoint_slice_mirror::EndpointSliceMirroring;
pub use endpoints::EndpointsObjects;
pub use service_address::ServiceAddresses;
pub use service_cidr::ServiceCidrs;
