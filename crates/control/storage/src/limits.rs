//! The bounds of this crate, upstream's where upstream has one.

use std::time::Duration;

/// How often what waits for somebody else is looked at again, and told of again (`--pvclaimbinder-sync-period`).
pub const RESYNC: Duration = Duration::from_secs(15);

/// How long emptying a directory of a node may take at least (`--pv-recycler-minimum-timeout-hostpath`).
pub const RECYCLE_HOST_SECONDS: i64 = 60;

/// How long emptying a directory over NFS may take at least (`--pv-recycler-minimum-timeout-nfs`).
pub const RECYCLE_NFS_SECONDS: i64 = 300;

/// How long either may take for each Gi of the volume (`--pv-recycler-timeout-increment-hostpath`, `--pv-recycler-increment-timeout-nfs`).
pub const RECYCLE_SECONDS_PER_GI: i64 = 30;
