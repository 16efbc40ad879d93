//! Asking webhooks over the network: connections for each hook, kept for the next call.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use api_codec::json;
use api_codec::limits::Limits;
use api_meta::status::ServerResponse;
use api_meta::{Status, quote};
use api_types::meta::v1;
use base::time::{Clock, timeout};
use base_serve::words;
use bytes::Bytes;
use client::BoxFuture;
use client_remote::{Connector, Pooled};
use http::header::{ACCEPT, CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use rustls::pki_types::ServerName;
use tokio::sync::Semaphore;

use crate::call::{Answer, Call, CallError, Webhooks};
use crate::hook::{Hook, Place, Target};
use crate::{Services, limits, tls};

/// By whom upstream's webhooks are asked.
const AGENT: &str = "kube-apiserver-admission";

/// Asks webhooks over HTTPS.
pub struct Client {
    services: Arc<dyn Services>,
    clock: Arc<dyn Clock>,
    calls: Semaphore,
    hooks: Mutex<Hooks>,
}

/// The hooks that were asked lately, each with the number of its latest call.
#[derive(Default)]
struct Hooks {
    known: BTreeMap<Hook, (Pooled, u64)>,
    calls: u64,
}

impl Client {
    /// Asks services where `services` finds them.
    pub fn new(services: Arc<dyn Services>, clock: Arc<dyn Clock>) -> Client {
        Client { services, clock, calls: Semaphore::new(limits::CALLS), hooks: Mutex::default() }
    }

    /// The connections of a hook.
    fn http(&self, hook: &Hook, target: &Target) -> Result<Pooled, String> {
        let mut hooks = self.hooks.lock().unwrap_or_else(PoisonError::into_inner);
        hooks.calls += 1;
        let calls = hooks.calls;
        if let Some((http, latest)) = hooks.known.get_mut(hook) {
            *latest = calls;
            return Ok(http.clone());
        }
        let protocols: &[&[u8]] = if hook.is_local(target) { &[b"h2", b"http/1.1"] } else { &[b"http/1.1"] };
        let name = ServerName::try_from(target.host.clone());
        let name = name.map_err(|_| format!("{} is no name of a server", quote::go(&target.host)))?;
        let connector = Connector::new(tls::config(&hook.ca_bundle, protocols)?).expecting(name);
        let http = connector.pooled(limits::IDLE_CONNECTIONS);
        if hooks.known.len() >= limits::HOOKS {
            let oldest = hooks.known.iter().min_by_key(|(_, (_, latest))| *latest);
            let oldest = oldest.map(|(hook, _)| hook.clone());
            oldest.and_then(|hook| hooks.known.remove(&hook));
        }
        hooks.known.insert(hook.clone(), (http.clone(), calls));
        Ok(http)
    }

    async fn ask(&self, call: Call<'_>) -> Result<Answer, CallError> {
        let target = call.hook.target().map_err(CallError::Unusable)?;
        let http = self.http(call.hook, &target).map_err(CallError::Unusable)?;
        let path = target.path_and_query(call.timeout);
        let url = quote::go(&format!("https://{}{path}", target.authority));
        let failed = |why: String| CallError::Unanswered(format!("Post {url}: {why}"));
        let begun = self.clock.now();
        let answered = timeout(&*self.clock, call.timeout, async {
            let _place = self.calls.acquire().await;
            let (host, port) = self.locate(call.hook, &target)?;
            let host = if host.contains(':') { format!("[{host}]") } else { host };
            let place = format!("{host}:{port}");
            let request = request(call.hook, &target, &place, &path, call.body)?;
            http.request(request).await.map_err(|error| words::of_request(&place, &error))
        });
        let response = match answered.await {
            Ok(answered) => answered.map_err(failed)?,
            Err(_) => return Err(failed(LATE.to_owned())),
        };
        let left = call.timeout.saturating_sub(self.clock.now().since(begun));
        let (code, headers, body) = self.whole(response, left, call.answer_bytes).await?;
        read(code, &headers, body)
    }

    /// Where the hook is now.
    fn locate(&self, hook: &Hook, target: &Target) -> Result<(String, u16), String> {
        match &hook.place {
            Place::Service { namespace, name, port, .. } => self.services.find(namespace, name, *port),
            Place::Url(_) => Ok((target.host.clone(), target.port)),
        }
    }

    async fn whole(
        &self,
        response: Response<Incoming>,
        left: Duration,
        most: usize,
    ) -> Result<(StatusCode, HeaderMap, Bytes), CallError> {
        let broken = |why: &dyn std::fmt::Display| {
            CallError::Unanswered(format!(
                "unexpected error when reading response body. Please retry. Original error: {why}"
            ))
        };
        let (parts, body) = response.into_parts();
        match timeout(&*self.clock, left, Limited::new(body, most).collect()).await {
            Ok(Ok(body)) => Ok((parts.status, parts.headers, body.to_bytes())),
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                Err(broken(&format!("the answer is larger than {most} bytes")))
            }
            Ok(Err(error)) => Err(broken(&match error.downcast_ref::<hyper::Error>() {
                Some(error) => words::of_exchange(error),
                None => error.to_string(),
            })),
            Err(_) => Err(broken(&LATE)),
        }
    }
}

/// Go's word for it.
pub(crate) const LATE: &str = "context deadline exceeded";

impl Webhooks for Client {
    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Answer, CallError>> {
        Box::pin(self.ask(call))
    }
}

fn request(
    hook: &Hook,
    target: &Target,
    place: &str,
    path: &str,
    body: Bytes,
) -> Result<Request<Full<Bytes>>, String> {
    let mut request = Request::post(format!("https://{place}{path}"))
        .header(ACCEPT, "application/json, */*")
        .header(CONTENT_TYPE, "application/json")
        .header(USER_AGENT, AGENT);
    if matches!(hook.place, Place::Service { .. }) {
        request = request.header(HOST, &target.authority);
    }
    request.body(Full::new(body)).map_err(|error| error.to_string())
}

/// What an answer says: client-go's `transformResponse` and `Into`.
fn read(code: StatusCode, headers: &HeaderMap, body: Bytes) -> Result<Answer, CallError> {
    if !(200..=206).contains(&code.as_u16()) {
        return Err(CallError::Refused(failure(code, headers, &body)));
    }
    if body.is_empty() {
        let content_type = text(headers, &CONTENT_TYPE).unwrap_or("application/json");
        return Err(CallError::Unanswered(format!(
            "0-length response with status code: {} and content type: {content_type}",
            code.as_u16()
        )));
    }
    let type_meta = json::type_meta(&body, Limits::RESPONSE).map_err(|error| {
        CallError::Unanswered(format!("couldn't get version/kind; json parse error: {error}"))
    })?;
    match status(&body) {
        Some(status) if type_meta.kind == "Status" && status.status != "Success" => {
            Err(CallError::Refused(status))
        }
        _ => Ok(Answer { type_meta, body }),
    }
}

/// What an answer means that is no success: what it says itself, if it is a Status.
pub(crate) fn failure(code: StatusCode, headers: &HeaderMap, body: &[u8]) -> Status {
    if let Some(told) = status(body).filter(|status| status.status == "Failure") {
        return told;
    }
    let media = text(headers, &CONTENT_TYPE);
    let readable = media.is_none_or(|media| media.starts_with("text/"));
    let said = String::from_utf8_lossy(&body[..body.len().min(limits::TEXT_BYTES)]);
    let after = text(headers, &RETRY_AFTER).and_then(|after| after.parse().ok());
    Status::generic_server_response(&ServerResponse {
        code: code.as_u16(),
        verb: "POST",
        message: if readable { said.trim() } else { "unknown" },
        retry_after_seconds: after.unwrap_or_default(),
        unexpected: true,
        ..ServerResponse::default()
    })
}

fn text<'a>(headers: &'a HeaderMap, name: &http::HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The Status that an answer is; one that says no kind may be one.
fn status(body: &[u8]) -> Option<Status> {
    let meta = json::type_meta(body, Limits::REQUEST).ok()?;
    if !matches!(meta.kind.as_str(), "" | "Status") {
        return None;
    }
    let mut status = v1::Status::default();
    json::decode(body, &mut status, None, Limits::REQUEST).ok()?;
    Some(Status::from(status))
}
