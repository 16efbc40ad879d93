//! A registry as one pull sees it: its endpoints, of which the first that has what is asked for answers.

use reqwest::Response;

use super::failure::{self, Failure, cause};
use super::host::Host;
use crate::credentials::Credential;
use crate::digest::{Digest, Hasher};
use crate::error::{ImageError, Result};
use crate::limits;
use crate::manifest::{Descriptor, media};
use crate::reference::Reference;
use crate::registries::Registries;

/// A registry, for one repository and one credential.
pub(super) struct Registry {
    hosts: Vec<Host>,
    reference: Reference,
}

impl Registry {
    /// Nobody is asked anything yet.
    pub fn new(registries: &Registries, reference: &Reference, credential: Option<&Credential>) -> Registry {
        let endpoints = registries.endpoints(reference).into_iter();
        let hosts = endpoints.map(|endpoint| Host::new(endpoint, credential)).collect();
        Registry { hosts, reference: reference.clone() }
    }

    /// A manifest or an index, its digest checked where the reference has one.
    pub async fn manifest(&self, reference: &Reference) -> Result<(Digest, Vec<u8>)> {
        let named = match (reference.digest(), reference.tag()) {
            (Some(digest), _) => digest.to_string(),
            (None, tag) => tag.unwrap_or("latest").to_owned(),
        };
        let accept = media::ACCEPTED.join(", ");
        let mut response = self.get(reference, &format!("manifests/{named}"), Some(&accept)).await?;
        let content = failure::read(&mut response, limits::MANIFEST_BYTES).await;
        let content = content.map_err(|error| self.broken(&error))?;
        if content.len() as u64 > limits::MANIFEST_BYTES {
            let message = format!("larger than {} bytes", limits::MANIFEST_BYTES);
            return Err(ImageError::Malformed { what: "manifest", message });
        }
        let Some(expected) = reference.digest() else { return Ok((Digest::of(&content), content)) };
        let mut hasher = Hasher::new(expected.algorithm());
        hasher.update(&content);
        let actual = hasher.finish();
        if actual != *expected {
            return Err(ImageError::DigestMismatch { what: "manifest", expected: expected.clone(), actual });
        }
        Ok((actual, content))
    }

    /// A blob for memory; the caller checks its digest when storing it.
    pub async fn small_blob(&self, descriptor: &Descriptor) -> Result<Vec<u8>> {
        let mut response = self.blob(&descriptor.digest).await?;
        let content = failure::read(&mut response, descriptor.size).await;
        let content = content.map_err(|error| self.broken(&error))?;
        if content.len() as u64 != descriptor.size {
            return Err(ImageError::SizeMismatch {
                digest: descriptor.digest.clone(),
                expected: descriptor.size,
                actual: content.len() as u64,
            });
        }
        Ok(content)
    }

    /// A blob, on its way.
    pub async fn blob(&self, digest: &Digest) -> Result<Response> {
        self.get(&self.reference, &format!("blobs/{digest}"), None).await
    }

    /// A download that broke in its middle.
    pub fn broken(&self, error: &reqwest::Error) -> ImageError {
        ImageError::Registry { reference: self.reference.to_string(), message: cause(error) }
    }

    async fn get(&self, reference: &Reference, what: &str, accept: Option<&str>) -> Result<Response> {
        let mut told: Option<Failure> = None;
        for host in &self.hosts {
            match host.get(what, accept).await {
                Ok(response) => return Ok(response),
                Err(failure) => {
                    tracing::debug!(endpoint = %host.base(), what, %failure, "image.endpoint");
                    if told.as_ref().is_none_or(|known| failure.weight() > known.weight()) {
                        told = Some(failure);
                    }
                }
            }
        }
        let told = told.unwrap_or(Failure::NotFound);
        Err(told.into_error(reference.to_string(), reference.domain().to_owned()))
    }
}
