//! The tokens that lie in Secrets of type `kubernetes.io/service-account-token`: without an end, without an audience.
//!
//! Follows `pkg/serviceaccount/legacy.go`. Made for the controller that fills such Secrets. Whoever looks objects up hears
//! which was used, and writes that down.

use client::Caller;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use thiserror::Error;

use super::claims::Ref;
use super::{BoundObjects, jws, key_id};
use crate::key::{KeyError, PrivateKey};
use crate::service_account::{groups, split_username, username};

/// The issuer that all such tokens name.
pub const ISSUER: &str = "kubernetes/serviceaccount";

/// The label that revokes such a token.
pub const INVALID_SINCE_LABEL: &str = "kubernetes.io/legacy-token-invalid-since";

/// Why such a token does not count. The wording is upstream's.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum LegacyError {
    /// A claim is not there.
    #[error("{0} claim is missing")]
    Missing(&'static str),
    /// The subject is not the account named elsewhere.
    #[error("sub claim is invalid")]
    Subject,
    /// The Secret is gone.
    #[error("Token has been invalidated")]
    Invalidated,
    /// The Secret holds another token.
    #[error("Token does not match server's copy")]
    OtherToken,
    /// The account is gone.
    #[error("serviceaccounts {0:?} not found")]
    NoServiceAccount(String),
    /// The account is being deleted.
    #[error("ServiceAccount {0}/{1} has been deleted")]
    Deleted(String, String),
    /// An account of that name is another one now.
    #[error("ServiceAccount UID ({found}) does not match claim ({claimed})")]
    Uid {
        /// The uid now.
        found: String,
        /// The token's.
        claimed: String,
    },
    /// The Secret carries [`INVALID_SINCE_LABEL`].
    #[error(
        "the token in secret {namespace}/{secret} for service account {namespace}/{account} has been marked invalid. Use tokens from the TokenRequest API or manually created secret-based tokens, or remove the '{INVALID_SINCE_LABEL}' label from the secret to temporarily allow use of this token"
    )]
    Revoked {
        /// The namespace.
        namespace: String,
        /// The Secret.
        secret: String,
        /// The account.
        account: String,
    },
}

#[derive(Serialize, Deserialize)]
struct LegacyClaims {
    iss: String,
    #[serde(default, rename = "kubernetes.io/serviceaccount/namespace")]
    namespace: String,
    #[serde(default, rename = "kubernetes.io/serviceaccount/secret.name")]
    secret: String,
    #[serde(default, rename = "kubernetes.io/serviceaccount/service-account.name")]
    account: String,
    #[serde(default, rename = "kubernetes.io/serviceaccount/service-account.uid")]
    uid: String,
    #[serde(default)]
    sub: String,
}

/// The token for a Secret of a service account.
///
/// # Errors
/// When the key does not sign.
pub fn issue(key: &PrivateKey, namespace: &str, account: &Ref, secret: &str) -> Result<String, KeyError> {
    let claims = LegacyClaims {
        iss: ISSUER.to_owned(),
        namespace: namespace.to_owned(),
        secret: secret.to_owned(),
        account: account.name.clone(),
        uid: account.uid.clone(),
        sub: username(namespace, &account.name),
    };
    let payload = serde_json::to_vec(&claims).map_err(|_| KeyError::Failed)?;
    jws::sign(key, &key_id(key.public()), &payload)
}

pub(super) fn verify(
    token: &str,
    payload: &[u8],
    objects: &dyn BoundObjects,
    annotations: &mut Vec<(&'static str, String)>,
) -> Result<Caller, LegacyError> {
    let claims: LegacyClaims = serde_json::from_slice(payload).map_err(|_| LegacyError::Missing("sub"))?;
    for (value, name) in [
        (&claims.sub, "sub"),
        (&claims.namespace, "namespace"),
        (&claims.secret, "secretName"),
        (&claims.account, "serviceAccountName"),
        (&claims.uid, "serviceAccountUID"),
    ] {
        if value.is_empty() {
            return Err(LegacyError::Missing(name));
        }
    }
    if split_username(&claims.sub) != Some((&claims.namespace, &claims.account)) {
        return Err(LegacyError::Subject);
    }
    let secret = objects.token_secret(&claims.namespace, &claims.secret).ok_or(LegacyError::Invalidated)?;
    if secret.found.deleted_at.is_some() {
        return Err(LegacyError::Invalidated);
    }
    if !bool::from(secret.token.ct_eq(token.as_bytes())) {
        return Err(LegacyError::OtherToken);
    }
    let account = objects
        .service_account(&claims.namespace, &claims.account)
        .ok_or_else(|| LegacyError::NoServiceAccount(claims.account.clone()))?;
    if account.deleted_at.is_some() {
        return Err(LegacyError::Deleted(claims.namespace, claims.account));
    }
    if account.uid != claims.uid {
        return Err(LegacyError::Uid { found: account.uid, claimed: claims.uid });
    }
    objects.was_shown(&claims.namespace, &claims.secret);
    if secret.invalid {
        return Err(LegacyError::Revoked {
            namespace: claims.namespace,
            secret: claims.secret,
            account: claims.account,
        });
    }
    let kind = match objects.names_secret(&claims.namespace, &claims.account, &claims.secret) {
        true => "authentication.k8s.io/legacy-token-autogenerated-secret",
        false => "authentication.k8s.io/legacy-token-manual-secret",
    };
    annotations.push((kind, claims.secret));
    Ok(Caller { name: claims.sub, uid: claims.uid, groups: groups(&claims.namespace), ..Caller::default() })
}
