//! Pulling images from registries: the asynchronous part of this crate.
//!
//! Used by the node agent and by `knarr image pull`. It asks once: who calls decides whether and when to try again. The
//! process must have installed rustls' crypto provider (ring) before, even for plain HTTP.
//!
//! Dropping the future ends a pull: the unpacking threads notice, and their work directory goes with them.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the image store is a shell: it talks to registries"
)]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::mpsc;

use crate::config::ConfigFile;
use crate::credentials::Credential;
use crate::digest::Digest;
use crate::error::{ImageError, Result};
use crate::limits;
use crate::manifest::{Document, Manifest, Platform};
use crate::reference::Reference;
use crate::registries::Registries;
use crate::store::{Image, LayerSpec, Record, Store, Work};

mod download;
mod failure;
mod host;
mod names;
mod registry;

use registry::Registry;

/// How far a pull is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Layers of the image.
    pub layers: u64,
    /// Layers that are there.
    pub layers_done: u64,
    /// Bytes of all layers, as they travel.
    pub bytes: u64,
    /// Bytes that are there.
    pub bytes_done: u64,
}

/// Hears of progress, from several threads.
pub type OnProgress = Arc<dyn Fn(Progress) + Send + Sync>;

/// A finished pull.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled {
    /// The image, now in the store.
    pub image: Image,
    /// What the registry holds under the reference: an image's or an index' digest.
    pub digest: Digest,
    /// Bytes of layers that had to be downloaded.
    pub downloaded_bytes: u64,
}

/// Pulls images into a store.
#[derive(Clone)]
pub struct Puller {
    store: Store,
    registries: Arc<Registries>,
    platform: Platform,
}

impl Puller {
    /// Pulls into `store`, for the platform of this machine.
    pub fn new(store: Store, registries: Arc<Registries>) -> Puller {
        Puller { store, registries, platform: Platform::host() }
    }

    /// The same, for another platform.
    pub fn for_platform(self, platform: Platform) -> Puller {
        Puller { platform, ..self }
    }

    /// Pulls an image, trying `credentials` one after another as kubelet does; none means what the node itself has for the
    /// registry, or anonymously.
    ///
    /// # Errors
    /// See [`ImageError`]; its reason tells an unreachable registry from an image that is not to be had.
    pub async fn pull(
        &self,
        reference: &Reference,
        credentials: &[Credential],
        progress: Option<OnProgress>,
    ) -> Result<Pulled> {
        let reference = reference.canonical();
        let mut outcome = None;
        let attempts = credentials.iter().map(Some).chain(credentials.is_empty().then_some(None));
        for credential in attempts {
            match self.attempt(&reference, credential, progress.clone()).await {
                // Registries hide what one may not see as what is not there.
                Err(error @ (ImageError::Denied { .. } | ImageError::NotFound { .. })) => {
                    outcome = Some(error)
                }
                other => return other,
            }
        }
        Err(outcome.unwrap_or(ImageError::Interrupted))
    }

    async fn attempt(
        &self,
        reference: &Reference,
        credential: Option<&Credential>,
        on_progress: Option<OnProgress>,
    ) -> Result<Pulled> {
        let registry = Registry::new(&self.registries, reference, credential);
        let store = self.store.clone();
        let work = Arc::new(blocking(move || store.work()).await?);
        let (alive, mut gone) = mpsc::channel(1);
        let threads = Threads { work: Arc::clone(&work), _alive: alive };
        let outcome = self.bring(&registry, threads, reference, on_progress).await;
        // One layer's failure ends the others: what they made is to be gone when the caller hears of it.
        let _ = gone.recv().await;
        blocking(move || {
            drop(work);
            Ok(())
        })
        .await?;
        outcome
    }

    async fn bring(
        &self,
        registry: &Registry,
        threads: Threads,
        reference: &Reference,
        on_progress: Option<OnProgress>,
    ) -> Result<Pulled> {
        let work = &threads.work;
        let resolved = self.resolve(registry, work, reference).await?;
        let tally = Arc::new(Tally::new(&resolved.layers, on_progress));
        let layers = resolved.layers.clone();
        stream::iter(layers.into_iter().map(|spec| registry.layer(&threads, spec, Arc::clone(&tally))))
            .buffer_unordered(limits::LAYERS_AT_A_TIME)
            .try_collect::<()>()
            .await?;
        let digest = resolved.top.clone();
        let record = resolved.record(reference);
        let work = Arc::clone(work);
        let image = blocking(move || {
            work.publish(&record)?;
            work.store().inspect(&record.id.to_string())
        })
        .await?;
        Ok(Pulled { image, digest, downloaded_bytes: tally.downloaded.load(Ordering::Relaxed) })
    }

    /// From a reference to a manifest for this platform, and its configuration.
    async fn resolve(
        &self,
        registry: &Registry,
        work: &Arc<Work>,
        reference: &Reference,
    ) -> Result<Resolved> {
        let (top, mut content) = registry.manifest(reference).await?;
        let mut digest = top.clone();
        for _ in 0..limits::INDEX_DEPTH {
            put(work, &digest, content.clone()).await?;
            let index = match Document::parse(&content)? {
                Document::Manifest(manifest) => {
                    let layers = self.configuration(registry, work, &manifest).await?;
                    return Ok(Resolved {
                        top,
                        digest,
                        manifest,
                        layers,
                        manifest_bytes: content.len() as u64,
                    });
                }
                Document::Index(index) => index,
            };
            let chosen = index.select(&self.platform).ok_or_else(|| ImageError::NoPlatform {
                reference: reference.to_string(),
                platform: self.platform.to_string(),
            })?;
            (digest, content) = registry.manifest(&reference.with_digest(chosen.digest.clone())).await?;
        }
        let message = format!("more than {} indexes within each other", limits::INDEX_DEPTH);
        Err(ImageError::Malformed { what: "manifest", message })
    }

    async fn configuration(
        &self,
        registry: &Registry,
        work: &Arc<Work>,
        manifest: &Manifest,
    ) -> Result<Vec<LayerSpec>> {
        let digest = manifest.config.digest.clone();
        let (holder, wanted) = (Arc::clone(work), digest.clone());
        let known = blocking(move || {
            holder.pin([&wanted])?;
            holder.store().read_blob(&wanted, limits::CONFIG_BYTES)
        })
        .await;
        let content = match known {
            Ok(Some(content)) => content,
            // A damaged one is fetched again.
            Ok(None) | Err(ImageError::DigestMismatch { .. }) => {
                let content = registry.small_blob(&manifest.config).await?;
                put(work, &digest, content.clone()).await?;
                content
            }
            Err(error) => return Err(error),
        };
        specs(manifest, &ConfigFile::parse(&content)?)
    }
}

/// Pairs a manifest's layers with the diff ids of its configuration, each layer once.
pub(crate) fn specs(manifest: &Manifest, config: &ConfigFile) -> Result<Vec<LayerSpec>> {
    if manifest.layers.len() != config.diff_ids.len() {
        let message = format!("{} layers, but {} diff ids", manifest.layers.len(), config.diff_ids.len());
        return Err(ImageError::Malformed { what: "manifest", message });
    }
    let mut seen = BTreeSet::new();
    let pairs = manifest.layers.iter().zip(&config.diff_ids);
    let specs = pairs.map(|(layer, diff_id)| LayerSpec {
        digest: layer.digest.clone(),
        size: layer.size,
        diff_id: diff_id.clone(),
    });
    Ok(specs.filter(|spec| seen.insert((spec.digest.clone(), spec.diff_id.clone()))).collect())
}

struct Resolved {
    /// What the reference named.
    top: Digest,
    /// The manifest that it led to.
    digest: Digest,
    manifest: Manifest,
    manifest_bytes: u64,
    layers: Vec<LayerSpec>,
}

impl Resolved {
    fn record(self, reference: &Reference) -> Record {
        let tagged = reference.tag().is_some();
        Record {
            id: self.manifest.config.digest.clone(),
            size_bytes: self.manifest.content_bytes().saturating_add(self.manifest_bytes),
            manifest: self.digest,
            tags: tagged.then(|| reference.to_string()).into_iter().collect(),
            digests: vec![reference.with_digest(self.top).to_string()],
        }
    }
}

/// What each blocking thread of a pull's layers holds. Fields drop in this order: who sees `_alive` closed knows that nobody
/// holds the work any more.
#[derive(Clone)]
struct Threads {
    work: Arc<Work>,
    _alive: mpsc::Sender<std::convert::Infallible>,
}

/// Counts for the progress callback.
struct Tally {
    layers: u64,
    bytes: u64,
    layers_done: AtomicU64,
    bytes_done: AtomicU64,
    downloaded: AtomicU64,
    on_progress: Option<OnProgress>,
}

impl Tally {
    fn new(layers: &[LayerSpec], on_progress: Option<OnProgress>) -> Tally {
        Tally {
            layers: layers.len() as u64,
            bytes: layers.iter().fold(0, |sum, layer| sum.saturating_add(layer.size)),
            layers_done: AtomicU64::new(0),
            bytes_done: AtomicU64::new(0),
            downloaded: AtomicU64::new(0),
            on_progress,
        }
    }

    fn downloaded(&self, bytes: u64) {
        self.downloaded.fetch_add(bytes, Ordering::Relaxed);
        self.bytes_done.fetch_add(bytes, Ordering::Relaxed);
        self.tell();
    }

    fn layer_done(&self, bytes_not_downloaded: u64) {
        self.bytes_done.fetch_add(bytes_not_downloaded, Ordering::Relaxed);
        self.layers_done.fetch_add(1, Ordering::Relaxed);
        self.tell();
    }

    fn tell(&self) {
        if let Some(on_progress) = &self.on_progress {
            on_progress(Progress {
                layers: self.layers,
                layers_done: self.layers_done.load(Ordering::Relaxed),
                bytes: self.bytes,
                bytes_done: self.bytes_done.load(Ordering::Relaxed),
            });
        }
    }
}

async fn put(work: &Arc<Work>, digest: &Digest, content: Vec<u8>) -> Result<()> {
    let (work, digest) = (Arc::clone(work), digest.clone());
    blocking(move || work.put(&digest, &content)).await
}

/// Runs what blocks on a thread for it.
async fn blocking<T: Send + 'static>(task: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(task).await.map_err(|_| ImageError::Interrupted)?
}
