//! One extender, asked over HTTP.

use base::time::{Clock, timeout};
use base_serve::trust::{self, Shown, Trust};
use base_serve::words;
use bytes::Bytes;
use client_remote::{Connector, Pooled};
use http::header::CONTENT_TYPE;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use rustls::pki_types::ServerName;
use scheduler_config::{Extender, Tls};

use crate::limits;

/// Go's words for what was too late.
const LATE: &str = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)";
const LATE_BODY: &str =
    "context deadline exceeded (Client.Timeout or context cancellation while reading body)";

/// An extender with its connections.
pub(crate) struct Line {
    pub(crate) of: Extender,
    http: Pooled,
}

impl Line {
    /// # Errors
    /// If TLS cannot be spoken as it should be, in upstream's words.
    pub(crate) fn new(of: &Extender) -> Result<Line, String> {
        let is_https = of.url_prefix.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"));
        // Wrong settings are told of even where they are of no use.
        let secure = secure(&of.tls)?;
        let connector = if is_https { secure } else { Connector::open() };
        Ok(Line { of: of.clone(), http: connector.pooled(limits::IDLE_CONNECTIONS) })
    }

    /// Asks once.
    ///
    /// # Errors
    /// Why there is no answer, in upstream's words.
    pub(crate) async fn post(&self, clock: &dyn Clock, verb: &str, body: Vec<u8>) -> Result<Bytes, String> {
        let url = format!("{}/{verb}", self.of.url_prefix.trim_end_matches('/'));
        let failed = |why: &str| format!("Post {}: {why}", api_meta::quote::go(&url));
        let begun = clock.now();
        let answered = timeout(clock, self.of.timeout, self.send(&url, body)).await;
        let response = answered.map_err(|_| failed(LATE))?.map_err(|why| failed(&why))?;
        if response.status() != StatusCode::OK {
            let code = response.status().as_u16();
            return Err(format!("failed {verb} with extender at URL {url}, code {code}"));
        }
        let left = self.of.timeout.saturating_sub(clock.now().since(begun));
        let body = Limited::new(response.into_body(), limits::ANSWER_BYTES).collect();
        match timeout(clock, left, body).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                Err(format!("the answer is larger than {} bytes", limits::ANSWER_BYTES))
            }
            Ok(Err(error)) => Err(match error.downcast_ref::<hyper::Error>() {
                // Go's reader of a body that ends before its time.
                Some(error) if error.is_incomplete_message() => "unexpected EOF".to_owned(),
                Some(error) => words::of_exchange(error),
                None => error.to_string(),
            }),
            Err(_) => Err(LATE_BODY.to_owned()),
        }
    }

    async fn send(&self, url: &str, body: Vec<u8>) -> Result<http::Response<hyper::body::Incoming>, String> {
        let uri: Uri = url.parse().map_err(|error| format!("{error}"))?;
        let is_known = |scheme: &str| ["http", "https"].contains(&scheme);
        if !uri.scheme_str().is_some_and(is_known) {
            let scheme = uri.scheme_str().unwrap_or_default();
            return Err(format!("unsupported protocol scheme {}", api_meta::quote::go(scheme)));
        }
        let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
        let place = format!("{}:{port}", uri.host().unwrap_or_default());
        let request = Request::post(uri).header(CONTENT_TYPE, "application/json");
        let request = request.body(Full::new(Bytes::from(body))).map_err(|error| error.to_string())?;
        self.http.request(request).await.map_err(|error| words::of_request(&place, &error))
    }
}

/// Connections that are spoken TLS over: client-go's `TLSConfigFor`.
fn secure(tls: &Tls) -> Result<Connector, String> {
    let text = |of: &Bytes| String::from_utf8_lossy(of).into_owned();
    let trust = match (tls.insecure, tls.authority.is_none()) {
        (true, false) => {
            return Err(
                "specifying a root certificates file with the insecure flag is not allowed".to_owned()
            );
        }
        (true, true) => Trust::Anyone,
        (false, _) => Trust::Authorities(&tls.authority.data),
    };
    let shown = (!tls.certificate.is_none() && !tls.key.is_none())
        .then(|| Shown { certificate: text(&tls.certificate.data), key: text(&tls.key.data) });
    let mut config = trust::config(trust, shown.as_ref())?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let connector = Connector::new(config);
    if tls.server_name.is_empty() {
        return Ok(connector);
    }
    let name = ServerName::try_from(tls.server_name.clone());
    Ok(connector.expecting(name.map_err(|error| format!("{}: {error}", tls.server_name))?))
}
