//! One registry as one pull sees it: connected, authorized, and its failures told apart.

use std::net::IpAddr;

use futures_util::StreamExt;
use oci_client::client::{Certificate, CertificateEncoding, ClientConfig, ClientProtocol, SizedStream};
use oci_client::errors::{OciDistributionError, OciErrorCode};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, RegistryOperation};

use super::RegistryOptions;
use crate::credentials::Credential;
use crate::digest::{Digest, Hasher};
use crate::error::{ImageError, Result};
use crate::limits;
use crate::manifest::{Descriptor, media};
use crate::reference::Reference;

/// A registry, for one repository and one credential: tokens are never shared between pods.
pub(super) struct Registry {
    client: Client,
    auth: RegistryAuth,
    reference: Reference,
}

impl Registry {
    pub async fn connect(
        options: &RegistryOptions,
        reference: &Reference,
        credential: Option<&Credential>,
    ) -> Result<Registry> {
        let auth = match credential {
            Some(Credential { username, password }) => {
                RegistryAuth::Basic(username.clone(), password.clone())
            }
            None => RegistryAuth::Anonymous,
        };
        let registry = Registry { client: client(options, reference)?, auth, reference: reference.clone() };
        let target = registry.target(reference);
        match registry.client.auth(&target, &registry.auth, RegistryOperation::Pull).await {
            Ok(_) => Ok(registry),
            Err(error) => Err(registry.failure(reference, error)),
        }
    }

    /// A manifest or an index, its digest checked where the reference has one.
    pub async fn manifest(&self, reference: &Reference) -> Result<(Digest, Vec<u8>)> {
        let target = self.target(reference);
        let answer = self.client.pull_manifest_raw(&target, &self.auth, &media::ACCEPTED).await;
        let (content, _) = answer.map_err(|error| self.failure(reference, error))?;
        if content.len() as u64 > limits::MANIFEST_BYTES {
            let message = format!("larger than {} bytes", limits::MANIFEST_BYTES);
            return Err(ImageError::Malformed { what: "manifest", message });
        }
        let Some(expected) = reference.digest() else { return Ok((Digest::of(&content), content.to_vec())) };
        let mut hasher = Hasher::new(expected.algorithm());
        hasher.update(&content);
        let actual = hasher.finish();
        if actual != *expected {
            return Err(ImageError::DigestMismatch { what: "manifest", expected: expected.clone(), actual });
        }
        Ok((actual, content.to_vec()))
    }

    /// A blob for memory; the caller checks its digest when storing it.
    pub async fn small_blob(&self, descriptor: &Descriptor) -> Result<Vec<u8>> {
        let mut stream = self.blob(&descriptor.digest).await?;
        let mut content = Vec::new();
        while let Some(chunk) = stream.next().await {
            match chunk {
                Ok(chunk) => content.extend_from_slice(&chunk),
                Err(error) if is_digest_error(&error) => break,
                Err(error) => return Err(self.broken(&error)),
            }
            if content.len() as u64 > descriptor.size {
                break;
            }
        }
        if content.len() as u64 != descriptor.size {
            return Err(ImageError::SizeMismatch {
                digest: descriptor.digest.clone(),
                expected: descriptor.size,
                actual: content.len() as u64,
            });
        }
        Ok(content)
    }

    pub async fn blob(&self, digest: &Digest) -> Result<SizedStream> {
        let target = self.target(&self.reference);
        let text = digest.to_string();
        let answer = self.client.pull_blob_stream(&target, text.as_str()).await;
        answer.map_err(|error| self.failure(&self.reference, error))
    }

    /// A download that broke in its middle.
    pub fn broken(&self, error: &dyn std::error::Error) -> ImageError {
        let message = base::error::Chain(error).to_string();
        ImageError::Registry { reference: self.reference.to_string(), message }
    }

    fn target(&self, reference: &Reference) -> oci_client::Reference {
        let (domain, path) = (reference.domain().to_owned(), reference.path().to_owned());
        match (reference.digest(), reference.tag()) {
            (Some(digest), _) => oci_client::Reference::with_digest(domain, path, digest.to_string()),
            (None, tag) => oci_client::Reference::with_tag(domain, path, tag.unwrap_or("latest").to_owned()),
        }
    }

    fn failure(&self, reference: &Reference, error: OciDistributionError) -> ImageError {
        let name = reference.to_string();
        match &error {
            OciDistributionError::RequestError(cause) if cause.is_connect() || cause.is_timeout() => {
                self.unavailable(base::error::Chain(&error).to_string())
            }
            OciDistributionError::AuthenticationFailure(message) => denied(name, message),
            OciDistributionError::UnauthorizedError { .. } => denied(name, "authorization failed"),
            OciDistributionError::ImageManifestNotFoundError(_) => ImageError::NotFound { reference: name },
            OciDistributionError::RegistryError { envelope, .. } => {
                let message = envelope.errors.first().map_or("", |error| error.message.as_str());
                match envelope.errors.first().map(|error| &error.code) {
                    Some(
                        OciErrorCode::ManifestUnknown
                        | OciErrorCode::NameUnknown
                        | OciErrorCode::NotFound
                        | OciErrorCode::BlobUnknown
                        | OciErrorCode::ManifestBlobUnknown,
                    ) => ImageError::NotFound { reference: name },
                    Some(OciErrorCode::Unauthorized | OciErrorCode::Denied) => denied(name, message),
                    Some(OciErrorCode::Toomanyrequests) => {
                        ImageError::TooManyRequests { reference: name, message: bounded(message) }
                    }
                    _ => ImageError::Registry { reference: name, message: bounded(&error.to_string()) },
                }
            }
            OciDistributionError::ServerError { code, message, .. } => match *code {
                404 => ImageError::NotFound { reference: name },
                401 | 403 => denied(name, message),
                429 => ImageError::TooManyRequests { reference: name, message: bounded(message) },
                500.. => self.unavailable(format!("unexpected status {code}: {}", bounded(message))),
                _ => ImageError::Registry {
                    reference: name,
                    message: format!("unexpected status {code}: {}", bounded(message)),
                },
            },
            _ => ImageError::Registry {
                reference: name,
                message: bounded(&base::error::Chain(&error).to_string()),
            },
        }
    }

    fn unavailable(&self, message: String) -> ImageError {
        ImageError::RegistryUnavailable { registry: self.reference.domain().to_owned(), message }
    }
}

/// Whether the library found a wrong digest at a stream's end: the unpacking side finds it too, and says it better.
pub(super) fn is_digest_error(error: &std::io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<oci_client::errors::DigestError>())
}

fn client(options: &RegistryOptions, reference: &Reference) -> Result<Client> {
    // The client takes the process's provider and panics without one. Whoever has set one already keeps it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let plain = is_plain(options, reference.domain());
    let config = |accept_invalid_certificates| ClientConfig {
        protocol: if plain {
            ClientProtocol::HttpsExcept(vec![reference.domain().to_owned()])
        } else {
            ClientProtocol::Https
        },
        accept_invalid_certificates,
        extra_root_certificates: options
            .certificates
            .iter()
            .map(|pem| Certificate { encoding: CertificateEncoding::Pem, data: pem.clone() })
            .collect(),
        read_timeout: Some(limits::READ),
        connect_timeout: Some(limits::CONNECT),
        user_agent: concat!("knarr/", env!("CARGO_PKG_VERSION")),
        ..ClientConfig::default()
    };
    let built = match Client::try_from(config(false)) {
        // A machine without any certificate authorities must still reach a registry that needs none.
        Err(_) if plain => Client::try_from(config(true)),
        built => built,
    };
    built.map_err(|error| ImageError::Registry {
        reference: reference.to_string(),
        message: base::error::Chain(&error).to_string(),
    })
}

fn is_plain(options: &RegistryOptions, domain: &str) -> bool {
    if options.insecure.iter().any(|insecure| insecure == domain) {
        return true;
    }
    let host = match domain.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => domain,
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn denied(reference: String, message: &str) -> ImageError {
    ImageError::Denied { reference, message: bounded(message) }
}

/// A registry's own words, as far as they fit an event.
fn bounded(message: &str) -> String {
    let mut end = message.len().min(limits::SERVER_MESSAGE_BYTES);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    message[..end].trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_and_configured_registries_need_no_tls() {
        let options = RegistryOptions { insecure: vec!["r.lan:5000".into()], certificates: vec![] };
        for (domain, expected) in [
            ("localhost", true),
            ("localhost:5000", true),
            ("127.0.0.1:5000", true),
            ("127.8.8.8", true),
            ("[::1]:5000", true),
            ("r.lan:5000", true),
            ("r.lan", false),
            ("docker.io", false),
            ("localhost.example.com", false),
        ] {
            assert_eq!(is_plain(&options, domain), expected, "{domain}");
        }
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        assert_eq!(bounded(&"é".repeat(400)).len(), limits::SERVER_MESSAGE_BYTES);
        assert_eq!(bounded(" denied\n"), "denied");
    }
}
