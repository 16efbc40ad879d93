//! Who sent a request: every kind of credential, tried in upstream's order.
//!
//! A trusted proxy's headers, then the client certificate, then the bearer token (of the `Authorization` header or of
//! a WebSocket's subprotocol). The first that identifies somebody counts, even after others failed. If none does but
//! some failed, the request is refused (401); if there was nothing to try, it is anonymous. Follows
//! `pkg/kubeapiserver/authenticator` and `k8s.io/apiserver/pkg/authentication/request`.

use base::time::Time;
use base_serve::websocket;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use client::Caller;
use http::HeaderMap;
use http::header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL};
use rustls::pki_types::CertificateDer;
use thiserror::Error;

use crate::bootstrap::{self, BootstrapSecrets};
use crate::front_proxy::{FrontProxy, FrontProxyHeaders};
use crate::headers;
use crate::token::verify::Verifier;
use crate::token::{BoundObjects, TokenError, Verified};
use crate::x509::{self, ClientAuthorities, X509Error};

/// What a WebSocket subprotocol that carries a token begins with. It is for the authenticator alone.
pub const PROTOCOL_PREFIX: &str = "base64url.bearer.authorization.k8s.io.";
const SPACE_WARNING: &str =
    "the provided Authorization header contains extra space before the bearer token, and is ignored";

/// Why one kind of credential was refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Cause {
    /// The client certificate.
    #[error(transparent)]
    Certificate(#[from] X509Error),
    /// A service account's token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// A token that nobody knows.
    #[error("invalid bearer token")]
    UnknownToken,
    /// A WebSocket's token is given in a wrong way.
    #[error("{0}")]
    Protocol(&'static str),
}

/// The request is refused: 401, with nothing more than `Unauthorized` for the requester. The causes are for the log.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{}", aggregate(.0))]
pub struct Unauthorized(pub Vec<Cause>);

/// Several errors as Go's aggregates print them: each once.
fn aggregate(causes: &[Cause]) -> String {
    let mut texts: Vec<String> = Vec::new();
    for text in causes.iter().map(Cause::to_string) {
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    match texts.as_slice() {
        [] => "no credentials were given, and anonymous requests are not accepted".to_owned(),
        [one] => one.clone(),
        many => format!("[{}]", many.join(", ")),
    }
}

/// Who sent a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Authenticated {
    /// The user, with the groups that all have.
    pub user: Caller,
    /// Those audiences of the request that the credential is for.
    pub audiences: Vec<String>,
    /// What the audit record shall say besides.
    pub annotations: Vec<(&'static str, String)>,
    /// Warnings for the requester.
    pub warnings: Vec<&'static str>,
    /// What `Sec-WebSocket-Protocol` is without the token that was in it.
    pub protocols: Option<String>,
}

/// What a request shows of its sender.
#[derive(Clone, Copy, Debug)]
pub struct Credentials<'a> {
    /// The certificates presented in TLS, the client's own first; TLS has checked that it holds the key.
    pub chain: &'a [CertificateDer<'a>],
    /// The request's headers.
    pub headers: &'a HeaderMap,
    /// The request's path.
    pub path: &'a str,
}

/// What the authenticator looks things up in.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    /// For service accounts' tokens.
    pub objects: &'a dyn BoundObjects,
    /// For bootstrap tokens; `None` when they are switched off.
    pub bootstrap: Option<&'a dyn BootstrapSecrets>,
}

/// Which requests without credentials are accepted, as `system:anonymous`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Anonymous {
    /// All.
    #[default]
    All,
    /// Those for the given paths.
    Paths(Vec<String>),
    /// None.
    Nobody,
}

/// Finds out who sent a request.
#[derive(Clone, Debug)]
pub struct Authenticator {
    /// Trusted proxies.
    pub front_proxy: Option<FrontProxy>,
    /// The authorities of client certificates.
    pub clients: Option<ClientAuthorities>,
    /// Service accounts' tokens.
    pub tokens: Verifier,
    /// Requests without credentials.
    pub anonymous: Anonymous,
}

impl Authenticator {
    /// Who sent the request.
    ///
    /// # Errors
    /// When a credential was refused and no other was accepted, or when there is none and anonymous requests are not
    /// accepted.
    pub fn authenticate(
        &self,
        request: Credentials<'_>,
        sources: Sources<'_>,
        now: Time,
    ) -> Result<Authenticated, Unauthorized> {
        let mut causes = Vec::new();
        let mut warnings = Vec::new();
        let found = self.by_certificate(&request, now, &mut causes).or_else(|| {
            let bearer = bearer_token(request.headers, &mut warnings);
            let found = bearer.and_then(|token| self.by_token(&token, None, sources, now, &mut causes));
            found.map(Authenticated::from).or_else(|| self.by_protocol(&request, sources, now, &mut causes))
        });
        let mut found = match found {
            Some(found) => Authenticated { user: found.user.authenticated(), ..found },
            None if causes.is_empty() && self.accepts_anonymous(request.path) => Authenticated {
                user: Caller::anonymous(),
                audiences: self.tokens.api_audiences().to_vec(),
                ..Authenticated::default()
            },
            None => return Err(Unauthorized(causes)),
        };
        found.warnings = warnings;
        Ok(found)
    }

    /// Whose a token is, if it is for one of `audiences` (the API server's, when `None`): the decision of a
    /// `TokenReview`. The user has the groups that all authenticated have.
    ///
    /// # Errors
    /// When it is nobody's.
    pub fn review(
        &self,
        token: &str,
        audiences: Option<&[String]>,
        sources: Sources<'_>,
        now: Time,
    ) -> Result<Verified, Unauthorized> {
        let mut causes = Vec::new();
        match self.by_token(token, audiences, sources, now, &mut causes) {
            Some(found) => Ok(Verified { user: found.user.authenticated(), ..found }),
            None => Err(Unauthorized(causes)),
        }
    }

    /// Removes every header that named or proved a user; for requests that were accepted.
    pub fn clear(&self, headers: &mut HeaderMap) {
        headers.remove(AUTHORIZATION);
        FrontProxyHeaders::default().clear(headers);
        if let Some(proxy) = &self.front_proxy {
            proxy.headers.clear(headers);
        }
    }

    fn accepts_anonymous(&self, path: &str) -> bool {
        match &self.anonymous {
            Anonymous::All => true,
            Anonymous::Paths(paths) => paths.iter().any(|own| own == path),
            Anonymous::Nobody => false,
        }
    }

    fn by_certificate(
        &self,
        request: &Credentials<'_>,
        now: Time,
        causes: &mut Vec<Cause>,
    ) -> Option<Authenticated> {
        let own = request.chain.first()?;
        let proxy =
            self.front_proxy.as_ref().map(|proxy| proxy.authenticate(request.chain, request.headers, now));
        let client = || {
            let clients = self.clients.as_ref()?;
            Some(clients.verify(request.chain, now).and_then(|()| x509::user(own)))
        };
        let mut take = |result: Option<Result<Option<Caller>, X509Error>>| match result? {
            Ok(user) => user,
            Err(error) => {
                causes.push(error.into());
                None
            }
        };
        let user = take(proxy).or_else(|| take(client()))?;
        Some(Authenticated {
            user,
            audiences: self.tokens.api_audiences().to_vec(),
            ..Authenticated::default()
        })
    }

    fn by_token(
        &self,
        token: &str,
        audiences: Option<&[String]>,
        sources: Sources<'_>,
        now: Time,
        causes: &mut Vec<Cause>,
    ) -> Option<Verified> {
        match self.tokens.verify(token, audiences, sources.objects, now) {
            Ok(Some(found)) => return Some(found),
            Ok(None) => {}
            Err(error) => causes.push(error.into()),
        }
        let ours = self.tokens.api_audiences();
        let wanted = audiences.unwrap_or(ours);
        // A bootstrap token has no audience of its own: it is for the API server.
        let both: Vec<String> = ours.iter().filter(|audience| wanted.contains(audience)).cloned().collect();
        let user = sources
            .bootstrap
            .filter(|_| !both.is_empty() || ours.is_empty())
            .and_then(|secrets| bootstrap::authenticate(token, secrets, now));
        match user {
            Some(user) => Some(Verified { user, audiences: both, annotations: Vec::new() }),
            None => {
                if causes.is_empty() || !causes.iter().any(|cause| matches!(cause, Cause::Token(_))) {
                    causes.push(Cause::UnknownToken);
                }
                None
            }
        }
    }

    /// The token that a WebSocket's subprotocols may carry, as browsers cannot set headers.
    fn by_protocol(
        &self,
        request: &Credentials<'_>,
        sources: Sources<'_>,
        now: Time,
        causes: &mut Vec<Cause>,
    ) -> Option<Authenticated> {
        if !websocket::is_asked(request.headers) {
            return None;
        }
        match protocol_token(request.headers) {
            Ok(None) => None,
            Ok(Some((token, protocols))) => {
                let found = self.by_token(&token, None, sources, now, causes)?;
                Some(Authenticated { protocols: Some(protocols), ..Authenticated::from(found) })
            }
            Err(message) => {
                causes.push(Cause::Protocol(message));
                None
            }
        }
    }
}

impl From<Verified> for Authenticated {
    fn from(found: Verified) -> Authenticated {
        Authenticated {
            user: found.user,
            audiences: found.audiences,
            annotations: found.annotations,
            ..Authenticated::default()
        }
    }
}

fn bearer_token(headers: &HeaderMap, warnings: &mut Vec<&'static str>) -> Option<String> {
    let value = headers::first(headers, AUTHORIZATION.as_str())?;
    let mut parts = value.trim().splitn(3, ' ');
    let scheme = parts.next()?;
    let token = parts.next()?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    if token.is_empty() {
        if parts.next().is_some() {
            warnings.push(SPACE_WARNING);
        }
        return None;
    }
    Some(token.to_owned())
}

/// The token among the subprotocols, and the others, joined.
fn protocol_token(headers: &HeaderMap) -> Result<Option<(String, String)>, &'static str> {
    let mut token = None;
    let mut others = Vec::new();
    for value in headers::all(headers, SEC_WEBSOCKET_PROTOCOL.as_str()) {
        for protocol in value.split(',').map(str::trim) {
            let Some(encoded) = protocol.strip_prefix(PROTOCOL_PREFIX) else {
                others.push(protocol.to_owned());
                continue;
            };
            if token.is_some() {
                return Err("multiple base64.bearer.authorization tokens specified");
            }
            let decoded = URL_SAFE_NO_PAD
                .decode(encoded)
                .map_err(|_| "invalid base64.bearer.authorization token encoding")?;
            token =
                Some(String::from_utf8(decoded).map_err(|_| "invalid base64.bearer.authorization token")?);
        }
    }
    match token.filter(|token| !token.is_empty()) {
        None => Ok(None),
        // The server must answer with one of the protocols offered, and never with the token.
        Some(_) if others.is_empty() => Err("missing additional subprotocol"),
        Some(token) => Ok(Some((token, others.join(",")))),
    }
}

#[cfg(test)]
mod tests;
