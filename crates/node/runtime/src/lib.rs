//! The container runtime that is built in: pods, containers and execs on this node, one small shim process per pod.
//!
//! Layer: node; below the agent, above `host`. It knows nothing of the Kubernetes API: the agent says what to run.
//!
//! Entry points: [`Runtime`] and [`PodHandle`] for the agent (tokio), [`shim::main`] for the binary's `shim` subcommand.
//!
//! Invariants:
//! - The container library is called only in forked, single-threaded workers of a shim, never in the agent.
//! - Nothing the agent does or suffers disturbs a container; nothing a shim suffers stops one.
//! - An ending is on disk before anybody is told.
//! - What cannot be applied (a capability, a filter, a device rule, a sysctl) fails the start: nothing runs with less confinement than asked.
//! - No container can change the program that shims run.
//! - Taking away is idempotent and leaves nothing: mounts, namespaces, control groups, streams, sockets.
//!
//! State and what survives: `<state>/pods/<uid>` (memory; lost with the machine, as containers are) and `<data>` (disk), see `layout`. After the
//! agent's restart [`Runtime::adopt`] finds every pod and learns every state, endings included. After a shim's death a successor goes on; lost
//! are then the exit codes of running execs and, before Linux 6.15, of containers that ended meanwhile (137 `ContainerStatusUnknown`).
//!
//! Failure: calls fail once with what happened; only starting a successor is retried here. A call cut off by a shim's death says so, and the
//! container's status tells whether it was done.
//!
//! Limits: [`limits`].
//!
//! Upstream answered to: containerd's CRI plug-in (defaults of mounts, devices, capabilities, seccomp, users, log format) and runc (order of the
//! last steps before a program, messages and codes of failed starts); kubelet for the names of rotated logs and of reasons.
//!
//! Testing: `cargo test -p node-runtime` as root on a real kernel, with busybox-static; `examples/start_times.rs` prints a table.

mod disk;
mod error;
mod layout;
pub mod limits;
pub mod protocol;
mod runtime;
pub mod seccomp;
pub mod shim;
pub mod spec;
pub mod state;
pub mod teardown;

pub use disk::DiskError;
pub use error::RuntimeError;
pub use layout::PodLayout;
pub use runtime::{Adopted, Attached, Exec, Input, Output, Pinned, PodHandle, Runtime, RuntimeConfig, pin};
