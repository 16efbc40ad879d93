//! The commands, each done with the parts that it needs.

pub mod image;
pub mod server;
