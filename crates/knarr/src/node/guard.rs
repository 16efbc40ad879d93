//! Who may ask this node what: client certificates of the cluster's authority, or tokens that the API knows; then the API
//! decides. Kubelet's defaults (`pkg/kubelet/apis/config/v1beta1/defaults.go`): webhooks for both, nobody anonymous.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use api_meta::Status;
use api_record::Record;
use api_types::authentication::v1::TokenReview;
use api_types::authorization::v1::{ResourceAttributes, SubjectAccessReview};
use base::error::Chain;
use base::time::{Clock, Time};
use client::{Api, Body, BoxFuture, Caller, Outcome, Request, Resource, Target, Verb};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use node_http::{Guard, Peer, Refused, Wanted};
use server_authn::x509::{self, ClientAuthorities};

/// How long an answer counts: kubelet's for what is allowed, what is not, and who a token is.
const ALLOWED: Duration = Duration::from_secs(5 * 60);
const DENIED: Duration = Duration::from_secs(30);
const TOKEN: Duration = Duration::from_secs(2 * 60);

/// How many answers are kept, each kind.
const KEPT: usize = 1024;

static TOKEN_REVIEWS: Resource = Resource::of("authentication.k8s.io", "v1", "tokenreviews");
static ACCESS_REVIEWS: Resource = Resource::of("authorization.k8s.io", "v1", "subjectaccessreviews");

/// Answers that count until a time.
type Kept<K, V> = Mutex<HashMap<K, (V, Time)>>;

/// Asks the cluster about everybody.
pub struct NodeGuard {
    authorities: ClientAuthorities,
    api: Arc<dyn Api>,
    own: Caller,
    node: String,
    clock: Arc<dyn Clock>,
    tokens: Kept<String, Caller>,
    decisions: Kept<(String, Vec<String>, &'static str, &'static str), bool>,
}

impl NodeGuard {
    /// A guard of the node `node`, which asks the API as `own`.
    pub fn new(
        authorities: ClientAuthorities,
        api: Arc<dyn Api>,
        own: Caller,
        node: &str,
        clock: Arc<dyn Clock>,
    ) -> NodeGuard {
        let (tokens, decisions) = (Mutex::default(), Mutex::default());
        NodeGuard { authorities, api, own, node: node.to_owned(), clock, tokens, decisions }
    }

    async fn identify(&self, peer: &Peer, headers: &HeaderMap) -> Result<Caller, Refused> {
        if let Some(own) = peer.chain.first() {
            let user = self.authorities.verify(&peer.chain, self.clock.now()).and_then(|()| x509::user(own));
            match user {
                Ok(Some(user)) => {
                    return Ok(Caller {
                        name: user.name,
                        uid: user.uid,
                        groups: user.groups,
                        extra: user.extra,
                        ..Caller::default()
                    });
                }
                Ok(None) => {}
                Err(error) => tracing::debug!(error = %Chain(&error), "node.certificate"),
            }
        }
        let token = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        let token = token.map(str::trim).filter(|token| !token.is_empty()).ok_or(Refused::Unauthorized)?;
        if let Some(caller) = self.kept(&self.tokens, &token.to_owned()) {
            return Ok(caller);
        }
        let mut review = TokenReview::default();
        token.clone_into(&mut review.spec.token);
        let answer: TokenReview = self.ask(&TOKEN_REVIEWS, review).await.map_err(Refused::Failed)?;
        let user = answer.status.user;
        if !answer.status.authenticated {
            return Err(Refused::Unauthorized);
        }
        let extra: BTreeMap<_, _> =
            user.extra.into_iter().map(|(key, values)| (key, values.to_vec())).collect();
        let (name, groups) = (user.username, user.groups.to_vec());
        let caller = Caller { name, uid: user.uid, groups, extra, ..Caller::default() };
        self.keep(&self.tokens, token.to_owned(), caller.clone(), TOKEN);
        Ok(caller)
    }

    async fn may(&self, caller: &Caller, verb: &'static str, part: &'static str) -> Result<bool, Status> {
        let key = (caller.name.clone(), caller.groups.clone(), verb, part);
        if let Some(allowed) = self.kept(&self.decisions, &key) {
            return Ok(allowed);
        }
        let mut review = SubjectAccessReview::default();
        let spec = &mut review.spec;
        spec.user.clone_from(&caller.name);
        spec.uid.clone_from(&caller.uid);
        spec.groups = caller.groups.clone();
        spec.extra = caller.extra.iter().map(|(key, values)| (key.clone(), values.clone())).collect();
        spec.resource_attributes = Some(Box::new(ResourceAttributes {
            verb: verb.to_owned(),
            version: "v1".to_owned(),
            resource: "nodes".to_owned(),
            subresource: part.to_owned(),
            name: self.node.clone(),
            ..ResourceAttributes::default()
        }));
        let answer: SubjectAccessReview = self.ask(&ACCESS_REVIEWS, review).await?;
        let allowed = answer.status.allowed;
        self.keep(&self.decisions, key, allowed, if allowed { ALLOWED } else { DENIED });
        Ok(allowed)
    }

    async fn ask<T: Record + Clone>(&self, resource: &Resource, review: T) -> Result<T, Status> {
        let target = Target {
            resource: resource.clone(),
            namespace: String::new(),
            name: String::new(),
            subresource: String::new(),
        };
        let mut request = Request::new(Verb::Create, target);
        request.body = Body::Object(Box::new(review));
        match self.api.call(&self.own, request).await?.outcome {
            Outcome::Object(object) => object.downcast_ref::<T>().cloned().ok_or_else(|| {
                Status::internal_error(format!("{resource} were answered with something else"))
            }),
            _ => Err(Status::internal_error(format!("{resource} were not answered"))),
        }
    }

    fn kept<K: Eq + std::hash::Hash, V: Clone>(&self, answers: &Kept<K, V>, key: &K) -> Option<V> {
        let answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.get(key).filter(|(_, end)| *end > self.clock.now()).map(|(value, _)| value.clone())
    }

    fn keep<K: Eq + std::hash::Hash, V>(&self, answers: &Kept<K, V>, key: K, value: V, counts: Duration) {
        let now = self.clock.now();
        let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() >= KEPT {
            answers.retain(|_, (_, end)| *end > now);
        }
        // Full of answers that still count: then this one is asked for again.
        if answers.len() < KEPT {
            answers.insert(key, (value, now + counts));
        }
    }

    async fn check(&self, peer: &Peer, headers: &HeaderMap, wanted: Wanted) -> Result<(), Refused> {
        let caller = self.identify(peer, headers).await?;
        for part in wanted.subresources {
            if self.may(&caller, wanted.verb, part).await.map_err(Refused::Failed)? {
                return Ok(());
            }
        }
        Err(Refused::Forbidden(format!(
            "Forbidden (user={}, verb={}, resource=nodes, subresource(s)=[{}])",
            caller.name,
            wanted.verb,
            wanted.subresources.join(" ")
        )))
    }
}

impl Guard for NodeGuard {
    fn admit<'a>(
        &'a self,
        peer: &'a Peer,
        headers: &'a HeaderMap,
        wanted: Wanted,
    ) -> BoxFuture<'a, Result<(), Refused>> {
        Box::pin(self.check(peer, headers, wanted))
    }
}
