//! Making tokens, for the `token` subresource of service accounts.
//!
//! Looking up the objects and authorizing the request are the registry's; this knows the rules of durations and claims.

use std::sync::Arc;
use std::time::Duration;

use base::random::{Random, uuid};
use base::time::Time;
use thiserror::Error;

use super::claims::{Claims, Date, KubernetesClaims, Ref};
use super::{jws, key_id};
use crate::key::{KeyError, PrivateKey};
use crate::limits::{TOKEN_EXTENDED_SECONDS, TOKEN_MAX_SECONDS, TOKEN_MIN_SECONDS, TOKEN_WARN_ONLY_SECONDS};
use crate::service_account::username;

/// A duration that may not be asked for: the detail of an `Invalid` of `spec.expirationSeconds`.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ExpirationError {
    /// Under ten minutes.
    #[error("may not specify a duration less than 10 minutes")]
    TooShort,
    /// Over what the format was meant for.
    #[error("may not specify a duration larger than 2^32 seconds")]
    TooLong,
}

/// Checks `spec.expirationSeconds` of a token request.
///
/// # Errors
/// When it is too short or too long.
pub fn check_expiration(seconds: i64) -> Result<(), ExpirationError> {
    match seconds {
        ..TOKEN_MIN_SECONDS => Err(ExpirationError::TooShort),
        seconds if seconds > TOKEN_MAX_SECONDS => Err(ExpirationError::TooLong),
        _ => Ok(()),
    }
}

/// What a token is bound to: when that goes, so does the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bound {
    /// A pod, with the node it runs on when it has one (whose uid is empty if it could not be found).
    Pod {
        /// The pod.
        pod: Ref,
        /// Its node.
        node: Option<Ref>,
    },
    /// A node.
    Node(Ref),
    /// A Secret.
    Secret(Ref),
}

/// What is to be issued. Durations have been checked ([`check_expiration`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRequest {
    /// The account's namespace.
    pub namespace: String,
    /// The account.
    pub service_account: Ref,
    /// Whom the token is for; empty for the API server itself.
    pub audiences: Vec<String>,
    /// `spec.expirationSeconds`.
    pub expiration_seconds: i64,
    /// What it is bound to.
    pub bound: Option<Bound>,
}

/// A new token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// The token.
    pub token: String,
    /// `spec.audiences` of the answer.
    pub audiences: Vec<String>,
    /// `spec.expirationSeconds` of the answer.
    pub expiration_seconds: i64,
    /// `status.expirationTimestamp`: the one asked for, also when the token itself lasts longer.
    pub expiration: Time,
    /// The audit annotation `authentication.kubernetes.io/issued-credential-id`.
    pub credential_id: String,
    /// A warning for the requester.
    pub warning: Option<String>,
}

/// Makes tokens.
#[derive(Clone, Debug)]
pub struct Issuer {
    url: String,
    api_audiences: Vec<String>,
    key: Arc<PrivateKey>,
    key_id: String,
    max_expiration_seconds: Option<i64>,
    extend_expiration: bool,
}

impl Issuer {
    /// An issuer with upstream's defaults: pods' tokens extended for clients that do not reload them, no maximum.
    pub fn new(url: &str, api_audiences: Vec<String>, key: Arc<PrivateKey>) -> Issuer {
        Issuer {
            url: url.to_owned(),
            api_audiences,
            key_id: key_id(key.public()),
            key,
            max_expiration_seconds: None,
            extend_expiration: true,
        }
    }

    /// With a longest duration (`--service-account-max-token-expiration`).
    pub fn max_expiration(mut self, seconds: i64) -> Issuer {
        self.max_expiration_seconds = Some(seconds).filter(|seconds| *seconds > 0);
        self
    }

    /// With or without extension (`--service-account-extend-token-expiration`).
    pub fn extend_expiration(mut self, extend: bool) -> Issuer {
        self.extend_expiration = extend;
        self
    }

    /// Issues a token.
    ///
    /// # Errors
    /// When the key does not sign.
    pub fn issue(&self, request: &TokenRequest, now: Time, random: &dyn Random) -> Result<Issued, KeyError> {
        let audiences =
            if request.audiences.is_empty() { self.api_audiences.clone() } else { request.audiences.clone() };
        let asked = request.expiration_seconds;
        let granted = asked.min(self.max_expiration_seconds.unwrap_or(asked));
        let warning = (granted < asked)
            .then(|| format!("requested expiration of {asked} seconds shortened to {granted} seconds"));
        let for_us = audiences.iter().all(|audience| self.api_audiences.contains(audience));
        let pod_bound = matches!(request.bound, Some(Bound::Pod { .. }));
        let extended = self.extend_expiration && pod_bound && granted == TOKEN_WARN_ONLY_SECONDS && for_us;
        let lifetime = if extended {
            TOKEN_EXTENDED_SECONDS.min(self.max_expiration_seconds.unwrap_or(TOKEN_EXTENDED_SECONDS))
        } else {
            granted
        };
        let jti = uuid(random);
        let claims = Claims {
            aud: audiences.clone(),
            exp: Some(Date(now.unix_seconds().saturating_add(lifetime))),
            iat: Some(Date::of(now)),
            iss: self.url.clone(),
            jti: jti.clone(),
            kubernetes: KubernetesClaims {
                warnafter: extended.then(|| Date(now.unix_seconds().saturating_add(granted))),
                ..bound_claims(request)
            },
            nbf: Some(Date::of(now)),
            sub: username(&request.namespace, &request.service_account.name),
        };
        let payload = serde_json::to_vec(&claims).map_err(|_| KeyError::Failed)?;
        Ok(Issued {
            token: jws::sign(&self.key, &self.key_id, &payload)?,
            audiences,
            expiration_seconds: granted,
            expiration: now + Duration::from_secs(u64::try_from(granted).unwrap_or(0)),
            credential_id: format!("JTI={jti}"),
            warning,
        })
    }
}

fn bound_claims(request: &TokenRequest) -> KubernetesClaims {
    let mut claims = KubernetesClaims {
        namespace: request.namespace.clone(),
        serviceaccount: request.service_account.clone(),
        ..KubernetesClaims::default()
    };
    match &request.bound {
        None => {}
        Some(Bound::Pod { pod, node }) => {
            claims.pod = Some(pod.clone());
            claims.node = node.clone();
        }
        Some(Bound::Node(node)) => claims.node = Some(node.clone()),
        Some(Bound::Secret(secret)) => claims.secret = Some(secret.clone()),
    }
    claims
}
