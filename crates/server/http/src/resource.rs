//! Requests about resources: from HTTP to the pipeline and back.

use std::sync::Arc;
use std::time::Duration;

use api_codec::json;
use api_meta::field::Path;
use api_meta::{Status, fields, labels};
use api_record::Record;
use api_types::meta::v1;
use api_types::{GroupVersionKind, Resource};
use base_serve::Peer;
use bytes::Bytes;
use client::{
    Answer, Api as _, Body as Sent, Caller, Outcome, PatchKind, Request, Target, Verb, VersionMatch,
};
use futures_util::StreamExt as _;
use http::Response;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http_body_util::StreamBody;
use hyper::body::{Body as _, Frame as BodyFrame, Incoming};
use server_registry::{From, Offered, Served};

use crate::audit::Audit;
use crate::content::{self, Body};
use crate::encode::{self, Frame};
use crate::handler::{Handler, bytes_answer, warn};
use crate::limits;
use crate::negotiate::{Codec, Form};
use crate::options::Query;
use crate::table::Included;
use crate::watch::{self, Framing};
use crate::{audit, body, discovery, list, nodes, packed, proxy};

/// A request about a resource.
pub(crate) struct Asked<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) verb: &'static str,
    pub(crate) target: &'a Target,
    /// What follows the subresource.
    pub(crate) rest: &'a str,
    pub(crate) peer: &'a Peer,
    pub(crate) query: &'a Query,
    pub(crate) form: Form,
    /// The resource, if a definition brings it.
    pub(crate) custom: Option<Arc<Served>>,
    /// What is logged of it.
    pub(crate) audit: &'a Audit,
}

fn missing() -> Status {
    Status::failure(404, "NotFound", "the server could not find the requested resource", None)
}

/// The method means nothing here.
pub(crate) fn not_allowed() -> Status {
    Status::failure(
        405,
        "MethodNotAllowed",
        "the server does not allow this method on the requested resource",
        None,
    )
}

/// The row of a built-in resource that is served.
pub(crate) fn known(offered: &Offered, target: &Target) -> Option<&'static Resource> {
    let wanted = &target.resource;
    offered.find(&wanted.group, &wanted.version, &wanted.plural)
}

/// Carries out a request.
pub(crate) async fn answer(
    handler: &Handler,
    asked: Asked<'_>,
    request: http::Request<Incoming>,
) -> Result<Response<Body>, Status> {
    let custom = asked.custom.clone();
    let kind = match (&custom, known(handler.offered(), asked.target)) {
        (Some(served), _) => custom_kind(served, &asked.target.subresource),
        (None, Some(resource)) => body_kind(resource, &asked.target.subresource),
        (None, None) => {
            // Who may not ask does not hear what there is.
            handler.local.check(asked.caller, asked.verb, asked.target)?;
            return Err(missing());
        }
    };
    if asked.verb == "watch" {
        return watch(handler, &asked, request).await;
    }
    if proxy::is_theirs(asked.target) {
        return proxy::answer(handler, &asked, request).await;
    }
    if asked.verb.is_empty() {
        handler.local.check(asked.caller, asked.verb, asked.target)?;
        return Err(not_allowed());
    }
    if nodes::is_theirs(asked.target) {
        return nodes::answer(handler, &asked, request).await;
    }
    let verb = match asked.verb {
        "get" => Verb::Get,
        "list" => Verb::List,
        "create" => Verb::Create,
        "update" => Verb::Update,
        "patch" => Verb::Patch,
        "delete" => Verb::Delete,
        _ => Verb::DeleteCollection,
    };
    let mut call = Request::new(verb, asked.target.clone());
    call.list = asked.query.list()?;
    let (parts, incoming) = request.into_parts();
    let pack = |response| if packed::is_wanted(&parts.headers) { packed::packed(response) } else { response };
    if verb == Verb::List
        // What is logged whole is made whole.
        && !asked.audit.wants_answer()
        && let Some(response) = list::answer(handler, &asked, &call.list).await?
    {
        return Ok(pack(response));
    }
    let patch = match verb {
        Verb::Patch => {
            let content_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
            Some(PatchKind::of(content_type.unwrap_or_default(), custom.is_some())?)
        }
        _ => None,
    };
    call.write = asked.query.write(verb, patch == Some(PatchKind::Apply))?;
    if !incoming.is_end_stream() {
        // Who may not ask is not listened to: it may take long, and have a place that others need.
        handler.local.check_request(asked.caller, &call)?;
    }
    let bytes = body::read(&*handler.clock, incoming).await?;
    let mut warnings = take_in(&asked, &parts, bytes, (patch, kind), &mut call)?;
    let clock = &*handler.clock;
    let called = base::time::timeout(clock, limits::REQUEST, handler.local.call(asked.caller, call)).await;
    let mut answer =
        called.map_err(|_| Status::timeout("request did not complete within the allotted timeout", 0))??;
    warnings.append(&mut answer.warnings);
    let mut response = show(handler, &asked, kind, &answer)?;
    log_answer(handler, asked, kind, &answer);
    warn(&mut response, &warnings);
    Ok(pack(response))
}

/// Takes what was sent into a call, and into what is logged of it; answers what strict decoding has to say.
fn take_in(
    asked: &Asked<'_>,
    parts: &Parts,
    bytes: Bytes,
    (patch, kind): (Option<PatchKind>, GroupVersionKind<'_>),
    call: &mut Request,
) -> Result<Vec<String>, Status> {
    match call.verb {
        Verb::Create | Verb::Update => {
            let whole = asked.custom.as_deref().filter(|_| asked.target.subresource != "scale");
            let sent = body::decode(&parts.headers, &bytes, kind, whole, call.write.field_validation)?;
            if let Some(record) = asked.audit.record() {
                record.sent(|| tree(&*sent.object, &kind));
            }
            call.body = Sent::Object(sent.object);
            return Ok(sent.warnings);
        }
        Verb::Patch => {
            if let Some(record) = asked.audit.record() {
                record.sent_patch(|| audit::patch(parts, &bytes));
            }
            if let Some(kind) = patch {
                call.body = Sent::Patch(kind, bytes);
            }
        }
        Verb::Delete | Verb::DeleteCollection => {
            let options = if bytes.is_empty() { None } else { Some(delete_options(&parts.headers, &bytes)?) };
            if let (Some(record), Some(options)) = (asked.audit.record(), &options) {
                record.sent(|| tree(options, &DELETE_OPTIONS));
            }
            if options.as_ref().is_some_and(|options| options.dry_run.iter().any(|value| value == "All")) {
                call.write.dry_run = true;
            }
            call.delete = asked.query.delete(options.as_ref())?;
        }
        Verb::Get | Verb::List => {}
    }
    Ok(Vec::new())
}

/// Has an answer be logged, if answers are: as JSON, whatever it was asked for in.
fn log_answer(handler: &Handler, asked: Asked<'_>, kind: GroupVersionKind<'_>, answer: &Answer) {
    let Some(record) = asked.audit.record().filter(|_| asked.audit.wants_answer()) else { return };
    let asked = Asked { form: Form { pretty: false, codec: Codec::Json, ..asked.form }, ..asked };
    if let Ok(shown) = shown(handler, &asked, kind, answer) {
        record.returned(&shown);
    }
}

/// The kind of what is sent to, and comes back from, a resource or a part of it.
fn body_kind(resource: &'static Resource, subresource: &str) -> GroupVersionKind<'static> {
    let (group, version, kind) = discovery::subresource_kind(resource, subresource);
    if version.is_empty() {
        GroupVersionKind { group: resource.kind.group, version: resource.kind.version, kind }
    } else {
        GroupVersionKind { group, version, kind }
    }
}

/// The same of a resource of a definition.
fn custom_kind<'a>(served: &'a Served, subresource: &str) -> GroupVersionKind<'a> {
    match subresource {
        "scale" => GroupVersionKind { group: "autoscaling", version: "v1", kind: "Scale" },
        _ => served.gvk(),
    }
}

const DELETE_OPTIONS: GroupVersionKind<'static> =
    GroupVersionKind { group: "meta.k8s.io", version: "v1", kind: "DeleteOptions" };

/// What was sent as the log has it: with its kind, and without what would be filled in.
fn tree(object: &dyn Record, kind: &GroupVersionKind<'_>) -> serde_json::Value {
    let mut text = Vec::new();
    json::show(object, Some(kind), &mut text);
    serde_json::from_slice(&text).unwrap_or_default()
}

fn delete_options(headers: &http::HeaderMap, bytes: &Bytes) -> Result<v1::DeleteOptions, Status> {
    let sent = body::decode_options(headers, bytes, DELETE_OPTIONS)?;
    sent.downcast_ref::<v1::DeleteOptions>().cloned().ok_or_else(|| Status::bad_request("not DeleteOptions"))
}

fn show(
    handler: &Handler,
    asked: &Asked<'_>,
    kind: GroupVersionKind<'_>,
    answer: &Answer,
) -> Result<Response<Body>, Status> {
    let code = if answer.created { 201 } else { 200 };
    let bytes = shown(handler, asked, kind, answer)?;
    Ok(bytes_answer(code, asked.form.codec.media_type(), bytes.into()))
}

/// An answer in the form that was asked for.
fn shown(
    handler: &Handler,
    asked: &Asked<'_>,
    kind: GroupVersionKind<'_>,
    answer: &Answer,
) -> Result<Vec<u8>, Status> {
    let Target { resource, subresource, .. } = asked.target;
    let catalog = handler.local.direct().registry().catalog();
    let served = catalog.resolve(&resource.group, &resource.version, &resource.plural);
    let served = served.as_deref();
    let codec = asked.form.codec;
    let whole = matches!(
        subresource.as_str(),
        "" | "status" | "ephemeralcontainers" | "resize" | "approval" | "finalize"
    );
    let bytes = match (&answer.outcome, served) {
        (Outcome::Status(status), _) => {
            let mut status = status.clone();
            status.code = if answer.created { 201 } else { 200 };
            encode::status(codec, status)
        }
        (Outcome::Object(object), Some(served)) if whole => frame(handler, asked, served).object(object),
        (Outcome::Object(object), _) => encode::object(codec, asked.form.pretty, &**object, &kind),
        (Outcome::List(list), Some(served)) => frame(handler, asked, served).list(list),
        (Outcome::List(_), None) => return Err(missing()),
    };
    Ok(bytes)
}

fn frame<'a>(handler: &Handler, asked: &Asked<'_>, served: &'a Served) -> Frame<'a> {
    let included = Included::of(asked.query.get("includeObject"));
    Frame { served, form: asked.form, included, now: handler.clock.now() }
}

async fn watch(
    handler: &Handler,
    asked: &Asked<'_>,
    request: http::Request<Incoming>,
) -> Result<Response<Body>, Status> {
    let Asked { caller, target, query, form, .. } = asked;
    let options = query.list()?;
    let registry = handler.local.direct().registry();
    let served =
        registry.catalog().resolve(&target.resource.group, &target.resource.version, &target.resource.plural);
    let served = served.ok_or_else(missing)?;
    if !served.resource.verbs.contains(&"watch") {
        return Err(Status::method_not_supported(served.group_resource(), "watch"));
    }
    let labels = labels::Selector::parse(&options.labels, &Path::NONE)
        .map_err(|error| Status::bad_request(error.to_string()))?;
    let mut fields =
        fields::Selector::parse(&options.fields).map_err(|error| Status::bad_request(error.to_string()))?;
    if !target.name.is_empty() {
        fields = fields.and(fields::Selector::equal("metadata.name", target.name.as_str()));
    }
    handler.local.check_watch(caller, target, &labels, &fields)?;
    let initial = query.flag("sendInitialEvents");
    if initial && options.version_match != Some(VersionMatch::NotOlderThan) {
        return Err(Status::bad_request(
            "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        ));
    }
    let from = match options.version.as_str() {
        _ if initial => From::NowMarked,
        "" | "0" => From::Now,
        version => From::After(version.parse().map_err(|_| {
            Status::bad_request(format!(
                "Invalid value: {version:?}: strconv.ParseUint: parsing {version:?}: invalid syntax"
            ))
        })?),
    };
    let bookmarks = query.flag("allowWatchBookmarks");
    let feed = registry.watch(&served, &target.namespace, labels, fields, from, bookmarks).await?;
    let framing = Framing {
        served,
        form: *form,
        included: Included::of(query.get("includeObject")),
        clock: Arc::clone(&handler.clock),
        bookmarks,
        encoded: Arc::clone(&handler.encoded),
    };
    let limit = query.number("timeoutSeconds")?.filter(|seconds| *seconds > 0);
    let limit = limit.map_or(limits::WATCH, |seconds| Duration::from_secs(seconds.unsigned_abs()));
    let content_type = framing.content_type();
    let codec = form.codec;
    let messages = watch::messages(framing, feed, limit);
    if base_serve::websocket::is_asked(request.headers()) {
        return watch::websocket::answer(request, codec, messages);
    }
    let stream = messages.map(|message| Ok(BodyFrame::data(message)));
    let mut response = bytes_answer(200, content_type, Bytes::new());
    *response.body_mut() = content::unfailing(StreamBody::new(stream));
    Ok(response)
}
