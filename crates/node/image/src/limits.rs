//! Every bound of this crate, in one place. An image comes from a stranger: each of these is what a hostile one costs at
//! most.

use std::time::Duration;

/// Layers of one image that are downloaded and unpacked at a time, as containerd and docker do.
pub const LAYERS_AT_A_TIME: usize = 3;

/// A manifest or index, in bytes. containerd refuses larger ones than 8 MiB, registries larger than 4 MiB.
pub const MANIFEST_BYTES: u64 = 4 << 20;

/// An image configuration, in bytes.
pub const CONFIG_BYTES: u64 = 8 << 20;

/// Layers of one image. The kernel's overlay takes 500 lower directories.
pub const LAYERS: usize = 500;

/// Manifests listed by one index.
pub const INDEX_ENTRIES: usize = 1_000;

/// Indexes within indexes.
pub const INDEX_DEPTH: usize = 4;

/// One layer as downloaded, in bytes.
pub const LAYER_BYTES: u64 = 64 << 30;

/// One layer once decompressed, in bytes, unless the store's options say otherwise.
pub const LAYER_UNPACKED_BYTES: u64 = 128 << 30;

/// Files, directories and links of one layer.
pub const LAYER_ENTRIES: u64 = 5_000_000;

/// The extended header, or the long name, of one tar entry, in bytes.
pub const TAR_EXTENSION_BYTES: u64 = 1 << 20;

/// Data fragments of one sparse file in a tar.
pub const SPARSE_FRAGMENTS: usize = 65_536;

/// Length of a path in a tar, in bytes: the kernel's PATH_MAX.
pub const PATH_BYTES: usize = 4_096;

/// Dangling symbolic links followed while making a parent directory: the kernel's own MAXSYMLINKS.
pub const SYMLINKS: usize = 40;

/// Files in one archive being imported.
pub const ARCHIVE_ENTRIES: u64 = 100_000;

/// `index.json` or `manifest.json` of an archive, in bytes.
pub const ARCHIVE_INDEX_BYTES: u64 = 16 << 20;

/// The window that a zstd stream may ask for, as a power of two: 128 MiB of memory.
pub const ZSTD_WINDOW_LOG: u32 = 27;

/// Downloaded chunks that wait for the unpacking thread, per layer.
pub const CHUNKS_WAITING: usize = 16;

/// Time to connect to a registry.
pub const CONNECT: Duration = Duration::from_secs(30);

/// Silence after which a registry counts as gone, in the middle of a download as well.
pub const READ: Duration = Duration::from_secs(60);

/// `/etc/passwd` or `/etc/group` of an image, in bytes.
pub const ACCOUNT_FILE_BYTES: u64 = 8 << 20;

/// Text that a registry may add to an error message, in bytes.
pub const SERVER_MESSAGE_BYTES: usize = 512;

/// The list of images that the store holds, in bytes.
pub const RECORDS_BYTES: u64 = 64 << 20;

/// What a registry answers besides manifests and blobs: an error, a token. In bytes.
pub const SERVER_ANSWER_BYTES: u64 = 1 << 20;

/// `registries.yaml`, in bytes.
pub const REGISTRIES_BYTES: u64 = 1 << 20;
