//! Whoever takes what is sent to it, without an answer that matters: an audit log elsewhere. Where it is, a kubeconfig says.
//!
//! Follows `k8s.io/apiserver/pkg/util/webhook` (`LoadKubeconfig`, `NewGenericWebhook`): JSON is posted to the server's path, within 30 seconds.

use std::sync::Arc;

use base::time::{Clock, timeout};
use base_serve::trust::{self, Shown, Trust};
use base_serve::words;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use client_remote::kubeconfig::Endpoint;
use client_remote::{Connector, Pooled};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Request, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use rustls::pki_types::ServerName;

use crate::clients::{LATE, failure};
use crate::hook::{clean, go_seconds};
use crate::limits;

/// By whom upstream's are asked.
const AGENT: &str = "kube-apiserver";

/// The receiver at an endpoint.
pub struct Receiver {
    http: Pooled,
    uri: Uri,
    place: String,
    authorization: Option<HeaderValue>,
    clock: Arc<dyn Clock>,
}

impl Receiver {
    /// The receiver that an endpoint leads to. Connects when something is sent.
    ///
    /// # Errors
    /// Why it leads to none.
    pub fn of(endpoint: &Endpoint, clock: Arc<dyn Clock>) -> Result<Receiver, String> {
        let server: Uri = endpoint.server.parse().map_err(|error| format!("{}: {error}", endpoint.server))?;
        let no_url = || format!("{} is not http:// or https://HOST", endpoint.server);
        let secure = match server.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(no_url()),
        };
        let authority = server.authority().ok_or_else(no_url)?;
        let port = authority.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let path = format!("{}?timeout={}", clean(server.path()), go_seconds(limits::CALL));
        let uri = Uri::builder().scheme(if secure { "https" } else { "http" }).authority(authority.clone());
        let uri = uri.path_and_query(path).build().map_err(|error| error.to_string())?;
        let connector = if secure { tls(endpoint)? } else { Connector::open() };
        let http = connector.pooled(limits::IDLE_CONNECTIONS);
        let place = format!("{}:{port}", authority.host());
        Ok(Receiver { http, uri, place, authorization: authorization(endpoint)?, clock })
    }

    /// Sends JSON once.
    ///
    /// # Errors
    /// When it is not taken, with the reason in upstream's words.
    pub async fn post(&self, body: Bytes) -> Result<(), String> {
        let failed = |why: String| format!("Post \"{}\": {why}", self.uri);
        match timeout(&*self.clock, limits::CALL, self.exchange(body)).await {
            Ok(answered) => answered.map_err(failed),
            Err(_) => Err(failed(LATE.to_owned())),
        }
    }

    async fn exchange(&self, body: Bytes) -> Result<(), String> {
        let mut request = Request::post(self.uri.clone())
            .header(ACCEPT, "application/json, */*")
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, AGENT);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        let request = request.body(Full::new(body)).map_err(|error| error.to_string())?;
        let sent = self.http.request(request).await;
        let (parts, body) = sent.map_err(|error| words::of_request(&self.place, &error))?.into_parts();
        // The connection is good for the next batch once all of the answer is read.
        let body = Limited::new(body, limits::ANSWER_BYTES).collect().await;
        if (200..=206).contains(&parts.status.as_u16()) {
            return Ok(());
        }
        let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        Err(failure(parts.status, &parts.headers, &body).message.clone())
    }
}

fn tls(endpoint: &Endpoint) -> Result<Connector, String> {
    let trust = if endpoint.insecure {
        Trust::Anyone
    } else {
        Trust::Authorities(endpoint.authority_pem.as_deref().unwrap_or_default().as_bytes())
    };
    let shown = endpoint.certificate.clone().map(|(certificate, key)| Shown { certificate, key });
    let mut config = trust::config(trust, shown.as_ref())?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let connector = Connector::new(config);
    let Some(name) = &endpoint.server_name else { return Ok(connector) };
    let name = ServerName::try_from(name.clone()).map_err(|_| format!("{name:?} is no name of a server"))?;
    Ok(connector.expecting(name))
}

fn authorization(endpoint: &Endpoint) -> Result<Option<HeaderValue>, String> {
    let text = match (&endpoint.token, &endpoint.password) {
        (Some(token), _) => format!("Bearer {token}"),
        (None, Some((name, password))) => format!("Basic {}", STANDARD.encode(format!("{name}:{password}"))),
        (None, None) => return Ok(None),
    };
    let mut value =
        HeaderValue::from_str(&text).map_err(|_| "the token holds characters that no token has")?;
    value.set_sensitive(true);
    Ok(Some(value))
}
