//! Packaging a directory as an image of one layer, the same bytes every time, straight into the store. For images of our
//! own and of tests; it runs no commands and is no Dockerfile.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the image store is a shell: it keeps files"
)]

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::compression::Compression;
use crate::config::{ConfigFile, ImageConfig};
use crate::digest::{Algorithm, Digest, Hashing};
use crate::error::{ImageError, Result};
use crate::manifest::{Descriptor, Manifest, Platform, media};
use crate::reference::Reference;
use crate::store::{Image, LayerSpec, Record, Store, Work};

mod pack;
#[cfg(test)]
mod tests;

pub use pack::Owner;

/// When an image was built that must be the same whenever it is built.
const CREATED: &str = "1970-01-01T00:00:00Z";

/// Middling: layers are built seldom and read often, but tests build many.
const GZIP_LEVEL: u32 = 6;
const ZSTD_LEVEL: i32 = 3;

/// What to make of a directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildConfig {
    /// How a container of it starts.
    pub config: ImageConfig,
    /// What it runs on; this machine's when not given.
    pub platform: Option<Platform>,
    /// Whose its files are.
    pub owner: Owner,
    /// How its layer travels.
    pub compression: Compression,
}

impl Store {
    /// Packages `directory` and lists the image as `reference`. The same directory and configuration give the same
    /// digests: entries are sorted, times are the epoch.
    ///
    /// # Errors
    /// When the directory cannot be read, or the store not written.
    pub fn build(&self, directory: &Path, reference: &Reference, build: &BuildConfig) -> Result<Image> {
        let work = self.work()?;
        let layer = pack_layer(&work, directory, build)?;
        let config = ConfigFile {
            platform: build.platform.clone().unwrap_or_else(Platform::host),
            created: CREATED.to_owned(),
            config: build.config.clone(),
            diff_ids: vec![layer.diff_id.clone()],
        }
        .encode();
        let descriptor = |media_type: &str, digest: Digest, size: u64| Descriptor {
            media_type: media_type.to_owned(),
            digest,
            size,
            platform: None,
            annotations: None,
        };
        let layer_type = match build.compression {
            Compression::None => media::OCI_LAYER,
            Compression::Gzip => media::OCI_LAYER_GZIP,
            Compression::Zstd => media::OCI_LAYER_ZSTD,
        };
        let manifest = Manifest {
            schema_version: 2,
            media_type: Some(media::OCI_MANIFEST.to_owned()),
            config: descriptor(media::OCI_CONFIG, Digest::of(&config), config.len() as u64),
            layers: vec![descriptor(layer_type, layer.digest, layer.size)],
        };
        work.put(&manifest.config.digest, &config)?;
        let (digest, size) = put_manifest(&work, &manifest)?;
        let name = reference.canonical();
        let named =
            |by_tag: bool| (name.tag().is_some() == by_tag).then(|| name.to_string()).into_iter().collect();
        work.publish(&Record {
            id: manifest.config.digest.clone(),
            manifest: digest,
            tags: named(true),
            digests: named(false),
            size_bytes: manifest.content_bytes().saturating_add(size),
        })?;
        self.inspect(&manifest.config.digest.to_string())
    }
}

/// Stores a manifest of our own making.
pub(crate) fn put_manifest(work: &Work, manifest: &Manifest) -> Result<(Digest, u64)> {
    let content = serde_json::to_vec(manifest)
        .map_err(|error| ImageError::Malformed { what: "manifest", message: error.to_string() })?;
    let digest = Digest::of(&content);
    work.put(&digest, &content)?;
    Ok((digest, content.len() as u64))
}

fn pack_layer(work: &Work, directory: &Path, build: &BuildConfig) -> Result<LayerSpec> {
    let path = work.fresh("packed");
    let failed = |error: io::Error| ImageError::io(format!("package {}", directory.display()), error);
    let file = BufWriter::new(File::create_new(&path).map_err(failed)?);
    let travelling = Hashing::new(file, Algorithm::Sha256);
    let (diff_id, travelling) = match build.compression {
        Compression::None => pack_into(directory, build.owner, travelling).map_err(failed)?,
        Compression::Gzip => {
            let encoder = flate2::write::GzEncoder::new(travelling, flate2::Compression::new(GZIP_LEVEL));
            let (diff_id, encoder) = pack_into(directory, build.owner, encoder).map_err(failed)?;
            (diff_id, encoder.finish().map_err(failed)?)
        }
        Compression::Zstd => {
            let encoder = zstd::Encoder::new(travelling, ZSTD_LEVEL).map_err(failed)?;
            let (diff_id, encoder) = pack_into(directory, build.owner, encoder).map_err(failed)?;
            (diff_id, encoder.finish().map_err(failed)?)
        }
    };
    let (mut file, digest, size) = travelling.finish();
    file.flush().map_err(failed)?;
    let spec = LayerSpec { digest, size, diff_id };
    work.ingest(&spec, File::open(&path).map_err(failed)?)?;
    std::fs::remove_file(&path).map_err(failed)?;
    Ok(spec)
}

fn pack_into<W: Write>(directory: &Path, owner: Owner, writer: W) -> io::Result<(Digest, W)> {
    let hashed = pack::pack(directory, owner, Hashing::new(writer, Algorithm::Sha256))?;
    let (writer, diff_id, _) = hashed.finish();
    Ok((diff_id, writer))
}
