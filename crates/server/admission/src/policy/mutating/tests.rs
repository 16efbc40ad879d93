//! What policies make of objects, in which order, and what they are refused with.

use api_codec::json;
use api_codec::limits::Limits;
use api_types::apps::v1::Deployment;
use api_types::core::v1::{ConfigMap, Namespace};
use api_types::object_type;
use base::metrics::Source as _;
use base::random::SystemRandom;
use base::time::SystemClock;
use client::{Caller, WriteOptions};
use server_registry::admit::{Admission as _, Everything, Operation, Options};
use server_registry::{Catalog, Registry, Shared};
use store::MemoryStore;

use super::*;
use crate::{Authorizer, Chain, Checks, Lookup as _, Stored};

/// A registry with a namespace `shop`, and the policies that a test puts into it.
struct World {
    registry: Registry,
    policies: Arc<MutatingPolicies>,
    checks: Arc<Checks>,
    chain: Chain,
}

const RULES: &str = r#""reinvocationPolicy":"Never","matchConstraints":{"resourceRules":[{"apiGroups":["apps"],"apiVersions":["v1"],"operations":["*"],"resources":["deployments"]}]}"#;

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
        let checks = Arc::new(Checks::mutating());
        let authorizer: Authorizer = Arc::new(|_| false);
        let policies = MutatingPolicies::new(PolicyParts {
            lookup: stored.clone(),
            versions: stored,
            authorizer,
            clock: Arc::new(SystemClock),
            checks: Arc::clone(&checks),
            metrics: Arc::default(),
        });
        let policies = Arc::new(policies);
        let chain = Chain::default().then(Arc::clone(&policies) as Arc<dyn Plugin>);
        let world = World { registry, policies, checks, chain };
        let mut namespace = Namespace::default();
        namespace.metadata.name = "shop".to_owned();
        namespace.metadata.labels.insert("tier".to_owned(), "gold".to_owned());
        world.put("", "namespaces", "", Box::new(namespace)).await;
        world
    }

    async fn put(&self, group: &str, plural: &str, namespace: &str, object: Box<dyn Record>) {
        let served = self.registry.catalog().find(group, "v1", plural).expect("it is served");
        let options = WriteOptions::default();
        let made = self.registry.create(served, &Caller::default(), namespace, object, &options).await;
        made.map(drop).expect("it can be made");
    }

    /// A policy of this name about deployments, with a binding.
    async fn policy(&self, name: &str, spec: &str, binding: &str) {
        let rules = if spec.contains("matchConstraints") { "" } else { RULES };
        let comma = if rules.is_empty() { "" } else { "," };
        let policy = format!(r#"{{"metadata":{{"name":"{name}"}},"spec":{{{rules}{comma}{spec}}}}}"#);
        let binding =
            format!(r#"{{"metadata":{{"name":"{name}"}},"spec":{{"policyName":"{name}"{binding}}}}}"#);
        let group = MUTATING_POLICIES.group;
        for (kind, plural, text) in [
            ("MutatingAdmissionPolicy", "mutatingadmissionpolicies", policy),
            ("MutatingAdmissionPolicyBinding", "mutatingadmissionpolicybindings", binding),
        ] {
            let mut made = (object_type(&group, "v1", kind).expect("a kind").new)();
            json::decode(text.as_bytes(), &mut *made, None, Limits::RESPONSE).expect("well-formed");
            self.put(&group, plural, "", made).await;
        }
        let stored = Stored::new(self.registry.clone());
        let [policies, bindings] =
            [stored.list(&MUTATING_POLICIES, "").await, stored.list(&MUTATING_BINDINGS, "").await];
        let [policies, bindings] = [policies, bindings].map(|all| all.expect("listed").into_iter());
        self.policies.active.update(policies, bindings);
    }

    /// What becomes of a new deployment of two replicas of a container `one`.
    async fn deploy(&self) -> Result<Json, Status> {
        let text =
            br#"{"metadata":{"name":"web","namespace":"shop","annotations":{"a":"b"}},"spec":{"replicas":2,
            "template":{"spec":{"containers":[{"name":"one","image":"x"}]}}}}"#;
        let mut deployment = Deployment::default();
        json::decode(text, &mut deployment, None, Limits::RESPONSE).expect("well-formed");
        let caller = Caller::new("bob", &[]);
        let attributes = Attributes {
            caller: &caller,
            operation: Operation::Create,
            resource: Resource::of("apps", "v1", "deployments"),
            subresource: "",
            namespace: "shop",
            name: "web",
            dry_run: false,
            options: Options::None,
            notes: Default::default(),
        };
        self.chain.mutate(&attributes, &mut deployment, None).await?;
        let mut text = Vec::new();
        json::encode(&deployment, None, &mut text);
        Ok(serde_json::from_slice(&text).expect("it is JSON"))
    }

    async fn refusal(&self) -> (i32, String, String) {
        let status = self.deploy().await.expect_err("it is refused").into_inner();
        (status.code, status.reason, status.message)
    }

    fn counted(&self) -> String {
        let mut counted = base::metrics::Text::default();
        self.checks.collect(&mut counted, base::time::Time::default());
        counted.into_string()
    }
}

fn apply(expression: &str) -> String {
    let expression = Json::from(expression);
    format!(r#"{{"patchType":"ApplyConfiguration","applyConfiguration":{{"expression":{expression}}}}}"#)
}

fn patch(expression: &str) -> String {
    let expression = Json::from(expression);
    format!(r#"{{"patchType":"JSONPatch","jsonPatch":{{"expression":{expression}}}}}"#)
}

#[tokio::test]
async fn configurations_are_merged_and_patches_carried_out_in_their_order() {
    let world = World::new().await;
    let first = apply(
        "Object{metadata: Object.metadata{annotations: {'who': request.userInfo.username}}, spec: Object.spec{replicas: \
         variables.more, template: Object.spec.template{spec: Object.spec.template.spec{containers: \
         [Object.spec.template.spec.containers{name: 'side', image: 'y'}]}}}}",
    );
    let second = patch(
        "[JSONPatch{op: 'test', path: '/spec/replicas', value: 3}, JSONPatch{op: 'add', path: '/metadata/annotations/' + \
         jsonpatch.escapeKey('example.com/tier'), value: namespaceObject.metadata.labels.tier}]",
    );
    let untrue = patch(
        "[JSONPatch{op: 'replace', path: '/spec/replicas', value: 9}, JSONPatch{op: 'test', path: '/spec/replicas', value: 1}]",
    );
    let variables = r#""variables":[{"name":"more","expression":"object.spec.replicas + 1"}]"#;
    world.policy("p", &format!(r#"{variables},"mutations":[{first},{second},{untrue}]"#), "").await;
    let made = world.deploy().await.expect("it is changed");
    assert_eq!(
        made["metadata"]["annotations"],
        serde_json::json!({"a": "b", "who": "bob", "example.com/tier": "gold"})
    );
    assert_eq!(made["spec"]["replicas"], 3);
    let containers = made["spec"]["template"]["spec"]["containers"].as_array().expect("a list");
    let names: Vec<&str> = containers.iter().filter_map(|own| own["name"].as_str()).collect();
    assert_eq!(names, ["one", "side"]);
    // What was added has its defaults.
    assert_eq!(containers[1]["imagePullPolicy"], "Always");
    let line = r#"apiserver_mutating_admission_policy_check_total{error_type="no_error",policy="p",policy_binding="p"} 3"#;
    assert!(world.counted().contains(line), "{}", world.counted());
}

#[tokio::test]
async fn each_set_of_parameters_is_a_turn_of_its_own() {
    let world = World::new().await;
    for (name, add) in [("one", "1"), ("two", "10")] {
        let mut map = ConfigMap::default();
        map.metadata.name = name.to_owned();
        map.metadata.labels.insert("adds".to_owned(), "yes".to_owned());
        map.data.insert("add".to_owned(), add.to_owned());
        world.put("", "configmaps", "shop", Box::new(map)).await;
    }
    let spec = format!(
        r#""paramKind":{{"apiVersion":"v1","kind":"ConfigMap"}},
        "matchConditions":[{{"name":"a","expression":"params.metadata.name != 'none' && object.spec.replicas < 100"}}],"mutations":[{}]"#,
        apply("Object{spec: Object.spec{replicas: object.spec.replicas + int(params.data.add)}}")
    );
    let binding =
        r#","paramRef":{"selector":{"matchLabels":{"adds":"yes"}},"parameterNotFoundAction":"Deny"}"#;
    world.policy("p", &spec, binding).await;
    assert_eq!(world.deploy().await.expect("it is changed")["spec"]["replicas"], 13);
    let binding = r#","paramRef":{"name":"nothing","parameterNotFoundAction":"Deny"}"#;
    world.policy("q", &spec, binding).await;
    let why = "policy 'q' with binding 'q' denied request: failed to configure binding: no params found for policy binding with \
               `Deny` parameterNotFoundAction";
    assert_eq!(world.refusal().await, (403, "Forbidden".to_owned(), why.to_owned()));
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_in_the_policys_name_unless_it_may_be_ignored() {
    let name = "policy 'p' with binding 'p' denied request";
    for (mutation, why) in [
        (
            apply("Object{spec: Object.spec{replicas: object.spec.nothing}}"),
            "expression 'Object{spec: Object.spec{replicas: object.spec.nothing}}' resulted in error: no such key: nothing",
        ),
        (
            apply("Object{spec: Object.metadata{}}"),
            "type mismatch: unexpected type name \"Object.metadata\", expected \"Object.spec\", which matches field name path from \
             root Object type",
        ),
        (
            apply("Object{spec: Object.spec{selector: Object.spec.selector{matchLabels: {'a': 'b'}}}}"),
            "error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: .spec.selector",
        ),
        (
            apply("Object{spec: Object.spec{what: 1}}"),
            "error applying patch: failed to convert patch object to typed object: .spec.what: field not declared in schema",
        ),
        (
            patch("[JSONPatch{op: 'remove', path: '/spec/what'}]"),
            "JSON Patch: error in remove for path: '/spec/what': Unable to remove nonexistent key: what: missing value",
        ),
    ] {
        for (policy, ignored) in [("Fail", false), ("Ignore", true)] {
            let world = World::new().await;
            world.policy("p", &format!(r#""failurePolicy":"{policy}","mutations":[{mutation}]"#), "").await;
            if ignored {
                assert!(world.deploy().await.is_ok(), "{why}");
            } else {
                assert_eq!(world.refusal().await, (403, "Invalid".to_owned(), format!("{name}: {why}")));
            }
            assert!(world.counted().contains("error_type=\"invalid_error\""), "{}", world.counted());
        }
    }
    let world = World::new().await;
    let unknown = patch("[JSONPatch{op: 'add', path: '/spec/what', value: 1}]");
    world.policy("p", &format!(r#""failurePolicy":"Ignore","mutations":[{unknown}]"#), "").await;
    let (code, _, message) = world.refusal().await;
    assert_eq!(code, 500);
    assert!(message.contains("strict decoding error: unknown field \"spec.what\""), "{message}");
}

#[tokio::test]
async fn who_wants_to_is_asked_again() {
    let world = World::new().await;
    let more = apply("Object{spec: Object.spec{replicas: object.spec.replicas * 2}}");
    let again = RULES.replace("Never", "IfNeeded");
    world.policy("a", &format!(r#"{again},"mutations":[{more}]"#), "").await;
    let sum = apply("Object{spec: Object.spec{replicas: object.spec.replicas + 1}}");
    world.policy("b", &format!(r#""mutations":[{sum}]"#), "").await;
    // 2 * 2 + 1, and what came of that once more for who wants to see it.
    assert_eq!(world.deploy().await.expect("it is changed")["spec"]["replicas"], 10);
}

#[tokio::test]
async fn a_policy_is_about_what_its_binding_lets_it_be_about() {
    let world = World::new().await;
    let mutation = apply("Object{spec: Object.spec{replicas: 7}}");
    let binding = r#","matchResources":{"namespaceSelector":{"matchLabels":{"tier":"lead"}}}"#;
    world.policy("p", &format!(r#""mutations":[{mutation}]"#), binding).await;
    assert_eq!(world.deploy().await.expect("it is let pass")["spec"]["replicas"], 2);
    let missing = r#""paramKind":{"apiVersion":"example.com/v1","kind":"Nothing"}"#;
    world.policy("q", &format!(r#"{missing},"mutations":[{mutation}]"#), "").await;
    let why = "policy \"q\" denied request: failed to configure policy: failed to find resource referenced by paramKind: \
               'example.com/v1, Kind=Nothing'";
    assert_eq!(world.refusal().await.2, why);
}
