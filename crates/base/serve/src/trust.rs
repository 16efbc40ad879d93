//! TLS with a server of the cluster's: who vouches for it, and what this end shows of itself.
//!
//! Follows `client-go/transport`: without authorities those of the machine count, and a certificate that is itself among the authorities
//! is vouched for, even if it is an authority's (Go's verification takes it so; the library's own refuses it).

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use crate::anyone::Anyone;

/// Where distributions keep the authorities that everybody trusts, in the order in which Go looks (`crypto/x509/root_linux.go`).
const MACHINES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/ssl/cert.pem",
];

/// Who vouches for a server.
#[derive(Clone, Copy, Debug)]
pub enum Trust<'a> {
    /// Nobody needs to.
    Anyone,
    /// These authorities, in PEM; those of the machine, if there are none.
    Authorities(&'a [u8]),
}

/// What this end shows of itself, in PEM.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The certificate, with those that lead to its authority.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

/// How to speak TLS with a server. The protocols are for the caller to choose.
///
/// # Errors
/// Why it cannot be spoken, in upstream's words.
pub fn config(trust: Trust<'_>, shown: Option<&Shown>) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match trust {
        Trust::Anyone => Arc::new(Anyone::new(Arc::clone(&provider))),
        Trust::Authorities(pem) => Arc::new(Vouched::new(pem, &provider)?),
    };
    let refused = |error: Error| format!("tls: {error}");
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(refused)?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let Some(shown) = shown else { return Ok(config.with_no_client_auth()) };
    let unread = |error: rustls::pki_types::pem::Error| format!("tls: {error}");
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(shown.certificate.as_bytes()).collect();
    let key = PrivateKeyDer::from_pem_slice(shown.key.as_bytes()).map_err(unread)?;
    config.with_client_auth_cert(chain.map_err(unread)?, key).map_err(refused)
}

/// The authorities of a bundle.
fn authorities(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let failure = |why: String| format!("unable to load root certificates: {why}");
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let all = read.map_err(|error| failure(format!("failed to parse certificate: {error}")))?;
    if all.is_empty() {
        return Err(failure("unable to parse bytes as PEM block".to_owned()));
    }
    Ok(all)
}

/// The authorities that the machine trusts; none, if it has no file of them.
fn machines() -> Vec<CertificateDer<'static>> {
    let found = MACHINES.iter().map(Path::new).find_map(|path| std::fs::read(path).ok());
    let found = found.unwrap_or_default();
    CertificateDer::pem_slice_iter(&found).flatten().collect()
}

/// Takes those for whom an authority vouches, and those who are one themselves.
#[derive(Debug)]
struct Vouched {
    /// `None` if nobody is trusted.
    others: Option<Arc<WebPkiServerVerifier>>,
    themselves: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl Vouched {
    fn new(pem: &[u8], provider: &Arc<CryptoProvider>) -> Result<Vouched, String> {
        let given = !pem.is_empty();
        let all = if given { authorities(pem)? } else { machines() };
        let mut roots = RootCertStore::empty();
        for one in &all {
            match roots.add(one.clone()) {
                Err(error) if given => {
                    return Err(format!(
                        "unable to load root certificates: failed to parse certificate: {error}"
                    ));
                }
                _ => {}
            }
        }
        let others = if roots.is_empty() {
            None
        } else {
            let builder = WebPkiServerVerifier::builder_with_provider(roots.into(), Arc::clone(provider));
            Some(builder.build().map_err(|error| format!("tls: {error}"))?)
        };
        let themselves = if given { all } else { Vec::new() };
        Ok(Vouched { others, themselves, provider: Arc::clone(provider) })
    }
}

impl ServerCertVerifier for Vouched {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(others) = &self.others else {
            return Err(Error::InvalidCertificate(CertificateError::UnknownIssuer));
        };
        match others.verify_server_cert(own, chain, name, ocsp, now) {
            // The library has looked at the times before it says that an authority's certificate is no server's.
            Err(Error::InvalidCertificate(CertificateError::Other(_))) if self.themselves.contains(own) => {
                verify_server_name(&ParsedCertificate::try_from(own)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, own, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, own, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};

    use super::*;

    fn verified(of: &CertificateDer<'static>, trusted: &str, name: &'static str) -> Result<(), Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = Vouched::new(trusted.as_bytes(), &provider).expect("a bundle");
        let name = ServerName::try_from(name).expect("a name");
        verifier.verify_server_cert(of, &[], &name, &[], UnixTime::now()).map(drop)
    }

    #[test]
    fn whoever_is_trusted_itself_is_vouched_for() {
        for is_ca in [IsCa::NoCa, IsCa::Ca(BasicConstraints::Unconstrained)] {
            let mut params = CertificateParams::new(vec!["api.shop.svc".to_owned()]).expect("a name");
            params.is_ca = is_ca;
            let key = KeyPair::generate().expect("a key");
            let own = params.self_signed(&key).expect("a certificate");
            let other = CertificateParams::new(vec!["api.shop.svc".to_owned()]).expect("a name");
            let other = other.self_signed(&KeyPair::generate().expect("a key")).expect("a certificate");
            assert!(verified(own.der(), &own.pem(), "api.shop.svc").is_ok());
            assert!(verified(own.der(), &own.pem(), "other.shop.svc").is_err());
            assert!(verified(own.der(), &other.pem(), "api.shop.svc").is_err());
        }
    }

    #[test]
    fn a_bundle_that_is_none_is_told_of() {
        let told = config(Trust::Authorities(b"nonsense"), None).err();
        assert_eq!(
            told.as_deref(),
            Some("unable to load root certificates: unable to parse bytes as PEM block")
        );
        assert!(config(Trust::Anyone, None).is_ok() && config(Trust::Authorities(b""), None).is_ok());
    }
}
