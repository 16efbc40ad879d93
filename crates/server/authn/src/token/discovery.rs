//! The documents by which others verify our tokens: OpenID Connect discovery and the key set.
//!
//! Follows `pkg/serviceaccount/openidmetadata.go`. Serving them, and who may read them, is the server's.

use serde::Serialize;
use thiserror::Error;

use super::{Keys, jws};
use crate::key::{KeyKind, PublicKey};

/// Where the discovery document is served.
pub const CONFIGURATION_PATH: &str = "/.well-known/openid-configuration";
/// Where the key set is served.
pub const KEYS_PATH: &str = "/openid/v1/jwks";
/// The content type of the key set (the discovery document is `application/json`).
pub const KEYS_CONTENT_TYPE: &str = "application/jwk-set+json";

/// Why an issuer cannot be discovered. It can issue all the same.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DiscoveryError {
    /// No issuer.
    #[error("empty issuer URL")]
    Empty,
    /// OpenID Connect asks for https.
    #[error("issuer URL must use https scheme, got: {0}")]
    Scheme(String),
    /// And for no query.
    #[error("issuer URL may not include a query, got: {0}")]
    Query(String),
    /// And for no fragment.
    #[error("issuer URL may not include a fragment, got: {0}")]
    Fragment(String),
    /// The same for the keys' address.
    #[error("jwksURI requires https scheme, parsed as: {0}")]
    KeysScheme(String),
    /// There is nothing to publish.
    #[error("no keys provided for validating keyset")]
    NoKeys,
}

#[derive(Serialize)]
struct Configuration<'a> {
    issuer: &'a str,
    jwks_uri: &'a str,
    response_types_supported: [&'static str; 1],
    subject_types_supported: [&'static str; 1],
    id_token_signing_alg_values_supported: Vec<&'static str>,
}

/// The body of the discovery document.
///
/// # Errors
/// When the issuer's or the keys' address is not one of OpenID Connect, or there are no keys.
pub fn configuration(issuer: &str, keys_uri: &str, keys: &Keys) -> Result<Vec<u8>, DiscoveryError> {
    if issuer.is_empty() {
        return Err(DiscoveryError::Empty);
    }
    if !issuer.starts_with("https://") {
        return Err(DiscoveryError::Scheme(issuer.to_owned()));
    }
    let (address, fragment) = issuer.split_once('#').unwrap_or((issuer, ""));
    if address.split_once('?').is_some_and(|(_, query)| !query.is_empty()) {
        return Err(DiscoveryError::Query(issuer.to_owned()));
    }
    if !fragment.is_empty() {
        return Err(DiscoveryError::Fragment(issuer.to_owned()));
    }
    if !keys_uri.starts_with("https://") {
        return Err(DiscoveryError::KeysScheme(keys_uri.to_owned()));
    }
    let mut algorithms: Vec<_> = keys.iter().map(|(_, key)| key.kind().token_algorithm()).collect();
    algorithms.sort_unstable();
    algorithms.dedup();
    if algorithms.is_empty() {
        return Err(DiscoveryError::NoKeys);
    }
    Ok(json(&Configuration {
        issuer,
        jwks_uri: keys_uri,
        response_types_supported: ["id_token"],
        subject_types_supported: ["public"],
        id_token_signing_alg_values_supported: algorithms,
    }))
}

#[derive(Serialize)]
struct KeySet<'a> {
    keys: Vec<Key<'a>>,
}

#[derive(Default, Serialize)]
struct Key<'a> {
    #[serde(rename = "use")]
    purpose: &'static str,
    kty: &'static str,
    kid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    crv: Option<&'static str>,
    alg: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e: Option<String>,
}

/// The body of the key set.
pub fn key_set(keys: &Keys) -> Vec<u8> {
    json(&KeySet { keys: keys.iter().map(|(id, key)| key_entry(id, key)).collect() })
}

fn key_entry<'a>(id: &'a str, key: &PublicKey) -> Key<'a> {
    let kind = key.kind();
    let base = Key { purpose: "sig", kid: id, alg: kind.token_algorithm(), ..Key::default() };
    if kind == KeyKind::Rsa {
        let numbers = yasna::parse_der(key.raw(), |reader| {
            reader.read_sequence(|reader| {
                let (modulus, _) = reader.next().read_bigint_bytes()?;
                let (exponent, _) = reader.next().read_bigint_bytes()?;
                Ok((modulus, exponent))
            })
        });
        let (n, e) = numbers.unwrap_or_default();
        return Key { kty: "RSA", n: Some(number(&n)), e: Some(number(&e)), ..base };
    }
    // An uncompressed point: 4, then both coordinates at full length.
    let (x, y) = key.raw()[1..].split_at((key.raw().len() - 1) / 2);
    let crv = if kind == KeyKind::P384 { "P-384" } else { "P-256" };
    Key { kty: "EC", crv: Some(crv), x: Some(jws::encode(x)), y: Some(jws::encode(y)), ..base }
}

/// A number without leading zeros (RFC 7518, 2).
fn number(bytes: &[u8]) -> String {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    jws::encode(&bytes[zeros..])
}

fn json(value: &impl Serialize) -> Vec<u8> {
    // These types hold only text: nothing in them can fail to be written.
    serde_json::to_vec(value).unwrap_or_default()
}
