//! The real binary, driven by the real kubectl.
//!
//! Each test starts a server of its own in a directory of its own, on a free port, and stops it again, also when it fails.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "tests start programs and wait for them"
)]

mod aggregation;
mod alone;
mod apart;
mod application;
mod apply;
mod autoscale;
mod certificates;
mod commands;
mod configuration;
mod control_plane;
mod conversion;
mod custom_apply;
mod daemon_sets;
mod definitions;
mod dns;
mod drain;
mod events;
mod faults;
mod harbour;
mod harness;
mod hook;
mod identities;
mod jobs;
mod neighbours;
mod network;
mod offered;
mod permissions;
mod pod_access;
mod policies;
mod proxy;
mod raw;
mod ready;
mod reboot;
mod resize;
mod rules;
mod second_node;
mod server;
mod session;
mod stateful;
mod usage;
mod volumes;
mod waiting;
mod webhooks;
mod why;
