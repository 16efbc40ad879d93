//! The bounds of this crate.

use std::time::Duration;

/// The longest configuration file or drop-in, in bytes.
pub const CONFIG_BYTES: usize = 1 << 20;

/// The longest kubeconfig that is read, in bytes.
pub const KUBECONFIG_BYTES: u64 = 16 << 20;

/// How many drop-ins of the configuration file are read.
pub const DROP_INS: usize = 256;

/// How long `up` waits for the node to become ready.
pub const READY: Duration = Duration::from_secs(180);

/// How often `up` looks whether it is.
pub const READY_POLL: Duration = Duration::from_millis(100);

/// How long `down` waits for a process to end before it kills it.
pub const STOP: Duration = Duration::from_secs(30);

/// How long `down` waits for a killed process.
pub const KILL: Duration = Duration::from_secs(10);

/// How many lines of the log an error of `up` shows.
pub const LOG_LINES: usize = 15;

/// How much of the log's end is read to find those lines, in bytes.
pub const LOG_TAIL_BYTES: u64 = 64 << 10;

/// The size at which `up` puts the old log aside, in bytes.
pub const LOG_BYTES: u64 = 64 << 20;

/// How often `logs -f` looks for more.
pub const LOG_POLL: Duration = Duration::from_millis(250);
