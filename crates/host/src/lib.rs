//! The kernel behind small traits, each with a Linux form and a simulated one that records what was asked.
//!
//! Layer: above `base`, below `net` and `node`. It decides nothing: planners above it say what should be, it makes it so.
//! Entry points: [`cgroup::detect`], [`mount::LinuxMounts`], [`process::LinuxProcesses`], and the network's modules.
//! Invariants: every operation that takes something away is idempotent; errors name the file or object and the kernel's reason;
//! nothing here reads a clock or sleeps (waiting is for the kernel's events, with a bound).
//! State: none of its own; the kernel is the state, and is observed again after a restart.
//! Failure: an error is returned, never retried here.
//! Limits: named constants in each module.
//! Upstream answered to: runc's and containerd's use of control groups and mounts, kube-proxy's of the network.
//! Testing: `cargo test -p host` as root; the tests use groups, mounts and namespaces of their own and take them away.

pub mod cgroup;
pub mod mount;
pub mod netlink;
pub mod nft;
pub mod process;
pub mod watch;
