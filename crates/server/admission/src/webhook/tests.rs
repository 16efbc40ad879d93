//! What webhooks are asked, and what comes of what they say; they are played by functions.

use std::sync::Mutex;

use api_codec::json;
use api_codec::limits::Limits;
use api_meta::Status;
use api_record::{Bytes, Record};
use api_types::core::v1::{ConfigMap, Namespace, PodExecOptions};
use api_types::object_type;
use base::random::SystemRandom;
use base::time::SystemClock;
use client::trail::Level;
use client::view::Snapshot;
use client::{BoxFuture, Caller, Revision, Trail, WriteOptions};
use serde_json::{Value, json};
use server_registry::admit::{Admission as _, Attributes, Everything, Operation, Options};
use server_registry::{Catalog, Registry, Shared};
use server_webhook::{Answer, Call, CallError, Hook};
use store::MemoryStore;

use super::*;
use crate::{Chain, Plugin, Stored};

const MAPS: Resource = Resource::of("", "v1", "configmaps");

/// A webhook that is played: it is asked with the request, and answers with the response.
type Play = Box<dyn Fn(&Value) -> Result<Value, CallError> + Send + Sync>;

#[derive(Default)]
struct Stage {
    plays: Mutex<Vec<(Hook, Play)>>,
    asked: Mutex<Vec<Value>>,
}

impl Webhooks for Stage {
    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Answer, CallError>> {
        Box::pin(async move {
            let review: Value = serde_json::from_slice(&call.body).unwrap();
            let request = &review["request"];
            self.asked.lock().unwrap().push(request.clone());
            let plays = self.plays.lock().unwrap();
            let (_, play) = plays.iter().find(|(hook, _)| hook == call.hook).expect("it is known");
            let mut said = play(request)?;
            if said.get("kind").is_none() {
                if said.get("uid").is_none() {
                    said["uid"] = request["uid"].clone();
                }
                said =
                    json!({"kind": "AdmissionReview", "apiVersion": review["apiVersion"], "response": said});
            }
            let body = Bytes::from(said.to_string());
            let type_meta = json::type_meta(&body, Limits::RESPONSE).unwrap();
            Ok(Answer { type_meta, body })
        })
    }
}

/// A registry with a namespace `shop`, and webhooks of both sorts in front of it.
struct World {
    registry: Registry,
    stage: Arc<Stage>,
    mutating: Arc<MutatingWebhooks>,
    validating: Arc<ValidatingWebhooks>,
    metrics: Arc<Metrics>,
    chain: Chain,
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
        let stage = Arc::new(Stage::default());
        let metrics = Arc::new(Metrics::default());
        let asking = Asking {
            webhooks: stage.clone(),
            lookup: stored.clone(),
            versions: stored,
            authorizer: Arc::new(|_| false),
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            metrics: metrics.clone(),
        };
        let mutating = Arc::new(MutatingWebhooks::new(asking.clone()));
        let validating = Arc::new(ValidatingWebhooks::new(asking));
        let chain = Chain::default()
            .then(mutating.clone() as Arc<dyn Plugin>)
            .then(validating.clone() as Arc<dyn Plugin>);
        let trail = Trail::of(Level::Request);
        let world = World { registry, stage, mutating, validating, metrics, chain, trail };
        let mut namespace = Namespace::default();
        namespace.metadata.name = "shop".to_owned();
        namespace.metadata.labels.insert("hooked".to_owned(), "yes".to_owned());
        world.put(&Resource::of("", "v1", "namespaces"), Box::new(namespace)).await;
        world
    }

    async fn put(&self, resource: &Resource, object: Box<dyn Record>) {
        let served = self.registry.catalog().find(&resource.group, "v1", &resource.plural).expect("served");
        let made =
            self.registry.create(served, &Caller::default(), "", object, &WriteOptions::default()).await;
        made.map(drop).expect("it can be made");
    }

    /// A configuration `configuration` of one webhook about config maps, with what else is said of it.
    async fn hook(
        &self,
        sort: &Resource,
        configuration: &str,
        rest: &str,
        play: impl Fn(&Value) -> Result<Value, CallError> + Send + Sync + 'static,
    ) {
        let url = format!("https://{configuration}/");
        self.stage.plays.lock().unwrap().push((Hook::url(&url, Bytes::new()), Box::new(play)));
        let kind =
            if *sort == MUTATING { "MutatingWebhookConfiguration" } else { "ValidatingWebhookConfiguration" };
        let rules = r#""rules":[{"apiGroups":[""],"apiVersions":["v1"],"operations":["*"],"resources":["configmaps"]}]"#;
        let rules = if rest.contains("\"rules\"") { String::new() } else { format!(",{rules}") };
        let effects = if rest.contains("sideEffects") { "" } else { r#","sideEffects":"None""# };
        let rest = if rest.is_empty() { String::new() } else { format!(",{rest}") };
        let text = format!(
            r#"{{"metadata":{{"name":"{configuration}"}},"webhooks":[{{"name":"{configuration}.hook.test",
                "clientConfig":{{"url":"{url}"}},"admissionReviewVersions":["v2","v1"]{rules}{effects}{rest}}}]}}"#
        );
        let mut object = (object_type(&MUTATING.group, "v1", kind).expect("a kind").new)();
        json::decode(text.as_bytes(), &mut *object, None, Limits::RESPONSE).expect("well-formed");
        self.put(sort, object).await;
        let all = Stored::new(self.registry.clone()).list(sort, "").await.expect("listed");
        let snapshot = Snapshot::of(all, Revision(1));
        if *sort == MUTATING { self.mutating.update(&snapshot) } else { self.validating.update(&snapshot) }
    }

    fn asked(&self) -> Vec<Value> {
        std::mem::take(&mut self.stage.asked.lock().unwrap())
    }

    /// Has a config map be written, or deleted; answers what it is then, and what the caller is warned of.
    async fn admit(
        &self,
        operation: Operation,
        dry_run: bool,
        map: &mut ConfigMap,
    ) -> Result<Vec<String>, Status> {
        let caller = Caller { trail: self.trail.clone(), ..Caller::new("bob", &["staff"]) };
        let options = WriteOptions { field_manager: "test".to_owned(), dry_run, ..WriteOptions::default() };
        let attributes = Attributes {
            caller: &caller,
            operation,
            resource: MAPS,
            subresource: "",
            namespace: "shop",
            name: "web",
            dry_run,
            options: Options::Write(&options),
            notes: Default::default(),
        };
        if operation == Operation::Delete {
            self.chain.validate(&attributes, None, Some(map)).await?;
        } else {
            self.chain.mutate(&attributes, map, None).await?;
            self.chain.validate(&attributes, Some(map), None).await?;
        }
        Ok(attributes.notes.warnings())
    }

    async fn create(&self) -> Result<(ConfigMap, Vec<String>), Status> {
        let mut map = map();
        let warnings = self.admit(Operation::Create, false, &mut map).await?;
        Ok((map, warnings))
    }

    async fn refusal(&self) -> Option<(i32, String)> {
        self.create().await.err().map(|status| (status.code, status.message.clone()))
    }
}

fn map() -> ConfigMap {
    let mut map = ConfigMap::default();
    map.metadata.name = "web".to_owned();
    map.metadata.namespace = "shop".to_owned();
    map.metadata.labels.insert("app".to_owned(), "web".to_owned());
    map.data.insert("a".to_owned(), "0".to_owned());
    map
}

fn allow(_: &Value) -> Result<Value, CallError> {
    Ok(json!({ "allowed": true }))
}

/// A response with a JSON patch.
fn patches(patch: &Value) -> Value {
    let own = api_types::admission::v1::AdmissionResponse {
        allowed: true,
        patch: Some(Bytes::from(patch.to_string())),
        patch_type: Some("JSONPatch".to_owned()),
        ..Default::default()
    };
    let mut text = Vec::new();
    json::encode(&own, None, &mut text);
    let mut said: Value = serde_json::from_slice(&text).unwrap();
    said.as_object_mut().unwrap().remove("uid");
    said
}

/// One that adds data.
fn adds(key: &str, value: &str) -> Value {
    patches(&json!([{"op": "add", "path": format!("/data/{key}"), "value": value}]))
}

#[tokio::test]
async fn objects_are_changed_by_one_after_the_other_in_the_order_of_their_names() {
    let world = World::new().await;
    world
        .hook(&MUTATING, "b", "", |request| {
            assert_eq!(request["object"]["data"], json!({"a": "0", "first": "1"}));
            let mut said = adds("second", "2");
            said["warnings"] = json!(["mind the gap"]);
            Ok(said)
        })
        .await;
    world.hook(&MUTATING, "a", "", |_| Ok(adds("first", "1"))).await;
    let (map, warnings) = world.create().await.expect("allowed");
    assert_eq!(json!(map.data), json!({"a": "0", "first": "1", "second": "2"}));
    assert_eq!(warnings, ["mind the gap"]);
    let asked = world.asked();
    assert_eq!(asked.len(), 2, "nobody wanted to see what came later");
    let mut request = asked[0].clone();
    assert_eq!(request["uid"].as_str().map(str::len), Some(36));
    let fields = request.as_object_mut().unwrap();
    fields.remove("uid");
    fields.remove("object");
    let kind = json!({"group": "", "version": "v1", "kind": "ConfigMap"});
    let resource = json!({"group": "", "version": "v1", "resource": "configmaps"});
    assert_eq!(
        request,
        json!({
            "kind": kind, "resource": resource, "requestKind": kind, "requestResource": resource,
            "name": "web", "namespace": "shop", "operation": "CREATE", "oldObject": null, "dryRun": false,
            "userInfo": {"username": "bob", "groups": ["staff"]},
            "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1", "fieldManager": "test", "fieldValidation": "Warn"},
        })
    );
    let text = asked[1]["object"].clone();
    assert_eq!((&text["kind"], &text["apiVersion"]), (&json!("ConfigMap"), &json!("v1")));
}

#[tokio::test]
async fn whoever_wants_to_see_later_changes_is_asked_once_more() {
    let world = World::new().await;
    let again = r#""reinvocationPolicy":"IfNeeded""#;
    world
        .hook(&MUTATING, "a", again, |request| {
            let count = request["object"]["data"]["a"].as_str().unwrap().len().to_string();
            Ok(adds("a", &format!("0{}", "x".repeat(count.len()))))
        })
        .await;
    world.hook(&MUTATING, "b", "", |_| Ok(adds("b", "1"))).await;
    world.create().await.expect("allowed");
    let seen: Vec<Value> = world.asked().iter().map(|asked| asked["object"]["data"].clone()).collect();
    assert_eq!(seen, [json!({"a": "0"}), json!({"a": "0x"}), json!({"a": "0x", "b": "1"})]);
}

#[tokio::test]
async fn a_refusal_is_told_in_upstreams_words() {
    let by = r#"admission webhook "v.hook.test" denied the request"#;
    for (said, code, message) in [
        (json!({"allowed": false}), 400, format!("{by} without explanation")),
        (json!({"allowed": false, "status": {"reason": "Whim"}}), 400, format!("{by}: Whim")),
        (json!({"allowed": false, "status": {"message": "no", "code": 418}}), 418, format!("{by}: no")),
        (
            json!({"allowed": false, "status": {"message": "no", "code": 200, "status": "Success"}}),
            400,
            format!("{by}: no"),
        ),
    ] {
        let world = World::new().await;
        world.hook(&VALIDATING, "v", "", move |_| Ok(said.clone())).await;
        world
            .hook(&VALIDATING, "w", "", |_| Ok(json!({"allowed": false, "status": {"message": "later"}})))
            .await;
        assert_eq!(world.refusal().await, Some((code, message)));
    }
}

#[tokio::test]
async fn what_is_no_answer_refuses_unless_it_may_be_ignored() {
    let failed = r#"Internal error occurred: failed calling webhook "h.hook.test": "#;
    let invalid = format!("{failed}received invalid webhook response: ");
    let called = format!("{failed}failed to call webhook: ");
    let with = |field: &str, value: Value| {
        let mut said = adds("x", "1");
        said[field] = value;
        said
    };
    let review = |version: &str| json!({"kind": "AdmissionReview", "apiVersion": version, "response": {"uid": "u", "allowed": true}});
    let patch = || with("patchType", json!("JSONPatch"))["patch"].clone();
    for (sort, said, message) in [
        (&MUTATING, with("patchType", json!("Merge")), format!("{failed}unsupported patch type \"Merge\"")),
        (
            &MUTATING,
            with("patchType", Value::Null),
            format!("{invalid}webhook returned response.patch but not response.patchType"),
        ),
        (
            &MUTATING,
            with("patch", Value::Null),
            format!("{invalid}webhook returned response.patchType but not response.patch"),
        ),
        (
            &MUTATING,
            with("patchType", json!("")),
            format!("{invalid}webhook returned invalid response.patchType of \"\""),
        ),
        (
            &VALIDATING,
            json!({"allowed": true, "patch": patch()}),
            format!("{invalid}validating webhook may not return response.patch"),
        ),
        (
            &VALIDATING,
            json!({"allowed": true, "patchType": "JSONPatch"}),
            format!("{invalid}validating webhook may not return response.patchType"),
        ),
        (
            &VALIDATING,
            json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1"}),
            format!("{invalid}webhook response was absent"),
        ),
        (&VALIDATING, review("admission.k8s.io/v1"), format!("{invalid}expected response.uid=")),
        (&VALIDATING, json!({"allowed": "perhaps"}), called.clone()),
    ] {
        let world = World::new().await;
        world.hook(sort, "h", "", move |_| Ok(said.clone())).await;
        let (code, told) = world.refusal().await.expect("refused");
        assert!(code == 500 && told.starts_with(&message), "{told}\n{message}");
    }
    for (policy, refused) in [("Fail", true), ("Ignore", false)] {
        for sort in [&MUTATING, &VALIDATING] {
            let world = World::new().await;
            let policy = format!(r#""failurePolicy":"{policy}""#);
            let why = "Post \"https://h/?timeout=10s\": EOF";
            world.hook(sort, "h", &policy, |_| Err(CallError::Unanswered(why.to_owned()))).await;
            let told = refused.then(|| (500, format!("{called}{why}")));
            assert_eq!(world.refusal().await, told);
            let mut text = base::metrics::Text::default();
            base::metrics::Source::collect(&*world.metrics, &mut text, base::time::Time::EPOCH);
            let text = text.into_string();
            let step = if *sort == MUTATING { "admit" } else { "validating" };
            let open = format!(r#"webhook_fail_open_count{{name="h.hook.test",type="{step}"}} 1"#);
            let cause = format!(
                r#"rejection_count{{error_type="calling_webhook_error",name="h.hook.test",operation="CREATE",rejection_code="503",type="{step}"}} 1"#
            );
            assert_eq!((text.contains(&open), text.contains(&cause)), (!refused, refused), "{text}");
        }
    }
}

#[tokio::test]
async fn only_what_a_webhook_is_about_is_told_to_it() {
    let rule = |resources: &str, operations: &str| {
        format!(
            r#""rules":[{{"apiGroups":[""],"apiVersions":["v1"],"operations":["{operations}"],"resources":["{resources}"]}}]"#
        )
    };
    let selector =
        |name: &str, key: &str, value: &str| format!(r#""{name}":{{"matchLabels":{{"{key}":"{value}"}}}}"#);
    let condition =
        |expression: &str| format!(r#""matchConditions":[{{"name":"c","expression":"{expression}"}}]"#);
    for (rest, asked) in [
        (rule("configmaps", "CREATE"), true),
        (rule("configmaps", "UPDATE"), false),
        (rule("secrets", "*"), false),
        (rule("*", "*"), true),
        (rule("configmaps/status", "*"), false),
        (selector("namespaceSelector", "hooked", "yes"), true),
        (selector("namespaceSelector", "hooked", "no"), false),
        (selector("objectSelector", "app", "web"), true),
        (selector("objectSelector", "app", "db"), false),
        (condition("request.userInfo.username == 'bob'"), true),
        (condition("object.data.a != '0'"), false),
        (condition("authorizer.group('').resource('pods').check('get').allowed()"), false),
        (format!(r#""failurePolicy":"Ignore",{}"#, condition("object.data.nothing == '0'")), false),
    ] {
        for sort in [&MUTATING, &VALIDATING] {
            let world = World::new().await;
            world.hook(sort, "h", &rest, allow).await;
            world.create().await.expect("allowed");
            assert_eq!(world.asked().len(), usize::from(asked), "{rest}");
        }
    }
    let world = World::new().await;
    world.hook(&VALIDATING, "h", &condition("object.data.nothing == '0'"), allow).await;
    let why = "configmaps \"web\" is forbidden: expression 'object.data.nothing == '0'' resulted in error: no such key: nothing";
    assert_eq!(world.refusal().await, Some((403, why.to_owned())));
}

#[tokio::test]
async fn a_trial_is_told_as_one() {
    let world = World::new().await;
    world.hook(&VALIDATING, "h", "", allow).await;
    world.admit(Operation::Create, true, &mut map()).await.expect("allowed");
    let asked = world.asked();
    assert_eq!((&asked[0]["dryRun"], &asked[0]["options"]["dryRun"]), (&json!(true), &json!(["All"])));
}

#[tokio::test]
async fn deletions_and_streams_are_told_too() {
    let world = World::new().await;
    world
        .hook(&MUTATING, "m", "", |request| {
            assert_eq!((&request["object"], &request["oldObject"]["data"]["a"]), (&Value::Null, &json!("0")));
            Ok(adds("x", "1"))
        })
        .await;
    let refused = world.admit(Operation::Delete, false, &mut map()).await.expect_err("it cannot be changed");
    let why = "Internal error occurred: admission webhook \"m.hook.test\" attempted to modify the object, which is not supported for this operation";
    assert_eq!(refused.message, why);
    let rules = r#""rules":[{"apiGroups":[""],"apiVersions":["v1"],"operations":["CONNECT"],"resources":["pods/exec"]}]"#;
    world
        .hook(&VALIDATING, "v", rules, |request| {
            assert_eq!(
                (&request["kind"]["kind"], &request["subResource"]),
                (&json!("PodExecOptions"), &json!("exec"))
            );
            assert_eq!(request["object"]["command"], json!(["sh"]));
            Ok(json!({ "allowed": false }))
        })
        .await;
    let caller = Caller::default();
    let attributes = Attributes {
        caller: &caller,
        operation: Operation::Connect,
        resource: Resource::of("", "v1", "pods"),
        subresource: "exec",
        namespace: "shop",
        name: "web",
        dry_run: false,
        options: Options::None,
        notes: Default::default(),
    };
    let mut exec = PodExecOptions { command: vec!["sh".to_owned()].into(), ..PodExecOptions::default() };
    world.chain.mutate(&attributes, &mut exec, None).await.expect("nobody minds");
    let refused = world.chain.validate(&attributes, Some(&exec), None).await.expect_err("refused");
    assert_eq!(refused.message, r#"admission webhook "v.hook.test" denied the request without explanation"#);
}

#[tokio::test]
async fn an_object_is_shown_in_the_version_that_is_asked_for_and_changed_in_it() {
    let world = World::new().await;
    let rules = |version: &str| {
        format!(
            r#""rules":[{{"apiGroups":["autoscaling"],"apiVersions":["{version}"],"operations":["*"],"resources":["*"]}}]"#
        )
    };
    world
        .hook(&MUTATING, "m", &rules("v1"), |request| {
            assert_eq!(
                (&request["kind"]["version"], &request["requestKind"]["version"]),
                (&json!("v1"), &json!("v2"))
            );
            let spec = &request["object"]["spec"];
            assert_eq!(
                (&request["object"]["apiVersion"], &spec["maxReplicas"]),
                (&json!("autoscaling/v1"), &json!(3))
            );
            Ok(patches(&json!([{"op": "replace", "path": "/spec/maxReplicas", "value": 5}])))
        })
        .await;
    world.hook(&VALIDATING, "e", &format!(r#"{},"matchPolicy":"Exact""#, rules("v1")), allow).await;
    let mut scaler = api_types::autoscaling::v2::HorizontalPodAutoscaler::default();
    scaler.metadata.name = "web".to_owned();
    scaler.spec.max_replicas = 3;
    let caller = Caller::default();
    let attributes = Attributes {
        caller: &caller,
        operation: Operation::Create,
        resource: Resource::of("autoscaling", "v2", "horizontalpodautoscalers"),
        subresource: "",
        namespace: "shop",
        name: "web",
        dry_run: false,
        options: Options::None,
        notes: Default::default(),
    };
    world.chain.mutate(&attributes, &mut scaler, None).await.expect("changed");
    assert_eq!(scaler.spec.max_replicas, 5);
    world.chain.validate(&attributes, Some(&scaler), None).await.expect("nobody is asked");
    assert_eq!(world.asked().len(), 1);
}

#[tokio::test]
async fn nobody_has_a_say_in_how_admission_works() {
    let world = World::new().await;
    let rules = r#""rules":[{"apiGroups":["*"],"apiVersions":["*"],"operations":["*"],"resources":["*"]}]"#;
    world.hook(&VALIDATING, "h", rules, |_| Ok(json!({ "allowed": false }))).await;
    assert!(world.refusal().await.is_some());
    let caller = Caller::default();
    for resource in [MUTATING, VALIDATING, crate::POLICIES, crate::BINDINGS] {
        let attributes = Attributes {
            caller: &caller,
            operation: Operation::Delete,
            resource,
            subresource: "",
            namespace: "",
            name: "h",
            dry_run: false,
            options: Options::None,
            notes: Default::default(),
        };
        world.chain.validate(&attributes, None, Some(&map())).await.expect("nobody is asked");
    }
}

#[tokio::test]
async fn what_webhooks_do_and_say_is_noted_for_the_audit_log() {
    let world = World::new().await;
    let patch = json!([{"op": "add", "path": "/data/b", "value": "1"}]);
    let changes = patches(&patch);
    world
        .hook(&MUTATING, "a", "", move |_| {
            let mut said = changes.clone();
            said["auditAnnotations"] = json!({"seen": "yes", "not a key": "lost"});
            Ok(said)
        })
        .await;
    let unanswered = |_: &Value| Err(CallError::Unanswered("gone".to_owned()));
    world.hook(&MUTATING, "b", r#""failurePolicy":"Ignore""#, unanswered).await;
    world.hook(&VALIDATING, "c", r#""failurePolicy":"Ignore""#, unanswered).await;
    world.create().await.expect("it is admitted");
    let noted: Vec<_> = world.trail.annotations().into_iter().collect();
    let mutation = |name: &str, mutated: bool| {
        format!(r#"{{"configuration":"{name}","webhook":"{name}.hook.test","mutated":{mutated}}}"#)
    };
    let wanted = [
        ("a.hook.test/seen", "yes".to_owned()),
        ("failed-open.mutation.webhook.admission.k8s.io/round_0_index_1", "b.hook.test".to_owned()),
        ("failed-open.validating.webhook.admission.k8s.io/round_0_index_0", "c.hook.test".to_owned()),
        ("mutation.webhook.admission.k8s.io/round_0_index_0", mutation("a", true)),
        ("mutation.webhook.admission.k8s.io/round_0_index_1", mutation("b", false)),
        (
            "patch.webhook.admission.k8s.io/round_0_index_0",
            format!(
                r#"{{"configuration":"a","webhook":"a.hook.test","patch":{patch},"patchType":"JSONPatch"}}"#
            ),
        ),
    ];
    assert_eq!(noted, wanted.map(|(key, value)| (key.to_owned(), value)));
}
