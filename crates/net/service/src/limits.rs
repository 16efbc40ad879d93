//! Every bound of this crate.

/// The most pools there can be: what the mark leaves beside its tag.
pub const POOLS_MAX: u32 = 0x00ff_ffff;
/// The most endpoints of one pool that take part. A pool has a chain per size, so this also bounds the chains.
pub const POOL_ENDPOINTS_MAX: usize = 5000;
/// The longest client affinity in seconds, which is upstream's.
pub const AFFINITY_SECONDS_MAX: u32 = 86_400;
/// How many affinities of clients are remembered; above it new ones are not.
pub const AFFINITY_CLIENTS_MAX: u32 = 262_144;
/// How often purging affinities is repeated when entries expire between listing and deleting.
pub const PURGE_ATTEMPTS_MAX: usize = 5;
