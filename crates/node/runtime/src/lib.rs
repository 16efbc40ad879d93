//! Placeholder.
mod disk;
mod layout;
pub mod limits;
pub mod protocol;
pub mod seccomp;
pub mod shim;
pub mod spec;
pub mod state;
pub mod teardown;
