//! Who a hook has to be.

use std::sync::{Arc, LazyLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use x509_parser::parse_x509_certificate;

/// The authorities that this machine trusts, or why they are not known.
static SYSTEM: LazyLock<Result<Arc<RootCertStore>, String>> = LazyLock::new(|| {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    match found.errors.first() {
        Some(error) if roots.is_empty() => Err(format!("x509: failed to load system roots: {error}")),
        _ => Ok(Arc::new(roots)),
    }
});

/// How TLS is spoken with a hook that these certificates, in PEM, vouch for, or, if there are none, this machine's authorities.
///
/// # Errors
/// When the bundle holds no certificate, in upstream's words.
pub(crate) fn config(ca_bundle: &[u8], protocols: &[&[u8]]) -> Result<ClientConfig, String> {
    let (roots, own) = if ca_bundle.is_empty() { (SYSTEM.clone()?, Vec::new()) } else { bundle(ca_bundle)? };
    let said = |error: Error| error.to_string();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().map_err(said)?;
    let mut config = if own.is_empty() {
        builder.with_root_certificates(roots).with_no_client_auth()
    } else {
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider).build();
        let authorities = verifier.map_err(|error| error.to_string())?;
        let verifier = Arc::new(Bundle { authorities, own });
        builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
    };
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    Ok(config)
}

type Roots = (Arc<RootCertStore>, Vec<CertificateDer<'static>>);

/// The certificates of a bundle. What else it holds is passed over, as Go passes it over.
fn bundle(ca_bundle: &[u8]) -> Result<Roots, String> {
    let own: Vec<_> = CertificateDer::pem_slice_iter(ca_bundle).filter_map(Result::ok).collect();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(own.iter().cloned());
    if roots.is_empty() {
        return Err("unable to load root certificates: unable to parse bytes as PEM block".to_owned());
    }
    Ok((Arc::new(roots), own))
}

/// Takes those for whom a bundle vouches, and those who are in it: many hooks are trusted by the certificate itself that they show, which
/// then may say that it is an authority, and which Go takes all the same.
#[derive(Debug)]
struct Bundle {
    authorities: Arc<WebPkiServerVerifier>,
    own: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Bundle {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.authorities.verify_server_cert(shown, intermediates, name, ocsp, now);
        if verified.is_ok() || !self.own.iter().any(|own| own.as_ref() == shown.as_ref()) {
            return verified.map_err(|error| match error {
                // It says that it is an authority, and is none that is known.
                Error::InvalidCertificate(CertificateError::Other(_)) => {
                    Error::InvalidCertificate(CertificateError::UnknownIssuer)
                }
                error => error,
            });
        }
        rustls::client::verify_server_name(&ParsedCertificate::try_from(shown)?, name)?;
        let unreadable = || Error::InvalidCertificate(CertificateError::BadEncoding);
        let (_, certificate) = parse_x509_certificate(shown).map_err(|_| unreadable())?;
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let validity = certificate.validity();
        if now > validity.not_after.timestamp() {
            return Err(Error::InvalidCertificate(CertificateError::Expired));
        }
        if now < validity.not_before.timestamp() {
            return Err(Error::InvalidCertificate(CertificateError::NotValidYet));
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authorities.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.authorities.supported_verify_schemes()
    }
}
