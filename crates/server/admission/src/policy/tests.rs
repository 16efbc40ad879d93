//! What policies refuse, remark upon and let pass.

use api_codec::json;
use api_codec::limits::Limits;
use api_types::apps::v1::Deployment;
use api_types::core::v1::{ConfigMap, Namespace};
use api_types::object_type;
use base::metrics::Source as _;
use base::random::SystemRandom;
use base::time::SystemClock;
use client::trail::Level;
use client::{Caller, Resource, Trail, WriteOptions};
use server_registry::admit::{Attributes, Everything, Operation, Options};
use server_registry::{Catalog, Registry, Shared};
use store::MemoryStore;

use super::*;
use crate::Stored;

const DEPLOYMENTS: Resource = Resource::of("apps", "v1", "deployments");

/// A registry with a namespace `shop` and what else a test puts into it.
struct World {
    registry: Registry,
    policies: ValidatingPolicies,
    trail: Trail,
}

impl World {
    async fn new() -> World {
        let shared = Shared {
            store: Arc::new(MemoryStore::new()),
            catalog: Catalog::new(),
            gates: api_kind::Gates::default(),
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
        };
        let registry = Registry::new(Arc::new(shared), Arc::new(Everything));
        let stored = Arc::new(Stored::new(registry.clone()));
        let authorizer: Authorizer = Arc::new(|asked| asked.user == "alice" && asked.verb == "breakglass");
        let checks = Arc::new(Checks::validating());
        let policies = ValidatingPolicies::new(PolicyParts {
            lookup: stored.clone(),
            versions: stored,
            authorizer,
            clock: Arc::new(SystemClock),
            checks,
            metrics: Arc::default(),
        });
        let world = World { registry, policies, trail: Trail::of(Level::Metadata) };
        let mut namespace = Namespace::default();
        namespace.metadata.name = "shop".to_owned();
        namespace.metadata.labels.insert("strict".to_owned(), "yes".to_owned());
        world.put("", "namespaces", "", Box::new(namespace)).await;
        world
    }

    async fn put(&self, group: &str, plural: &str, namespace: &str, object: Box<dyn Record>) {
        let served = self.registry.catalog().find(group, "v1", plural).expect("it is served");
        let made = self
            .registry
            .create(served, &Caller::default(), namespace, object, &WriteOptions::default())
            .await;
        made.map(drop).expect("it can be made");
    }

    /// A policy about new deployments with a binding.
    async fn policy(&self, spec: &str, binding: &str) {
        const RULES: &str = r#""resourceRules":[{"apiGroups":["apps"],"apiVersions":["v1"],"operations":["CREATE"],"resources":["deployments"]}]"#;
        let policy =
            format!(r#"{{"metadata":{{"name":"p"}},"spec":{{"matchConstraints":{{{RULES}}},{spec}}}}}"#);
        let binding = format!(r#"{{"metadata":{{"name":"b"}},"spec":{{"policyName":"p",{binding}}}}}"#);
        let group = POLICIES.group;
        self.put(&group, "validatingadmissionpolicies", "", object("ValidatingAdmissionPolicy", &policy))
            .await;
        let kind = "ValidatingAdmissionPolicyBinding";
        self.put(&group, "validatingadmissionpolicybindings", "", object(kind, &binding)).await;
        let stored = Stored::new(self.registry.clone());
        let [policies, bindings] = [stored.list(&POLICIES, "").await, stored.list(&BINDINGS, "").await];
        self.policies
            .active
            .update(policies.expect("listed").into_iter(), bindings.expect("listed").into_iter());
    }

    /// What becomes of a new deployment of so many replicas, and what is remarked.
    async fn deploy(&self, user: &str, namespace: &str, replicas: i32) -> (Result<(), Status>, Vec<String>) {
        let mut deployment = Deployment::default();
        deployment.metadata.name = "web".to_owned();
        deployment.metadata.namespace = namespace.to_owned();
        deployment.spec.replicas = Some(replicas);
        let caller = Caller { trail: self.trail.clone(), ..Caller::new(user, &["staff"]) };
        let attributes = Attributes {
            caller: &caller,
            operation: Operation::Create,
            resource: DEPLOYMENTS,
            subresource: "",
            namespace,
            name: "web",
            dry_run: false,
            options: Options::None,
            notes: Default::default(),
        };
        let judged = self.policies.judge(&attributes, Some(&deployment), None).await;
        (judged, attributes.notes.warnings())
    }

    async fn refusal(&self, user: &str, namespace: &str, replicas: i32) -> Option<String> {
        self.deploy(user, namespace, replicas).await.0.err().map(|status| status.message.clone())
    }
}

fn object(kind: &str, text: &str) -> Box<dyn Record> {
    let object = object_type(&POLICIES.group, "v1", kind).expect("a kind");
    let mut made = (object.new)();
    json::decode(text.as_bytes(), &mut *made, None, Limits::RESPONSE).expect("well-formed");
    made
}

#[tokio::test]
async fn what_a_policy_does_not_want_is_refused_with_its_words() {
    let world = World::new().await;
    let spec = r#""variables":[{"name":"n","expression":"object.spec.replicas"},{"name":"few","expression":"variables.n < 2"}],
        "validations":[{"expression":"!variables.few","messageExpression":"'wants more than ' + string(variables.n)"},
                       {"expression":"namespaceObject.metadata.name == request.namespace","message":"never"}]"#;
    world.policy(spec, r#""validationActions":["Deny"]"#).await;
    assert_eq!(world.refusal("bob", "shop", 2).await, None);
    let (judged, warnings) = world.deploy("bob", "shop", 1).await;
    let status = judged.expect_err("too few").into_inner();
    assert_eq!((status.code, status.reason.as_str()), (422, "Invalid"));
    let why = "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: wants more than 1";
    assert_eq!(status.message, format!("deployments.apps \"web\" is forbidden: {why}"));
    assert_eq!(status.details.expect("details").causes[0].message, why);
    let mut counted = base::metrics::Text::default();
    world.policies.parts.checks.collect(&mut counted, base::time::Time::default());
    let counted = counted.into_string();
    let line = r#"apiserver_validating_admission_policy_check_total{enforcement_action="deny",error_type="invalid_error",policy="p",policy_binding="b"} 1"#;
    assert!(counted.contains(line), "{counted}");
    assert!(warnings.is_empty());
}

#[tokio::test]
async fn a_binding_may_only_warn_and_may_be_limited() {
    let world = World::new().await;
    let rules = r#""validations":[{"expression":"object.spec.replicas > 5"}]"#;
    let binding = r#""validationActions":["Warn","Audit"],"matchResources":{"namespaceSelector":{"matchLabels":{"strict":"yes"}}}"#;
    world.policy(rules, binding).await;
    let mut other = Namespace::default();
    other.metadata.name = "other".to_owned();
    world.put("", "namespaces", "", Box::new(other)).await;
    let (judged, warnings) = world.deploy("bob", "shop", 1).await;
    assert!(judged.is_ok());
    let said = "Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': failed expression: \
                object.spec.replicas > 5";
    assert_eq!(warnings, [said]);
    assert_eq!(world.deploy("bob", "other", 1).await.1, [""; 0]);
}

#[tokio::test]
async fn parameters_are_objects_and_conditions_come_first() {
    let world = World::new().await;
    let spec = r#""paramKind":{"apiVersion":"v1","kind":"ConfigMap"},
        "matchConditions":[{"name":"who","expression":"!authorizer.requestResource.check('breakglass').allowed()"}],
        "validations":[{"expression":"object.spec.replicas <= int(params.data.most)","reason":"Forbidden"}]"#;
    let binding =
        r#""validationActions":["Deny"],"paramRef":{"name":"limits","parameterNotFoundAction":"Deny"}"#;
    world.policy(spec, binding).await;
    let missing = "deployments.apps \"web\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: \
                   failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction";
    assert_eq!(world.refusal("bob", "shop", 1).await.as_deref(), Some(missing));
    let mut limits = ConfigMap::default();
    limits.metadata.name = "limits".to_owned();
    limits.data.insert("most".to_owned(), "3".to_owned());
    world.put("", "configmaps", "shop", Box::new(limits)).await;
    assert_eq!(world.refusal("bob", "shop", 3).await, None);
    let status = world.deploy("bob", "shop", 4).await.0.expect_err("too many");
    assert_eq!((status.code, status.reason.as_str()), (403, "Forbidden"));
    assert_eq!(world.refusal("alice", "shop", 4).await, None);
    let mut counted = base::metrics::Text::default();
    world.policies.parts.metrics.collect(&mut counted, base::time::Time::default());
    let counted = counted.into_string();
    let line = r#"apiserver_admission_match_condition_evaluation_seconds_count{kind="policy",name="p",operation="CREATE",type="validate"} 1"#;
    assert!(counted.contains(line), "{counted}");
}

#[tokio::test]
async fn what_cannot_be_evaluated_refuses_unless_it_may_be_ignored() {
    for (policy, refused) in [("Fail", true), ("Ignore", false)] {
        let world = World::new().await;
        let spec = format!(
            r#""failurePolicy":"{policy}","validations":[{{"expression":"object.spec.nothing > 1"}}]"#
        );
        world.policy(&spec, r#""validationActions":["Deny"]"#).await;
        let why = "deployments.apps \"web\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: \
                   expression 'object.spec.nothing > 1' resulted in error: no such key: nothing";
        assert_eq!(world.refusal("bob", "shop", 1).await.as_deref(), refused.then_some(why));
    }
}

#[tokio::test]
async fn what_policies_find_and_annotate_is_noted_for_the_audit_log() {
    let world = World::new().await;
    let spec = r#""validations":[{"expression":"object.spec.replicas > 0"},{"expression":"object.spec.replicas > 5","message":"few"}],
        "auditAnnotations":[{"key":"replicas","valueExpression":"' ' + string(object.spec.replicas)"},
                            {"key":"none","valueExpression":"null"}]"#;
    world.policy(spec, r#""validationActions":["Audit"]"#).await;
    assert!(world.deploy("bob", "shop", 2).await.0.is_ok());
    let noted: Vec<_> = world.trail.annotations().into_iter().collect();
    let failure =
        r#"[{"message":"few","policy":"p","binding":"b","expressionIndex":1,"validationActions":["Audit"]}]"#;
    let wanted = [("p/replicas", "2"), ("validation.policy.admission.k8s.io/validation_failure", failure)];
    assert_eq!(noted, wanted.map(|(key, value)| (key.to_owned(), value.to_owned())));
}
