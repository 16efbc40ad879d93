//! Compact JWS (RFC 7515) with the algorithms of our keys and no other.
//!
//! The algorithm follows from the key, never from the token: a token that names another than its key's, `none`
//! included, is not verified.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::key::{KeyError, PrivateKey, PublicKey};
use crate::limits::TOKEN_MAX_BYTES;

#[derive(Serialize)]
struct OwnHeader<'a> {
    alg: &'a str,
    kid: &'a str,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// Extensions that must be understood; we understand none.
    crit: Option<serde_json::Value>,
}

/// A token taken apart, not verified.
pub(super) struct Unverified<'a> {
    header: Header,
    message: &'a str,
    signature: Vec<u8>,
    payload: Vec<u8>,
}

impl<'a> Unverified<'a> {
    /// Takes a token apart; `None` when it is none.
    pub(super) fn read(token: &'a str) -> Option<Unverified<'a>> {
        if token.len() > TOKEN_MAX_BYTES {
            return None;
        }
        let (message, signature) = token.rsplit_once('.')?;
        let (header, payload) = message.split_once('.')?;
        if payload.contains('.') {
            return None;
        }
        Some(Unverified {
            header: serde_json::from_slice(&decode(header)?).ok()?,
            message,
            signature: decode(signature)?,
            payload: decode(payload)?,
        })
    }

    pub(super) fn key_id(&self) -> Option<&str> {
        self.header.kid.as_deref().filter(|id| !id.is_empty())
    }

    /// The payload, which nothing vouches for yet.
    pub(super) fn unverified_payload(&self) -> &[u8] {
        &self.payload
    }

    /// The payload, if `key` signed it.
    pub(super) fn verify(&self, key: &PublicKey) -> Option<&[u8]> {
        let good = self.header.crit.is_none()
            && self.header.alg == key.kind().token_algorithm()
            && key.verifies_token(self.message.as_bytes(), &self.signature);
        good.then_some(self.payload.as_slice())
    }
}

/// Signs a payload.
pub(super) fn sign(key: &PrivateKey, key_id: &str, payload: &[u8]) -> Result<String, KeyError> {
    let header = OwnHeader { alg: key.public().kind().token_algorithm(), kid: key_id };
    let header = serde_json::to_vec(&header).map_err(|_| KeyError::Failed)?;
    let message = format!("{}.{}", encode(&header), encode(payload));
    let signature = key.sign_token(message.as_bytes())?;
    Ok(format!("{message}.{}", encode(&signature)))
}

pub(super) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}
