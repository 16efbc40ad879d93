//! The agent on the real kernel, with a small API in memory: needs root and busybox-static. Every test has its own directories, control
//! groups and network namespace, and takes them away also when it fails.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::disallowed_types, reason = "tests")]

mod api;
mod debugging;
mod dropped;
mod features;
mod full;
mod garbage;
mod images;
mod lab;
mod lifecycle;
mod node;
mod reached;
mod requests;
mod shown;
mod signed;
