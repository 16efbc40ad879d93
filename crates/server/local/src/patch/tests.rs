//! Applies and their like through the whole pipeline: what is kept, who owns it, and what is refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use api_kind::Gates;
use api_types::apps::v1::Deployment;
use api_types::autoscaling::v1::Scale;
use api_types::core::v1::{ConfigMap, Pod};
use base::random::SystemRandom;
use base::time::{Clock, Sleep, SystemClock, Time};
use client::{Answer, Api, Body, Outcome, Request, Resource, Target, Verb};
use server_registry::admit::Everything;
use server_registry::{Catalog, Shared};
use store::MemoryStore;

use super::*;
use crate::review::tests::NoTokens;
use crate::{Direct, Local, Policy};

/// A clock whose seconds are counted by whoever looks.
#[derive(Default)]
struct Steps(AtomicI64);

impl Clock for Steps {
    fn now(&self) -> Time {
        Time::from_unix_seconds(self.0.fetch_add(1, Ordering::Relaxed))
    }
    fn sleep(&self, duration: std::time::Duration) -> Sleep {
        SystemClock.sleep(duration)
    }
}

struct World {
    direct: Direct,
    policy: Arc<Policy>,
}

impl World {
    fn new() -> World {
        let clock: Arc<dyn Clock> = Arc::new(Steps::default());
        let shared = Shared {
            store: Arc::new(MemoryStore::new()),
            catalog: Catalog::new(),
            gates: Gates::default(),
            clock: Arc::clone(&clock),
            random: Arc::new(SystemRandom),
        };
        let policy = Arc::new(Policy::default());
        let registry = Registry::new(Arc::new(shared), Arc::new(Everything));
        let direct = Direct::new(registry, Arc::clone(&policy), Arc::new(NoTokens), clock);
        World { direct, policy }
    }

    async fn ask(
        &self,
        who: &str,
        verb: Verb,
        path: &str,
        body: Body,
        change: impl Fn(&mut WriteOptions),
    ) -> Result<Answer, Status> {
        let mut request = Request::new(verb, target(path));
        request.body = body;
        change(&mut request.write);
        self.direct.call(&Caller { agent: who.to_owned(), ..Caller::default() }, request).await
    }

    async fn apply(&self, who: &str, path: &str, config: &str) -> Result<Answer, Status> {
        let body = Body::Patch(PatchKind::Apply, config.to_owned().into());
        self.ask(who, Verb::Patch, path, body, |options| options.field_manager = who.to_owned()).await
    }

    async fn merge(&self, who: &str, path: &str, patch: &str) -> Result<Answer, Status> {
        let body = Body::Patch(PatchKind::Merge, patch.to_owned().into());
        self.ask(who, Verb::Patch, path, body, |_| {}).await
    }

    async fn get<T: Record + Clone>(&self, path: &str) -> T {
        object(self.ask("x", Verb::Get, path, Body::Empty, |_| {}).await.expect("it is there"))
    }
}

/// `group/version/plural/name[/subresource]` in the namespace `default`; the core group is `core`.
fn target(path: &str) -> Target {
    let parts: Vec<&str> = path.split('/').collect();
    let leak = |text: &str| -> &'static str { Box::leak(text.to_owned().into_boxed_str()) };
    let group = if parts[0] == "core" { "" } else { leak(parts[0]) };
    let namespaced = parts[2] != "namespaces";
    Target {
        resource: Resource::of(group, leak(parts[1]), leak(parts[2])),
        namespace: if namespaced { "default".to_owned() } else { String::new() },
        name: parts[3].to_owned(),
        subresource: parts.get(4).copied().unwrap_or_default().to_owned(),
    }
}

fn object<T: Record + Clone>(answer: Answer) -> T {
    let Outcome::Object(object) = answer.outcome else { panic!("an object is answered") };
    object.downcast_ref::<T>().cloned().expect("of its type")
}

/// Manager, subresource, operation and fields of each entry.
fn owners(object: &dyn Record) -> Vec<String> {
    let entries = &object_meta(object).expect("metadata").managed_fields;
    let show = |entry: &api_types::meta::v1::ManagedFieldsEntry| {
        let fields = entry.fields_v1.as_ref().map(|raw| String::from_utf8_lossy(raw.text()).into_owned());
        let part = if entry.subresource.is_empty() { "" } else { "/" };
        format!(
            "{}{part}{} {} {}",
            entry.manager,
            entry.subresource,
            entry.operation,
            fields.unwrap_or_default()
        )
    };
    entries.iter().map(show).collect()
}

const MAP: &str = "core/v1/configmaps/a";

fn map(data: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata: {data}")
}

const DEPLOYMENT: &str = "apps/v1/deployments/web";

fn deployment(replicas: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec: {{{replicas}selector: {{matchLabels: {{a: b}}}}, template: {{metadata: {{labels: {{a: b}}}}, spec: {{containers: [{{name: c, image: i}}]}}}}}}"
    )
}

#[tokio::test]
async fn an_apply_makes_an_object_and_the_same_again_is_not_written() {
    let world = World::new();
    let made = world.apply("me", MAP, &map("{k: v}")).await.expect("made");
    assert!(made.created);
    let first: ConfigMap = object(made);
    assert_eq!(owners(&first), [r#"me Apply {"f:data":{"f:k":{}}}"#]);
    let again = world.apply("me", MAP, &map("{k: v}")).await.expect("applied");
    assert!(!again.created);
    assert!(object::<ConfigMap>(again) == first, "neither the version nor a time has changed");
    // Nor when what is applied is not kept: an empty map is none.
    let empty = object::<ConfigMap>(world.apply("you", MAP, &map("{}")).await.expect("applied"));
    let twice = object::<ConfigMap>(world.apply("you", MAP, &map("{}")).await.expect("applied"));
    assert!(empty == twice);
}

#[tokio::test]
async fn conflicts_are_refused_and_forced() {
    let world = World::new();
    world.apply("me", MAP, &map("{k: v}")).await.expect("made");
    let refused = world.apply("you", MAP, &map("{k: w}")).await.err().expect("a conflict");
    assert_eq!(
        (refused.code, refused.message.as_str()),
        (409, "Apply failed with 1 conflict: conflict with \"me\": .data.k")
    );
    let body = || Body::Patch(PatchKind::Apply, map("{k: w}").into());
    let force = |options: &mut WriteOptions| {
        options.field_manager = "you".to_owned();
        options.force = Some(true);
    };
    let dry = |options: &mut WriteOptions| {
        force(options);
        options.dry_run = true;
    };
    let tried = world.ask("x", Verb::Patch, MAP, body(), dry).await.expect("it could be done");
    assert_eq!(object::<ConfigMap>(tried).data["k"], "w");
    assert_eq!(world.get::<ConfigMap>(MAP).await.data["k"], "v", "nothing was kept");
    let forced = world.ask("x", Verb::Patch, MAP, body(), force).await.expect("forced");
    assert_eq!(owners(&object::<ConfigMap>(forced)), [r#"you Apply {"f:data":{"f:k":{}}}"#]);
}

#[tokio::test]
async fn what_the_configuration_says_of_the_object_itself_must_be_so() {
    let world = World::new();
    let refused = async |text: &str| {
        let text = format!("apiVersion: v1\nkind: ConfigMap\n{text}");
        world.apply("me", MAP, &text).await.err().expect("refused")
    };
    assert_eq!(
        refused("metadata: {name: b}").await.message,
        "the name of the object (b) does not match the name on the URL (a)"
    );
    assert!(refused("metadata: {}").await.message.contains("was undeterminable: name must be provided"));
    let uid = refused("metadata: {name: a, uid: u}").await;
    assert_eq!(
        (uid.code, uid.message.as_str()),
        (
            409,
            "Operation cannot be fulfilled on configmaps \"a\": uid mismatch: the provided object specified uid u, and no existing object was found"
        )
    );
    assert!(refused("metadata: {name: a, namespace: other}").await.is_bad_request());
    world.apply("me", MAP, &map("{k: v}")).await.expect("made");
    let stale = refused("metadata: {name: a, resourceVersion: '1'}\ndata: {k: w}").await;
    assert!(stale.is_conflict() && stale.message.contains("the object has been modified"), "{stale}");
    let part = world.apply("me", "apps/v1/deployments/none/status", &deployment("")).await;
    assert!(part.err().expect("parts make nothing").is_not_found());
}

#[tokio::test]
async fn fields_that_occur_twice_are_told_or_refused() {
    let world = World::new();
    let twice = map("{k: v, k: w}");
    let told = world.apply("me", MAP, &twice).await.expect("made");
    assert!(told.warnings[0].contains("\"k\""), "{:?}", told.warnings);
    let body = Body::Patch(PatchKind::Apply, twice.into());
    let strict = |options: &mut WriteOptions| options.field_validation = FieldValidation::Strict;
    let refused = world.ask("x", Verb::Patch, MAP, body, strict).await.err().expect("strict");
    assert!(refused.message.starts_with("error strict decoding patch: "), "{}", refused.message);
}

#[tokio::test]
async fn every_kind_of_write_tracks_who_it_is_by() {
    let world = World::new();
    let mut new = ConfigMap::default();
    new.metadata.name = "a".into();
    new.data.insert("a".into(), "1".into());
    let body = Body::Object(Box::new(new));
    world.ask("creator", Verb::Create, "core/v1/configmaps/", body, |_| {}).await.expect("made");
    world.merge("patcher", MAP, r#"{"data":{"b":"2"}}"#).await.expect("patched");
    let mut changed: ConfigMap = world.get(MAP).await;
    changed.data.insert("a".into(), "changed".into());
    changed.metadata.managed_fields.clear();
    let body = Body::Object(Box::new(changed));
    let named = |options: &mut WriteOptions| options.field_manager = "named".to_owned();
    world.ask("editor", Verb::Update, MAP, body, named).await.expect("updated");
    assert_eq!(
        owners(&world.get::<ConfigMap>(MAP).await),
        [
            r#"creator Update {"f:data":{}}"#,
            r#"patcher Update {"f:data":{"f:b":{}}}"#,
            r#"named Update {"f:data":{"f:a":{}}}"#,
        ]
    );
}

#[tokio::test]
async fn owners_are_forgotten_by_an_empty_list_in_any_patch() {
    let world = World::new();
    for (kind, patch) in [
        (PatchKind::Merge, r#"{"metadata":{"managedFields":[]}}"#),
        (PatchKind::Merge, r#"{"metadata":{"managedFields":[{}]}}"#),
        (PatchKind::Strategic, r#"{"metadata":{"managedFields":[{}]}}"#),
        (PatchKind::Json, r#"[{"op":"replace","path":"/metadata/managedFields","value":[]}]"#),
    ] {
        world.apply("me", MAP, &map("{k: v}")).await.expect("applied");
        assert!(!world.get::<ConfigMap>(MAP).await.metadata.managed_fields.is_empty());
        let body = Body::Patch(kind, patch.to_owned().into());
        let cleared = world.ask("x", Verb::Patch, MAP, body, |_| {}).await.expect("patched");
        assert!(object::<ConfigMap>(cleared).metadata.managed_fields.is_empty(), "{patch}");
    }
}

#[tokio::test]
async fn defaults_belong_to_whoever_updates_and_to_nobody_who_applies() {
    let world = World::new();
    world.apply("me", DEPLOYMENT, &deployment("")).await.expect("made");
    let made: Deployment = world.get(DEPLOYMENT).await;
    assert_eq!(made.spec.replicas, Some(1));
    assert!(!owners(&made)[0].contains("f:replicas"), "{:?}", owners(&made));
    assert!(owners(&made)[0].starts_with("me Apply ") && made.metadata.managed_fields.len() == 1);
    // What was applied once and is left out then is what it is by default.
    world.apply("me", DEPLOYMENT, &deployment("replicas: 5, ")).await.expect("applied");
    world.apply("me", DEPLOYMENT, &deployment("")).await.expect("applied");
    assert_eq!(world.get::<Deployment>(DEPLOYMENT).await.spec.replicas, Some(1));
}

#[tokio::test]
async fn a_status_is_applied_through_its_part_only() {
    let world = World::new();
    let part = format!("{DEPLOYMENT}/status");
    let status = |rest: &str| {
        format!("apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web, labels: {{x: z}}}}\n{rest}")
    };
    world.apply("me", DEPLOYMENT, &deployment("")).await.expect("made");
    let through = status("status: {replicas: 3}\nspec: {replicas: 9}");
    world.apply("ctl", &part, &through).await.expect("applied");
    let object: Deployment = world.get(DEPLOYMENT).await;
    assert_eq!((object.status.replicas, object.spec.replicas), (3, Some(1)));
    assert!(
        owners(&object).contains(&r#"ctl/status Apply {"f:status":{"f:replicas":{}}}"#.to_owned()),
        "{:?}",
        owners(&object)
    );
    // The object itself has no say in it.
    let through = format!("{}\nstatus: {{replicas: 7}}", deployment(""));
    world.apply("me", DEPLOYMENT, &through).await.expect("applied");
    let object: Deployment = world.get(DEPLOYMENT).await;
    assert_eq!(object.status.replicas, 3);
    let own = owners(&object).into_iter().find(|line| line.starts_with("me ")).expect("an owner");
    assert!(!own.contains("f:status"), "{own}");
}

#[tokio::test]
async fn a_scale_takes_the_replicas_from_whoever_applied_them() {
    let world = World::new();
    world.apply("me", DEPLOYMENT, &deployment("replicas: 1, ")).await.expect("made");
    let part = format!("{DEPLOYMENT}/scale");
    let scale = |replicas: i32| {
        format!(
            "apiVersion: autoscaling/v1\nkind: Scale\nmetadata: {{name: web}}\nspec: {{replicas: {replicas}}}"
        )
    };
    let refused = world.apply("hpa", &part, &scale(5)).await.err().expect("a conflict");
    assert_eq!(refused.message, "Apply failed with 1 conflict: conflict with \"me\": .spec.replicas");
    let scaled = world.merge("kubectl", &part, r#"{"spec":{"replicas":4}}"#).await.expect("scaled");
    assert_eq!(object::<Scale>(scaled).spec.replicas, 4);
    let after: Deployment = world.get(DEPLOYMENT).await;
    assert_eq!(after.spec.replicas, Some(4));
    let last = owners(&after).into_iter().find(|line| line.contains("f:replicas")).expect("owned");
    assert_eq!(last, r#"kubectl/scale Update {"f:spec":{"f:replicas":{}}}"#);
    let refused =
        world.apply("me", DEPLOYMENT, &deployment("replicas: 1, ")).await.err().expect("a conflict");
    assert_eq!(
        refused.message,
        "Apply failed with 1 conflict: conflict with \"kubectl\" with subresource \"scale\" using apps/v1: .spec.replicas"
    );
    // Without them the configuration applies, and the replicas stay.
    world.apply("me", DEPLOYMENT, &deployment("")).await.expect("applied");
    assert_eq!(world.get::<Deployment>(DEPLOYMENT).await.spec.replicas, Some(4));
    world.apply("kubectl", &part, &scale(6)).await.err().expect("another way of writing is another manager");
}

#[tokio::test]
async fn what_a_binding_sets_is_nobodys() {
    let world = World::new();
    let mut pod = Pod::default();
    pod.metadata.name = "p".into();
    pod.spec.containers.push(api_types::core::v1::Container {
        name: "c".into(),
        image: "i".into(),
        ..Default::default()
    });
    let body = Body::Object(Box::new(pod));
    world.ask("maker", Verb::Create, "core/v1/pods/", body, |_| {}).await.expect("made");
    let mut binding = api_types::core::v1::Binding::default();
    binding.metadata.name = "p".into();
    binding.target.kind = "Node".into();
    binding.target.name = "one".into();
    let body = Body::Object(Box::new(binding));
    world.ask("kube-scheduler", Verb::Create, "core/v1/pods/p/binding", body, |_| {}).await.expect("bound");
    let bound: Pod = world.get("core/v1/pods/p").await;
    assert_eq!(bound.spec.node_name, "one");
    assert_eq!(bound.metadata.managed_fields.len(), 1);
    assert!(!owners(&bound)[0].contains("nodeName"));
}

#[tokio::test]
async fn each_version_of_a_kind_names_its_own_fields() {
    let world = World::new();
    let (old, new) =
        ("autoscaling/v1/horizontalpodautoscalers/h", "autoscaling/v2/horizontalpodautoscalers/h");
    let scaler = |version: &str, rest: &str| {
        format!(
            "apiVersion: autoscaling/{version}\nkind: HorizontalPodAutoscaler\nmetadata: {{name: h}}\nspec: {{maxReplicas: 3, scaleTargetRef: {{kind: Deployment, name: web, apiVersion: apps/v1}}{rest}}}"
        )
    };
    let config = scaler("v1", ", targetCPUUtilizationPercentage: 50");
    world.apply("me", old, &config).await.expect("made");
    let cpu = ", metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]";
    let refused = world.apply("you", new, &scaler("v2", cpu)).await.err().expect("a conflict");
    assert_eq!(
        refused.message,
        "Apply failed with 1 conflict: conflict with \"me\": .spec.targetCPUUtilizationPercentage"
    );
    world.apply("me", old, &scaler("v1", "")).await.expect("given up");
    world.apply("you", new, &scaler("v2", cpu)).await.expect("free now");
    let versions: Vec<String> = world
        .get::<api_types::autoscaling::v2::HorizontalPodAutoscaler>(new)
        .await
        .metadata
        .managed_fields
        .iter()
        .map(|entry| format!("{} {}", entry.manager, entry.api_version))
        .collect();
    assert_eq!(versions, ["you autoscaling/v2", "me autoscaling/v1"]);
}

#[tokio::test]
async fn whoever_may_patch_but_not_make_cannot_make_by_applying() {
    let world = World::new();
    let local = Local::new(world.direct.clone());
    let role = |verbs: &[&str]| {
        let mut role = api_types::rbac::v1::ClusterRole::default();
        role.metadata.name = "r".into();
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        role.rules = vec![api_types::rbac::v1::PolicyRule {
            verbs: words(verbs).into(),
            api_groups: words(&[""]),
            resources: words(&["configmaps"]),
            ..Default::default()
        }]
        .into();
        world.policy.put(&role);
    };
    role(&["patch"]);
    let mut binding = api_types::rbac::v1::ClusterRoleBinding::default();
    binding.metadata.name = "b".into();
    binding.role_ref.api_group = "rbac.authorization.k8s.io".into();
    binding.role_ref.kind = "ClusterRole".into();
    binding.role_ref.name = "r".into();
    binding.subjects = vec![api_types::rbac::v1::Subject {
        kind: "User".into(),
        api_group: "rbac.authorization.k8s.io".into(),
        name: "ada".into(),
        ..Default::default()
    }];
    world.policy.put(&binding);
    let apply = async || {
        let mut request = Request::new(Verb::Patch, target(MAP));
        request.body = Body::Patch(PatchKind::Apply, map("{k: v}").into());
        request.write.field_manager = "me".to_owned();
        local.call(&Caller::new("ada", &[]), request).await
    };
    let refused = apply().await.err().expect("no permission");
    assert!(refused.is_forbidden() && refused.message.contains("cannot create resource"), "{refused}");
    role(&["patch", "create"]);
    apply().await.expect("made");
    role(&["patch"]);
    apply().await.expect("it is there now");
}
