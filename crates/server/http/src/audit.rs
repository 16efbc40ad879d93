//! The audit log's part in a request: its id, and the record that is kept of it from when it is known who asks.
//!
//! (`apiserver/pkg/endpoints/filters/{audit,audit_init,authn_audit}.go`.)

use std::sync::{Arc, OnceLock};

use api_meta::{Status, quote};
use base::random::{self, SystemRandom};
use base::time::Time;
use client::Caller;
use client::trail::Level;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, Response, StatusCode};
use serde_json::Value;
use server_audit::{Answered, Asked, Auditor, Record, Reference, Stage, Unlogged};
use server_authz::Attributes;

use crate::Peer;
use crate::content::{self, Body};
use crate::encode;
use crate::negotiate::Codec;
use crate::path::{Info, Place};

/// Names a request, for its sender, its events and other servers that it is handed on to.
pub(crate) const AUDIT_ID: HeaderName = HeaderName::from_static("audit-id");

/// A request as the audit log sees it.
pub(crate) struct Audit {
    id: HeaderValue,
    asked: Option<(Arc<Auditor>, Asked)>,
    logged: Logged,
}

/// What is logged of a request, if anything is. The last event is written when this ends, at the latest.
#[derive(Default)]
pub(crate) struct Logged {
    record: OnceLock<Arc<Record>>,
    /// Whether the last event has been written.
    complete: OnceLock<()>,
}

impl Audit {
    /// What is known of a request before anybody knows who sent it.
    pub(crate) fn new(
        auditor: Option<&Arc<Auditor>>,
        peer: &Peer,
        parts: (&http::Uri, &HeaderMap),
        info: &Info,
        received: Time,
    ) -> Audit {
        let (uri, headers) = parts;
        let sent = headers.get(AUDIT_ID).filter(|id| !id.is_empty()).cloned();
        let made =
            || HeaderValue::from_str(&random::uuid(&SystemRandom)).unwrap_or(HeaderValue::from_static(""));
        let id = sent.unwrap_or_else(made);
        let asked = auditor.map(|auditor| {
            let said = |name: HeaderName| {
                headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
            };
            let asked = Asked {
                id: id.to_str().unwrap_or_default().to_owned(),
                uri: uri
                    .path_and_query()
                    .map_or_else(|| uri.path().to_owned(), |uri| uri.as_str().to_owned()),
                verb: info.verb.to_owned(),
                user: Caller::default(),
                source_ips: source_ips(peer, headers),
                user_agent: said(USER_AGENT).to_owned(),
                object: reference(info),
                received,
            };
            (Arc::clone(auditor), asked)
        });
        Audit { id, asked, logged: Logged::default() }
    }

    /// Its id.
    pub(crate) fn id(&self) -> &HeaderValue {
        &self.id
    }

    /// Begins the record of a request, once it is known who asks.
    ///
    /// # Errors
    /// When the request may not go on, since its beginning cannot be logged.
    pub(crate) async fn begin(&self, caller: &mut Caller, info: &Info) -> Result<(), Unlogged> {
        self.open(caller, info);
        match self.record() {
            Some(record) => record.received().await,
            None => Ok(()),
        }
    }

    /// Logs a request whose credentials were refused: upstream's one event of it says what was tried.
    pub(crate) async fn refused(&self, peer: &Peer, headers: &HeaderMap, info: &Info) {
        self.open(&mut Caller::default(), info);
        if let Some(record) = self.record()
            && self.logged.complete.set(()).is_ok()
        {
            let status = serde_json::json!({ "message": tried(peer, headers) });
            record.answered(Answered { code: 401, status: Some(status) });
            record.reach(Stage::ResponseStarted).await;
        }
    }

    fn open(&self, caller: &mut Caller, info: &Info) {
        let Some((auditor, asked)) = &self.asked else { return };
        let asked = Asked { user: caller.clone(), ..asked.clone() };
        let (name, groups) = (caller.name.clone(), caller.groups.clone());
        let of = Attributes::of(&name, &groups);
        let request = match &info.place {
            Place::Path(path) => of.at(info.verb, path),
            Place::Resource { target, .. } => Attributes {
                api_version: &target.resource.version,
                subresource: &target.subresource,
                name: &target.name,
                namespace: &target.namespace,
                ..of.on(info.verb, &target.resource.group, &target.resource.plural)
            },
        };
        if let Some(record) = auditor.open(caller, &request, asked) {
            // There is one beginning.
            let _ = self.logged.record.set(record);
        }
    }

    /// The record, if anything is logged.
    pub(crate) fn record(&self) -> Option<&Arc<Record>> {
        self.logged.record.get()
    }

    /// Whether what is answered is logged.
    pub(crate) fn wants_answer(&self) -> bool {
        self.record().is_some_and(|record| record.level() >= Level::RequestResponse)
    }

    /// What is answered: a Status, or whatever the response says.
    pub(crate) fn answered(&self, answered: Result<&Response<Body>, &Status>) {
        let Some(record) = self.record() else { return };
        match answered {
            Ok(response) => record.answered(Answered { code: response.status().as_u16(), status: None }),
            Err(status) => {
                let text = encode::status(Codec::Json, status.clone());
                let code = status.http_code();
                record.answered(Answered { code, status: serde_json::from_slice(&text).ok() });
                record.returned(&text);
            }
        }
    }

    /// The answer has begun, and goes on for long: for as long as what is given back, and nothing else is, is kept.
    pub(crate) async fn started(self) -> Logged {
        if let Some(record) = self.record() {
            record.reach(Stage::ResponseStarted).await;
        }
        self.logged
    }

    /// All is answered.
    pub(crate) async fn completed(&self) {
        if let Some(record) = self.record()
            && self.logged.complete.set(()).is_ok()
        {
            record.reach(Stage::ResponseComplete).await;
        }
    }
}

/// A request ends that nobody has answered, or that was answered for long.
impl Drop for Logged {
    fn drop(&mut self) {
        let Some(record) = self.record.get().filter(|_| self.complete.get().is_none()) else { return };
        if std::thread::panicking() {
            let status = serde_json::json!({ "status": "Failure", "reason": "InternalError", "message": "APIServer panic'd" });
            record.answered(Answered { code: 500, status: Some(status) });
            return record.reach_now(Stage::Panic);
        }
        if !record.is_answered() {
            let status = serde_json::json!({ "status": "Success", "message": "Connection closed early" });
            record.answered(Answered { code: 200, status: Some(status) });
        }
        record.reach_now(Stage::ResponseComplete);
    }
}

/// What a request is answered that may not go on, as upstream's `responsewriters.InternalError` says it.
pub(crate) fn unlogged(uri: &http::Uri, why: Unlogged) -> Response<Body> {
    let asked = uri.path_and_query().map_or_else(|| uri.path(), |uri| uri.as_str());
    let text = format!("Internal Server Error: {}: {why}", quote::go(asked));
    content::error(StatusCode::INTERNAL_SERVER_ERROR, &text)
}

/// By which credentials somebody tried it.
fn tried(peer: &Peer, headers: &HeaderMap) -> String {
    let said = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let scheme = said.split_once(' ').map(|(scheme, _)| scheme.to_lowercase()).unwrap_or_default();
    let mut ways: Vec<&str> = Vec::from_iter(["basic", "bearer"].into_iter().filter(|way| *way == scheme));
    if !peer.chain.is_empty() {
        ways.push("x509");
    }
    match ways.as_slice() {
        [] => "Authentication failed, no credentials provided".to_owned(),
        ways => format!("Authentication failed, attempted: {}", ways.join(", ")),
    }
}

fn reference(info: &Info) -> Option<Reference> {
    let Place::Resource { target, .. } = &info.place else { return None };
    Some(Reference {
        resource: target.resource.plural.to_string(),
        namespace: target.namespace.clone(),
        name: target.name.clone(),
        group: target.resource.group.to_string(),
        version: target.resource.version.to_string(),
        subresource: target.subresource.clone(),
        ..Reference::default()
    })
}

/// Where a request comes from, as far as it says so itself, and then where its connection does (upstream's `SourceIPs`).
fn source_ips(peer: &Peer, headers: &HeaderMap) -> Vec<String> {
    let said =
        |name: &'static str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let parsed = |text: &str| text.trim().parse::<std::net::IpAddr>().ok().map(|ip| ip.to_canonical());
    let mut all: Vec<_> = said("x-forwarded-for").split(',').filter_map(parsed).collect();
    all.extend(parsed(said("x-real-ip")).filter(|ip| !all.contains(ip)));
    let own = peer.address.map(|address| address.ip().to_canonical());
    all.extend(own.filter(|own| all.last() != Some(own)));
    all.iter().map(ToString::to_string).collect()
}

/// A patch as the log has it: as JSON, as which patches in YAML are read, or as text where it is neither.
pub(crate) fn patch(parts: &Parts, bytes: &[u8]) -> Value {
    let yaml =
        parts.headers.get(http::header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().ends_with(b"yaml"));
    let converted =
        if yaml { api_codec::yaml::to_json(bytes, api_codec::limits::Limits::REQUEST).ok() } else { None };
    let text = converted.as_deref().unwrap_or(bytes);
    serde_json::from_slice(text)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(bytes).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_comes_from_where_it_says_and_from_where_it_is() {
        let peer = Peer { address: Some("10.0.0.9:77".parse().expect("an address")), ..Peer::default() };
        for (forwarded, real, wanted) in [
            ("", "", &["10.0.0.9"][..]),
            ("1.1.1.1, x, 2.2.2.2", "3.3.3.3", &["1.1.1.1", "2.2.2.2", "3.3.3.3", "10.0.0.9"]),
            ("1.1.1.1", "1.1.1.1", &["1.1.1.1", "10.0.0.9"]),
            ("1.1.1.1,10.0.0.9", "", &["1.1.1.1", "10.0.0.9"]),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in [("x-forwarded-for", forwarded), ("x-real-ip", real)] {
                headers.insert(name, HeaderValue::from_static(value));
            }
            assert_eq!(source_ips(&peer, &headers), wanted);
        }
    }
}
