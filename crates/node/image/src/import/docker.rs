//! Docker archives: `manifest.json`, and layers by whatever name it gives them. They have no manifest of their own that
//! could have a digest, so an OCI one is made.

use serde::Deserialize;
use std::io::Read;

use super::tree::Tree;
use super::{ImportOptions, names};
use crate::build::put_manifest;
use crate::compression::Compression;
use crate::config::ConfigFile;
use crate::digest::{Algorithm, Digest, Hashing};
use crate::error::{ImageError, Result};
use crate::limits;
use crate::manifest::{Descriptor, Manifest, media};
use crate::store::{LayerSpec, Record, Work};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

pub(super) fn import(work: &Work, tree: &Tree, options: &ImportOptions) -> Result<Vec<Record>> {
    let text = tree.read("manifest.json", limits::ARCHIVE_INDEX_BYTES)?;
    let malformed = |message: String| ImageError::Malformed { what: "manifest.json", message };
    let all: Vec<Saved> = serde_json::from_slice(&text).map_err(|error| malformed(error.to_string()))?;
    if all.is_empty() || all.len() > limits::INDEX_ENTRIES {
        return Err(malformed(format!("{} images", all.len())));
    }
    all.iter().map(|saved| image(work, tree, saved, options)).collect()
}

fn image(work: &Work, tree: &Tree, saved: &Saved, options: &ImportOptions) -> Result<Record> {
    let config = tree.read(&saved.config, limits::CONFIG_BYTES)?;
    let file = ConfigFile::parse(&config)?;
    if file.diff_ids.len() != saved.layers.len() {
        let message = format!("{} layers, but {} diff ids", saved.layers.len(), file.diff_ids.len());
        return Err(ImageError::Malformed { what: "manifest.json", message });
    }
    let descriptor = |media_type: &str, digest: Digest, size: u64| Descriptor {
        media_type: media_type.to_owned(),
        digest,
        size,
        platform: None,
        annotations: None,
    };
    let mut layers = Vec::with_capacity(saved.layers.len());
    for (name, diff_id) in saved.layers.iter().zip(&file.diff_ids) {
        let (digest, size, compression) = measure(tree, name)?;
        let spec = LayerSpec { digest, size, diff_id: diff_id.clone() };
        work.pin([&spec.digest, &spec.diff_id])?;
        if !work.has(&spec) {
            work.ingest(&spec, tree.open(name)?)?;
        }
        let media_type = match compression {
            Compression::None => media::OCI_LAYER,
            Compression::Gzip => media::OCI_LAYER_GZIP,
            Compression::Zstd => media::OCI_LAYER_ZSTD,
        };
        layers.push(descriptor(media_type, spec.digest, size));
    }
    let id = Digest::of(&config);
    work.put(&id, &config)?;
    let manifest = Manifest {
        schema_version: 2,
        media_type: Some(media::OCI_MANIFEST.to_owned()),
        config: descriptor(media::OCI_CONFIG, id.clone(), config.len() as u64),
        layers,
    };
    let (digest, size) = put_manifest(work, &manifest)?;
    let tags = saved.repo_tags.iter().flatten().map(String::as_str);
    Ok(Record {
        id,
        manifest: digest,
        tags: names(tags, options).iter().map(ToString::to_string).collect(),
        digests: Vec::new(),
        size_bytes: manifest.content_bytes().saturating_add(size),
    })
}

/// What a layer of an archive is: such archives do not say.
fn measure(tree: &Tree, name: &str) -> Result<(Digest, u64, Compression)> {
    let failed = |error| ImageError::io(format!("read {name} of the archive"), error);
    let mut head = Vec::with_capacity(4);
    tree.open(name)?.take(4).read_to_end(&mut head).map_err(failed)?;
    let mut hashed = Hashing::new(tree.open(name)?, Algorithm::Sha256);
    std::io::copy(&mut hashed, &mut std::io::sink()).map_err(failed)?;
    let (_, digest, size) = hashed.finish();
    Ok((digest, size, Compression::sniff(&head)))
}
