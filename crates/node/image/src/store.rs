//! The images on a node's disk: content by digest, unpacked layers by diff id, and the list of images by name.
//!
//! Used by the node agent and by `knarr image …`, at the same time if need be. All of it is synchronous; an async caller
//! puts calls on a blocking thread. What it does not do: decide what to pull or to remove.
//!
//! ```text
//! blobs/<algorithm>/<hex>          manifests, configurations, layers as they travelled
//! layers/<algorithm>/<hex>/fs      a layer unpacked, by its diff id
//! layers/<algorithm>/<hex>/complete   its marker: without it, the layer is discarded
//! images.json                      the list, replaced as a whole
//! folder.json                      what was imported from a dropped-in folder
//! work/<operation>/                what is being made, locked by its maker; `pins` lists what it relies on
//! empty/                           the one layer of an image without layers
//! lock                             held for moments: changing the list, collecting garbage
//! ```
//! Everything enters by a rename from `work`, after it was synced to the disk.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the image store is a shell: it keeps files"
)]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Weak};

use crate::digest::Digest;
use crate::error::{ImageError, Result};
use crate::limits;

mod collect;
mod images;
mod ingest;
mod lock;
mod records;
mod work;

pub use collect::{Collected, DiskUsage};
pub use images::{Image, Removed};

pub(crate) use ingest::LayerSpec;
pub(crate) use records::Record;
pub(crate) use work::Work;

/// How a store keeps its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreOptions {
    /// Do not keep layers as they travelled once they are unpacked (containerd's `discard_unpacked_layers`): less disk,
    /// but such images cannot be exported.
    pub discard_unpacked_layers: bool,
    /// Bytes of one layer once decompressed, at most: what a decompression bomb may fill before it is stopped.
    pub layer_unpacked_bytes: u64,
}

impl Default for StoreOptions {
    fn default() -> StoreOptions {
        StoreOptions { discard_unpacked_layers: false, layer_unpacked_bytes: limits::LAYER_UNPACKED_BYTES }
    }
}

/// An image store on disk. Clones share it; so may other processes.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    root: PathBuf,
    options: StoreOptions,
    flights: Mutex<BTreeMap<Digest, Weak<tokio::sync::Mutex<()>>>>,
}

impl Store {
    /// Opens the store at `root`, making it if it is missing, and discards what an earlier process left half done.
    ///
    /// # Errors
    /// When the directory cannot be made or read.
    pub fn open(root: &Path, options: StoreOptions) -> Result<Store> {
        let store = Store(Arc::new(Inner { root: root.to_owned(), options, flights: Mutex::default() }));
        // Layers hold set-user-id programs of strangers: nobody else on this machine may reach them.
        make_directory(root, 0o700)?;
        for name in ["blobs", "layers", "work"] {
            make_directory(&root.join(name), 0o700)?;
        }
        make_directory(&root.join("empty"), 0o755)?;
        store.discard_abandoned()?;
        Ok(store)
    }

    /// The store's directory.
    pub fn root(&self) -> &Path {
        &self.0.root
    }

    /// A directory without anything in it, which is the layer of an image that has none.
    pub fn empty(&self) -> PathBuf {
        self.path("empty")
    }

    pub(crate) fn options(&self) -> StoreOptions {
        self.0.options
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.root.join(name)
    }

    pub(crate) fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.path("blobs").join(digest.algorithm().name()).join(digest.hex())
    }

    pub(crate) fn layer_path(&self, diff_id: &Digest) -> PathBuf {
        self.path("layers").join(diff_id.algorithm().name()).join(diff_id.hex())
    }

    pub(crate) fn has_blob(&self, digest: &Digest) -> bool {
        self.blob_path(digest).is_file()
    }

    pub(crate) fn has_layer(&self, diff_id: &Digest) -> bool {
        self.layer_path(diff_id).join(ingest::MARKER).is_file()
    }

    /// A blob that is small enough for memory, if it is here. Its content is checked again: disks forget.
    pub(crate) fn read_blob(&self, digest: &Digest, limit: u64) -> Result<Option<Vec<u8>>> {
        let Some(content) = read_bounded(&self.blob_path(digest), limit)? else { return Ok(None) };
        let mut hasher = crate::digest::Hasher::new(digest.algorithm());
        hasher.update(&content);
        let actual = hasher.finish();
        if actual != *digest {
            return Err(ImageError::DigestMismatch {
                what: "stored content",
                expected: digest.clone(),
                actual,
            });
        }
        Ok(Some(content))
    }

    /// The lock that makes pods which want the same layer download it once.
    pub(crate) fn flight(&self, diff_id: &Digest) -> Arc<tokio::sync::Mutex<()>> {
        let mut flights = self.0.flights.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        flights.retain(|_, flight| flight.strong_count() > 0);
        if let Some(flight) = flights.get(diff_id).and_then(Weak::upgrade) {
            return flight;
        }
        let flight = Arc::new(tokio::sync::Mutex::new(()));
        flights.insert(diff_id.clone(), Arc::downgrade(&flight));
        flight
    }
}

/// Makes a directory, and sets its mode whatever the umask.
pub(crate) fn make_directory(path: &Path, mode: u32) -> Result<()> {
    let failed = |error| ImageError::io(format!("create {}", path.display()), error);
    fs::DirBuilder::new().recursive(true).mode(mode).create(path).map_err(failed)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(failed)
}

/// A file's content, `None` when there is no such file.
pub(crate) fn read_bounded(path: &Path, limit: u64) -> Result<Option<Vec<u8>>> {
    let failed = |error| ImageError::io(format!("read {}", path.display()), error);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut content = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut content).map_err(failed)?;
    if content.len() as u64 > limit {
        let message = format!("{} is larger than {limit} bytes", path.display());
        return Err(ImageError::Malformed { what: "content", message });
    }
    Ok(Some(content))
}

/// Writes a rename in `directory` to the disk.
pub(crate) fn sync_directory(directory: &Path) -> Result<()> {
    let failed = |error| ImageError::io(format!("sync {}", directory.display()), error);
    File::open(directory).and_then(|handle| handle.sync_all()).map_err(failed)
}
