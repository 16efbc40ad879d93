//! The runtime on the real kernel: needs root and busybox-static. Every test has its own directories and control groups, and takes them
//! away also when it fails.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod confinement;
mod execs;
mod harness;
mod lifecycle;
mod survival;
mod unified;
