//! A certificate authority: its certificate and its key.

use base::random::Random;
use base::time::Time;
use thiserror::Error;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer;

use crate::certificate::name::Name;
use crate::certificate::usage::KeyUsages;
use crate::certificate::{AlternativeName, Issuer, Template, key_id};
use crate::key::{KeyError, PrivateKey, PublicKey, encode_pem};
use crate::limits::{BACKDATE, CA_LIFETIME, RENEW_BELOW_SHARE};

/// What is wrong with an authority's file.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum AuthorityError {
    /// The file holds no certificate.
    #[error("it holds no certificate")]
    NotCertificate,
    /// The certificate is not an authority's.
    #[error("its certificate is not that of an authority")]
    NotAuthority,
    /// Certificate and key belong to different authorities.
    #[error("its certificate does not belong to the key beside it")]
    Mismatch,
    /// The authority is past its end.
    #[error("its certificate ended at {0}")]
    Ended(String),
}

/// A certificate authority that can sign.
#[derive(Debug)]
pub struct Authority {
    certificate: Vec<u8>,
    pem: String,
    name: Vec<u8>,
    key_id: Option<Vec<u8>>,
    not_after: Time,
    key: PrivateKey,
}

impl Authority {
    /// A new authority of the given name with a new key.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn create(name: &str, now: Time, random: &dyn Random) -> Result<Authority, KeyError> {
        Authority::create_with(name, PrivateKey::generate()?, now, random)
    }

    /// A new authority with a key that exists.
    ///
    /// # Errors
    /// When the key does not sign.
    pub fn create_with(
        name: &str,
        key: PrivateKey,
        now: Time,
        random: &dyn Random,
    ) -> Result<Authority, KeyError> {
        let subject = Name::new(name, &[]);
        let template = Template {
            // kubeadm's authorities carry their name so too; some clients refuse certificates without any.
            alternative_names: vec![AlternativeName::Dns(name.to_owned())],
            public_key: key.public().clone(),
            not_before: now - BACKDATE,
            not_after: Time::from_unix_seconds((now + CA_LIFETIME).unix_seconds()),
            is_ca: true,
            usages: KeyUsages::DIGITAL_SIGNATURE.with(KeyUsages::KEY_ENCIPHERMENT).with(KeyUsages::CERT_SIGN),
            extended_usages: Vec::new(),
            subject: subject.clone(),
        };
        let name = subject.to_der();
        let certificate = template.sign(Issuer { name: &name, key_id: None, key: &key }, random)?;
        Ok(Authority {
            pem: encode_pem("CERTIFICATE", &certificate),
            certificate,
            name,
            key_id: Some(key_id(key.public())),
            not_after: template.not_after,
            key,
        })
    }

    /// An authority from its files. Of several certificates the first is the one that signs.
    ///
    /// # Errors
    /// When the certificate is no authority's, has ended, or does not belong to the key.
    pub fn load(pem_text: &[u8], key: PrivateKey, now: Time) -> Result<Authority, AuthorityError> {
        let block = pem::parse(pem_text).map_err(|_| AuthorityError::NotCertificate)?;
        if block.tag() != "CERTIFICATE" {
            return Err(AuthorityError::NotCertificate);
        }
        let der = block.into_contents();
        let (_, parsed) = X509Certificate::from_der(&der).map_err(|_| AuthorityError::NotCertificate)?;
        if !parsed.is_ca() {
            return Err(AuthorityError::NotAuthority);
        }
        if parsed.public_key().raw != key.public().to_info() {
            return Err(AuthorityError::Mismatch);
        }
        let not_after = Time::from_unix_seconds(parsed.validity().not_after.timestamp());
        if not_after <= now {
            return Err(AuthorityError::Ended(parsed.validity().not_after.to_string()));
        }
        let key_id = parsed.extensions().iter().find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
            _ => None,
        });
        let name = parsed.subject().as_raw().to_vec();
        let pem = String::from_utf8_lossy(pem_text).into_owned();
        Ok(Authority { pem, name, key_id, not_after, key, certificate: der })
    }

    /// The authority's certificate as it lies in its file.
    pub fn certificate_pem(&self) -> &str {
        &self.pem
    }

    /// The authority's certificate, DER.
    pub fn certificate_der(&self) -> &[u8] {
        &self.certificate
    }

    /// When the authority ends.
    pub fn not_after(&self) -> Time {
        self.not_after
    }

    /// Its signing half.
    pub fn issuer(&self) -> Issuer<'_> {
        Issuer { name: &self.name, key_id: self.key_id.as_deref(), key: &self.key }
    }

    /// Whether `pem_text` is a certificate of this authority that says what `want` says and is not due for renewal.
    pub fn issued(&self, pem_text: &[u8], want: &Template, now: Time) -> bool {
        let claim =
            Claim { subject: &want.subject, names: &want.alternative_names, public_key: &want.public_key };
        claim
            .validity(pem_text, &self.certificate)
            .is_some_and(|(begin, end)| begin <= now && end.since(now) > end.since(begin) / RENEW_BELOW_SHARE)
    }
}

/// What a certificate is to say of its holder.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// Who it is.
    pub subject: &'a Name,
    /// Its other names, in any order.
    pub names: &'a [AlternativeName],
    /// Its key.
    pub public_key: &'a PublicKey,
}

impl Claim<'_> {
    /// From when to when the certificate `pem_text` says this, signed by the authority whose certificate is
    /// `authority_der`; `None` if it says something else, or somebody else does.
    pub fn validity(&self, pem_text: &[u8], authority_der: &[u8]) -> Option<(Time, Time)> {
        let block = pem::parse(pem_text).ok()?;
        let (_, parsed) = X509Certificate::from_der(block.contents()).ok()?;
        let (_, authority) = X509Certificate::from_der(authority_der).ok()?;
        let found = parsed.subject_alternative_name().ok().flatten();
        let found = found.iter().flat_map(|extension| &extension.value.general_names);
        let mut names: Vec<AlternativeName> = found.filter_map(alternative_name).collect();
        let mut wanted = self.names.to_vec();
        names.sort();
        wanted.sort();
        let same = names == wanted
            && parsed.subject().as_raw() == self.subject.to_der()
            && parsed.public_key().raw == self.public_key.to_info()
            && parsed.verify_signature(Some(authority.public_key())).is_ok();
        let time = |seconds| Time::from_unix_seconds(seconds);
        let validity = parsed.validity();
        same.then(|| (time(validity.not_before.timestamp()), time(validity.not_after.timestamp())))
    }
}

fn alternative_name(name: &GeneralName<'_>) -> Option<AlternativeName> {
    match name {
        GeneralName::DNSName(host) => Some(AlternativeName::Dns((*host).to_owned())),
        GeneralName::IPAddress(bytes) => <[u8; 4]>::try_from(*bytes)
            .map(|octets| AlternativeName::Ip(octets.into()))
            .or_else(|_| <[u8; 16]>::try_from(*bytes).map(|octets| AlternativeName::Ip(octets.into())))
            .ok(),
        _ => None,
    }
}
