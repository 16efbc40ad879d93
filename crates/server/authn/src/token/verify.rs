//! Whose a token is, and whether it still counts.

use base::time::Time;
use client::Caller;
use serde::Deserialize;

use super::claims::{Claims, Date, KubernetesClaims, Ref};
use super::jws::Unverified;
use super::{BoundObjects, Found, Keys, TokenError, Verified, legacy};
use crate::limits::TOKEN_LEEWAY;
use crate::service_account::{NODE_NAME, NODE_UID, POD_NAME, POD_UID, groups, username};
use crate::user::CREDENTIAL_ID;

/// Verifies the tokens of given issuers, and those in Secrets.
#[derive(Clone, Debug)]
pub struct Verifier {
    issuers: Vec<String>,
    api_audiences: Vec<String>,
    keys: Keys,
}

#[derive(Deserialize)]
struct IssuerOnly {
    iss: String,
}

impl Verifier {
    /// A verifier; the first issuer is the one that issues, the others are former names of it.
    pub fn new(issuers: Vec<String>, api_audiences: Vec<String>, keys: Keys) -> Verifier {
        Verifier { issuers, api_audiences, keys }
    }

    /// The audiences of the API server.
    pub fn api_audiences(&self) -> &[String] {
        &self.api_audiences
    }

    /// Whose `token` is, if it is for one of `audiences` (the API server's, when `None`); `Ok(None)` when it is no
    /// token of these issuers, so that others may be asked.
    ///
    /// # Errors
    /// When it is one of theirs and does not count.
    pub fn verify(
        &self,
        token: &str,
        audiences: Option<&[String]>,
        objects: &dyn BoundObjects,
        now: Time,
    ) -> Result<Option<Verified>, TokenError> {
        let Some(unverified) = Unverified::read(token) else { return Ok(None) };
        let Ok(IssuerOnly { iss }) = serde_json::from_slice(unverified.unverified_payload()) else {
            return Ok(None);
        };
        let legacy = iss == legacy::ISSUER;
        if !legacy && !self.issuers.contains(&iss) {
            return Ok(None);
        }
        let payload = self.payload(&unverified)?;
        let claims: Claims = serde_json::from_slice(payload).map_err(|_| TokenError::Claims)?;
        let audiences = self.audiences(&claims, audiences)?;
        let mut annotations = Vec::new();
        if claims.aud.is_empty() {
            annotations.push(("authentication.k8s.io/legacy-token", claims.sub.clone()));
        }
        let user = if legacy {
            legacy::verify(token, payload, objects, &mut annotations)?
        } else {
            check_times(&claims, now)?;
            check_bound(&claims.kubernetes, objects, now)?;
            annotations.extend(stale(&claims, now));
            user(&claims)
        };
        Ok(Some(Verified { user, audiences, annotations }))
    }

    fn payload<'a>(&self, token: &'a Unverified<'_>) -> Result<&'a [u8], TokenError> {
        let mut candidates = self.keys.candidates(token.key_id()).peekable();
        if candidates.peek().is_none() {
            return Err(TokenError::NoKeys);
        }
        candidates.find_map(|key| token.verify(key)).ok_or(TokenError::Signature)
    }

    /// Those of the audiences asked for that the token is for. A token for nobody is for the API server.
    fn audiences(&self, claims: &Claims, wanted: Option<&[String]>) -> Result<Vec<String>, TokenError> {
        let token = if claims.aud.is_empty() { &self.api_audiences } else { &claims.aud };
        let wanted = wanted.unwrap_or(&self.api_audiences);
        let both: Vec<String> = token.iter().filter(|audience| wanted.contains(audience)).cloned().collect();
        if both.is_empty() && !self.api_audiences.is_empty() {
            return Err(TokenError::Audience { token: token.clone(), wanted: wanted.to_vec() });
        }
        Ok(both)
    }
}

/// go-jose's checks, with its minute of leeway.
fn check_times(claims: &Claims, now: Time) -> Result<(), TokenError> {
    let early = Date::of(now - TOKEN_LEEWAY);
    let late = Date::of(now + TOKEN_LEEWAY);
    if claims.nbf.is_some_and(|begin| late < begin) {
        return Err(TokenError::NotYetValid);
    }
    if claims.exp.is_some_and(|end| early > end) {
        return Err(TokenError::Expired);
    }
    if claims.iat.is_some_and(|made| late < made) {
        return Err(TokenError::FromTheFuture);
    }
    Ok(())
}

fn check_bound(claims: &KubernetesClaims, objects: &dyn BoundObjects, now: Time) -> Result<(), TokenError> {
    let (namespace, account) = (&claims.namespace, &claims.serviceaccount);
    // What was deleted within the leeway still counts, as clocks differ.
    let gone = |found: &Found| found.deleted_at.is_some_and(|at| at < now - TOKEN_LEEWAY);
    let found = objects
        .service_account(namespace, &account.name)
        .ok_or_else(|| TokenError::NoServiceAccount(account.name.clone()))?;
    if found.uid != account.uid {
        return Err(TokenError::ServiceAccountUid { found: found.uid, claimed: account.uid.clone() });
    }
    if gone(&found) {
        return Err(TokenError::ServiceAccountDeleted(namespace.clone(), account.name.clone()));
    }
    let check = |kind, claimed: &Ref, found: Option<Found>| match found {
        None => Err(TokenError::Invalidated),
        Some(found) if found.uid != claimed.uid => {
            Err(TokenError::BoundUid { kind, found: found.uid, claimed: claimed.uid.clone() })
        }
        Some(found) if gone(&found) => Err(TokenError::Invalidated),
        Some(_) => Ok(()),
    };
    if let Some(secret) = &claims.secret {
        check("secret", secret, objects.secret(namespace, &secret.name))?;
    }
    if let Some(pod) = &claims.pod {
        check("pod", pod, objects.pod(namespace, &pod.name))?;
    } else if let Some(node) = &claims.node {
        // A pod's token only mentions its node.
        check("node", node, objects.node(&node.name))?;
    }
    if claims.validatingwebhookconfiguration.is_some() || claims.mutatingwebhookconfiguration.is_some() {
        return Err(TokenError::WebhookBound);
    }
    Ok(())
}

fn stale(claims: &Claims, now: Time) -> Option<(&'static str, String)> {
    let after = claims.kubernetes.warnafter.filter(|date| date.0 != 0)?;
    let late = now.unix_seconds().checked_sub(after.0).filter(|seconds| *seconds > 0)?;
    Some((
        "authentication.k8s.io/stale-token",
        format!("subject: {}, seconds after warning threshold: {late}", claims.sub),
    ))
}

fn user(claims: &Claims) -> Caller {
    let kubernetes = &claims.kubernetes;
    let mut user = Caller {
        name: username(&kubernetes.namespace, &kubernetes.serviceaccount.name),
        uid: kubernetes.serviceaccount.uid.clone(),
        groups: groups(&kubernetes.namespace),
        ..Caller::default()
    };
    let mut say = |key: &str, value: &str| {
        user.extra.insert(key.to_owned(), vec![value.to_owned()]);
    };
    if let Some(pod) = kubernetes.pod.as_ref().filter(|pod| !pod.name.is_empty() && !pod.uid.is_empty()) {
        say(POD_NAME, &pod.name);
        say(POD_UID, &pod.uid);
    }
    if !claims.jti.is_empty() {
        say(CREDENTIAL_ID, &format!("JTI={}", claims.jti));
    }
    if let Some(node) = kubernetes.node.as_ref().filter(|node| !node.name.is_empty()) {
        say(NODE_NAME, &node.name);
        if !node.uid.is_empty() {
            say(NODE_UID, &node.uid);
        }
    }
    user
}
