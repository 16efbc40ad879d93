//! Images as the node agent and the command line see them: found by name, listed, removed.

use std::path::PathBuf;

use super::Store;
use super::records::{Record, take};
use crate::config::{ConfigFile, ImageConfig};
use crate::digest::Digest;
use crate::error::{ImageError, Result};
use crate::limits;
use crate::manifest::Platform;
use crate::reference::Reference;

/// An image that is complete on this node: all that it takes to start a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The digest of its configuration, by which kubelet knows it.
    pub id: Digest,
    /// Its names with tags, complete: `docker.io/library/nginx:1.27`.
    pub references: Vec<String>,
    /// Its names by digest, complete: `docker.io/library/nginx@sha256:…`. What a pod's `imageID` shows.
    pub digests: Vec<String>,
    /// Bytes of its content as it travels, which is what kubelet reports.
    pub size_bytes: u64,
    /// What it runs on, as it says.
    pub platform: Platform,
    /// When it was built, RFC 3339, as it says.
    pub created: String,
    /// How a container of it starts.
    pub config: ImageConfig,
    /// Its unpacked layers as overlayfs' `lowerdir` wants them: the uppermost first. Never empty: an image without layers
    /// has one empty directory.
    pub layers: Vec<PathBuf>,
}

/// What removing a name did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// Names that are gone.
    pub references: Vec<String>,
    /// The image, if it is gone with them. Its disk space comes back with the next [`Store::collect`].
    pub image: Option<Digest>,
}

impl Store {
    /// Every complete image, by id.
    ///
    /// # Errors
    /// When the list cannot be read.
    pub fn list(&self) -> Result<Vec<Image>> {
        let images = self.records()?.iter().map(|record| self.load(record)).collect::<Result<Vec<_>>>()?;
        Ok(images.into_iter().flatten().collect())
    }

    /// The image that `name` stands for: a reference, an id with or without `sha256:`, or the beginning of an id that no
    /// other image shares.
    ///
    /// # Errors
    /// [`ImageError::NotPresent`] when there is none, or not all of it; [`ImageError::Ambiguous`];
    /// [`ImageError::InvalidName`] for what cannot be a name.
    pub fn inspect(&self, name: &str) -> Result<Image> {
        self.inspect_with_manifest(name).map(|(image, _)| image)
    }

    pub(crate) fn inspect_with_manifest(&self, name: &str) -> Result<(Image, Digest)> {
        let records = self.records()?;
        let (at, _) = find(&records, name)?;
        let image = self.load(&records[at])?.ok_or_else(|| ImageError::NotPresent(name.to_owned()))?;
        Ok((image, records[at].manifest.clone()))
    }

    /// Gives an image one more name.
    ///
    /// # Errors
    /// As [`Store::inspect`].
    pub fn tag(&self, name: &str, reference: &Reference) -> Result<()> {
        let work = self.work()?;
        let reference = reference.canonical();
        let text = reference.to_string();
        self.change_records(&work, |records| {
            let (at, _) = find(records, name)?;
            for other in records.iter_mut() {
                other.tags.retain(|tag| *tag != text);
                other.digests.retain(|digest| *digest != text);
            }
            let names =
                if reference.digest().is_some() { &mut records[at].digests } else { &mut records[at].tags };
            names.push(text);
            names.sort();
            Ok(())
        })
    }

    /// Removes a name, and the image with its last tag; by id or by a manifest's digest, the image with all its names.
    /// Content stays until [`Store::collect`], so that a container that runs from it goes on.
    ///
    /// # Errors
    /// As [`Store::inspect`].
    pub fn remove(&self, name: &str) -> Result<Removed> {
        let work = self.work()?;
        self.change_records(&work, |records| {
            let (at, reference) = find(records, name)?;
            let (references, image) = take(records, at, reference.as_deref());
            Ok(Removed { references, image })
        })
    }

    /// The image of a record; `None` when part of its content is gone or damaged, so that it is pulled again.
    pub(super) fn load(&self, record: &Record) -> Result<Option<Image>> {
        let content = match self.read_blob(&record.id, limits::CONFIG_BYTES) {
            Ok(Some(content)) => content,
            Ok(None) => return Ok(None),
            Err(error @ (ImageError::DigestMismatch { .. } | ImageError::Malformed { .. })) => {
                tracing::warn!(id = %record.id, error = %error.message(), "an image's configuration is damaged");
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let file = ConfigFile::parse(&content)?;
        if !file.diff_ids.iter().all(|diff_id| self.has_layer(diff_id)) {
            return Ok(None);
        }
        let mut layers: Vec<PathBuf> =
            file.diff_ids.iter().rev().map(|diff_id| self.layer_path(diff_id).join("fs")).collect();
        if layers.is_empty() {
            layers.push(self.empty());
        }
        Ok(Some(Image {
            id: record.id.clone(),
            references: record.tags.clone(),
            digests: record.digests.clone(),
            size_bytes: record.size_bytes,
            platform: file.platform,
            created: file.created,
            config: file.config,
            layers,
        }))
    }
}

/// Where `name` is in the list, and the reference that it is, unless it is an id or a digest.
pub(super) fn find(records: &[Record], name: &str) -> Result<(usize, Option<String>)> {
    let is_hex =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    let whole = if is_hex && name.len() == 64 { format!("sha256:{name}") } else { name.to_owned() };
    let absent = || ImageError::NotPresent(name.to_owned());
    if let Ok(digest) = whole.parse::<Digest>() {
        let by_id = records.iter().position(|record| record.id == digest);
        let by_manifest = || records.iter().position(|record| record.manifest == digest);
        return by_id.or_else(by_manifest).map(|at| (at, None)).ok_or_else(absent);
    }
    let parsed: std::result::Result<Reference, _> = name.parse();
    if let Ok(reference) = &parsed {
        let text = reference.canonical().to_string();
        let named = |record: &Record| record.tags.contains(&text) || record.digests.contains(&text);
        if let Some(at) = records.iter().position(named) {
            return Ok((at, Some(text)));
        }
    }
    if is_hex {
        let mut fits = records.iter().enumerate().filter(|(_, record)| record.id.hex().starts_with(name));
        match (fits.next(), fits.next()) {
            (Some((at, _)), None) => return Ok((at, None)),
            (Some(_), Some(_)) => return Err(ImageError::Ambiguous(name.to_owned())),
            (None, _) => {}
        }
    }
    match parsed {
        Ok(_) => Err(absent()),
        Err(source) => Err(ImageError::InvalidName { name: name.to_owned(), source }),
    }
}
