//! The audit log's part in what components of this process ask for: they are clients like any other, but that nothing of theirs is HTTP.

use std::sync::{Arc, OnceLock};

use base::random::{self, SystemRandom};
use base::time::Time;
use client::trail::Level;
use client::{Answer, Body, Caller, Outcome, Request, Scope, Status, Target, Verb};
use serde_json::Value;
use server_audit::{Answered, Asked, Auditor, Record, Reference, Stage};
use server_authz::Attributes;

/// Where they ask from.
const HERE: &str = "127.0.0.1";

/// The log that there may be.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<OnceLock<Arc<Auditor>>>);

/// A call that is logged, and as whom it goes on.
pub(crate) struct Logged {
    pub(crate) caller: Caller,
    record: Arc<Record>,
}

impl Log {
    /// Only the first counts.
    pub(crate) fn set(&self, auditor: Arc<Auditor>) {
        // A second one would be a mistake of the wiring, and changes nothing.
        let _ = self.0.set(auditor);
    }

    /// Begins the record of a call, unless its caller's is kept already or nothing is to be logged.
    ///
    /// # Errors
    /// When the call may not go on, since its beginning cannot be logged.
    pub(crate) async fn call(
        &self,
        who: &Caller,
        request: &Request,
        now: Time,
    ) -> Result<Option<Logged>, Status> {
        let begun = self.begin(who, request.verb.name(), &request.target, now).await?;
        let Some(logged) = begun else { return Ok(None) };
        let record = &logged.record;
        match &request.body {
            Body::Object(object) => record.sent(|| tree(&**object, &request.target)),
            Body::Patch(_, patch) => record.sent_patch(|| {
                let text = || Value::String(String::from_utf8_lossy(patch).into_owned());
                serde_json::from_slice(patch).unwrap_or_else(|_| text())
            }),
            Body::Empty => {}
        }
        Ok(Some(logged))
    }

    /// The same of a watch, of which only the beginning is logged.
    pub(crate) async fn watch(&self, who: &Caller, scope: &Scope, now: Time) -> Result<(), Status> {
        let target = Target {
            resource: scope.resource.clone(),
            namespace: scope.namespace.clone(),
            name: String::new(),
            subresource: String::new(),
        };
        if let Some(logged) = self.begin(who, "watch", &target, now).await? {
            logged.record.answered(Answered { code: 200, status: None });
            logged.record.reach(Stage::ResponseStarted).await;
        }
        Ok(())
    }

    async fn begin(
        &self,
        who: &Caller,
        verb: &str,
        target: &Target,
        now: Time,
    ) -> Result<Option<Logged>, Status> {
        let Some(auditor) = self.0.get().filter(|_| who.trail.is_open()) else { return Ok(None) };
        let mut caller = who.clone();
        let asked = Asked {
            id: random::uuid(&SystemRandom),
            uri: path(target, verb),
            verb: verb.to_owned(),
            user: caller.clone(),
            source_ips: vec![HERE.to_owned()],
            user_agent: caller.program().to_owned(),
            object: Some(reference(target)),
            received: now,
        };
        let request = Attributes {
            api_version: &target.resource.version,
            subresource: &target.subresource,
            name: &target.name,
            namespace: &target.namespace,
            ..Attributes::of(&who.name, &who.groups).on(verb, &target.resource.group, &target.resource.plural)
        };
        let begun = auditor.begin(&mut caller, &request, asked).await;
        let record = begun.map_err(Status::internal_error)?;
        Ok(record.map(|record| Logged { caller, record }))
    }
}

impl Logged {
    /// What became of the call.
    pub(crate) async fn end(self, target: &Target, answered: &Result<Answer, Status>) {
        let record = &self.record;
        match answered {
            Ok(answer) => {
                let code = if answer.created { 201 } else { 200 };
                record.answered(Answered { code, status: None });
                if record.level() >= Level::RequestResponse
                    && let Outcome::Object(object) = &answer.outcome
                {
                    record.returned(tree(&**object, target).to_string().as_bytes());
                }
            }
            Err(status) => {
                let own = status.clone().into_inner();
                let mut text = Vec::new();
                api_codec::json::encode(&own, None, &mut text);
                let shown = serde_json::from_slice(&text).ok();
                record.answered(Answered { code: status.http_code(), status: shown });
            }
        }
        record.reach(Stage::ResponseComplete).await;
    }
}

fn reference(target: &Target) -> Reference {
    Reference {
        resource: target.resource.plural.to_string(),
        namespace: target.namespace.clone(),
        name: target.name.clone(),
        group: target.resource.group.to_string(),
        version: target.resource.version.to_string(),
        subresource: target.subresource.clone(),
        ..Reference::default()
    }
}

fn tree(object: &dyn api_record::Record, target: &Target) -> Value {
    let mut text = Vec::new();
    api_codec::json::show(object, None, &mut text);
    let mut tree: Value = serde_json::from_slice(&text).unwrap_or_default();
    if let Some(own) = tree.as_object_mut() {
        let resource = &target.resource;
        let version = match &*resource.group {
            "" => resource.version.to_string(),
            group => format!("{group}/{}", resource.version),
        };
        own.insert("apiVersion".to_owned(), Value::String(version));
    }
    tree
}

/// Where a client elsewhere would ask for the same.
fn path(target: &Target, verb: &str) -> String {
    let Target { resource, namespace, name, subresource } = target;
    let mut path = match &*resource.group {
        "" => format!("/api/{}", resource.version),
        group => format!("/apis/{group}/{}", resource.version),
    };
    if !namespace.is_empty() && resource.plural != "namespaces" {
        path.push_str(&format!("/namespaces/{namespace}"));
    }
    for part in [
        &*resource.plural,
        if verb == Verb::Create.name() && subresource.is_empty() { "" } else { name },
        subresource,
    ] {
        if !part.is_empty() {
            path.push('/');
            path.push_str(part);
        }
    }
    if verb == "watch" {
        path.push_str("?watch=true");
    }
    path
}

#[cfg(test)]
mod tests {
    use client::Resource;

    use super::*;

    #[test]
    fn a_call_is_logged_as_the_request_that_it_would_be() {
        let target = |group, plural, namespace: &str, name: &str, subresource: &str| Target {
            resource: Resource::of(group, "v1", plural),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            subresource: subresource.to_owned(),
        };
        for (target, verb, wanted) in [
            (
                target("", "pods", "shop", "web", "status"),
                "update",
                "/api/v1/namespaces/shop/pods/web/status",
            ),
            (target("", "pods", "shop", "web", ""), "create", "/api/v1/namespaces/shop/pods"),
            (target("apps", "deployments", "", "", ""), "watch", "/apis/apps/v1/deployments?watch=true"),
            (target("", "namespaces", "shop", "shop", ""), "get", "/api/v1/namespaces/shop"),
        ] {
            assert_eq!(path(&target, verb), wanted);
        }
    }
}
