//! A request as HTTP has it: path, query and body.

use api_codec::proto;
use api_meta::Status;
use api_record::Record;
use api_types::GroupVersionKind;
use api_types::meta::v1;
use bytes::Bytes;
use client::{
    Body, DeleteOptions, FieldValidation, ListOptions, Propagation, Request, Resource, Scope, Target, Uri,
    Verb, VersionMatch, WriteOptions,
};
use http::Method;

use crate::limits;

/// What objects are sent and wanted as; errors of things between here and the server come as JSON.
pub(crate) const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";
pub(crate) const JSON: &str = "application/json";

/// What goes into the head and the body of an HTTP request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) content_type: &'static str,
    pub(crate) body: Bytes,
}

/// A request's form.
pub(crate) fn request(request: &Request) -> Result<Asked, Status> {
    let Request { verb, target, body, list, write, delete, .. } = request;
    let mut uri = Uri::of(target, *verb == Verb::Create && target.subresource.is_empty());
    let mut asked =
        Asked { method: method(*verb), path: String::new(), content_type: "", body: Bytes::new() };
    match verb {
        Verb::Get | Verb::List => add_list(&mut uri, list),
        Verb::DeleteCollection => {
            add_list(&mut uri, list);
            (asked.content_type, asked.body) = (PROTOBUF, options(delete, write, &target.resource));
        }
        Verb::Delete => {
            (asked.content_type, asked.body) = (PROTOBUF, options(delete, write, &target.resource))
        }
        Verb::Create | Verb::Update | Verb::Patch => add_write(&mut uri, write),
    }
    match body {
        Body::Empty => {}
        Body::Object(object) => {
            let kind = kind_of(&**object, &target.resource)?;
            (asked.content_type, asked.body) = (PROTOBUF, proto::encode(&**object, &kind).into());
        }
        Body::Patch(kind, bytes) => (asked.content_type, asked.body) = (kind.media_type(), bytes.clone()),
    }
    asked.path = uri.into();
    Ok(asked)
}

/// A watch's path and query.
pub(crate) fn watch(scope: &Scope, from: client::Revision) -> String {
    let target = Target {
        resource: scope.resource.clone(),
        namespace: scope.namespace.clone(),
        name: String::new(),
        subresource: String::new(),
    };
    let mut uri = Uri::of(&target, false);
    uri.add("watch", "true");
    uri.add("allowWatchBookmarks", "true");
    uri.add("timeoutSeconds", &limits::WATCH_SECONDS.to_string());
    uri.add_some("labelSelector", &scope.labels.to_string());
    uri.add_some("fieldSelector", &scope.fields.to_string());
    if from.0 > 0 {
        uri.add("resourceVersion", &from.to_string());
    }
    uri.into()
}

fn method(verb: Verb) -> Method {
    match verb {
        Verb::Get | Verb::List => Method::GET,
        Verb::Create => Method::POST,
        Verb::Update => Method::PUT,
        Verb::Patch => Method::PATCH,
        Verb::Delete | Verb::DeleteCollection => Method::DELETE,
    }
}

/// The options of a deletion, which clients send in the version of what they delete.
fn options(delete: &DeleteOptions, write: &WriteOptions, resource: &Resource) -> Bytes {
    let precondition = &delete.precondition;
    let preconditions = (precondition.uid.is_some() || precondition.version.is_some()).then(|| {
        Box::new(v1::Preconditions {
            uid: precondition.uid.clone(),
            resource_version: precondition.version.clone(),
        })
    });
    let policy = delete.propagation.map(|propagation| match propagation {
        Propagation::Orphan => "Orphan".to_owned(),
        Propagation::Background => "Background".to_owned(),
        Propagation::Foreground => "Foreground".to_owned(),
    });
    let options = v1::DeleteOptions {
        grace_period_seconds: delete.grace_seconds,
        preconditions,
        propagation_policy: policy,
        dry_run: if write.dry_run { vec!["All".to_owned()] } else { Vec::new() },
        ..v1::DeleteOptions::default()
    };
    let kind = GroupVersionKind { group: &resource.group, version: &resource.version, kind: "DeleteOptions" };
    proto::encode(&options, &kind).into()
}

/// The kind of an object that is sent: of its type's, that of the resource's own version if there is one.
fn kind_of(object: &dyn Record, resource: &Resource) -> Result<GroupVersionKind<'static>, Status> {
    let same = || api_types::object_types().iter().filter(|row| std::ptr::eq(row.schema, object.schema()));
    let own = same().find(|row| (row.kind.group, row.kind.version) == (&*resource.group, &*resource.version));
    let found = own.or_else(|| same().next()).map(|row| row.kind);
    found.ok_or_else(|| Status::internal_error(format!("what is sent to {resource} has no kind")))
}

fn add_list(uri: &mut Uri, options: &ListOptions) {
    uri.add_some("labelSelector", &options.labels);
    uri.add_some("fieldSelector", &options.fields);
    if options.limit > 0 {
        uri.add("limit", &options.limit.to_string());
    }
    uri.add_some("continue", &options.continue_);
    uri.add_some("resourceVersion", &options.version);
    match options.version_match {
        None => {}
        Some(VersionMatch::Exact) => uri.add("resourceVersionMatch", "Exact"),
        Some(VersionMatch::NotOlderThan) => uri.add("resourceVersionMatch", "NotOlderThan"),
    }
}

fn add_write(uri: &mut Uri, options: &WriteOptions) {
    if options.dry_run {
        uri.add("dryRun", "All");
    }
    match options.field_validation {
        FieldValidation::Warn => {}
        FieldValidation::Ignore => uri.add("fieldValidation", "Ignore"),
        FieldValidation::Strict => uri.add("fieldValidation", "Strict"),
    }
    uri.add_some("fieldManager", &options.field_manager);
    if let Some(force) = options.force {
        uri.add("force", if force { "true" } else { "false" });
    }
}

#[cfg(test)]
mod tests {
    use client::{PatchKind, Revision};

    use super::*;

    fn target(group: &'static str, plural: &'static str, namespace: &str, name: &str, part: &str) -> Target {
        Target {
            resource: Resource::of(group, "v1", plural),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            subresource: part.to_owned(),
        }
    }

    #[test]
    fn requests_take_upstreams_paths() {
        for (verb, target, wanted) in [
            (Verb::Get, target("", "pods", "shop", "web", ""), "GET /api/v1/namespaces/shop/pods/web"),
            (Verb::List, target("", "pods", "", "", ""), "GET /api/v1/pods"),
            (
                Verb::Update,
                target("apps", "deployments", "shop", "web", "status"),
                "PUT /apis/apps/v1/namespaces/shop/deployments/web/status",
            ),
            (Verb::Create, target("", "pods", "shop", "", ""), "POST /api/v1/namespaces/shop/pods"),
            (
                Verb::Create,
                target("", "pods", "shop", "web", "binding"),
                "POST /api/v1/namespaces/shop/pods/web/binding",
            ),
            (Verb::Get, target("", "namespaces", "shop", "shop", ""), "GET /api/v1/namespaces/shop"),
            (
                Verb::Get,
                target("rbac.authorization.k8s.io", "clusterroles", "", "system:node", ""),
                "GET /apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode",
            ),
        ] {
            let asked = request(&Request::new(verb, target)).expect("it can be asked");
            assert_eq!(format!("{} {}", asked.method, asked.path), wanted);
        }
    }

    #[test]
    fn options_go_into_the_query() {
        let mut ask = Request::new(Verb::List, target("", "pods", "", "", ""));
        ask.list.labels = "app in (a,b)".to_owned();
        ask.list.limit = 5;
        ask.list.version = "7".to_owned();
        ask.list.version_match = Some(VersionMatch::Exact);
        let asked = request(&ask).expect("it can be asked");
        assert_eq!(
            asked.path,
            "/api/v1/pods?labelSelector=app%20in%20%28a%2Cb%29&limit=5&resourceVersion=7&resourceVersionMatch=Exact"
        );
        let mut ask = Request::new(Verb::Patch, target("", "pods", "shop", "web", ""));
        ask.body = Body::Patch(PatchKind::Merge, Bytes::from_static(b"{}"));
        ask.write.field_manager = "me".to_owned();
        ask.write.force = Some(true);
        let asked = request(&ask).expect("it can be asked");
        assert_eq!(asked.path, "/api/v1/namespaces/shop/pods/web?fieldManager=me&force=true");
        assert_eq!((asked.content_type, &*asked.body), ("application/merge-patch+json", &b"{}"[..]));
    }

    #[test]
    fn a_deletion_says_what_must_hold() {
        let mut ask = Request::new(Verb::Delete, target("", "pods", "shop", "web", ""));
        ask.delete.grace_seconds = Some(0);
        ask.delete.precondition.uid = Some("u".to_owned());
        let asked = request(&ask).expect("it can be asked");
        let envelope = proto::open(&asked.body, api_codec::limits::Limits::REQUEST).expect("an envelope");
        let mut options = v1::DeleteOptions::default();
        proto::decode(envelope.raw, &mut options).expect("options");
        assert_eq!(envelope.type_meta.kind, "DeleteOptions");
        assert_eq!(options.grace_period_seconds, Some(0));
        assert_eq!(options.preconditions.and_then(|wanted| wanted.uid), Some("u".to_owned()));
    }

    #[test]
    fn a_watch_goes_on_where_it_ended() {
        let scope = Scope::all(Resource::of("", "v1", "nodes"));
        let path = watch(&scope, Revision(9));
        assert_eq!(
            path,
            "/api/v1/nodes?watch=true&allowWatchBookmarks=true&timeoutSeconds=480&resourceVersion=9"
        );
    }
}
