//! What a signer issued: a certificate for the key of the request, for as long as was asked, and when it is to be renewed.
//!
//! That it begins to count within five minutes of now is left out: rows know no clock.

use api_meta::field::{ErrorList, FieldError, Path};
use api_record::scalar::Time;
use api_types::certificates::v1::PodCertificateRequest;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use super::key;

const CHAIN_BYTES: usize = 100 << 10;
const LEAST_SECONDS: i64 = 60 * 60;
const MARGIN_SECONDS: i64 = 10 * 60;

/// Checks the status of a request that was just granted; says what is wrong first.
pub fn check(errors: &mut ErrorList, path: &Path, own: &PodCertificateRequest) {
    let (at, chain) = (path.child("certificateChain"), own.status.certificate_chain.as_str());
    if chain.len() > CHAIN_BYTES {
        errors.push(FieldError::too_long(&at, CHAIN_BYTES));
        return;
    }
    let blocks = pem::parse_many(chain).unwrap_or_default();
    let wrong = |why: &str| FieldError::invalid(&at, chain, why);
    let Some((leaf, others)) = blocks.split_first() else {
        errors.push(wrong("issued certificate chain must contain at least one certificate"));
        return;
    };
    if leaf.tag() != "CERTIFICATE" {
        errors.push(wrong("issued certificate chain must consist entirely of CERTIFICATE PEM blocks"));
        return;
    }
    let Ok(([], certificate)) = X509Certificate::from_der(leaf.contents()) else {
        errors.push(wrong("leaf certificate does not parse as valid X.509"));
        return;
    };
    dns_names(errors, &at, &certificate);
    let request = own.spec.stub_pkcs10_request.as_deref().unwrap_or_default();
    if key::of(request).as_deref() != Some(certificate.public_key().raw) {
        errors.push(wrong("leaf certificate was not issued to the requested public key"));
        return;
    }
    if times(errors, path, own, &certificate).is_none() {
        return;
    }
    for block in others {
        // Upstream's spelling.
        if block.tag() != "CERTIFICATE" {
            errors.push(wrong("issued certificate chain must consist entirely of CERTFICATE PEM blocks"));
            return;
        }
        if !matches!(X509Certificate::from_der(block.contents()), Ok(([], _))) {
            errors.push(wrong("intermediate certificate does not parse as valid X.509"));
            return;
        }
    }
}

fn dns_names(errors: &mut ErrorList, at: &Path, certificate: &X509Certificate<'_>) {
    let names = certificate.subject_alternative_name().ok().flatten();
    for name in names.iter().flat_map(|names| &names.value.general_names) {
        let GeneralName::DNSName(name) = name else { continue };
        let faults = [
            (name.is_empty(), "leaf certificate should not contain empty DNSName"),
            (name.contains(".."), "leaf certificate's DNSName should not contain '..'"),
            (
                name.starts_with('.') || name.ends_with('.'),
                "leaf certificate's DNSName should not start or end with '.'",
            ),
        ];
        for (_, why) in faults.iter().filter(|(is, _)| *is) {
            errors.push(FieldError::invalid(at, *name, *why));
        }
    }
}

/// The times, which the certificate says, too; nothing if one of them is wrong.
fn times(
    errors: &mut ErrorList,
    path: &Path,
    own: &PodCertificateRequest,
    certificate: &X509Certificate<'_>,
) -> Option<()> {
    let (status, validity) = (&own.status, certificate.validity());
    let (before, after) = (path.child("notBefore"), path.child("notAfter"));
    let renewal = path.child("beginRefreshAt");
    for (at, time, why) in [
        (&before, status.not_before, "must be present and consistent with the issued certificate"),
        (&after, status.not_after, "must be present and consistent with the issued certificate"),
        (
            &renewal,
            status.begin_refresh_at,
            "must be present and in the range [notbefore+10min, notafter-10min]",
        ),
    ] {
        if time.is_none() {
            errors.push(FieldError::required(at, why));
        }
    }
    let (from, until, renew) = (status.not_before?, status.not_after?, status.begin_refresh_at?);
    let mut fail = |at: &Path, time: Time, why: &str| errors.push(FieldError::invalid(at, time, why));
    if from.seconds != validity.not_before.timestamp() {
        fail(&before, from, "must be set to the NotBefore time encoded in the leaf certificate");
        return None;
    }
    if until.seconds != validity.not_after.timestamp() {
        fail(&after, until, "must be set to the NotAfter time encoded in the leaf certificate");
        return None;
    }
    let (chain, lifetime) = (path.child("certificateChain"), until.seconds - from.seconds);
    let most = own.spec.max_expiration_seconds.unwrap_or_default();
    if lifetime < LEAST_SECONDS {
        let why = "leaf certificate lifetime must be >= 1 hour";
        errors.push(FieldError::invalid(&chain, lifetime, why));
        return None;
    }
    if lifetime > i64::from(most) {
        let why = format!("leaf certificate lifetime must be <= spec.maxExpirationSeconds ({most})");
        errors.push(FieldError::invalid(&chain, lifetime, why));
        return None;
    }
    if renew.seconds < from.seconds + MARGIN_SECONDS {
        fail(&renewal, renew, "must be at least 10 minutes after status.notBefore");
        return None;
    }
    if renew.seconds > until.seconds - MARGIN_SECONDS {
        fail(&renewal, renew, "must be at least 10 minutes before status.notAfter");
        return None;
    }
    Some(())
}
