//! The bounds of this crate, upstream's where upstream has one.

use std::time::Duration;

/// How often what waits for somebody else is looked at again, and told of again (`--pvclaimbinder-sync-period`).
pub const RESYNC: Duration = Duration::from_secs(15);

/// How long a volume that nobody wants may stay mounted on a node that is not well (`ReconcilerMaxWaitForUnmountDuration`).
pub const UNMOUNT: Duration = Duration::from_secs(6 * 60);

/// How long a driver may take to attach a volume before pods are told, and how often they are told (`csiTimeout`).
pub const ATTACH: Duration = Duration::from_secs(2 * 60);

/// How long emptying a directory of a node may take at least (`--pv-recycler-minimum-timeout-hostpath`).
pub const RECYCLE_HOST_SECONDS: i64 = 60;

/// How long emptying a directory over NFS may take at least (`--pv-recycler-minimum-timeout-nfs`).
pub const RECYCLE_NFS_SECONDS: i64 = 300;

/// How long either may take for each Gi of the volume (`--pv-recycler-timeout-increment-hostpath`, `--pv-recycler-increment-timeout-nfs`).
pub const RECYCLE_SECONDS_PER_GI: i64 = 30;
