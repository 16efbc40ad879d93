//! How to reach a server and who to be there.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::client::ResolvesClientCert;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use thiserror::Error;

use crate::connect::Connector;

/// What cannot be used to reach a server.
#[derive(Debug, Error)]
pub enum AccessError {
    /// The address is none.
    #[error("the server's address {0:?} is not https://HOST:PORT")]
    Address(String),
    /// The authority's certificate cannot be read.
    #[error("the server's certificate authority cannot be read")]
    Authority(#[source] rustls::pki_types::pem::Error),
    /// The authority's certificate is none.
    #[error("the server's certificate authority is not a certificate")]
    NoAuthority,
    /// The token cannot be sent.
    #[error("the token holds characters that no token has")]
    Token,
    /// The client's certificate or key cannot be read.
    #[error("the client certificate or its key cannot be read")]
    Identity(#[source] rustls::pki_types::pem::Error),
    /// The client's certificate or key cannot be used.
    #[error("the client certificate and its key cannot be used")]
    Unusable(#[source] rustls::Error),
}

/// What proves who asks.
#[derive(Clone)]
pub enum Credentials {
    /// Nothing.
    None,
    /// A token, sent with each request.
    Token(String),
    /// A certificate, which may be replaced while connections stand; new ones show the new one.
    Certificate(Arc<Certificate>),
}

/// A client certificate that can be replaced.
#[derive(Debug)]
pub struct Certificate(ArcSwap<CertifiedKey>);

impl Certificate {
    /// Reads a certificate chain and its key from PEM.
    ///
    /// # Errors
    /// When they cannot be read or do not belong together.
    pub fn from_pem(chain: &str, key: &str) -> Result<Certificate, AccessError> {
        Ok(Certificate(ArcSwap::new(read(chain, key)?)))
    }

    /// Shows these from the next connection on.
    ///
    /// # Errors
    /// As [`Certificate::from_pem`].
    pub fn replace(&self, chain: &str, key: &str) -> Result<(), AccessError> {
        self.0.store(read(chain, key)?);
        Ok(())
    }
}

fn read(chain: &str, key: &str) -> Result<Arc<CertifiedKey>, AccessError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain.as_bytes()).collect();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(AccessError::Identity)?;
    let provider = rustls::crypto::ring::default_provider();
    let chain = chain.map_err(AccessError::Identity)?;
    CertifiedKey::from_der(chain, key, &provider).map(Arc::new).map_err(AccessError::Unusable)
}

impl ResolvesClientCert for Certificate {
    fn resolve(&self, _: &[&[u8]], _: &[rustls::SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// How to reach a server and who to be there.
#[derive(Clone)]
pub struct Access {
    /// `https://HOST:PORT`.
    pub server: String,
    /// The certificates, in PEM, that vouch for the server.
    pub authority_pem: String,
    /// What proves who asks.
    pub credentials: Credentials,
}

impl Access {
    /// Access of these credentials' owner to a server.
    pub fn new(server: &str, authority_pem: &str, credentials: Credentials) -> Access {
        Access { server: server.to_owned(), authority_pem: authority_pem.to_owned(), credentials }
    }

    /// Connections by this access, for whoever speaks something else than the API over them.
    ///
    /// # Errors
    /// When the access is not usable as it is given.
    pub fn connector(&self) -> Result<Connector, AccessError> {
        Ok(Connector::new(self.tls()?))
    }

    /// How TLS is spoken with the server.
    pub(crate) fn tls(&self) -> Result<ClientConfig, AccessError> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(self.authority_pem.as_bytes()) {
            let certificate = certificate.map_err(AccessError::Authority)?;
            roots.add(certificate).map_err(AccessError::Unusable)?;
        }
        if roots.is_empty() {
            return Err(AccessError::NoAuthority);
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(AccessError::Unusable)?
            .with_root_certificates(roots);
        Ok(match &self.credentials {
            Credentials::Certificate(certificate) => {
                let resolver: Arc<dyn ResolvesClientCert> = Arc::<Certificate>::clone(certificate);
                config.with_client_cert_resolver(resolver)
            }
            Credentials::None | Credentials::Token(_) => config.with_no_client_auth(),
        })
    }
}
