//! Carrying out requests that have been authorized, or need not be.

use std::sync::{Arc, OnceLock};

use api_meta::Status;
use api_meta::status::reason;
use api_record::Record;
use api_types::certificates::v1::CertificateSigningRequest;
use base::time::Clock;
use client::reflect::SharedViews;
use client::view::Messages;
use client::{
    Answer, Api, Body, BoxFuture, Caller, Feed, ListOptions, Outcome, Precondition, RawView, Request,
    Resource, Revision, Scope, Target, Verb,
};
use server_registry::{Deleted, From, Owners, Pages, Registry, Served, Write, Written};

use crate::review::{self, TokenReviewer};
use crate::subresource::{self, tokens::TokenIssuer};
use crate::usage::{self, collect::Collector};
use crate::{Components, Policy, escalation, patch};

/// The pipeline behind authorization: verbs, subresources and reviews.
#[derive(Clone)]
pub struct Direct {
    registry: Registry,
    policy: Arc<Policy>,
    tokens: Arc<dyn TokenIssuer>,
    reviewer: Arc<OnceLock<Arc<dyn TokenReviewer>>>,
    components: Arc<Components>,
    usage: Arc<OnceLock<Arc<Collector>>>,
    clock: Arc<dyn Clock>,
}

impl Direct {
    /// A pipeline over a registry, which answers reviews from `policy`.
    pub fn new(
        registry: Registry,
        policy: Arc<Policy>,
        tokens: Arc<dyn TokenIssuer>,
        clock: Arc<dyn Clock>,
    ) -> Direct {
        let (reviewer, components, usage) = (Arc::default(), Arc::default(), Arc::default());
        Direct { registry, policy, tokens, reviewer, components, usage, clock }
    }

    /// Has tokens be reviewed by `reviewer`, which reads views of this pipeline and so comes after it. Only the first counts.
    pub fn review_tokens_by(&self, reviewer: Arc<dyn TokenReviewer>) {
        // A second one would be a mistake of the wiring, and changes nothing.
        let _ = self.reviewer.set(reviewer);
    }

    /// Has what nodes and pods use be asked for by `collector`, which knows the nodes from views of this pipeline and so comes
    /// after it. Only the first counts.
    pub fn count_usage_by(&self, collector: Arc<Collector>) {
        // A second one would be a mistake of the wiring here, too.
        let _ = self.usage.set(collector);
    }

    pub(crate) fn token_reviewer(&self) -> Option<&dyn TokenReviewer> {
        self.reviewer.get().map(|reviewer| &**reviewer)
    }

    /// The registry.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The parts of the control plane, to be asked how they are.
    pub fn components(&self) -> &Components {
        &self.components
    }

    pub(crate) fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.policy)
    }

    /// Where the views of a resource find its objects' messages.
    pub(crate) fn messages(&self, resource: &Resource) -> Option<Arc<dyn Messages>> {
        let Resource { group, version, plural } = resource;
        self.registry.messages(&self.registry.catalog().resolve(group, version, plural)?)
    }

    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    pub(crate) fn tokens(&self) -> &dyn TokenIssuer {
        &*self.tokens
    }

    async fn carry_out(&self, who: &Caller, request: Request) -> Result<Answer, Status> {
        let target = &request.target;
        if review::is_review(&target.resource) {
            return review::answer(self, &self.policy, who, request);
        }
        let resource = &target.resource;
        let served = self.registry.catalog().resolve(&resource.group, &resource.version, &resource.plural);
        let served = served.filter(|served| is_there(served, &request)).ok_or_else(missing)?;
        let deprecation = served.deprecation();
        if deprecation.is_some() {
            who.trail.annotate("k8s.io/deprecated", "true");
        }
        let mut answer = self.answer(who, &served, request).await?;
        answer.warnings.extend(deprecation.map(str::to_owned));
        Ok(answer)
    }

    /// A list of everything there is of a resource, page by page; `None` if it is another list, or not of what is stored.
    pub(crate) fn pages(
        &self,
        target: &Target,
        options: &ListOptions,
    ) -> Result<Option<(Pages, Vec<String>)>, Status> {
        let resource = &target.resource;
        // What is worked out when somebody asks for it is in no store.
        let elsewhere = review::is_review(resource)
            || &*resource.plural == "componentstatuses"
            || &*resource.group == usage::GROUP;
        if options.limit > 0 || !options.continue_.is_empty() || !target.subresource.is_empty() || elsewhere {
            return Ok(None);
        }
        let served = self.registry.catalog().resolve(&resource.group, &resource.version, &resource.plural);
        let served = served.filter(|served| has_place(served, target, true)).ok_or_else(missing)?;
        if !is_offered(&served, "", Verb::List.name())? {
            return Err(Status::method_not_supported(served.group_resource(), Verb::List.name()));
        }
        let pages = self.registry.pages(&served, &target.namespace, options)?;
        Ok(Some((pages, served.deprecation().map(str::to_owned).into_iter().collect())))
    }

    async fn answer(&self, who: &Caller, served: &Arc<Served>, request: Request) -> Result<Answer, Status> {
        let target = &request.target;
        if !target.subresource.is_empty() && target.subresource != "status" {
            return subresource::answer(self, who, served, request).await;
        }
        if !is_offered(served, &target.subresource, request.verb.name())? {
            return Err(Status::method_not_supported(served.group_resource(), request.verb.name()));
        }
        if served.gvk().group == usage::GROUP {
            return usage::answer(self.usage.get(), &self.registry, served, &request).await;
        }
        if &*served.resource.plural == "componentstatuses" {
            return self.components.answer(&self.registry, served, &request).await;
        }
        match request.verb {
            Verb::Get => self.get(served, target).await,
            Verb::List => {
                let list = self.registry.list(served, &target.namespace, &request.list).await?;
                Ok(answer(Outcome::List(list)))
            }
            Verb::Create if served.is_terminating() => Err(terminating(served)),
            Verb::Create => self.create(who, served, request).await,
            Verb::Update | Verb::Patch => self.change(who, served, request).await,
            Verb::Delete => self.delete(who, served, &request).await,
            Verb::DeleteCollection => {
                let registry = &self.registry;
                let dry_run = request.write.dry_run;
                let namespace = &target.namespace;
                let list = registry
                    .delete_collection(served, who, namespace, &request.list, &request.delete, dry_run)
                    .await?;
                let mut answer = answer(Outcome::List(list));
                answer.warnings.extend(orphaning(served, &request));
                Ok(answer)
            }
        }
    }

    pub(crate) async fn get(&self, served: &Arc<Served>, target: &Target) -> Result<Answer, Status> {
        let object = self.registry.get(served, &target.namespace, &target.name).await?;
        Ok(object_answer(object))
    }

    async fn create(&self, who: &Caller, served: &Arc<Served>, request: Request) -> Result<Answer, Status> {
        let Request { target, body, write, .. } = request;
        let mut object = object_of(body)?;
        if let Some(request) = object.downcast_mut::<CertificateSigningRequest>() {
            requested_by(request, who);
        }
        escalation::check(&self.policy, who, "create", &target, &*object, None)?;
        let written = self.registry.create(served, who, &target.namespace, object, &write).await?;
        Ok(written_answer(written))
    }

    /// Replaces or patches an object, or its status.
    pub(crate) async fn change(
        &self,
        who: &Caller,
        served: &Arc<Served>,
        request: Request,
    ) -> Result<Answer, Status> {
        let Request { target, body, write: options, making_refused, .. } = request;
        let Target { namespace, name, subresource, .. } = &target;
        let may_make = |current: Option<&dyn Record>| match &making_refused {
            Some(refusal) if current.is_none() => Err(refusal.clone()),
            _ => Ok(()),
        };
        let mut write = Write {
            caller: who,
            namespace,
            name,
            subresource,
            precondition: &Precondition::default(),
            options: &options,
            owners: Owners::Tracked,
            creates: served.kind.allows_create_on_update(),
        };
        let (written, warnings) = match body {
            Body::Object(object) => {
                let replace = |current: Option<&dyn Record>| {
                    may_make(current)?;
                    escalation::check(&self.policy, who, "update", &target, &*object, current)?;
                    Ok(object.clone())
                };
                (self.registry.write(served, &write, &replace).await?, Vec::new())
            }
            Body::Patch(kind, bytes) => {
                let patch = patch::Patch::new(&self.registry, served, who, &options, kind, &bytes)?;
                write.owners = patch.owners();
                write.creates |= patch.makes();
                let change = |current: Option<&dyn Record>| {
                    let new = patch.apply(current, name, subresource)?;
                    may_make(current)?;
                    escalation::check(&self.policy, who, "patch", &target, &*new, current)?;
                    Ok(new)
                };
                (self.registry.write(served, &write, &change).await?, patch.warnings())
            }
            Body::Empty => return Err(Status::bad_request("the request has no body")),
        };
        let mut answer = written_answer(written);
        answer.warnings.extend(warnings);
        Ok(answer)
    }

    async fn delete(&self, who: &Caller, served: &Served, request: &Request) -> Result<Answer, Status> {
        let Target { namespace, name, .. } = &request.target;
        let registry = &self.registry;
        let deleted =
            registry.delete(served, who, namespace, name, &request.delete, request.write.dry_run).await?;
        let mut answer = match deleted {
            Deleted::Going(object) => object_answer(object),
            Deleted::Gone(object) => {
                let mut status = Status::success().into_inner();
                let details = api_types::meta::v1::StatusDetails {
                    name: name.clone(),
                    group: served.gvk().group.to_owned(),
                    kind: served.resource.plural.to_string(),
                    uid: api_types::object_meta(&*object).map(|meta| meta.uid.clone()).unwrap_or_default(),
                    ..api_types::meta::v1::StatusDetails::default()
                };
                status.details = Some(Box::new(details));
                answer(Outcome::Status(Status::from(status)))
            }
        };
        answer.warnings.extend(orphaning(served, request));
        Ok(answer)
    }
}

/// Jobs that are deleted leave their pods be unless the deletion says otherwise, which not everybody expects.
fn orphaning(served: &Served, request: &Request) -> Option<String> {
    const WARNING: &str = "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning";
    let jobs = &*served.resource.plural == "jobs" && served.gvk().group == "batch";
    (jobs && request.delete.propagation.is_none()).then(|| WARNING.to_owned())
}

/// Whether there is something at a path: the objects of a definition are in namespaces or not, as it says; upstream looks at that
/// before it looks at the objects.
fn is_there(served: &Served, request: &Request) -> bool {
    has_place(served, &request.target, matches!(request.verb, Verb::List | Verb::DeleteCollection))
}

fn has_place(served: &Served, target: &Target, many: bool) -> bool {
    match (served.resource.namespaced, target.namespace.is_empty()) {
        _ if !served.is_custom() => true,
        (true, true) => many,
        (namespaced, empty) => namespaced != empty,
    }
}

/// Nothing is made of a kind whose definition is going.
fn terminating(served: &Served) -> Status {
    let mut status = Status::method_not_supported(served.group_resource(), "create").into_inner();
    "create not allowed while custom resource definition is terminating".clone_into(&mut status.message);
    Status::from(status)
}

/// Who asks for a certificate is what authentication found, whatever the request says (upstream's strategy).
fn requested_by(request: &mut CertificateSigningRequest, who: &Caller) {
    request.spec.username.clone_from(&who.name);
    request.spec.uid.clone_from(&who.uid);
    request.spec.groups.clone_from(&who.groups);
    request.spec.extra.clone_from(&who.extra);
}

/// Whether a verb can be had of a resource or of its status.
fn is_offered(served: &Served, subresource: &str, verb: &str) -> Result<bool, Status> {
    let verbs = match subresource {
        "" => served.resource.verbs,
        part => served.resource.subresource(part).ok_or_else(missing)?.verbs,
    };
    Ok(verbs.contains(&verb))
}

/// Upstream's words for a path that nothing is served at.
pub(crate) fn missing() -> Status {
    Status::failure(404, reason::NOT_FOUND, "the server could not find the requested resource", None)
}

pub(crate) fn object_of(body: Body) -> Result<Box<dyn Record>, Status> {
    match body {
        Body::Object(object) => Ok(object),
        Body::Empty | Body::Patch(..) => Err(Status::bad_request("the request has no object")),
    }
}

pub(crate) fn answer(outcome: Outcome) -> Answer {
    Answer { outcome, created: false, warnings: Vec::new() }
}

pub(crate) fn object_answer(object: Arc<dyn Record>) -> Answer {
    answer(Outcome::Object(object))
}

pub(crate) fn written_answer(written: Written) -> Answer {
    Answer { outcome: Outcome::Object(written.object), created: written.created, warnings: written.warnings }
}

impl Api for Direct {
    fn call<'a>(&'a self, who: &'a Caller, request: Request) -> BoxFuture<'a, Result<Answer, Status>> {
        Box::pin(self.carry_out(who, request))
    }

    fn watch<'a>(
        &'a self,
        _: &'a Caller,
        scope: Scope,
        from: Revision,
    ) -> BoxFuture<'a, Result<Feed, Status>> {
        Box::pin(async move {
            let Scope { resource, namespace, labels, fields } = scope;
            let served =
                self.registry.catalog().resolve(&resource.group, &resource.version, &resource.plural);
            let served = served.ok_or_else(missing)?;
            if !is_offered(&served, "", "watch")? {
                return Err(Status::method_not_supported(served.group_resource(), "watch"));
            }
            let from = if from.0 == 0 { From::Now } else { From::After(from.0) };
            self.registry.watch(&served, &namespace, labels, fields, from, true).await
        })
    }

    fn view<'a>(&'a self, _: &'a Caller, scope: Scope) -> BoxFuture<'a, Result<RawView, Status>> {
        Box::pin(async move {
            let direct: Arc<dyn Api> = Arc::new(self.clone());
            let messages = self.messages(&scope.resource);
            Ok(SharedViews::default().open(direct, &Caller::default(), scope, self.clock(), messages))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_asked_for_by_whoever_asks() {
        let mut request = CertificateSigningRequest::default();
        request.spec.username = "system:admin".into();
        request.spec.groups = vec!["system:masters".to_owned()];
        requested_by(&mut request, &Caller::new("eve", &["system:authenticated"]));
        assert_eq!(
            (request.spec.username.as_str(), &request.spec.groups[..]),
            ("eve", &["system:authenticated".to_owned()][..])
        );
    }
}
