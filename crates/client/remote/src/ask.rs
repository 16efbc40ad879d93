//! A request as HTTP has it: path, query and body.

use api_codec::proto;
use api_meta::Status;
use api_record::Record;
use api_types::GroupVersionKind;
use api_types::meta::v1;
use bytes::Bytes;
use client::{
    Body, DeleteOptions, FieldValidation, ListOptions, Propagation, Request, Resource, Scope, Target, Verb,
    VersionMatch, WriteOptions,
};
use http::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::limits;

/// What objects are sent and wanted as; errors of things between here and the server come as JSON.
pub(crate) const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

/// What names, versions and most values are made of; everything else is escaped.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

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
    let mut query = Query::default();
    let mut asked = Asked {
        method: method(*verb),
        path: path(target, *verb == Verb::Create && target.subresource.is_empty()),
        content_type: "",
        body: Bytes::new(),
    };
    match verb {
        Verb::Get | Verb::List => query.list(list),
        Verb::DeleteCollection => {
            query.list(list);
            (asked.content_type, asked.body) = (PROTOBUF, options(delete, write, &target.resource));
        }
        Verb::Delete => {
            (asked.content_type, asked.body) = (PROTOBUF, options(delete, write, &target.resource))
        }
        Verb::Create | Verb::Update | Verb::Patch => query.write(write),
    }
    match body {
        Body::Empty => {}
        Body::Object(object) => {
            let kind = kind_of(&**object, &target.resource)?;
            (asked.content_type, asked.body) = (PROTOBUF, proto::encode(&**object, &kind).into());
        }
        Body::Patch(kind, bytes) => (asked.content_type, asked.body) = (kind.media_type(), bytes.clone()),
    }
    asked.path.push_str(&query.0);
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
    let mut query = Query::default();
    query.add("watch", "true");
    query.add("allowWatchBookmarks", "true");
    query.add("timeoutSeconds", &limits::WATCH_SECONDS.to_string());
    query.add_some("labelSelector", &scope.labels.to_string());
    query.add_some("fieldSelector", &scope.fields.to_string());
    if from.0 > 0 {
        query.add("resourceVersion", &from.to_string());
    }
    path(&target, false) + &query.0
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

/// The path of an object, a part of it, or the collection that it is to be in.
fn path(target: &Target, collection: bool) -> String {
    let Target { resource, namespace, name, subresource } = target;
    let mut path = if resource.group.is_empty() {
        format!("/api/{}", resource.version)
    } else {
        format!("/apis/{}/{}", resource.group, resource.version)
    };
    let mut part = |text: &str| {
        path.push('/');
        path.extend(utf8_percent_encode(text, ESCAPED));
    };
    if !namespace.is_empty() && resource.plural != "namespaces" {
        part("namespaces");
        part(namespace);
    }
    part(&resource.plural);
    if !collection {
        for text in [name, subresource] {
            if !text.is_empty() {
                part(text);
            }
        }
    }
    path
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

/// A query that grows.
#[derive(Default)]
struct Query(String);

impl Query {
    fn add(&mut self, key: &str, value: &str) {
        self.0.push(if self.0.is_empty() { '?' } else { '&' });
        self.0.push_str(key);
        self.0.push('=');
        self.0.extend(utf8_percent_encode(value, ESCAPED));
    }

    fn add_some(&mut self, key: &str, value: &str) {
        if !value.is_empty() {
            self.add(key, value);
        }
    }

    fn list(&mut self, options: &ListOptions) {
        self.add_some("labelSelector", &options.labels);
        self.add_some("fieldSelector", &options.fields);
        if options.limit > 0 {
            self.add("limit", &options.limit.to_string());
        }
        self.add_some("continue", &options.continue_);
        self.add_some("resourceVersion", &options.version);
        match options.version_match {
            None => {}
            Some(VersionMatch::Exact) => self.add("resourceVersionMatch", "Exact"),
            Some(VersionMatch::NotOlderThan) => self.add("resourceVersionMatch", "NotOlderThan"),
        }
    }

    fn write(&mut self, options: &WriteOptions) {
        if options.dry_run {
            self.add("dryRun", "All");
        }
        match options.field_validation {
            FieldValidation::Warn => {}
            FieldValidation::Ignore => self.add("fieldValidation", "Ignore"),
            FieldValidation::Strict => self.add("fieldValidation", "Strict"),
        }
        self.add_some("fieldManager", &options.field_manager);
        if let Some(force) = options.force {
            self.add("force", if force { "true" } else { "false" });
        }
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
