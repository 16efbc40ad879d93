//! Evictions against the store in memory: who goes, who stays, and what is said of it.

use api_kind::Gates;
use api_meta::status::cause;
use api_types::meta::v1::{LabelSelector, ObjectMeta, Preconditions};
use base::random::SystemRandom;
use base::time::SystemClock;
use client::Resource;
use futures_util::future::join_all;
use server_registry::{Catalog, Shared};
use store::MemoryStore;

use super::*;

struct World {
    registry: Registry,
    pods: Arc<Served>,
    who: Caller,
}

fn metadata(name: &str) -> ObjectMeta {
    ObjectMeta {
        name: name.into(),
        namespace: "shop".into(),
        labels: [("app".to_owned(), "web".to_owned())].into(),
        ..ObjectMeta::default()
    }
}

impl World {
    fn new() -> World {
        let shared = Shared {
            store: Arc::new(MemoryStore::new()),
            catalog: Catalog::new(),
            gates: Gates::default(),
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
        };
        let registry = Registry::new(Arc::new(shared), Arc::new(Everything));
        let pods = Arc::clone(registry.catalog().find("", "v1", "pods").expect("pods are served"));
        World { registry, pods, who: Caller::default() }
    }

    /// Makes an object, and gives it a status.
    async fn make(&self, resource: &Resource, object: Box<dyn Record>) {
        let served = self.registry.catalog().find(&resource.group, &resource.version, &resource.plural);
        let served = served.expect("it is served");
        let name = object_meta(&*object).expect("metadata").name.clone();
        let options = WriteOptions::default();
        let made = self.registry.create(served, &self.who, "shop", object.boxed_clone(), &options).await;
        let version = object_meta(&*made.expect("it is made").object).expect("metadata").clone();
        let change = |_: Option<&dyn Record>| -> Result<Box<dyn Record>, Status> {
            let mut object = object.boxed_clone();
            *api_types::object_meta_mut(&mut *object).expect("metadata") = version.clone();
            Ok(object)
        };
        let registry = &self.registry;
        let (none, who) = (Precondition::default(), &self.who);
        registry
            .update(served, who, "shop", &name, "status", &change, &none, &options)
            .await
            .expect("a status");
    }

    async fn pod(&self, name: &str, phase: &str, ready: bool) {
        let text = br#"{"spec": {"nodeName": "n", "containers": [{"name": "c", "image": "i"}]}}"#;
        let mut pod = Pod::default();
        let limits = api_codec::limits::Limits::REQUEST;
        api_codec::json::decode(text, &mut pod, None, limits).expect("a pod");
        pod.metadata = metadata(name);
        pod.status.phase = phase.into();
        if ready {
            let ready = PodCondition { type_: "Ready".into(), status: "True".into(), ..Default::default() };
            pod.status.conditions.push(ready);
        }
        self.make(&Resource::of("", "v1", "pods"), Box::new(pod)).await;
    }

    async fn budget(&self, name: &str, (allowed, healthy, desired): (i32, i32, i32), policy: Option<&str>) {
        let mut budget = PodDisruptionBudget { metadata: metadata(name), ..PodDisruptionBudget::default() };
        let match_labels = budget.metadata.labels.clone();
        budget.spec.selector = Some(Box::new(LabelSelector { match_labels, ..LabelSelector::default() }));
        budget.spec.unhealthy_pod_eviction_policy = policy.map(str::to_owned);
        budget.status.disruptions_allowed = allowed;
        budget.status.current_healthy = healthy;
        budget.status.desired_healthy = desired;
        budget.status.observed_generation = 1;
        self.make(&Resource::of("policy", "v1", "poddisruptionbudgets"), Box::new(budget)).await;
    }

    async fn evict_as(&self, name: &str, asked: DeleteOptions, dry_run: bool) -> Result<Status, Status> {
        let evicting = Evicting {
            registry: &self.registry,
            clock: &SystemClock,
            who: &self.who,
            served: &self.pods,
            namespace: "shop",
            name,
            asked,
            dry_run,
        };
        evicting.carry_out().await
    }

    async fn evict(&self, name: &str) -> Result<Status, Status> {
        self.evict_as(name, DeleteOptions::default(), false).await
    }

    async fn stored<T: Record + Clone>(&self, resource: &Resource, name: &str) -> T {
        let served = self.registry.catalog().find(&resource.group, &resource.version, &resource.plural);
        let object =
            self.registry.get(served.expect("it is served"), "shop", name).await.expect("it is there");
        object.downcast_ref::<T>().expect("of the type").clone()
    }

    async fn stored_pod(&self, name: &str) -> Pod {
        self.stored(&Resource::of("", "v1", "pods"), name).await
    }

    async fn stored_budget(&self, name: &str) -> PodDisruptionBudget {
        self.stored(&Resource::of("policy", "v1", "poddisruptionbudgets"), name).await
    }
}

fn why(status: &Status) -> &str {
    status.cause(cause::DISRUPTION_BUDGET).map(|cause| cause.message.as_str()).unwrap_or_default()
}

#[tokio::test]
async fn a_pod_without_a_budget_goes_and_says_why() {
    let world = World::new();
    world.pod("a", "Running", true).await;
    world.evict("a").await.expect("it goes");
    let pod = world.stored_pod("a").await;
    assert!(pod.metadata.deletion_timestamp.is_some());
    let condition = conditions::find(&pod.status.conditions, "DisruptionTarget").expect("a reason");
    assert_eq!(
        (condition.status.as_str(), condition.reason.as_str(), condition.message.as_str()),
        ("True", "EvictionByEvictionAPI", "Eviction API: evicting")
    );
    assert!(world.evict("b").await.is_err_and(|status| status.is_not_found()));
}

#[tokio::test]
async fn a_budget_is_charged_until_it_is_spent() {
    let world = World::new();
    world.budget("two", (2, 5, 3), None).await;
    for name in ["a", "b", "c", "d", "e"] {
        world.pod(name, "Running", true).await;
    }
    let all = join_all(["a", "b", "c", "d", "e"].map(|name| world.evict(name))).await;
    let refused: Vec<&Status> = all.iter().filter_map(|one| one.as_ref().err()).collect();
    assert_eq!((all.len() - refused.len(), refused.len()), (2, 3), "{refused:?}");
    let status = refused[0];
    assert_eq!(status.http_code(), 429);
    assert_eq!(status.message, "Cannot evict pod as it would violate the pod's disruption budget.");
    assert_eq!(why(status), "The disruption budget two does not allow evicting pods currently");
    let budget = world.stored_budget("two").await;
    assert_eq!((budget.status.disruptions_allowed, budget.status.disrupted_pods.len()), (0, 2));
    let condition = conditions::find(&budget.status.conditions, "DisruptionAllowed").expect("it says so");
    assert_eq!((condition.status.as_str(), condition.reason.as_str()), ("False", "InsufficientPods"));
}

#[tokio::test]
async fn a_dry_run_asks_and_changes_nothing() {
    let world = World::new();
    world.budget("one", (1, 2, 1), None).await;
    world.pod("a", "Running", true).await;
    for _ in 0..2 {
        world.evict_as("a", DeleteOptions::default(), true).await.expect("it would go");
    }
    assert!(world.stored_pod("a").await.metadata.deletion_timestamp.is_none());
    assert!(world.stored_pod("a").await.status.conditions.iter().all(|own| own.type_ == "Ready"));
    assert_eq!(world.stored_budget("one").await.status.disruptions_allowed, 1);
}

#[tokio::test]
async fn pods_that_are_nobodys_loss_need_no_budget() {
    let world = World::new();
    world.budget("none", (0, 0, 1), None).await;
    for phase in ["Pending", "Succeeded", "Failed"] {
        world.pod(&phase.to_lowercase(), phase, false).await;
        world.evict(&phase.to_lowercase()).await.expect("it goes");
    }
    world.pod("unready", "Running", false).await;
    let refused = world.evict("unready").await.expect_err("too few are healthy");
    assert_eq!(why(&refused), "The disruption budget none needs 1 healthy pods and has 0 currently");
}

#[tokio::test]
async fn pods_that_are_not_ready_go_as_the_policy_says() {
    let world = World::new();
    world.budget("always", (0, 0, 1), Some("AlwaysAllow")).await;
    world.pod("unready", "Running", false).await;
    world.pod("ready", "Running", true).await;
    world.evict("unready").await.expect("it goes");
    assert!(world.evict("ready").await.is_err_and(|status| status.is_too_many_requests()));
    let enough = World::new();
    enough.budget("enough", (0, 1, 1), None).await;
    enough.pod("unready", "Running", false).await;
    enough.evict("unready").await.expect("it goes");
    assert!(enough.stored_budget("enough").await.status.disrupted_pods.is_empty());
}

#[tokio::test]
async fn several_budgets_are_too_many() {
    let world = World::new();
    world.budget("a", (1, 2, 1), None).await;
    world.budget("b", (1, 2, 1), None).await;
    world.pod("a", "Running", true).await;
    let said = world.evict("a").await.expect("an answer that says no");
    assert_eq!((said.http_code(), said.status.as_str(), said.reason.as_str()), (500, "Failure", ""));
    assert!(said.message.starts_with("This pod has more than one PodDisruptionBudget"));
}

#[tokio::test]
async fn preconditions_hold() {
    let world = World::new();
    world.pod("a", "Running", true).await;
    let uid = world.stored_pod("a").await.metadata.uid;
    let precondition = Precondition { uid: Some("other".into()), version: None };
    let asked = DeleteOptions { precondition, ..DeleteOptions::default() };
    let refused = world.evict_as("a", asked, false).await.expect_err("another was meant");
    let wanted = format!(
        "Operation cannot be fulfilled on Pod \"a\": the UID in the precondition (other) does not match the UID in record ({uid}). The object might have been deleted and then recreated"
    );
    assert_eq!((refused.http_code(), refused.message.as_str()), (409, wanted.as_str()));
    let version = Some(world.stored_pod("a").await.metadata.resource_version);
    let precondition = Precondition { uid: Some(uid), version };
    let asked = DeleteOptions { precondition, ..DeleteOptions::default() };
    world.evict_as("a", asked, false).await.expect("it is the one that was meant");
}

#[test]
fn a_budget_says_why_it_allows_nothing() {
    let now = base::time::Time::EPOCH;
    let mut budget = PodDisruptionBudget { metadata: metadata("b"), ..PodDisruptionBudget::default() };
    let refusal = |budget: &PodDisruptionBudget| {
        let status = budget::charged(budget, "p", now).expect_err("it allows none");
        (status.http_code(), why(&status).to_owned(), status.retry_after_seconds().unwrap_or(0))
    };
    budget.metadata.generation = 2;
    budget.status.observed_generation = 1;
    let pending = "The disruption budget b is still being processed by the server.".to_owned();
    assert_eq!(refusal(&budget), (429, pending, 10));
    budget.status.observed_generation = 2;
    budget.status.current_healthy = 3;
    budget.status.desired_healthy = 3;
    let few = "The disruption budget b needs 3 healthy pods and has 3 currently".to_owned();
    assert_eq!(refusal(&budget), (429, few, 0));
    let condition = v1::Condition {
        type_: "DisruptionAllowed".into(),
        status: "False".into(),
        reason: "SyncFailed".into(),
        message: "found no controllers for pod \"p\"".into(),
        ..v1::Condition::default()
    };
    budget.status.conditions.push(condition);
    let failed = "The disruption budget b does not allow evicting pods currently because it failed sync: found no controllers for pod \"p\"";
    assert_eq!(refusal(&budget), (429, failed.to_owned(), 0));
    budget.status.current_healthy = 4;
    budget.status.conditions[0].reason = "Other".into();
    let other = "The disruption budget b does not allow evicting pods currently (Other): found no controllers for pod \"p\"";
    assert_eq!(refusal(&budget), (429, other.to_owned(), 0));
    budget.status.disruptions_allowed = -1;
    let negative =
        "The disruption budget b does not allow evicting pods currently: pdb disruptions allowed is negative";
    assert_eq!(refusal(&budget), (403, negative.to_owned(), 0));
    budget.status.disruptions_allowed = 1;
    budget.status.disrupted_pods = (0..2001).map(|number| (number.to_string(), None)).collect();
    assert_eq!(refusal(&budget).0, 403);
}

#[test]
fn options_are_of_the_request_or_of_what_it_holds() {
    let mut eviction = Eviction { metadata: metadata("a"), ..Eviction::default() };
    let dry = WriteOptions { dry_run: true, ..WriteOptions::default() };
    let wet = WriteOptions::default();
    assert_eq!(options(&eviction, "a", &dry).map(|(_, dry_run)| dry_run).ok(), Some(true));
    let named = options(&eviction, "b", &wet).expect_err("another name");
    assert_eq!(named.message, "name in URL does not match name in Eviction object");
    let mut asked = v1::DeleteOptions { dry_run: vec!["All".into()], ..v1::DeleteOptions::default() };
    asked.preconditions = Some(Box::new(Preconditions { uid: Some("u".into()), ..Preconditions::default() }));
    eviction.delete_options = Some(Box::new(asked.clone()));
    let (found, dry_run) = options(&eviction, "a", &wet).expect("fine");
    assert_eq!((found.precondition.uid.as_deref(), dry_run), (Some("u"), true));
    asked.dry_run = vec!["Some".into()];
    eviction.delete_options = Some(Box::new(asked.clone()));
    let torn = options(&eviction, "a", &dry).expect_err("they differ");
    assert_eq!(torn.message, "Non-matching dry-run options in request and content: [All] and [Some]");
    asked.dry_run.clear();
    asked.ignore_store_read_error_with_cluster_breaking_potential = Some(true);
    eviction.delete_options = Some(Box::new(asked));
    assert!(options(&eviction, "a", &wet).is_err_and(|status| status.is_invalid()));
}
