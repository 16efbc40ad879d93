//! The API for controllers that act as service accounts: each request goes out with a token of the account that its caller is.
//!
//! Upstream: `DynamicControllerClientBuilder` of `k8s.io/controller-manager/pkg/clientbuilder`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use api_types::authentication::v1::TokenRequest;
use api_types::core::v1::ServiceAccount;
use base::time::{Clock, Time};
use client::{
    Answer, Api, Body, BoxFuture, Caller, Feed, Outcome, RawView, Request, Resource, Revision, Scope, Status,
    Target, Verb,
};
use client_remote::{Access, Credentials, Remote};
use control::autoscale::{Meters, Narrowed};
use serde_json::Value;

const ACCOUNTS: Resource = Resource::of("", "v1", "serviceaccounts");

/// How long a token is asked for, and after which share of that it is asked for anew.
const TOKEN_SECONDS: i64 = 3600;
const RENEW_AFTER: Duration = Duration::from_secs(48 * 60);

/// An API that is asked as whichever service account the caller is; as itself for everybody else, and for what is only read.
pub struct Accounts {
    own: Remote,
    access: Access,
    clock: Arc<dyn Clock>,
    known: Mutex<HashMap<(String, String), (Remote, Time)>>,
}

impl Accounts {
    /// Asks through `own`, whose access is `access`, for the tokens.
    pub fn new(own: Remote, access: Access, clock: Arc<dyn Clock>) -> Accounts {
        Accounts { own, access, clock, known: Mutex::default() }
    }

    async fn of(&self, who: &Caller) -> Result<Remote, Status> {
        let Some((namespace, name)) =
            who.name.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':'))
        else {
            return Ok(self.own.clone());
        };
        let key = (namespace.to_owned(), name.to_owned());
        let now = self.clock.now();
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some((remote, due)) = known
            && due > now
        {
            return Ok(remote);
        }
        let token = self.token(namespace, name).await?;
        let access = Access { credentials: Credentials::Token(token), ..self.access.clone() };
        let remote = Remote::new(&access, Arc::clone(&self.clock)).map_err(Status::internal_error)?;
        let entry = (remote.clone(), now + RENEW_AFTER);
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(key, entry);
        Ok(remote)
    }

    /// A token of an account, which is made if it is missing.
    async fn token(&self, namespace: &str, name: &str) -> Result<String, Status> {
        let target = |name: &str, subresource: &str| Target {
            resource: ACCOUNTS,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            subresource: subresource.to_owned(),
        };
        let nobody = Caller::default();
        match self.own.call(&nobody, Request::new(Verb::Get, target(name, ""))).await {
            Err(status) if status.is_not_found() => {
                let mut account = ServiceAccount::default();
                name.clone_into(&mut account.metadata.name);
                namespace.clone_into(&mut account.metadata.namespace);
                let mut create = Request::new(Verb::Create, target("", ""));
                create.body = Body::Object(Box::new(account));
                match self.own.call(&nobody, create).await {
                    Err(status) if !status.is_already_exists() => return Err(status),
                    _ => {}
                }
            }
            Err(status) => return Err(status),
            Ok(_) => {}
        }
        let mut wanted = TokenRequest::default();
        wanted.spec.expiration_seconds = Some(TOKEN_SECONDS);
        let mut create = Request::new(Verb::Create, target(name, "token"));
        create.body = Body::Object(Box::new(wanted));
        match self.own.call(&nobody, create).await?.outcome {
            Outcome::Object(object) => object
                .downcast_ref::<TokenRequest>()
                .map(|made| made.status.token.clone())
                .ok_or_else(|| Status::internal_error("a token was answered with something else")),
            _ => Err(Status::internal_error("a token was not answered")),
        }
    }
}

impl Api for Accounts {
    fn call<'a>(&'a self, who: &'a Caller, request: Request) -> BoxFuture<'a, Result<Answer, Status>> {
        Box::pin(async move { Api::call(&self.of(who).await?, who, request).await })
    }

    fn watch<'a>(
        &'a self,
        who: &'a Caller,
        scope: Scope,
        from: Revision,
    ) -> BoxFuture<'a, Result<Feed, Status>> {
        self.own.watch(who, scope, from)
    }

    fn view<'a>(&'a self, who: &'a Caller, scope: Scope) -> BoxFuture<'a, Result<RawView, Status>> {
        self.own.view(who, scope)
    }
}

impl Meters for Accounts {
    fn versions<'a>(
        &'a self,
        who: &'a Caller,
        group: &'static str,
    ) -> BoxFuture<'a, Result<Vec<String>, Status>> {
        Box::pin(async move {
            let asked = self.of(who).await?.raw(&format!("/apis/{group}")).await;
            let document: Value = match asked {
                Ok(bytes) => serde_json::from_slice(&bytes).map_err(Status::internal_error)?,
                Err(status) if status.is_not_found() => return Ok(Vec::new()),
                Err(status) => return Err(status),
            };
            let preferred = &document["preferredVersion"];
            let all = std::iter::once(preferred).chain(document["versions"].as_array().into_iter().flatten());
            Ok(all.filter_map(|own| own["version"].as_str().map(str::to_owned)).collect())
        })
    }

    fn read<'a>(
        &'a self,
        who: &'a Caller,
        target: &'a Target,
        narrowed: &'a Narrowed,
    ) -> BoxFuture<'a, Result<Value, Status>> {
        Box::pin(async move {
            let asked = self.of(who).await?.document(who, target, narrowed.uri(target)).await?;
            serde_json::from_slice(&asked).map_err(Status::internal_error)
        })
    }
}
