//! The bounds of the runtime, upstream's where upstream has one.

use std::time::Duration;

/// The first wait of a key that failed; doubled with each further failure.
pub const BACK_OFF_FIRST: Duration = Duration::from_millis(5);
/// The longest wait of a key that failed.
pub const BACK_OFF_LONGEST: Duration = Duration::from_secs(1000);
/// How many keys of a controller are worked on at once (`--concurrent-*-syncs`).
pub const WORKERS: usize = 5;
/// How long a write may take to show in the views before they are listed anew.
pub const WITNESS_OVERDUE: Duration = Duration::from_secs(30);
/// How many keys' last runs are remembered.
pub const REMEMBERED_RUNS: usize = 4096;
/// How large the batches of a stage grow.
pub const BATCH: usize = 64;
/// How many different events a recorder remembers (`maxLruCacheEntries`).
pub const REMEMBERED_EVENTS: usize = 4096;
/// How many events of one object may come at once (`defaultSpamBurst`).
pub const EVENT_BURST: u32 = 25;
/// How long until an object may have one more event (`defaultSpamQPS`).
pub const EVENT_REFILL: Duration = Duration::from_secs(300);
/// How many similar events are told one by one (`defaultAggregateMaxEvents`).
pub const SIMILAR_EVENTS: usize = 10;
/// How long events count as similar (`defaultAggregateIntervalInSeconds`).
pub const SIMILAR_WINDOW: Duration = Duration::from_secs(600);
/// The first wait before a view that was refused is opened again.
pub const OPEN_FIRST: Duration = Duration::from_millis(100);
/// The longest such wait.
pub const OPEN_LONGEST: Duration = Duration::from_secs(10);
