//! What an operator hands to a node that joins: the digest of the cluster's authority and a bootstrap token.
//!
//! `K10<sha256 of the authority's file>::<id>.<secret>`, the form of K3s. The digest lets the node fetch the authority
//! over a connection it cannot trust yet, and then know whether it got the right one. A bare bootstrap token is
//! understood too, and then nothing is checked: that is the operator's choice to make.

use std::fmt;

use base::random::Random;
use ring::digest;
use subtle::ConstantTimeEq;
use thiserror::Error;

use super::BootstrapToken;
use crate::key::encode_pem;

const PREFIX: &str = "K10";
const DIGEST_CHARACTERS: usize = 64;

/// Why a text is no join token.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum JoinTokenError {
    /// Neither form.
    #[error("a join token has the form K10<digest of the authority>::<id>.<secret>")]
    Form,
    /// The digest is no SHA-256 in hexadecimal.
    #[error("the digest in the join token is not 64 hexadecimal digits")]
    Digest,
    /// What follows the digest is no bootstrap token.
    #[error(
        "the join token does not end in a bootstrap token (6 characters, a dot, 16 characters, all of a-z and 0-9)"
    )]
    Token,
}

/// The cluster that answered is another one.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "the server's authority has the digest {found}, the join token names {expected}: this is not the cluster that the token is for"
)]
pub struct WrongCluster {
    /// The digest of what was received.
    pub found: String,
    /// The digest in the token.
    pub expected: String,
}

/// A join token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinToken {
    digest: Option<String>,
    token: BootstrapToken,
}

impl JoinToken {
    /// A new token for the cluster whose authority's file is `authority_pem`.
    pub fn generate(authority_pem: &[u8], random: &dyn Random) -> JoinToken {
        JoinToken::new(authority_pem, BootstrapToken::generate(random))
    }

    /// The join token for a bootstrap token.
    pub fn new(authority_pem: &[u8], token: BootstrapToken) -> JoinToken {
        JoinToken { digest: Some(sha256(authority_pem)), token }
    }

    /// Reads one.
    ///
    /// # Errors
    /// When it has another form.
    pub fn parse(text: &str) -> Result<JoinToken, JoinTokenError> {
        let Some(rest) = text.trim().strip_prefix(PREFIX) else {
            let token = BootstrapToken::parse(text.trim()).ok_or(JoinTokenError::Form)?;
            return Ok(JoinToken { digest: None, token });
        };
        let (digest, token) = rest.split_once("::").ok_or(JoinTokenError::Form)?;
        let hexadecimal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if digest.len() != DIGEST_CHARACTERS || !digest.bytes().all(hexadecimal) {
            return Err(JoinTokenError::Digest);
        }
        let token = BootstrapToken::parse(token).ok_or(JoinTokenError::Token)?;
        Ok(JoinToken { digest: Some(digest.to_owned()), token })
    }

    /// The bootstrap token in it.
    pub fn token(&self) -> &BootstrapToken {
        &self.token
    }

    /// Whether it says which cluster it is for.
    pub fn names_cluster(&self) -> bool {
        self.digest.is_some()
    }

    /// Checks what a server says is its authority.
    ///
    /// # Errors
    /// When it is not the one that this token is for.
    pub fn check(&self, authority_pem: &[u8]) -> Result<(), WrongCluster> {
        let found = sha256(authority_pem);
        match &self.digest {
            Some(expected) if !bool::from(expected.as_bytes().ct_eq(found.as_bytes())) => {
                Err(WrongCluster { found, expected: expected.clone() })
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.digest {
            Some(digest) => write!(f, "{PREFIX}{digest}::{}", self.token),
            None => self.token.fmt(f),
        }
    }
}

/// The digest of an authority's file as Knarr writes it: however the file is laid out, what counts is the certificate.
fn sha256(authority_pem: &[u8]) -> String {
    let canonical = pem::parse(authority_pem).map(|block| authority_file(block.contents()));
    let bytes = canonical.as_ref().map_or(authority_pem, |text| text.as_bytes());
    digest::digest(&digest::SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The file of an authority's certificate that was received as DER.
pub fn authority_file(der: &[u8]) -> String {
    encode_pem("CERTIFICATE", der)
}
