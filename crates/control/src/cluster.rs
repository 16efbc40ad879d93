//! Controllers of the cluster itself: namespaces and what every one has, garbage, nodes, certificates.

mod garbage;
mod namespace;
mod root_ca;
mod service_account;

pub use garbage::{Garbage, Id};
pub use namespace::Namespaces;
pub use root_ca::RootCa;
pub use service_account::ServiceAccounts;
