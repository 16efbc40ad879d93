//! The store as its users see it: registries on the loopback interface, archives, several processes, a full disk.
//! Takes root, as the node does.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests of a shell: they make files and serve on the loopback interface"
)]

mod archives;
mod collecting;
mod fixture;
mod interrupted;
mod mirrors;
mod overlay;
mod pulling;
mod registry;
