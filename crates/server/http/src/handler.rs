//! One request: who sends it, what it asks for, and who answers.

use std::sync::Arc;

use api_meta::Status;
use api_record::Record;
use api_types::GroupVersionKind;
use base::metrics::Source;
use base::time::{Clock, Time};
use bytes::Bytes;
use client::Caller;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use server_audit::Auditor;
use server_authz::Attributes;
use server_extend::aggregation::Aggregation;
use server_local::{Local, forbidden, note};
use server_registry::{Offered, Served};

use crate::audit::{AUDIT_ID, Audit, unlogged};
use crate::content::{self, Body};
use crate::discovery::{Discovery, Others};
use crate::documents::{Document, DocumentRequest, Documents};
use crate::encoded::Encoded;
use crate::flow::{self, InFlight};
use crate::guarded::Guarded;
use crate::health::Health;
use crate::identity::{Identify, Peer};
use crate::lasting::Lasting;
use crate::metrics::{Kind, Metrics, Running, is_long_running};
use crate::negotiate::{self, Can, Codec, Form};
use crate::nodes::Nodes;
use crate::options::{self, Query};
use crate::path::{self, Info, Place};
use crate::proxy::Reach;
use crate::resource::known;
use crate::scrape::{self, Scrape};
use crate::{aggregated, discovery, encode, impersonate, proxy, resource};

/// Answers requests.
pub struct Handler {
    pub(crate) local: Local,
    pub(crate) clock: Arc<dyn Clock>,
    identify: Arc<dyn Identify>,
    documents: Arc<dyn Documents>,
    pub(crate) reach: Reach,
    pub(crate) lasting: Lasting,
    health: Health,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) in_flight: InFlight,
    pub(crate) scrape: Scrape,
    pub(crate) encoded: Arc<Encoded>,
    aggregation: Option<Aggregation>,
    auditor: Option<Arc<Auditor>>,
    address: String,
}

impl Handler {
    /// A handler in front of a pipeline, which reaches nodes through `nodes`; `address` is what discovery tells clients
    /// to connect to.
    pub fn new(
        local: Local,
        clock: Arc<dyn Clock>,
        identify: Arc<dyn Identify>,
        documents: Arc<dyn Documents>,
        nodes: Arc<dyn Nodes>,
        address: String,
    ) -> Handler {
        Handler {
            local,
            clock,
            identify,
            documents,
            reach: Reach::new(nodes),
            lasting: Lasting::default(),
            health: Health::default(),
            metrics: Arc::default(),
            in_flight: InFlight::default(),
            scrape: Scrape::default(),
            encoded: Arc::default(),
            aggregation: None,
            auditor: None,
            address,
        }
    }

    /// Hands on what other API servers serve.
    #[must_use]
    pub fn with_aggregation(mut self, aggregation: Aggregation) -> Handler {
        self.aggregation = Some(aggregation);
        self
    }

    /// Logs requests as a policy says.
    #[must_use]
    pub fn with_auditor(mut self, auditor: Arc<Auditor>) -> Handler {
        self.auditor = Some(auditor);
        self
    }

    /// Shows more metrics than its own.
    #[must_use]
    pub fn with_metrics(mut self, source: Arc<dyn Source>) -> Handler {
        self.scrape.add(source);
        self
    }

    /// Says whether the server may be used.
    pub fn set_ready(&self, ready: bool) {
        self.health.set_ready(ready);
    }

    /// Answers a request.
    pub(crate) async fn handle(
        self: Arc<Self>,
        peer: Arc<Peer>,
        request: Request<Incoming>,
    ) -> Response<Body> {
        let query = Query::parse(request.uri().query().unwrap_or_default());
        let watch = query.flag("watch");
        let info = path::parse(request.method(), request.uri().path(), watch);
        let custom = self.custom(&info);
        let can = Can { stream: info.verb == "watch", tables: info.has_table(), proto: custom.is_none() };
        let form = negotiate::form(request.headers(), can);
        let codec = form.as_ref().map_or(Codec::Json, |form| form.codec);
        let begun = self.clock.now();
        let dry_run = query.get("dryRun") == "All";
        let kind = Kind::of(
            request.method(),
            request.headers(),
            &info,
            (self.offered(), custom.as_deref()),
            dry_run,
        );
        let audit =
            Audit::new(self.auditor.as_ref(), &peer, (request.uri(), request.headers()), &info, begun);
        let asked = Negotiated { form, custom, audit: &audit };
        let answered = self.answer(&peer, request, &info, &kind, &query, asked).await;
        audit.answered(answered.as_ref());
        let mut response = answered.unwrap_or_else(|status| failure(codec, status));
        response.headers_mut().entry(AUDIT_ID).or_insert_with(|| audit.id().clone());
        let (code, bytes) = (response.status().as_u16(), response.body().size_hint().exact());
        if !is_long_running(&info) || bytes.is_some() {
            self.metrics.count(&kind, code, self.clock.now().since(begun), bytes);
            audit.completed().await;
            return response;
        }
        let logged = audit.started().await;
        let ended = Ended { running: self.metrics.running(&kind), handler: self, code, begun };
        response.map(|body| Guarded::new(body, (ended, logged)).boxed_unsync())
    }

    async fn answer(
        &self,
        peer: &Peer,
        mut request: Request<Incoming>,
        info: &Info,
        kind: &Kind,
        query: &Query,
        negotiated: Negotiated<'_>,
    ) -> Result<Response<Body>, Status> {
        let audit = negotiated.audit;
        let caller = self.identify.identify(peer, request.headers(), request.uri().path());
        let Some(mut caller) = caller else {
            audit.refused(peer, request.headers(), info).await;
            return Err(Status::unauthorized("Unauthorized"));
        };
        if let Err(why) = audit.begin(&mut caller, info).await {
            return Ok(unlogged(request.uri(), why));
        }
        let trail = caller.trail.clone();
        if let Some(other) = impersonate::caller(self.local.policy(), &caller, request.headers(), info)? {
            if let Some(record) = audit.record() {
                record.impersonated(&other.caller, &other.constraint);
            }
            caller = other.caller;
        }
        (caller.agent, caller.trail) = (options::program(request.headers()), trail);
        let Some(place) = self.in_flight.enter(info, &caller) else {
            self.metrics.terminated(kind, 429);
            return Ok(flow::too_many());
        };
        if let Some(aggregation) = &self.aggregation
            && let Some(route) = aggregated::route(aggregation, info)
        {
            match &info.place {
                Place::Path(path) => self.check_path(&caller, info.verb, path)?,
                Place::Resource { target, .. } => self.local.check(&caller, info.verb, target)?,
            }
            // Those who wait for another server are in nobody's way here.
            drop(place);
            request.headers_mut().insert(AUDIT_ID, audit.id().clone());
            return aggregated::answer(self, aggregation, &route, (&caller, peer, info), request).await;
        }
        match &info.place {
            Place::Path(path) => {
                self.check_path(&caller, info.verb, path)?;
                if path == "/metrics" && matches!(*request.method(), Method::GET | Method::HEAD) {
                    return Ok(scrape::answer(self).await);
                }
                self.path(&request, path, query)
            }
            Place::Resource { target, rest } => {
                let Negotiated { form, custom, .. } = negotiated;
                // What is behind a proxy answers in forms of its own.
                let mut form = if proxy::is_theirs(target) { form.unwrap_or(Form::JSON) } else { form? };
                form.pretty = query.flag("pretty");
                let asked = resource::Asked {
                    caller: &caller,
                    verb: info.verb,
                    target,
                    rest,
                    peer,
                    query,
                    form,
                    custom,
                    audit,
                };
                resource::answer(self, asked, request).await
            }
        }
    }

    /// What other API servers serve, and say of it.
    fn others(&self) -> Others {
        let aggregation = self.aggregation.as_ref();
        aggregation.map(|own| Others { routes: own.routes(), known: own.known() }).unwrap_or_default()
    }

    /// The resource of a definition that a request is about.
    fn custom(&self, info: &Info) -> Option<Arc<Served>> {
        let Place::Resource { target, .. } = &info.place else { return None };
        let catalog = self.local.direct().registry().catalog();
        let wanted = &target.resource;
        catalog
            .find_custom(&wanted.group, &wanted.version, &wanted.plural)
            .filter(|_| known(self.offered(), target).is_none())
    }

    /// Which built-in resources are served.
    pub(crate) fn offered(&self) -> &Offered {
        self.local.direct().registry().catalog().offered()
    }

    fn check_path(&self, caller: &Caller, verb: &str, path: &str) -> Result<(), Status> {
        let attributes = Attributes { extra: &caller.extra, ..Attributes::of(&caller.name, &caller.groups) };
        let attributes = attributes.at(verb, path);
        let decision = self.local.policy().decide(&attributes);
        note(&caller.trail, &decision);
        if decision.is_allowed() { Ok(()) } else { Err(forbidden(&attributes, decision.reason())) }
    }

    fn path(&self, request: &Request<Incoming>, path: &str, query: &Query) -> Result<Response<Body>, Status> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Err(resource::not_allowed());
        }
        if let Some(report) = self.health.report(path, query.flag("verbose")) {
            return Ok(text(report.code, report.text));
        }
        let hash = Some(query.get("hash")).filter(|_| query.has("hash"));
        let wanted = DocumentRequest::new(path, hash, request.headers());
        if let Some(document) = self.documents.find(&wanted) {
            return Ok(document_answer(document));
        }
        self.discovery(request, path)
    }

    fn discovery(&self, request: &Request<Incoming>, path: &str) -> Result<Response<Body>, Status> {
        let aggregated = negotiate::wants_aggregated_discovery(request.headers());
        let can = Can { stream: false, tables: false, proto: true };
        let codec = negotiate::form(request.headers(), can).map_or(Codec::Json, |form| form.codec);
        let custom = self.local.direct().registry().catalog().custom();
        let others = self.others();
        let discovery = Discovery::new(self.offered(), &custom, &others);
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let show = |record: &dyn Record, kind: &str| {
            let gvk = GroupVersionKind { group: "", version: "v1", kind };
            Ok(bytes_answer(200, codec.media_type(), encode::object(codec, false, record, &gvk).into()))
        };
        let missing =
            || Status::failure(404, "NotFound", "the server could not find the requested resource", None);
        match parts[..] {
            ["api" | "apis"] if aggregated => {
                let content_type = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
                let document = discovery.aggregated(parts[0] == "api");
                Ok(bytes_answer(200, content_type, document.to_string().into()))
            }
            ["api"] => show(&discovery::core_versions(&self.address), "APIVersions"),
            ["apis"] => show(&discovery.group_list(), "APIGroupList"),
            ["api", version] => {
                show(&discovery.resource_list("", version).ok_or_else(missing)?, "APIResourceList")
            }
            ["apis", group] => show(&discovery.one_group(group).ok_or_else(missing)?, "APIGroup"),
            ["apis", group, version] => {
                show(&discovery.resource_list(group, version).ok_or_else(missing)?, "APIResourceList")
            }
            [] => Ok(bytes_answer(200, "application/json", self.paths().into())),
            _ => Err(missing()),
        }
    }

    /// `/`: what can be asked for.
    fn paths(&self) -> String {
        let mut paths = vec!["/api".to_owned(), "/api/v1".to_owned(), "/apis".to_owned()];
        let custom = self.local.direct().registry().catalog().custom();
        let others = self.others();
        let discovery = Discovery::new(self.offered(), &custom, &others);
        for group in &discovery.group_list().groups {
            paths.push(format!("/apis/{}", group.name));
            paths.extend(group.versions.iter().map(|version| format!("/apis/{}", version.group_version)));
        }
        paths.extend(["/healthz", "/livez", "/metrics", "/readyz"].map(str::to_owned));
        paths.extend(self.documents.paths());
        paths.sort();
        paths.dedup();
        serde_json::json!({ "paths": paths }).to_string()
    }
}

/// What is known of a request before anybody has been asked.
struct Negotiated<'a> {
    form: Result<Form, Status>,
    custom: Option<Arc<Served>>,
    audit: &'a Audit,
}

/// Counts a long-running request when it ends.
struct Ended {
    running: Running,
    handler: Arc<Handler>,
    code: u16,
    begun: Time,
}

impl Drop for Ended {
    fn drop(&mut self) {
        let took = self.handler.clock.now().since(self.begun);
        self.handler.metrics.count(self.running.kind(), self.code, took, None);
    }
}

fn document_answer(document: Document) -> Response<Body> {
    let mut response = Response::new(content::whole(document.body));
    *response.status_mut() =
        StatusCode::from_u16(document.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in document.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().append(HeaderName::from_static(name), value);
        }
    }
    response
}

/// An error's answer.
pub(crate) fn failure(codec: Codec, status: Status) -> Response<Body> {
    let code = status.http_code();
    let retry = status.retry_after_seconds().filter(|seconds| *seconds > 0);
    let mut response = bytes_answer(code, codec.media_type(), encode::status(codec, status).into());
    if let Some(value) = retry.and_then(|seconds| HeaderValue::from_str(&seconds.to_string()).ok()) {
        response.headers_mut().insert(http::header::RETRY_AFTER, value);
    }
    response
}

pub(crate) fn bytes_answer(code: u16, content_type: &str, bytes: Bytes) -> Response<Body> {
    let mut response = Response::new(content::whole(bytes));
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Ok(value) = HeaderValue::from_str(content_type) {
        response.headers_mut().insert(CONTENT_TYPE, value);
    }
    response.headers_mut().insert(http::header::CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    response
}

fn text(code: u16, text: String) -> Response<Body> {
    bytes_answer(code, "text/plain; charset=utf-8", text.into())
}

/// Adds a warning of RFC 7234 for each thing that the client should know.
pub(crate) fn warn(response: &mut Response<Body>, warnings: &[String]) {
    for warning in warnings {
        let escaped = warning.replace('\\', "\\\\").replace('"', "\\\"").replace(['\n', '\r'], " ");
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{escaped}\"")) {
            response.headers_mut().append(HeaderName::from_static("warning"), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Logged;

    #[test]
    fn what_is_kept_of_a_request_while_its_answer_lasts_is_small() {
        let kept = size_of::<Guarded<(Ended, Logged)>>();
        assert!(kept <= 96, "{kept} bytes");
    }
}
