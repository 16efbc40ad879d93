//! The bounds of this crate, upstream's where upstream has one.

use std::time::Duration;

/// How often what waits for somebody else is looked at again, and told of again (`--pvclaimbinder-sync-period`).
pub const RESYNC: Duration = Duration::from_secs(15);
