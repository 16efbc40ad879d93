//! Every bound and interval of this crate, by name.

use std::time::Duration;

/// How often the node's status is tried to be told at once before it waits for the next time: kubelet's `nodeStatusUpdateRetry`.
pub const NODE_STATUS_TRIES: u32 = 5;

/// How long the node waits for its range of addresses before it says that it has none.
pub const RANGE_PATIENCE: Duration = Duration::from_millis(500);

/// How often the node's lease is renewed: a quarter of its duration, as kubelet's.
pub const LEASE_RENEWAL: Duration = Duration::from_secs(10);
/// For how long a lease holds.
pub const LEASE_SECONDS: i32 = 40;
/// How often the node's status is checked for changes.
pub const NODE_STATUS_CHECK: Duration = Duration::from_secs(10);
/// How often an unchanged status of the node is sent all the same.
pub const NODE_STATUS_REPORT: Duration = Duration::from_secs(300);
/// The first wait after a failed call; it doubles.
pub const RETRY_FIRST: Duration = Duration::from_millis(200);
/// The longest wait after failed calls.
pub const RETRY_MAX: Duration = Duration::from_secs(10);
/// How long a call to the API may take.
pub const CALL: Duration = Duration::from_secs(30);
/// The wait before a sandbox or a container's configuration is tried again.
pub const SYNC_RETRY: Duration = Duration::from_secs(2);
/// The wait before a resize that failed is tried again: kubelet's wait after a pod's failed step.
pub const RESIZE_RETRY: Duration = Duration::from_secs(10);
/// How often it is looked whether there is room for a resize that waits, if nothing says so before: kubelet's interval.
pub const RESIZE_LOOK: Duration = Duration::from_secs(180);
/// How often it is looked whether other programs took addresses or routes of the pod network away: as flannel does.
pub const NETWORK_CHECK: Duration = Duration::from_secs(10);
/// The grace of a pod that nobody has set one for.
pub const GRACE_SECONDS: i64 = 30;
/// The least time between a container's stop signal and its kill.
pub const GRACE_SECONDS_MIN: i64 = 2;
/// The grace of what runs without a pod that the API knows.
pub const ORPHAN_GRACE_SECONDS: i64 = 1;
/// The most pods of a node.
pub const PODS_MAX: i64 = 110;
/// Memory that pods cannot have: kubelet's hard eviction threshold.
pub const MEMORY_RESERVED_BYTES: i64 = 100 << 20;
/// The longest termination message that is kept.
pub const TERMINATION_MESSAGE_BYTES: u64 = 4096;
/// The longest termination message that is taken from a log, in bytes.
pub const TERMINATION_LOG_BYTES: usize = 2048;
/// The longest termination message that is taken from a log, in lines.
pub const TERMINATION_LOG_LINES: usize = 80;
/// How many different events are remembered in order to count repetitions.
pub const EVENTS_REMEMBERED: usize = 4096;
/// How many events wait to be sent.
pub const EVENTS_WAITING: usize = 1024;
/// How many messages of a worker's tasks wait.
pub const MESSAGES: usize = 64;
/// How often volumes that show objects of the API are brought up to date.
pub const VOLUMES_REFRESH: Duration = Duration::from_secs(60);
/// The most images that a node's status lists.
pub const NODE_IMAGES: usize = 50;
/// How much of what a probe's or hook's command or server says is read.
pub const ACTION_OUTPUT_BYTES: u64 = 10 << 10;
/// How long a pod's certificate is waited for that was asked for just now, before its volumes are tried again.
pub const CERTIFICATE_ISSUE: Duration = Duration::from_secs(2);
/// By how much the renewals of certificates are spread: kubelet's `jitterDuration`.
pub const CERTIFICATE_SPREAD: Duration = Duration::from_secs(300);
/// The first wait before a gRPC probe tries again to connect; it grows by the factor, up to the longest: those of kubelet's library.
pub const GRPC_RETRY_FIRST: Duration = Duration::from_secs(1);
/// By what that wait grows.
pub const GRPC_RETRY_FACTOR: f64 = 1.6;
/// The longest of these waits.
pub const GRPC_RETRY_MAX: Duration = Duration::from_secs(120);
/// How long a postStart hook may take: kubelet bounds it not at all, this node so that no pod hangs for ever.
pub const HOOK: Duration = Duration::from_secs(3600);
/// How often images are looked at for removal: kubelet's interval.
pub const COLLECT_IMAGES: Duration = Duration::from_secs(300);
/// How many lines of a log are read at a time.
pub const LOG_LINES: usize = 256;
/// How many lines of a log wait for whoever reads it.
pub const LOG_CHUNKS: usize = 64;
/// How often a followed log is looked at.
pub const LOG_POLL: Duration = Duration::from_millis(200);
/// How long output of a command that has ended is waited for.
pub const OUTPUT_DRAIN: Duration = Duration::from_secs(10);
/// How long the directory of dropped images must have been quiet before it is looked at after a change, as K3s waits.
pub const DROPPED_QUIET: Duration = Duration::from_secs(2);
/// How often that directory is looked at where the kernel does not tell of changes.
pub const DROPPED_LOOK: Duration = Duration::from_secs(60);
/// How many directories of dropped layouts are watched, with those below them.
pub const DROPPED_WATCHED: usize = 256;
/// How deep below that directory changes are watched: `layout/blobs/sha256`.
pub const DROPPED_DEPTH: usize = 3;
/// The longest list of images to be pulled.
pub const DROPPED_LIST_BYTES: u64 = 1 << 20;
