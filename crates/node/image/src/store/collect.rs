//! Garbage collection and disk usage. What is kept follows from the list of images, from what the caller says is in use,
//! and from the operations in progress; everything else goes.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::ingest::footprint;
use super::work::children;
use super::{Store, lock, read_bounded};
use crate::config::ConfigFile;
use crate::digest::Digest;
use crate::error::{ImageError, Result};
use crate::layer::Footprint;
use crate::limits;
use crate::manifest::Document;

/// What a collection freed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Blobs that nothing refers to.
    pub blobs: u64,
    /// Layers that nothing refers to.
    pub layers: u64,
    /// Bytes of both.
    pub bytes: u64,
}

/// What the store takes on disk, by its own records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskUsage {
    /// Images in the list.
    pub images: u64,
    /// Unpacked layers.
    pub layers: u64,
    /// Bytes of content as it travelled.
    pub blob_bytes: u64,
    /// Unpacked layers.
    pub unpacked: Footprint,
}

impl DiskUsage {
    /// All bytes.
    pub fn bytes(&self) -> u64 {
        self.blob_bytes.saturating_add(self.unpacked.bytes)
    }
}

impl Store {
    /// Removes content that no image, no operation in progress and none of `in_use` (ids of the images that containers
    /// run from, removed or not) refers to. It is out of the way at once, and deleted before this returns. Images that lost
    /// part of their content leave the list.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub fn collect(&self, in_use: &BTreeSet<Digest>) -> Result<Collected> {
        self.discard_abandoned()?;
        let work = self.work()?;
        self.change_records(&work, |images| {
            let mut whole = Vec::with_capacity(images.len());
            for record in images.drain(..) {
                if self.load(&record)?.is_some() {
                    whole.push(record);
                }
            }
            *images = whole;
            Ok(())
        })?;
        let mut collected = Collected::default();
        {
            let _held = lock::take(&self.path("lock"))?;
            let keep = self.reachable(in_use)?;
            for (kind, path, digest) in self.contents()? {
                if keep.contains(&digest) {
                    continue;
                }
                let bytes = size_of(kind, &path);
                fs::rename(&path, work.fresh("garbage"))
                    .map_err(|error| ImageError::io(format!("remove {}", path.display()), error))?;
                collected.bytes = collected.bytes.saturating_add(bytes);
                match kind {
                    Kind::Blob => collected.blobs += 1,
                    Kind::Layer => collected.layers += 1,
                }
            }
        }
        drop(work);
        Ok(collected)
    }

    /// What the store takes on disk.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn disk_usage(&self) -> Result<DiskUsage> {
        let mut usage = DiskUsage { images: self.records()?.len() as u64, ..DiskUsage::default() };
        for (kind, path, _) in self.contents()? {
            match kind {
                Kind::Blob => usage.blob_bytes = usage.blob_bytes.saturating_add(size_of(kind, &path)),
                Kind::Layer => {
                    usage.layers += 1;
                    usage.unpacked += footprint(&path);
                }
            }
        }
        Ok(usage)
    }

    /// Every digest that must stay, blobs' and layers' alike.
    fn reachable(&self, in_use: &BTreeSet<Digest>) -> Result<BTreeSet<Digest>> {
        let mut keep = self.pinned()?;
        for record in self.records()? {
            keep.insert(record.manifest.clone());
            self.keep_manifest(&record.manifest, &mut keep)?;
            self.keep_image(&record.id, &mut keep)?;
            let digests =
                record.digests.iter().filter_map(|name| name.split_once('@')?.1.parse::<Digest>().ok());
            keep.extend(digests);
        }
        for id in in_use {
            self.keep_image(id, &mut keep)?;
        }
        Ok(keep)
    }

    fn keep_manifest(&self, manifest: &Digest, keep: &mut BTreeSet<Digest>) -> Result<()> {
        let Some(content) = read_bounded(&self.blob_path(manifest), limits::MANIFEST_BYTES)? else {
            return Ok(());
        };
        // One that is damaged keeps nothing: it could not be used either.
        if let Ok(Document::Manifest(manifest)) = Document::parse(&content) {
            keep.extend(manifest.layers.into_iter().map(|layer| layer.digest));
        }
        Ok(())
    }

    fn keep_image(&self, id: &Digest, keep: &mut BTreeSet<Digest>) -> Result<()> {
        keep.insert(id.clone());
        let Some(content) = read_bounded(&self.blob_path(id), limits::CONFIG_BYTES)? else { return Ok(()) };
        if let Ok(config) = ConfigFile::parse(&content) {
            keep.extend(config.diff_ids);
        }
        Ok(())
    }

    fn contents(&self) -> Result<Vec<(Kind, PathBuf, Digest)>> {
        let mut contents = Vec::new();
        for (kind, name) in [(Kind::Blob, "blobs"), (Kind::Layer, "layers")] {
            for algorithm in children(&self.path(name))? {
                for path in children(&algorithm)? {
                    let part =
                        |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                    if let Ok(digest) = format!("{}:{}", part(&algorithm), part(&path)).parse() {
                        contents.push((kind, path, digest));
                    }
                }
            }
        }
        Ok(contents)
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Blob,
    Layer,
}

fn size_of(kind: Kind, path: &Path) -> u64 {
    match kind {
        Kind::Blob => fs::metadata(path).map_or(0, |found| found.len()),
        Kind::Layer => footprint(path).bytes,
    }
}
