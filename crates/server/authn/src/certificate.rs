//! A certificate as a template, and its encoding: one writer for authorities, serving and client certificates and for
//! what signers sign.
//!
//! Used by [`crate::pki`] and [`crate::signer`]. Our own instead of `rcgen`'s, whose subjects keep one organization
//! only, while a user's groups are exactly several organizations. It decides nothing: what a certificate may say is
//! decided by its caller.

pub mod name;
pub mod usage;

use std::net::IpAddr;

use base::random::Random;
use base::time::Time;
use jiff::tz::TimeZone;
use yasna::models::ObjectIdentifier;
use yasna::{DERWriter, DERWriterSeq, Tag};

use crate::key::{KeyError, PrivateKey, PublicKey};
use name::Name;
use usage::{ExtendedUsage, KeyUsages};

/// A subject alternative name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlternativeName {
    /// A host name, `*.` allowed.
    Dns(String),
    /// An address.
    Ip(IpAddr),
    /// A mail address.
    Email(String),
    /// A URI.
    Uri(String),
}

/// What a certificate will say.
#[derive(Clone, Debug)]
pub struct Template {
    /// Whom it names.
    pub subject: Name,
    /// The key that it vouches for.
    pub public_key: PublicKey,
    /// When it begins.
    pub not_before: Time,
    /// When it ends.
    pub not_after: Time,
    /// Whether it is an authority.
    pub is_ca: bool,
    /// What its key may do.
    pub usages: KeyUsages,
    /// What it may be used for.
    pub extended_usages: Vec<ExtendedUsage>,
    /// The other names of its subject.
    pub alternative_names: Vec<AlternativeName>,
}

/// Who signs a certificate.
#[derive(Clone, Copy)]
pub struct Issuer<'a> {
    /// The DER of its name, copied bit by bit, as path building compares it.
    pub name: &'a [u8],
    /// Its subject key identifier, when it has one.
    pub key_id: Option<&'a [u8]>,
    /// Its key.
    pub key: &'a PrivateKey,
}

impl Template {
    /// The certificate's DER, with a random serial number, signed by `issuer`.
    ///
    /// # Errors
    /// When the issuer's key does not sign.
    pub fn sign(&self, issuer: Issuer<'_>, random: &dyn Random) -> Result<Vec<u8>, KeyError> {
        let mut serial = [0u8; 16];
        random.fill(&mut serial);
        // Positive and never zero, with its length kept (RFC 5280, 4.1.2.2).
        serial[0] = (serial[0] & 0x7f) | 0x40;
        let body = yasna::construct_der(|writer| self.write_body(writer, issuer, &serial));
        let signature = issuer.key.sign_certificate(&body)?;
        Ok(signed(&body, issuer.key, &signature))
    }

    fn write_body(&self, writer: DERWriter<'_>, issuer: Issuer<'_>, serial: &[u8]) {
        writer.write_sequence(|writer| {
            writer.next().write_tagged(Tag::context(0), |writer| writer.write_u8(2));
            writer.next().write_bigint_bytes(serial, true);
            write_algorithm(writer.next(), issuer.key);
            writer.next().write_der(issuer.name);
            writer.next().write_sequence(|writer| {
                writer.next().write_der(&encode_time(self.not_before));
                writer.next().write_der(&encode_time(self.not_after));
            });
            writer.next().write_der(&self.subject.to_der());
            writer.next().write_der(&self.public_key.to_info());
            writer.next().write_tagged(Tag::context(3), |writer| {
                writer.write_sequence(|writer| self.write_extensions(writer, issuer));
            });
        });
    }

    fn write_extensions(&self, writer: &mut DERWriterSeq<'_>, issuer: Issuer<'_>) {
        if !self.usages.is_empty() {
            write_extension(writer, &[2, 5, 29, 15], true, |writer| self.usages.write(writer));
        }
        if !self.extended_usages.is_empty() {
            write_extension(writer, &[2, 5, 29, 37], false, |writer| {
                writer.write_sequence(|writer| {
                    for usage in &self.extended_usages {
                        writer.next().write_oid(&usage.oid());
                    }
                });
            });
        }
        write_extension(writer, &[2, 5, 29, 19], true, |writer| {
            writer.write_sequence(|writer| {
                if self.is_ca {
                    writer.next().write_bool(true);
                }
            });
        });
        if self.is_ca {
            write_extension(writer, &[2, 5, 29, 14], false, |writer| {
                writer.write_bytes(&key_id(&self.public_key));
            });
        }
        if let Some(id) = issuer.key_id.filter(|_| !self.is_ca) {
            write_extension(writer, &[2, 5, 29, 35], false, |writer| {
                writer.write_sequence(|writer| {
                    writer.next().write_tagged_implicit(Tag::context(0), |writer| writer.write_bytes(id));
                });
            });
        }
        if !self.alternative_names.is_empty() {
            // Critical when it alone names the subject (RFC 5280, 4.2.1.6).
            write_extension(writer, &[2, 5, 29, 17], self.subject.is_empty(), |writer| {
                write_alternative_names(writer, &self.alternative_names);
            });
        }
    }
}

/// The identifier of a key: the first 160 bits of the SHA-256 of its bits (RFC 7093, method 1).
pub fn key_id(key: &PublicKey) -> Vec<u8> {
    ring::digest::digest(&ring::digest::SHA256, key.raw()).as_ref()[..20].to_vec()
}

pub(crate) fn signed(body: &[u8], key: &PrivateKey, signature: &[u8]) -> Vec<u8> {
    yasna::construct_der(|writer| {
        writer.write_sequence(|writer| {
            writer.next().write_der(body);
            write_algorithm(writer.next(), key);
            writer.next().write_bitvec_bytes(signature, signature.len() * 8);
        });
    })
}

fn write_algorithm(writer: DERWriter<'_>, key: &PrivateKey) {
    let kind = key.public().kind();
    writer.write_sequence(|writer| {
        writer.next().write_oid(&kind.signature_oid());
        // RSA's parameters are an explicit NULL (RFC 4055), ECDSA's are absent (RFC 5758).
        if kind == crate::key::KeyKind::Rsa {
            writer.next().write_null();
        }
    });
}

pub(crate) fn write_extension(
    writer: &mut DERWriterSeq<'_>,
    oid: &[u64],
    critical: bool,
    value: impl FnOnce(DERWriter<'_>),
) {
    writer.next().write_sequence(|writer| {
        writer.next().write_oid(&ObjectIdentifier::from_slice(oid));
        if critical {
            writer.next().write_bool(true);
        }
        writer.next().write_bytes(&yasna::construct_der(value));
    });
}

pub(crate) fn write_alternative_names(writer: DERWriter<'_>, names: &[AlternativeName]) {
    writer.write_sequence(|writer| {
        for name in names {
            let (tag, bytes) = match name {
                AlternativeName::Email(mail) => (1, mail.as_bytes().to_vec()),
                AlternativeName::Dns(host) => (2, host.as_bytes().to_vec()),
                AlternativeName::Uri(uri) => (6, uri.as_bytes().to_vec()),
                AlternativeName::Ip(IpAddr::V4(address)) => (7, address.octets().to_vec()),
                AlternativeName::Ip(IpAddr::V6(address)) => (7, address.octets().to_vec()),
            };
            writer.next().write_tagged_implicit(Tag::context(tag), |writer| writer.write_bytes(&bytes));
        }
    });
}

/// A `Time` of RFC 5280, 4.1.2.5: two-digit years through 2049, four-digit ones after.
fn encode_time(time: Time) -> Vec<u8> {
    let stamp = jiff::Timestamp::from_second(time.unix_seconds()).unwrap_or_default();
    let civil = stamp.to_zoned(TimeZone::UTC);
    let (tag, text) = if (1950..2050).contains(&civil.year()) {
        (0x17, civil.strftime("%y%m%d%H%M%SZ").to_string())
    } else {
        (0x18, civil.strftime("%Y%m%d%H%M%SZ").to_string())
    };
    let mut out = vec![tag, text.len() as u8];
    out.extend_from_slice(text.as_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_change_their_form_in_2050() {
        for (seconds, want) in [
            (0, &b"\x17\x0d700101000000Z"[..]),
            (2_524_607_999, b"\x17\x0d491231235959Z"),
            (2_524_608_000, b"\x18\x0f20500101000000Z"),
        ] {
            assert_eq!(encode_time(Time::from_unix_seconds(seconds)), want);
        }
    }
}
