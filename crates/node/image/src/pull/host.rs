//! One endpoint as one pull sees it: a connection, and who it is spoken to as.

use std::sync::{Mutex, OnceLock, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_auth::{ChallengeRef, parse_challenges};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url};
use serde::Deserialize;

use super::failure::{Failure, read};
use super::names::Names;
use crate::credentials::Credential;
use crate::limits;
use crate::registries::{Endpoint, Tls};

/// An endpoint, for one repository and one credential: tokens are never shared between pods.
pub(super) struct Host {
    endpoint: Endpoint,
    /// Made when it is first asked: of several endpoints most are not.
    client: OnceLock<Client>,
    credential: Option<Credential>,
    /// What the last challenge was answered with.
    authorization: Mutex<Option<HeaderValue>>,
}

/// What a token's issuer answers.
#[derive(Deserialize)]
struct Issued {
    #[serde(default)]
    token: String,
    #[serde(default)]
    access_token: String,
}

impl Host {
    /// Connects to nobody yet. The pod's own credential comes before the node's.
    pub fn new(endpoint: Endpoint, credential: Option<&Credential>) -> Host {
        let credential = credential.or(endpoint.auth.as_ref()).cloned();
        Host { endpoint, client: OnceLock::new(), credential, authorization: Mutex::default() }
    }

    fn client(&self) -> Result<&Client, Failure> {
        if self.client.get().is_none() {
            let made = client(&self.endpoint.tls, self.endpoint.base.scheme() == "http");
            // Another request may have been faster.
            let _ = self.client.set(made.map_err(Failure::Broken)?);
        }
        self.client.get().ok_or_else(|| Failure::Broken("there is no client".to_owned()))
    }

    /// Where it is, for logs.
    pub fn base(&self) -> &Url {
        &self.endpoint.base
    }

    /// Asks for `what` of the repository (`manifests/…`, `blobs/…`); answers with a success alone.
    pub async fn get(&self, what: &str, accept: Option<&str>) -> Result<Response, Failure> {
        let mut url = self.endpoint.base.clone();
        url.set_path(&format!("{}/{}/{what}", url.path(), self.endpoint.repository));
        if let Some(namespace) = &self.endpoint.namespace {
            url.query_pairs_mut().append_pair("ns", namespace);
        }
        let shown = self.authorization.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut response = self.ask(&url, accept, shown.clone()).await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            let answer = self.answer(&response).await?;
            if let Some(answer) = answer.filter(|answer| Some(answer) != shown.as_ref()) {
                *self.authorization.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer.clone());
                response = self.ask(&url, accept, Some(answer)).await?;
            }
        }
        if response.status().is_success() { Ok(response) } else { Err(Failure::answer(response).await) }
    }

    async fn ask(
        &self,
        url: &Url,
        accept: Option<&str>,
        authorization: Option<HeaderValue>,
    ) -> Result<Response, Failure> {
        let mut request = self.client()?.get(url.clone());
        if let Some(accept) = accept {
            request = request.header(ACCEPT, accept);
        }
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        request.send().await.map_err(|error| Failure::request("Get", &error))
    }

    /// The answer to a challenge: a token, or user and password as they are. None where there is nothing to show.
    async fn answer(&self, challenged: &Response) -> Result<Option<HeaderValue>, Failure> {
        for header in challenged.headers().get_all(WWW_AUTHENTICATE) {
            let Ok(challenges) = parse_challenges(header.to_str().unwrap_or_default()) else { continue };
            for challenge in challenges {
                if challenge.scheme.eq_ignore_ascii_case("bearer") {
                    let token = self.token(&challenge).await?;
                    return Ok(secret(&format!("Bearer {token}")));
                }
                if challenge.scheme.eq_ignore_ascii_case("basic") {
                    return Ok(self.credential.as_ref().and_then(basic));
                }
            }
        }
        Ok(None)
    }

    async fn token(&self, challenge: &ChallengeRef<'_>) -> Result<String, Failure> {
        let parameter = |name: &str| {
            let found = challenge.params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.to_unescaped())
        };
        let wrong = |problem: &str| Failure::Unauthorized(format!("failed to authorize: {problem}"));
        let realm = parameter("realm").and_then(|realm| Url::parse(&realm).ok());
        let realm = realm.ok_or_else(|| wrong("the registry names nobody who issues tokens"))?;
        let scope =
            parameter("scope").unwrap_or_else(|| format!("repository:{}:pull", self.endpoint.repository));
        let mut asked = vec![("scope", scope)];
        asked.extend(parameter("service").map(|service| ("service", service)));
        let (method, request) = self.issue(self.client()?, realm, asked);
        let mut response = request.send().await.map_err(|error| Failure::request(method, &error))?;
        if !response.status().is_success() {
            let kind = if self.credential.is_some() { "oauth" } else { "anonymous" };
            let status = response.status();
            let told = Failure::answer(response).await;
            return Err(match told {
                Failure::Refused { message, .. } if !message.is_empty() => {
                    wrong(&format!("failed to fetch {kind} token: {status}: {message}"))
                }
                _ => wrong(&format!("failed to fetch {kind} token: {status}")),
            });
        }
        let body = read(&mut response, limits::SERVER_ANSWER_BYTES).await;
        let body = body.map_err(|error| Failure::request(method, &error))?;
        let issued =
            serde_json::from_slice::<Issued>(&body).map_err(|_| wrong("the token cannot be read"))?;
        let token = if issued.token.is_empty() { issued.access_token } else { issued.token };
        if token.is_empty() {
            Err(wrong("authorization server did not include a token in the response"))
        } else {
            Ok(token)
        }
    }

    /// The request for a token: an identity token is exchanged as OAuth 2 has it, anything else is the older way, which all know.
    fn issue(
        &self,
        client: &Client,
        mut realm: Url,
        asked: Vec<(&str, String)>,
    ) -> (&'static str, RequestBuilder) {
        match &self.credential {
            Some(Credential { username, password }) if username.is_empty() => {
                let own =
                    [("grant_type", "refresh_token"), ("refresh_token", password), ("client_id", "knarr")];
                let mut form = realm.clone();
                form.set_query(None);
                form.query_pairs_mut().extend_pairs(asked).extend_pairs(own);
                let body = form.query().unwrap_or_default().to_owned();
                let request = client.request(Method::POST, realm);
                ("Post", request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body))
            }
            credential => {
                realm.query_pairs_mut().extend_pairs(asked);
                let request = client.get(realm);
                match credential.as_ref().and_then(basic) {
                    Some(basic) => ("Get", request.header(AUTHORIZATION, basic)),
                    None => ("Get", request),
                }
            }
        }
    }
}

fn basic(credential: &Credential) -> Option<HeaderValue> {
    secret(&format!("Basic {}", STANDARD.encode(format!("{}:{}", credential.username, credential.password))))
}

/// A header that is not logged; none if a registry's token cannot be one.
fn secret(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn client(tls: &Tls, plain: bool) -> Result<Client, String> {
    // The client takes the process's provider and panics without one. Whoever has set one already keeps it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let build = |accept_anybody: bool| {
        let builder = Client::builder()
            .dns_resolver(Names)
            .connect_timeout(limits::CONNECT)
            .read_timeout(limits::READ)
            .user_agent(concat!("knarr/", env!("CARGO_PKG_VERSION")))
            .tls_certs_merge(tls.authorities.iter().cloned())
            .danger_accept_invalid_certs(accept_anybody);
        match &tls.identity {
            Some(identity) => builder.identity(identity.clone()).build(),
            None => builder.build(),
        }
    };
    let built = match build(tls.insecure_skip_verify) {
        // A machine without any certificate authorities must still reach a registry that needs none.
        Err(_) if plain => build(true),
        built => built,
    };
    built.map_err(|error| base::error::Chain(&error).to_string())
}
