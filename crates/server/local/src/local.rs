//! The authorized pipeline.

use std::sync::Arc;

use api_meta::{fields, labels};
use client::reflect::SharedViews;
use client::view::Follower;
use client::{
    Answer, Api, Body, BoxFuture, Caller, Feed, ListOptions, PatchKind, RawView, Request, Resource, Revision,
    Scope, Status, Target, Verb,
};
use server_audit::Auditor;
use server_registry::Pages;

use crate::attributes::Selectors;
use crate::audited::Log;
use crate::{Direct, Policy};

/// The API for callers in this process, and for HTTP: every request is authorized as its caller.
#[derive(Clone)]
pub struct Local {
    direct: Direct,
    policy: Arc<Policy>,
    views: Arc<SharedViews>,
    log: Log,
}

/// What the authorizers must know about.
const AUTHORITATIVE: [Resource; 7] = [
    Resource::of("rbac.authorization.k8s.io", "v1", "clusterroles"),
    Resource::of("rbac.authorization.k8s.io", "v1", "clusterrolebindings"),
    Resource::of("rbac.authorization.k8s.io", "v1", "roles"),
    Resource::of("rbac.authorization.k8s.io", "v1", "rolebindings"),
    Resource::of("", "v1", "pods"),
    Resource::of("", "v1", "persistentvolumes"),
    Resource::of("storage.k8s.io", "v1", "volumeattachments"),
];

impl Local {
    /// A pipeline in front of `direct`, which shares its policy. It refuses nearly everything until [`Local::follow`] has filled the policy.
    pub fn new(direct: Direct) -> Local {
        let policy = direct.policy();
        Local { direct, policy, views: Arc::default(), log: Log::default() }
    }

    /// Has an auditor log what is asked for here by whoever has no record yet: HTTP's callers do. Only the first counts.
    pub fn audit_by(&self, auditor: Arc<Auditor>) {
        self.log.set(auditor);
    }

    /// Starts following what the authorizers must know, and completes when they know it.
    pub async fn follow(&self) {
        for resource in AUTHORITATIVE {
            let view = self.shared_view(Scope::all(resource));
            view.reached(Revision(0)).await;
            let policy = Arc::clone(&self.policy);
            let mut changed = view.changed();
            changed.mark_unchanged();
            let mut follower = Follower::new(view);
            let mut learn = move || follower.catch_up().1.iter().for_each(|change| policy.change(change));
            learn();
            tokio::spawn(async move {
                while changed.changed().await.is_ok() {
                    learn();
                }
            });
        }
    }

    /// Who may do what.
    pub fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// The pipeline behind authorization.
    pub fn direct(&self) -> &Direct {
        &self.direct
    }

    /// A view for the server's own needs, authorized for nobody.
    pub fn shared_view(&self, scope: Scope) -> RawView {
        let direct: Arc<dyn Api> = Arc::new(self.direct.clone());
        let messages = self.direct.messages(&scope.resource);
        self.views.open(direct, &Caller::default(), scope, self.direct.clock(), messages)
    }

    /// Keeps the views of a resource no longer: it is served no more.
    pub fn forget_views(&self, resource: &Resource) {
        self.views.forget(resource);
    }

    /// Whether a caller may do something with an object or a part of it, which is then done elsewhere.
    pub fn check(&self, who: &Caller, verb: &str, target: &Target) -> Result<(), Status> {
        self.policy.check(who, verb, target, &Selectors::default())
    }

    /// Whether a caller may make a request, for whoever still has to read what comes with it.
    pub fn check_request(&self, who: &Caller, request: &Request) -> Result<(), Status> {
        let selectors = Selectors::parse(&request.list.labels, &request.list.fields);
        self.policy.check(who, request.verb.name(), &request.target, &selectors)
    }

    /// A list of all objects of a scope, page by page, for a caller who may list them, and what the caller should know. `None` if
    /// what is asked for is less, or not kept in the store: then [`Api::call`] answers.
    ///
    /// # Errors
    /// When the caller may not, the resource is not there, or the options are wrong.
    pub fn pages(
        &self,
        who: &Caller,
        target: &Target,
        options: &ListOptions,
    ) -> Result<Option<(Pages, Vec<String>)>, Status> {
        let selectors = Selectors::parse(&options.labels, &options.fields);
        self.policy.check(who, Verb::List.name(), target, &selectors)?;
        self.direct.pages(target, options)
    }

    /// Whether a caller may watch.
    pub fn check_watch(
        &self,
        who: &Caller,
        target: &Target,
        labels: &labels::Selector,
        fields: &fields::Selector,
    ) -> Result<(), Status> {
        let selectors = Selectors::parse(&labels.to_string(), &fields.to_string());
        self.policy.check(who, "watch", target, &selectors)
    }

    /// Whether a change may turn out to make what it is about: then it takes the permission for that, too.
    fn may_make(&self, request: &Request) -> bool {
        let Target { resource, subresource, .. } = &request.target;
        match request.body {
            Body::Patch(kind, _) => kind == PatchKind::Apply,
            Body::Object(_) if request.verb == Verb::Update && subresource.is_empty() => {
                let catalog = self.direct.registry().catalog();
                catalog
                    .find(&resource.group, &resource.version, &resource.plural)
                    .is_some_and(|served| served.kind.allows_create_on_update())
            }
            _ => false,
        }
    }

    fn check_scope(&self, who: &Caller, verb: &str, scope: &Scope) -> Result<(), Status> {
        let target = Target {
            resource: scope.resource.clone(),
            namespace: scope.namespace.clone(),
            name: String::new(),
            subresource: String::new(),
        };
        let selectors = Selectors::parse(&scope.labels.to_string(), &scope.fields.to_string());
        self.policy.check(who, verb, &target, &selectors)
    }
}

impl Local {
    async fn authorized(&self, who: &Caller, mut request: Request) -> Result<Answer, Status> {
        self.check_request(who, &request)?;
        if self.may_make(&request) {
            request.making_refused =
                self.policy.check(who, "create", &request.target, &Selectors::default()).err();
        }
        self.direct.call(who, request).await
    }
}

impl Api for Local {
    fn call<'a>(&'a self, who: &'a Caller, request: Request) -> BoxFuture<'a, Result<Answer, Status>> {
        Box::pin(async move {
            let Some(logged) = self.log.call(who, &request, self.direct.clock().now()).await? else {
                return self.authorized(who, request).await;
            };
            let target = request.target.clone();
            let answered = self.authorized(&logged.caller, request).await;
            logged.end(&target, &answered).await;
            answered
        })
    }

    fn watch<'a>(
        &'a self,
        who: &'a Caller,
        scope: Scope,
        from: Revision,
    ) -> BoxFuture<'a, Result<Feed, Status>> {
        Box::pin(async move {
            self.check_scope(who, "watch", &scope)?;
            self.log.watch(who, &scope, self.direct.clock().now()).await?;
            self.direct.watch(who, scope, from).await
        })
    }

    fn view<'a>(&'a self, who: &'a Caller, scope: Scope) -> BoxFuture<'a, Result<RawView, Status>> {
        Box::pin(async move {
            self.check_scope(who, "list", &scope)?;
            self.check_scope(who, "watch", &scope)?;
            self.log.watch(who, &scope, self.direct.clock().now()).await?;
            Ok(self.shared_view(scope))
        })
    }
}
