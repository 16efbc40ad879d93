//! The rows of the group `flowcontrol.apiserver`: who waits for whom at a busy server.

pub mod flow_schema;
mod mandatory;
pub mod priority_level_configuration;
mod rules;
