//! Client certificates: is the chain good, and whom does it name?
//!
//! A connection's chain is the same with each of its requests, and checking signatures costs more than most requests do: chains that were found good
//! are known again until the first of their certificates ends (`good`).
//!
//! TLS only proves that the client holds the certificate's key ([`tls_verifier`]); which authority it belongs to is
//! asked here, per request. That is upstream's split, and it is needed: one connection may present a certificate of
//! the cluster's authority, of the front proxies', or a useless one beside a good token.

mod good;

use std::sync::Arc;
use std::time::Duration;

use base::time::Time;
use client::Caller;
use ring::digest;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, RootCertStore, SignatureScheme};
use thiserror::Error;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use crate::certificate::name::Name;
use crate::limits::CHAIN_MAX_CERTIFICATES;
use crate::user::CREDENTIAL_ID;
use good::Good;

/// Why a certificate identifies nobody. Where upstream (Go) has a wording, this is it.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum X509Error {
    /// No chain to a trusted authority.
    #[error("x509: certificate signed by unknown authority")]
    UnknownAuthority,
    /// Its time is over.
    #[error("x509: certificate has expired or is not yet valid: current time {now} is after {end}")]
    Expired {
        /// The time of checking.
        now: String,
        /// When it ended.
        end: String,
    },
    /// Its time has not come.
    #[error("x509: certificate has expired or is not yet valid: current time {now} is before {begin}")]
    NotYetValid {
        /// The time of checking.
        now: String,
        /// When it begins.
        begin: String,
    },
    /// It is not for clients.
    #[error("x509: certificate specifies an incompatible key usage")]
    Usage,
    /// It cannot be read.
    #[error("x509: malformed certificate")]
    Malformed,
    /// More certificates than a chain may have.
    #[error("x509: the chain has more than {CHAIN_MAX_CERTIFICATES} certificates")]
    TooLong,
    /// Any other defect of the chain.
    #[error("x509: {0}")]
    Other(String),
    /// Only some names may pass as a proxy.
    #[error("x509: subject with cn={0} is not in the allowed list")]
    NotAllowed(String),
    /// The uid in the subject is given several times.
    #[error("expected 1 UID, but found multiple: [{}]", .0.join(" "))]
    ManyUids(Vec<String>),
    /// The uid in the subject is empty.
    #[error("UID cannot be an empty string")]
    EmptyUid,
}

/// Why a set of authorities cannot be trusted.
#[derive(Debug, Error)]
pub enum AuthoritiesError {
    /// There is no certificate among the text.
    #[error("no certificate was found")]
    Empty,
    /// One of them is no usable authority.
    #[error("a certificate cannot be used as an authority")]
    Unusable(#[source] rustls::Error),
}

/// Authorities that client certificates are checked against.
#[derive(Clone, Debug)]
pub struct ClientAuthorities {
    verifier: Arc<dyn ClientCertVerifier>,
    good: Arc<Good>,
}

impl ClientAuthorities {
    /// The authorities whose certificates `text` holds as PEM.
    ///
    /// # Errors
    /// When there is none, or one cannot be used.
    pub fn from_pem(text: &[u8]) -> Result<ClientAuthorities, AuthoritiesError> {
        let mut roots = RootCertStore::empty();
        let blocks = pem::parse_many(text).map_err(|_| AuthoritiesError::Empty)?;
        for block in blocks.into_iter().filter(|block| block.tag() == "CERTIFICATE") {
            roots.add(CertificateDer::from(block.into_contents())).map_err(AuthoritiesError::Unusable)?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
            .build()
            .map_err(|_| AuthoritiesError::Empty)?;
        Ok(ClientAuthorities { verifier, good: Arc::default() })
    }

    /// Checks a chain, its own certificate first: signatures, times and usage.
    ///
    /// # Errors
    /// With what is wrong with it.
    pub fn verify(&self, chain: &[CertificateDer<'_>], now: Time) -> Result<(), X509Error> {
        let (own, intermediates) = chain.split_first().ok_or(X509Error::Malformed)?;
        if chain.len() > CHAIN_MAX_CERTIFICATES {
            return Err(X509Error::TooLong);
        }
        let digest = good::digest(chain);
        if self.good.knows(&digest, now) {
            return Ok(());
        }
        let seconds = u64::try_from(now.unix_seconds()).unwrap_or(0);
        let at = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        match self.verifier.verify_client_cert(own, intermediates, at) {
            Ok(_) => {
                self.good.learn(digest, chain);
                Ok(())
            }
            Err(rustls::Error::InvalidCertificate(error)) => Err(explain(error, own, now)),
            Err(error) => Err(X509Error::Other(error.to_string())),
        }
    }

    fn subjects(&self) -> &[DistinguishedName] {
        self.verifier.root_hint_subjects()
    }
}

fn explain(error: CertificateError, own: &CertificateDer<'_>, now: Time) -> X509Error {
    let stamp = |seconds| jiff::Timestamp::from_second(seconds).unwrap_or_default().to_string();
    let validity = X509Certificate::from_der(own).ok().map(|(_, certificate)| certificate.validity().clone());
    let now = stamp(now.unix_seconds());
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => X509Error::Expired {
            now,
            end: validity.map_or_else(String::new, |validity| stamp(validity.not_after.timestamp())),
        },
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            X509Error::NotYetValid {
                now,
                begin: validity.map_or_else(String::new, |validity| stamp(validity.not_before.timestamp())),
            }
        }
        CertificateError::UnknownIssuer | CertificateError::BadSignature => X509Error::UnknownAuthority,
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => X509Error::Usage,
        CertificateError::BadEncoding => X509Error::Malformed,
        other => X509Error::Other(other.to_string()),
    }
}

/// The subject of a certificate. Checks nothing.
///
/// # Errors
/// When it cannot be read.
pub fn subject(der: &[u8]) -> Result<Name, X509Error> {
    let (_, certificate) = X509Certificate::from_der(der).map_err(|_| X509Error::Malformed)?;
    Name::read(certificate.subject()).ok_or(X509Error::Malformed)
}

/// When the first certificate of a text in PEM ends; `None` when it cannot be read.
pub fn end(text: &[u8]) -> Option<Time> {
    let block = pem::parse(text).ok()?;
    let (_, certificate) = X509Certificate::from_der(block.contents()).ok()?;
    Some(Time::from_unix_seconds(certificate.validity().not_after.timestamp()))
}

/// The user that a certificate names (its chain must have been checked): common name, organizations as groups, uid,
/// and the certificate's own digest as the credential. `None` when it has no common name.
///
/// # Errors
/// When it cannot be read, or its uid is not one.
pub fn user(der: &[u8]) -> Result<Option<Caller>, X509Error> {
    let name = subject(der)?;
    if name.common_name.is_empty() {
        return Ok(None);
    }
    let uid = match name.uid.as_slice() {
        [] => String::new(),
        [uid] if uid.is_empty() => return Err(X509Error::EmptyUid),
        [uid] => uid.clone(),
        many => return Err(X509Error::ManyUids(many.to_vec())),
    };
    let digest = digest::digest(&digest::SHA256, der);
    let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let mut user = Caller { name: name.common_name, uid, groups: name.organization, ..Caller::default() };
    user.extra.insert(CREDENTIAL_ID.to_owned(), vec![format!("X509SHA256={hex}")]);
    Ok(Some(user))
}

/// What a TLS server does with client certificates: it asks for one (naming `authorities`), needs none, and checks
/// only that the client holds the key. The chain is checked per request, by [`ClientAuthorities::verify`].
pub fn tls_verifier(authorities: &[&ClientAuthorities]) -> Arc<dyn ClientCertVerifier> {
    let subjects = authorities.iter().flat_map(|authorities| authorities.subjects().to_vec()).collect();
    Arc::new(Requested { subjects, provider: provider() })
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

#[derive(Debug)]
struct Requested {
    subjects: Vec<DistinguishedName>,
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for Requested {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.subjects
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
