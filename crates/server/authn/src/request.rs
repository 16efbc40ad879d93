//! Certificate signing requests (PKCS#10): read and checked, and made.
//!
//! Reading is for [`crate::signer`] and for the controller that approves; making is for a node that joins and for
//! components that renew their own certificates.

use std::net::IpAddr;

use thiserror::Error;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer;
use yasna::Tag;
use yasna::models::ObjectIdentifier;

use crate::certificate::name::Name;
use crate::certificate::{AlternativeName, signed, write_alternative_names, write_extension};
use crate::key::{KeyError, PrivateKey, PublicKey, encode_pem};
use crate::limits::REQUEST_MAX_BYTES;

/// Why a request cannot be read. The wording is upstream's where it has one.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum RequestError {
    /// No PEM block, or one of another type.
    #[error("PEM block type must be CERTIFICATE REQUEST")]
    NotRequest,
    /// Longer than [`REQUEST_MAX_BYTES`].
    #[error("the request is longer than {REQUEST_MAX_BYTES} bytes")]
    TooLong,
    /// The block is no PKCS#10 request.
    #[error("unable to parse certificate request: asn1: structure error")]
    Damaged,
    /// The request asks for something that is not understood.
    #[error("unable to parse certificate request: {0}")]
    Unsupported(&'static str),
    /// The request is not signed by the key that it carries.
    #[error("unable to verify certificate request signature: x509: signature check failed")]
    Signature,
}

/// A request, its signature checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Whom the certificate shall name.
    pub subject: Name,
    /// The requester's key.
    pub public_key: PublicKey,
    /// The other names asked for, in the order asked for.
    pub alternative_names: Vec<AlternativeName>,
}

impl Request {
    /// Reads the first PEM block of `text` and checks that the request was signed with its own key.
    ///
    /// # Errors
    /// When it is no request, asks for what is not supported, or is not signed by its key.
    pub fn from_pem(text: &[u8]) -> Result<Request, RequestError> {
        if text.len() > REQUEST_MAX_BYTES {
            return Err(RequestError::TooLong);
        }
        let block = pem::parse(text).map_err(|_| RequestError::NotRequest)?;
        if block.tag() != "CERTIFICATE REQUEST" {
            return Err(RequestError::NotRequest);
        }
        Request::from_der(block.contents())
    }

    /// Like [`Request::from_pem`], of the block's contents.
    ///
    /// # Errors
    /// As there.
    pub fn from_der(der: &[u8]) -> Result<Request, RequestError> {
        let (rest, request) = X509CertificationRequest::from_der(der).map_err(|_| RequestError::Damaged)?;
        if !rest.is_empty() {
            return Err(RequestError::Damaged);
        }
        let info = &request.certification_request_info;
        let public_key = PublicKey::from_info(info.subject_pki.raw)
            .map_err(|_| RequestError::Unsupported("x509: unsupported public key algorithm"))?;
        request.verify_signature().map_err(|_| RequestError::Signature)?;
        let subject = Name::read(&info.subject)
            .ok_or(RequestError::Unsupported("x509: the subject holds a value that is not text"))?;
        let mut alternative_names = Vec::new();
        for extension in request.requested_extensions().into_iter().flatten() {
            if let ParsedExtension::SubjectAlternativeName(names) = extension {
                for name in &names.general_names {
                    alternative_names.push(read_name(name)?);
                }
            }
        }
        Ok(Request { subject, public_key, alternative_names })
    }
}

fn read_name(name: &GeneralName<'_>) -> Result<AlternativeName, RequestError> {
    match name {
        GeneralName::DNSName(host) => Ok(AlternativeName::Dns((*host).to_owned())),
        GeneralName::RFC822Name(mail) => Ok(AlternativeName::Email((*mail).to_owned())),
        GeneralName::URI(uri) => Ok(AlternativeName::Uri((*uri).to_owned())),
        GeneralName::IPAddress(bytes) => {
            if let Ok(octets) = <[u8; 4]>::try_from(*bytes) {
                Ok(AlternativeName::Ip(IpAddr::from(octets)))
            } else if let Ok(octets) = <[u8; 16]>::try_from(*bytes) {
                Ok(AlternativeName::Ip(IpAddr::from(octets)))
            } else {
                Err(RequestError::Unsupported("x509: cannot parse IP address"))
            }
        }
        // Go skips other kinds of names; they would be dropped from the certificate, so nothing is lost by refusing.
        _ => Err(RequestError::Unsupported("x509: unsupported subjectAltName")),
    }
}

/// A request for `subject` with the key `key`, as PEM.
///
/// # Errors
/// When the key does not sign.
pub fn create(
    key: &PrivateKey,
    subject: &Name,
    alternative_names: &[AlternativeName],
) -> Result<String, KeyError> {
    let body = yasna::construct_der(|writer| {
        writer.write_sequence(|writer| {
            writer.next().write_u8(0);
            writer.next().write_der(&subject.to_der());
            writer.next().write_der(&key.public().to_info());
            writer.next().write_tagged_implicit(Tag::context(0), |writer| {
                writer.write_set_of(|writer| {
                    if alternative_names.is_empty() {
                        return;
                    }
                    // extensionRequest of PKCS#9.
                    writer.next().write_sequence(|writer| {
                        writer
                            .next()
                            .write_oid(&ObjectIdentifier::from_slice(&[1, 2, 840, 113549, 1, 9, 14]));
                        writer.next().write_set_of(|writer| {
                            writer.next().write_sequence(|writer| {
                                write_extension(writer, &[2, 5, 29, 17], subject.is_empty(), |writer| {
                                    write_alternative_names(writer, alternative_names);
                                });
                            });
                        });
                    });
                });
            });
        });
    });
    let signature = key.sign_certificate(&body)?;
    Ok(encode_pem("CERTIFICATE REQUEST", &signed(&body, key, &signature)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names() -> Vec<AlternativeName> {
        vec![
            AlternativeName::Dns("node-1".to_owned()),
            AlternativeName::Ip("10.0.0.7".parse().expect("an address")),
            AlternativeName::Ip("fd00::7".parse().expect("an address")),
        ]
    }

    #[test]
    fn a_made_request_is_read_back() {
        let key = PrivateKey::generate().expect("a key");
        let subject = Name::new("system:node:node-1", &["system:nodes"]);
        for names in [Vec::new(), names()] {
            let text = create(&key, &subject, &names).expect("a request");
            let request = Request::from_pem(text.as_bytes()).expect("readable");
            assert_eq!(request.subject, subject);
            assert_eq!(&request.public_key, key.public());
            assert_eq!(request.alternative_names, names);
        }
    }

    #[test]
    fn another_implementation_s_request_is_read() {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut params =
            rcgen::CertificateParams::new(vec!["node-1".to_owned(), "10.0.0.7".to_owned()]).expect("names");
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, "system:node:node-1");
        let text = params.serialize_request(&key).expect("a request").pem().expect("PEM");
        let request = Request::from_pem(text.as_bytes()).expect("readable");
        assert_eq!(request.subject.common_name, "system:node:node-1");
        assert_eq!(request.alternative_names, names()[..2]);
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let key = PrivateKey::generate().expect("a key");
        let text = create(&key, &Name::new("n", &[]), &[]).expect("a request");
        let mut forged = pem::parse(&text).expect("PEM").into_contents();
        let last = forged.len() - 1;
        forged[last] ^= 1;
        for (input, want) in [
            (String::new(), RequestError::NotRequest),
            (key.to_pem(), RequestError::NotRequest),
            (encode_pem("CERTIFICATE REQUEST", b"nonsense"), RequestError::Damaged),
            (encode_pem("CERTIFICATE REQUEST", &forged), RequestError::Signature),
            ("x".repeat(REQUEST_MAX_BYTES + 1), RequestError::TooLong),
        ] {
            assert_eq!(Request::from_pem(input.as_bytes()).expect_err("refused"), want);
        }
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes: Vec<u8>, at: usize, value: u8) {
            let _ = Request::from_der(&bytes);
            let key = PrivateKey::generate().expect("a key");
            let text = create(&key, &Name::new("n", &["g"]), &names()).expect("a request");
            let mut der = pem::parse(&text).expect("PEM").into_contents();
            let length = der.len();
            der[at % length] = value;
            let _ = Request::from_der(&der);
        }
    }
}
