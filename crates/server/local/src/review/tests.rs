//! What reviews answer, and what they refuse.

use std::sync::Mutex;

use api_types::authorization::v1::{
    FieldSelectorAttributes, LabelSelectorAttributes, NonResourceAttributes, ResourceAttributes,
};
use api_types::core::v1::ServiceAccount;
use api_types::meta::v1::{FieldSelectorRequirement, LabelSelectorRequirement};
use api_types::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, RoleRef, Subject};
use base::random::SystemRandom;
use base::time::SystemClock;
use client::{Api as _, Body, BoxFuture, Outcome, Target};
use server_registry::admit::Everything;
use server_registry::{Catalog, Registry, Shared};
use store::MemoryStore;

use super::*;
use crate::TokenIssuer;

pub(crate) struct NoTokens;

impl TokenIssuer for NoTokens {
    fn issue<'a>(
        &'a self,
        _: &'a Direct,
        _: &'a Caller,
        _: &'a ServiceAccount,
        _: api_types::authentication::v1::TokenRequest,
    ) -> BoxFuture<'a, Result<api_types::authentication::v1::TokenRequest, Status>> {
        Box::pin(async { Err(Status::bad_request("no tokens")) })
    }
}

/// Knows the token `good`, and remembers which audiences it was asked about.
#[derive(Default)]
struct Known(Mutex<Vec<String>>);

impl TokenReviewer for Known {
    fn review(&self, token: &str, audiences: &[String]) -> Result<Reviewed, String> {
        *self.0.lock().expect("not poisoned") = audiences.to_vec();
        match token {
            "good" => Ok(Reviewed { caller: ada(), audiences: vec!["api".to_owned()] }),
            _ => Err("invalid bearer token".to_owned()),
        }
    }
}

fn ada() -> Caller {
    let mut ada = Caller::new("ada", &["readers", "system:authenticated"]);
    ada.uid = "7".into();
    ada.extra.insert("k".into(), vec!["v".to_owned()]);
    ada
}

/// A pipeline whose policy lets the group `readers` read pods, and health.
fn direct() -> Direct {
    let shared = Shared {
        store: Arc::new(MemoryStore::new()),
        catalog: Catalog::new(),
        gates: api_kind::Gates::default(),
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
    };
    let policy = Arc::new(Policy::default());
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<String>>();
    let mut role = ClusterRole::default();
    role.metadata.name = "reader".into();
    let pods = PolicyRule {
        verbs: words(&["get", "list"]).into(),
        api_groups: words(&[""]),
        resources: words(&["pods"]),
        ..PolicyRule::default()
    };
    let health = PolicyRule {
        verbs: words(&["get"]).into(),
        non_resource_urls: words(&["/healthz"]),
        ..PolicyRule::default()
    };
    role.rules = vec![pods, health].into();
    policy.put(&role);
    let mut binding = ClusterRoleBinding::default();
    binding.metadata.name = "reader".into();
    binding.role_ref = RoleRef {
        api_group: "rbac.authorization.k8s.io".into(),
        kind: "ClusterRole".into(),
        name: "reader".into(),
    };
    binding.subjects = vec![Subject {
        kind: "Group".into(),
        api_group: "rbac.authorization.k8s.io".into(),
        name: "readers".into(),
        ..Subject::default()
    }];
    policy.put(&binding);
    let registry = Registry::new(Arc::new(shared), Arc::new(Everything));
    Direct::new(registry, policy, Arc::new(NoTokens), Arc::new(SystemClock))
}

async fn ask<T: Record + Clone>(
    direct: &Direct,
    (group, plural, namespace): (&'static str, &'static str, &str),
    question: T,
) -> Result<T, Status> {
    let target = Target {
        resource: Resource::of(group, "v1", plural),
        namespace: namespace.to_owned(),
        name: String::new(),
        subresource: String::new(),
    };
    let mut request = Request::new(Verb::Create, target);
    request.body = Body::Object(Box::new(question));
    let answer = direct.call(&ada(), request).await?;
    assert!(answer.created);
    let Outcome::Object(object) = answer.outcome else { panic!("an object") };
    Ok(object.downcast_ref::<T>().cloned().expect("its type"))
}

const SUBJECT: (&str, &str, &str) = ("authorization.k8s.io", "subjectaccessreviews", "");
const LOCAL: (&str, &str, &str) = ("authorization.k8s.io", "localsubjectaccessreviews", "a");
const SELF: (&str, &str, &str) = ("authorization.k8s.io", "selfsubjectaccessreviews", "");
const TOKEN: (&str, &str, &str) = ("authentication.k8s.io", "tokenreviews", "");

fn pods(verb: &str, namespace: &str) -> ResourceAttributes {
    ResourceAttributes {
        verb: verb.into(),
        resource: "pods".into(),
        namespace: namespace.into(),
        ..ResourceAttributes::default()
    }
}

fn review(group: &str, wanted: ResourceAttributes) -> SubjectAccessReview {
    let mut review = SubjectAccessReview::default();
    review.spec.groups = vec![group.to_owned()];
    review.spec.resource_attributes = Some(Box::new(wanted));
    review
}

#[tokio::test]
async fn tokens_are_reviewed_for_audiences() {
    let direct = direct();
    let asking = |token: &str, audiences: &[&str]| {
        let mut review = TokenReview::default();
        review.spec.token = token.into();
        review.spec.audiences = audiences.iter().map(|audience| (*audience).to_owned()).collect();
        ask(&direct, TOKEN, review)
    };
    let early = asking("good", &[]).await.expect_err("nobody reviews yet");
    assert!(early.is_service_unavailable());
    let known = Arc::new(Known::default());
    direct.review_tokens_by(Arc::clone(&known) as Arc<dyn TokenReviewer>);
    let good = asking("good", &["api", "vault"]).await.expect("answered").status;
    assert!(good.authenticated && good.error.is_empty() && good.audiences == ["api"]);
    let user = good.user;
    assert_eq!((user.username.as_str(), user.uid.as_str(), user.groups.len()), ("ada", "7", 2));
    assert_eq!(user.extra["k"], ["v"]);
    assert_eq!(*known.0.lock().expect("not poisoned"), ["api", "vault"]);
    let bad = asking("bad", &[]).await.expect("answered").status;
    assert!(!bad.authenticated && bad.user.username.is_empty() && bad.audiences.is_empty());
    assert_eq!(bad.error, "invalid bearer token");
    let none = asking("", &[]).await.expect_err("refused");
    assert_eq!(none.message, "token is required for TokenReview in authentication");
}

#[tokio::test]
async fn access_is_reviewed_as_requests_are_authorized() {
    let direct = direct();
    for (group, verb, allowed) in
        [("readers", "get", true), ("readers", "delete", false), ("eve", "get", false)]
    {
        let answered = ask(&direct, SUBJECT, review(group, pods(verb, "a"))).await.expect("answered").status;
        assert_eq!((answered.allowed, answered.denied), (allowed, false), "{group} {verb}");
        assert!(!allowed || answered.reason.starts_with("RBAC: allowed by"), "{}", answered.reason);
        let spec = review(group, pods(verb, "a")).spec;
        let local = LocalSubjectAccessReview { spec, ..LocalSubjectAccessReview::default() };
        let answered = ask(&direct, LOCAL, local).await.expect("answered");
        assert_eq!((answered.status.allowed, answered.metadata.namespace.as_str()), (allowed, "a"));
    }
    let mut own = SelfSubjectAccessReview::default();
    let health = NonResourceAttributes { path: "/healthz".into(), verb: "get".into() };
    own.spec.non_resource_attributes = Some(Box::new(health));
    assert!(ask(&direct, SELF, own).await.expect("answered").status.allowed);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_in_upstreams_words() {
    let direct = direct();
    let said = |error: Status| error.message.clone();
    let nothing = ask(&direct, SUBJECT, SubjectAccessReview::default()).await.expect_err("refused");
    assert_eq!(
        said(nothing),
        "SubjectAccessReview.authorization.k8s.io \"\" is invalid: [spec.resourceAttributes: Invalid value: null: \
         exactly one of nonResourceAttributes or resourceAttributes must be specified, spec.user: Invalid value: \"\": \
         at least one of user or group must be specified]"
    );
    let mut named = review("readers", pods("get", "a"));
    named.metadata.name = "x".into();
    let named = said(ask(&direct, SUBJECT, named).await.expect_err("refused"));
    assert!(
        named.contains("metadata: Invalid value: {\"name\":\"x\"") && named.ends_with("must be empty"),
        "{named}"
    );
    let spec = review("readers", pods("get", "b")).spec;
    let elsewhere = LocalSubjectAccessReview { spec, ..LocalSubjectAccessReview::default() };
    let elsewhere = said(ask(&direct, LOCAL, elsewhere).await.expect_err("refused"));
    let wanted = "spec.resourceAttributes.namespace: Invalid value: \"b\": must match metadata.namespace";
    assert!(elsewhere.ends_with(wanted), "{elsewhere}");
    let mut other = LocalSubjectAccessReview::default();
    other.metadata.namespace = "b".into();
    assert!(ask(&direct, LOCAL, other).await.expect_err("refused").is_bad_request());
}

#[tokio::test]
async fn selectors_that_cannot_be_understood_are_told() {
    let direct = direct();
    let term = |operator: &str, values: &[&str]| FieldSelectorRequirement {
        key: "spec.nodeName".into(),
        operator: operator.into(),
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    };
    let with = |raw: &str, requirements: Vec<FieldSelectorRequirement>| {
        let mut wanted = pods("list", "");
        wanted.field_selector =
            Some(Box::new(FieldSelectorAttributes { raw_selector: raw.into(), requirements }));
        ask(&direct, SUBJECT, review("readers", wanted))
    };
    let ignored = "spec.resourceAttributes.fieldSelector ignored due to parse error";
    let partially = "spec.resourceAttributes.fieldSelector partially ignored due to parse error";
    for (raw, requirements, error) in [
        ("spec.nodeName=n", Vec::new(), ""),
        ("nonsense", Vec::new(), ignored),
        ("", vec![term("In", &["n"])], ""),
        ("", vec![term("Newer", &[])], ignored),
        ("", vec![term("In", &["n"]), term("Exists", &[])], partially),
    ] {
        let answered = with(raw, requirements).await.expect("answered").status;
        assert_eq!((answered.allowed, answered.evaluation_error.as_str()), (true, error), "{raw}");
    }
    for (raw, requirements, fault) in [
        ("a=b", vec![term("In", &["n"])], "may not specified at the same time as requirements"),
        ("", Vec::new(), "requirements or rawSelector is required"),
        ("", vec![term("In", &[])], "must be specified when `operator` is 'In' or 'NotIn'"),
    ] {
        let refused = with(raw, requirements).await.expect_err("refused");
        assert!(refused.message.contains(fault), "{}", refused.message);
    }
    let mut wanted = pods("list", "");
    let label = LabelSelectorRequirement { key: "-".into(), operator: "Exists".into(), ..Default::default() };
    wanted.label_selector =
        Some(Box::new(LabelSelectorAttributes { raw_selector: String::new(), requirements: vec![label] }));
    let refused = ask(&direct, SUBJECT, review("readers", wanted)).await.expect_err("refused");
    let at = "spec.resourceAttributes.labelSelector.requirements[0].key";
    assert!(refused.message.contains(at), "{}", refused.message);
}

#[tokio::test]
async fn whoever_asks_learns_who_they_are_and_what_they_may_do() {
    let direct = direct();
    let resource = ("authentication.k8s.io", "selfsubjectreviews", "");
    let mut asked = SelfSubjectReview::default();
    asked.status.user_info.username = "eve".into();
    let me = ask(&direct, resource, asked).await.expect("answered");
    assert_eq!(me.status.user_info.username, "ada");
    assert!(me.metadata.creation_timestamp.is_some());
    let resource = ("authorization.k8s.io", "selfsubjectrulesreviews", "");
    let mut asked = SelfSubjectRulesReview::default();
    let refused = ask(&direct, resource, asked.clone()).await.expect_err("no namespace");
    assert_eq!(refused.message, "no namespace on request");
    asked.spec.namespace = "a".into();
    let rules = ask(&direct, resource, asked).await.expect("answered");
    assert!(rules.spec.namespace.is_empty() && !rules.status.incomplete);
    assert_eq!((rules.status.resource_rules.len(), rules.status.non_resource_rules.len()), (1, 1));
}
