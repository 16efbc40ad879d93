//! OCI layouts: `index.json`, and blobs by digest.

use std::collections::BTreeMap;

use super::tree::Tree;
use super::{CONTAINERD_NAME, ImportOptions, OCI_NAME, names};
use crate::config::ConfigFile;
use crate::digest::Digest;
use crate::error::{ImageError, Result};
use crate::limits;
use crate::manifest::{Descriptor, Document, Index, Manifest, Platform};
use crate::pull::specs;
use crate::store::{Record, Work};

pub(super) fn import(work: &Work, tree: &Tree, options: &ImportOptions) -> Result<Vec<Record>> {
    let text = tree.read("index.json", limits::ARCHIVE_INDEX_BYTES)?;
    let malformed = |message: String| ImageError::Malformed { what: "index.json", message };
    let index: Index = serde_json::from_slice(&text).map_err(|error| malformed(error.to_string()))?;
    if index.manifests.len() > limits::INDEX_ENTRIES {
        return Err(malformed(format!("more than {} manifests", limits::INDEX_ENTRIES)));
    }
    let platform = options.platform.clone().unwrap_or_else(Platform::host);
    let mut records: BTreeMap<Digest, Record> = BTreeMap::new();
    for group in by_name(&index) {
        let Some(chosen) = group.select(&platform) else { continue };
        let Some(record) = image(work, tree, chosen, &platform, options)? else { continue };
        let known = records.entry(record.id.clone()).or_insert_with(|| record.clone());
        known.tags.extend(record.tags);
        known.digests.extend(record.digests);
        known.tags.sort();
        known.tags.dedup();
        known.digests.sort();
        known.digests.dedup();
    }
    if records.is_empty() {
        let (reference, platform) = ("the archive".to_owned(), platform.to_string());
        return Err(ImageError::NoPlatform { reference, platform });
    }
    Ok(records.into_values().collect())
}

/// Entries of one name are one image for several platforms; those without a name are images of their own unless they
/// say for which platform they are.
fn by_name(index: &Index) -> Vec<Index> {
    let mut groups: BTreeMap<Option<String>, Vec<Descriptor>> = BTreeMap::new();
    let mut single = Vec::new();
    for entry in &index.manifests {
        let key = entry.annotations.as_ref().and_then(|annotations| {
            annotations.get(CONTAINERD_NAME).or_else(|| annotations.get(OCI_NAME)).cloned()
        });
        if key.is_none() && entry.platform.is_none() {
            single.push(vec![entry.clone()]);
        } else {
            groups.entry(key).or_default().push(entry.clone());
        }
    }
    groups
        .into_values()
        .chain(single)
        .map(|manifests| Index { schema_version: 2, media_type: None, manifests })
        .collect()
}

fn image(
    work: &Work,
    tree: &Tree,
    top: &Descriptor,
    platform: &Platform,
    options: &ImportOptions,
) -> Result<Option<Record>> {
    let mut digest = top.digest.clone();
    for _ in 0..limits::INDEX_DEPTH {
        let content = tree.read_blob(&digest, limits::MANIFEST_BYTES)?;
        // Checks the digest before anything is believed.
        work.put(&digest, &content)?;
        match Document::parse(&content)? {
            Document::Manifest(manifest) => {
                let size = content.len() as u64;
                return take(work, tree, &digest, size, &manifest, top, options).map(Some);
            }
            Document::Index(index) => match index.select(platform) {
                Some(chosen) => digest = chosen.digest.clone(),
                None => return Ok(None),
            },
        }
    }
    Ok(None)
}

fn take(
    work: &Work,
    tree: &Tree,
    digest: &Digest,
    size: u64,
    manifest: &Manifest,
    top: &Descriptor,
    options: &ImportOptions,
) -> Result<Record> {
    let config = tree.read_blob(&manifest.config.digest, limits::CONFIG_BYTES)?;
    work.put(&manifest.config.digest, &config)?;
    for spec in specs(manifest, &ConfigFile::parse(&config)?)? {
        work.pin([&spec.digest, &spec.diff_id])?;
        if !work.has(&spec) {
            work.ingest(&spec, tree.blob(&spec.digest)?)?;
        }
    }
    let empty = BTreeMap::new();
    let annotations = top.annotations.as_ref().unwrap_or(&empty);
    // The whole name makes the bare tag beside it superfluous.
    let given = annotations.get(CONTAINERD_NAME).or_else(|| annotations.get(OCI_NAME));
    let references = names(given.map(String::as_str), options);
    let mut tags: Vec<String> =
        references.iter().filter(|name| name.digest().is_none()).map(ToString::to_string).collect();
    tags.dedup();
    let mut digests: Vec<String> =
        references.iter().map(|name| name.with_digest(top.digest.clone()).to_string()).collect();
    digests.sort();
    digests.dedup();
    Ok(Record {
        id: manifest.config.digest.clone(),
        manifest: digest.clone(),
        tags,
        digests,
        size_bytes: manifest.content_bytes().saturating_add(size),
    })
}
