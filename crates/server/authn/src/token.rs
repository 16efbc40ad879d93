//! Service account tokens: signed JWTs that name a service account and what it is bound to.
//!
//! [`issue`] makes them, [`verify`] says whose they are, [`legacy`] does the same for the tokens of long ago that lie
//! in Secrets, [`discovery`] publishes the keys. Follows `pkg/serviceaccount`. Whether the objects a token is bound to
//! still exist is asked of [`BoundObjects`], so revocation is as quick as the cache behind it.

pub mod claims;
pub mod discovery;
pub mod issue;
mod jws;
pub mod legacy;
pub mod verify;

use base::time::Time;
use client::Caller;
use thiserror::Error;

use crate::key::PublicKey;

/// An object as far as tokens care.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its uid.
    pub uid: String,
    /// Its deletion timestamp.
    pub deleted_at: Option<Time>,
}

/// A Secret of type `kubernetes.io/service-account-token`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSecret {
    /// Uid and deletion.
    pub found: Found,
    /// Its `token` entry.
    pub token: Vec<u8>,
    /// Whether it carries the label `kubernetes.io/legacy-token-invalid-since`.
    pub invalid: bool,
}

/// Where the objects that tokens are bound to are looked up. `None` is "there is none".
pub trait BoundObjects: Send + Sync {
    /// A service account.
    fn service_account(&self, namespace: &str, name: &str) -> Option<Found>;
    /// A pod.
    fn pod(&self, namespace: &str, name: &str) -> Option<Found>;
    /// A node.
    fn node(&self, name: &str) -> Option<Found>;
    /// A Secret of any type.
    fn secret(&self, namespace: &str, name: &str) -> Option<Found>;
    /// A Secret with its token.
    fn token_secret(&self, namespace: &str, name: &str) -> Option<TokenSecret>;
    /// Whether a service account names a Secret, as accounts do whose tokens Kubernetes once made by itself.
    fn names_secret(&self, namespace: &str, account: &str, secret: &str) -> bool;
    /// Takes note that somebody has shown the token that a Secret holds.
    fn was_shown(&self, namespace: &str, secret: &str);
}

/// Whose a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The service account, without [`crate::user::AUTHENTICATED`].
    pub user: Caller,
    /// Those of the audiences asked for that the token is for.
    pub audiences: Vec<String>,
    /// What the audit record of the request shall say besides.
    pub annotations: Vec<(&'static str, String)>,
}

/// Why a token of ours is not accepted. The wording is upstream's where it has one.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TokenError {
    /// It names a key that there is not.
    #[error("invalid signature, no keys found")]
    NoKeys,
    /// No key signed it.
    #[error("invalid signature")]
    Signature,
    /// Signed, but not a token of this kind.
    #[error("service account token claims could not be validated")]
    Claims,
    /// It is for somebody else.
    #[error("token audiences {} is invalid for the target audiences {}", quoted(.token), quoted(.wanted))]
    Audience {
        /// Whom it is for.
        token: Vec<String>,
        /// Whom it should be for.
        wanted: Vec<String>,
    },
    /// Its time is over.
    #[error("service account token has expired")]
    Expired,
    /// Its time has not come.
    #[error("service account token is not valid yet")]
    NotYetValid,
    /// It claims to have been made later than now.
    #[error("service account token is issued in the future")]
    FromTheFuture,
    /// The account is gone.
    #[error("serviceaccounts {0:?} not found")]
    NoServiceAccount(String),
    /// An account of that name is another one now.
    #[error("service account UID ({found}) does not match claim ({claimed})")]
    ServiceAccountUid {
        /// The uid now.
        found: String,
        /// The token's.
        claimed: String,
    },
    /// The account is being deleted.
    #[error("service account {0}/{1} has been deleted")]
    ServiceAccountDeleted(String, String),
    /// What it is bound to is gone.
    #[error("service account token has been invalidated")]
    Invalidated,
    /// What it is bound to is another object now.
    #[error("{kind} UID ({found}) does not match service account {kind} ref claim ({claimed})")]
    BoundUid {
        /// `pod`, `secret` or `node`.
        kind: &'static str,
        /// The uid now.
        found: String,
        /// The token's.
        claimed: String,
    },
    /// Bound to a webhook, which is not offered.
    #[error("feature gate \"APIServerWebhookAuthenticationToken\" is disabled, but token is webhook bound")]
    WebhookBound,
    /// An old token is wrong in a way of its own.
    #[error(transparent)]
    Legacy(#[from] legacy::LegacyError),
}

/// A list as Go's `%q` prints it.
fn quoted(values: &[String]) -> String {
    let quoted: Vec<String> = values.iter().map(|value| format!("{value:?}")).collect();
    format!("[{}]", quoted.join(" "))
}

/// Public keys by key id.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    keys: Vec<(String, PublicKey)>,
}

impl Keys {
    /// The given keys; the first is the one that signs now, the others are kept for the tokens they signed.
    pub fn new(keys: Vec<PublicKey>) -> Keys {
        Keys { keys: keys.into_iter().map(|key| (key_id(&key), key)).collect() }
    }

    /// The keys that may have signed a token with this key id (all, when it has none).
    fn candidates<'a>(&'a self, id: Option<&'a str>) -> impl Iterator<Item = &'a PublicKey> {
        self.keys.iter().filter(move |(own, _)| id.is_none_or(|id| id == own)).map(|(_, key)| key)
    }

    fn iter(&self) -> impl Iterator<Item = &(String, PublicKey)> {
        self.keys.iter()
    }
}

/// The id of a key: the SHA-256 of its `SubjectPublicKeyInfo`, from which the key cannot be had back.
pub fn key_id(key: &PublicKey) -> String {
    jws::encode(ring::digest::digest(&ring::digest::SHA256, &key.to_info()).as_ref())
}

#[cfg(test)]
mod tests;
