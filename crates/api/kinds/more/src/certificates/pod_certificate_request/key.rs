//! The key that a request is for: the request is an empty PKCS#10 one, signed by it.

use api_meta::field::{BadValue, ErrorList, FieldError, Path};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

const REQUEST_BYTES: usize = 10 << 10;
const ED25519: &str = "1.3.101.112";

/// Checks a request. What it says besides its key is not looked at, as upstream leaves that to signers.
pub fn check(errors: &mut ErrorList, path: &Path, request: &[u8]) {
    if request.len() > REQUEST_BYTES {
        errors.push(FieldError::too_long(path, REQUEST_BYTES));
        return;
    }
    let Ok(([], parsed)) = X509CertificationRequest::from_der(request) else {
        errors.push(FieldError::invalid(path, BadValue::OMITTED, "must be a valid PKCS#10 CSR"));
        return;
    };
    if let Some((value, why)) = fault(&parsed.certification_request_info.subject_pki) {
        errors.push(FieldError::invalid(path, value, why));
    } else if parsed.verify_signature().is_err() {
        errors.push(FieldError::invalid(path, BadValue::OMITTED, "invalid signature"));
    }
}

/// The public key of a request, as it was written.
pub fn of(request: &[u8]) -> Option<Vec<u8>> {
    let (_, parsed) = X509CertificationRequest::from_der(request).ok()?;
    Some(parsed.certification_request_info.subject_pki.raw.to_vec())
}

fn fault(key: &SubjectPublicKeyInfo<'_>) -> Option<(BadValue, &'static str)> {
    match key.parsed() {
        _ if key.algorithm.algorithm.to_id_string() == ED25519 => None,
        Ok(PublicKey::EC(point)) if matches!(point.key_size(), 256 | 384 | 521 | 528) => None,
        Ok(PublicKey::EC(point)) => Some((
            format!("curve P-{}", point.key_size()).into(),
            "elliptic public keys must use curve P256, P384, or P521",
        )),
        Ok(PublicKey::RSA(key)) if matches!(key.key_size(), 3072 | 4096) => None,
        Ok(PublicKey::RSA(key)) => Some((
            format!("{}-bit modulus", key.key_size()).into(),
            "RSA keys must have modulus size 3072 or 4096",
        )),
        _ => {
            Some((BadValue::OMITTED, "unknown public key type; supported types are Ed25519, ECDSA, and RSA"))
        }
    }
}
