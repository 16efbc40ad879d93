//! Rounds: plans, what they ask of an API and of meters, and the plans that follow.

use api_meta::conditions;
use api_types::apiextensions::v1::{
    CustomResourceDefinitionCondition, CustomResourceDefinitionVersion, CustomResourceSubresourceScale,
    CustomResourceSubresources,
};
use api_types::autoscaling::v1::Scale;
use api_types::autoscaling::v2::{
    CrossVersionObjectReference, MetricIdentifier, MetricSpec, MetricTarget, ObjectMetricSource,
    PodsMetricSource,
};
use base::time::SystemClock;
use client::reconcile::Failure;
use client::{Answer, Caller, Feed, Outcome, RawView, Request, Revision, Scope, Status, Target};
use control_base::resources::built_in;
use serde_json::{Value, json};

use super::*;
use crate::meters::Narrowed;

const NOW: Time = Time::from_unix_seconds(100_000);

/// An API with one scale, and meters that count as they are told.
#[derive(Default)]
struct Fake {
    asked: Mutex<Vec<String>>,
    versions: Vec<&'static str>,
    silent: bool,
}

impl Fake {
    fn note(&self, what: String) {
        self.asked.lock().expect("not poisoned").push(what);
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().expect("not poisoned"))
    }
}

impl Api for Fake {
    fn call<'a>(&'a self, who: &'a Caller, request: Request) -> BoxFuture<'a, Result<Answer, Status>> {
        assert_eq!(who.name, "system:serviceaccount:kube-system:horizontal-pod-autoscaler");
        let Target { resource, namespace, name, subresource } = request.target;
        self.note(format!("{} {resource} {namespace}/{name}/{subresource}", request.verb.name()));
        let mut scale = Scale::default();
        scale.metadata.name = name;
        scale.metadata.namespace = namespace;
        scale.metadata.uid = "target".to_owned();
        scale.metadata.resource_version = "7".to_owned();
        scale.spec.replicas = 2;
        scale.status.replicas = 2;
        scale.status.selector = "app=web".to_owned();
        let outcome = Outcome::Object(Arc::new(scale));
        Box::pin(async move { Ok(Answer { outcome, created: false, warnings: Vec::new() }) })
    }

    fn watch<'a>(&'a self, _: &'a Caller, _: Scope, _: Revision) -> BoxFuture<'a, Result<Feed, Status>> {
        Box::pin(async { Err(Status::bad_request("there are no watches")) })
    }

    fn view<'a>(&'a self, _: &'a Caller, _: Scope) -> BoxFuture<'a, Result<RawView, Status>> {
        Box::pin(async { Err(Status::bad_request("there are no views")) })
    }
}

impl Meters for Fake {
    fn versions<'a>(&'a self, _: &'a Caller, _: &'static str) -> BoxFuture<'a, Result<Vec<String>, Status>> {
        Box::pin(async { Ok(self.versions.iter().map(|own| (*own).to_owned()).collect()) })
    }

    fn read<'a>(
        &'a self,
        _: &'a Caller,
        target: &'a Target,
        narrowed: &'a Narrowed,
    ) -> BoxFuture<'a, Result<Value, Status>> {
        self.note(String::from(narrowed.uri(target)));
        let item = |name: &str| json!({"describedObject": {"name": name}, "timestamp": "1970-01-02T03:46:40Z", "value": "30"});
        Box::pin(async move {
            if self.silent {
                std::future::pending::<()>().await;
            }
            let names: &[&str] = if target.name == "*" { &["web-0", "web-1"] } else { &["one"] };
            Ok(json!({"items": names.iter().map(|name| item(name)).collect::<Vec<_>>()}))
        })
    }
}

struct Trial {
    fake: Arc<Fake>,
    controller: HorizontalPodAutoscalers,
}

impl Trial {
    fn new(fake: Fake) -> Trial {
        let fake = Arc::new(fake);
        let (api, meters): (Arc<dyn Api>, Arc<dyn Meters>) = (fake.clone(), fake.clone());
        let controller =
            HorizontalPodAutoscalers::new(api, meters, Arc::new(SystemClock), &built_in(), Arc::default());
        Trial { fake, controller }
    }

    fn plan(&self, world: &World, now: Time) -> Plan {
        self.controller.plan(&key(), world, now)
    }

    /// Carries out what a plan asks, as if it took no time.
    async fn ask(&self, plan: &Plan, now: Time) {
        assert_eq!(plan.describe(), ["ask what shop/web is scaled by"]);
        assert_eq!(plan.again, Some(Duration::ZERO));
        for ask in &plan.asks {
            (ask.work)().await.expect("it is remembered");
        }
        let mut known = self.controller.known.lock().expect("not poisoned");
        if let Some(seen) = known.get_mut(&key()).and_then(|own| own.seen.as_mut()) {
            seen.at = now;
        }
    }

    /// The plan after the one that asks.
    async fn round(&self, world: &World, now: Time) -> Plan {
        let first = self.plan(world, now);
        self.ask(&first, now).await;
        self.plan(world, now)
    }
}

fn key() -> Name {
    ("shop".to_owned(), "web".to_owned())
}

fn average(amount: &str) -> MetricTarget {
    let average_value = Some(amount.parse().expect("a quantity"));
    MetricTarget { type_: "AverageValue".to_owned(), average_value, ..MetricTarget::default() }
}

fn reference(api_version: &str, kind: &str) -> CrossVersionObjectReference {
    CrossVersionObjectReference {
        kind: kind.to_owned(),
        name: "web".to_owned(),
        api_version: api_version.to_owned(),
    }
}

fn autoscaler(api_version: &str, kind: &str) -> HorizontalPodAutoscaler {
    let mut own = HorizontalPodAutoscaler::default();
    (own.metadata.namespace, own.metadata.name) = key();
    own.metadata.uid = "u".to_owned();
    own.metadata.generation = 1;
    own.spec.scale_target_ref = reference(api_version, kind);
    own.spec.max_replicas = 9;
    let metric = MetricIdentifier { name: "qps".to_owned(), selector: None };
    let pods = Some(Box::new(PodsMetricSource { metric, target: average("10") }));
    own.spec.metrics = vec![MetricSpec { type_: "Pods".to_owned(), pods, ..MetricSpec::default() }];
    own
}

fn world(own: HorizontalPodAutoscaler, definitions: Vec<CustomResourceDefinition>) -> World {
    let pods = (0..2).map(|index| {
        let mut pod = Pod::default();
        pod.metadata.namespace = "shop".to_owned();
        pod.metadata.name = format!("web-{index}");
        pod.metadata.labels.insert("app".to_owned(), "web".to_owned());
        pod.status.phase = "Running".to_owned();
        pod
    });
    let world = World::default().with([own], Revision(1)).with(pods, Revision(1));
    world.with(definitions, Revision(1))
}

fn condition<'a>(plan: &'a Plan, type_: &str) -> (&'a str, &'a str) {
    let own: &HorizontalPodAutoscaler =
        plan.writes().last().and_then(|write| write.object()).expect("a status");
    let found = conditions::find(&own.status.conditions, type_).expect("a condition");
    (&found.reason, &found.message)
}

#[tokio::test]
async fn a_round_asks_and_then_scales() {
    let trial = Trial::new(Fake { versions: vec!["v1beta2", "v1beta1"], ..Fake::default() });
    let world = world(autoscaler("apps/v1", "Deployment"), Vec::new());
    let plan = trial.round(&world, NOW).await;
    assert_eq!(
        trial.fake.asked(),
        [
            "get deployments.apps shop/web/scale",
            "/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/pods/%2A/qps?labelSelector=app%3Dweb"
        ]
    );
    assert_eq!(
        plan.describe(),
        [
            "update deployments.apps/scale shop/web",
            "update horizontalpodautoscalers.autoscaling/status shop/web"
        ]
    );
    assert_eq!((plan.stages.len(), plan.again), (2, Some(SYNC)));
    let write = &plan.stages[0][0];
    assert_eq!(write.object::<Scale>().map(|own| own.spec.replicas), Some(4));
    assert!(matches!(write.op, Op::Update(_, false)), "whatever version it has");
    let told = write.telling.clone().unwrap_or_default();
    let done = told.done.expect("a note");
    assert_eq!(
        (done.reason, done.message.as_str()),
        ("SuccessfulRescale", "New size: 4; reason: pods metric qps above target")
    );
    assert_eq!(told.failed.expect("a note").reason, "FailedRescale");
    assert_eq!(condition(&plan, "AbleToScale").0, "SucceededRescale");
    // The next round asks anew.
    assert_eq!(trial.plan(&world, NOW + SYNC).describe(), ["ask what shop/web is scaled by"]);
}

#[tokio::test]
async fn a_target_that_cannot_be_scaled_is_tried_again_in_the_next_round() {
    let trial = Trial::new(Fake { versions: vec!["v1beta1"], ..Fake::default() });
    let world = world(autoscaler("apps/v1", "Deployment"), Vec::new());
    let plan = trial.round(&world, NOW).await;
    let write = plan.stages[0][0].target.resource.clone();
    let failure = Failure { status: Status::bad_request("no"), write: Some((Verb::Update, write)) };
    let plan = trial.plan(&world.clone().after(Some(failure)), NOW);
    assert_eq!(plan.describe(), ["update horizontalpodautoscalers.autoscaling/status shop/web"]);
    let said = "the HPA controller was unable to update the target scale: no";
    assert_eq!(condition(&plan, "AbleToScale"), ("FailedUpdateScale", said));
    assert_eq!(plan.again, Some(SYNC));
    let status = plan.stages[0][0].target.resource.clone();
    let failure = Failure { status: Status::bad_request("no"), write: Some((Verb::Update, status)) };
    let plan = trial.plan(&world.clone().after(Some(failure)), NOW);
    assert!(plan.describe().is_empty() && plan.again == Some(SYNC), "nor is anything asked before");
    assert_eq!(trial.plan(&world, NOW + SYNC).asks.len(), 1);
}

#[tokio::test]
async fn an_answer_to_another_question_is_none() {
    let trial = Trial::new(Fake { versions: vec!["v1beta1"], ..Fake::default() });
    let mut own = autoscaler("apps/v1", "Deployment");
    let before = world(own.clone(), Vec::new());
    trial.ask(&trial.plan(&before, NOW), NOW).await;
    own.metadata.generation = 2;
    own.spec.max_replicas = 3;
    let after = world(own, Vec::new());
    let plan = trial.round(&after, NOW).await;
    assert_eq!(plan.stages[0][0].object::<Scale>().map(|own| own.spec.replicas), Some(3));
    trial.ask(&trial.plan(&after, NOW + SYNC), NOW + SYNC).await;
    assert_eq!(trial.plan(&after, NOW + SYNC + SYNC).asks.len(), 1, "it has grown old");
}

#[tokio::test]
async fn what_definitions_bring_is_scaled_too() {
    let trial = Trial::new(Fake { versions: vec!["v1beta1"], ..Fake::default() });
    let mut definition = CustomResourceDefinition::default();
    definition.spec.group = "example.com".to_owned();
    definition.spec.names.plural = "toys".to_owned();
    definition.spec.scope = "Namespaced".to_owned();
    let scale = Some(Box::new(CustomResourceSubresourceScale::default()));
    let subresources = CustomResourceSubresources { scale, ..CustomResourceSubresources::default() };
    definition.spec.versions.push(CustomResourceDefinitionVersion {
        name: "v1".to_owned(),
        served: true,
        storage: true,
        subresources: Some(Box::new(subresources)),
        ..CustomResourceDefinitionVersion::default()
    });
    definition.status.accepted_names.kind = "Toy".to_owned();
    let toys = world(autoscaler("example.com/v1", "Toy"), vec![definition.clone()]);
    let unserved = trial.round(&toys, NOW).await;
    assert_eq!(condition(&unserved, "AbleToScale").0, "FailedGetScale", "it is not established");
    definition.status.conditions.push(CustomResourceDefinitionCondition {
        type_: "Established".to_owned(),
        status: "True".to_owned(),
        ..CustomResourceDefinitionCondition::default()
    });
    let toys = world(autoscaler("example.com/v1", "Toy"), vec![definition]);
    let plan = trial.round(&toys, NOW + SYNC).await;
    assert_eq!(plan.describe()[0], "update toys.example.com/scale shop/web");
}

#[tokio::test]
async fn what_is_not_there_is_said() {
    let trial = Trial::new(Fake::default());
    for (own, type_, said) in [
        (
            autoscaler("apps/v1", "Toy"),
            "AbleToScale",
            "the HPA controller was unable to get the target's current scale: no matches for kind \"Toy\" in group \"apps\"",
        ),
        (
            autoscaler("a/b/c", "Toy"),
            "AbleToScale",
            "the HPA controller was unable to get the target's current scale: unexpected GroupVersion string: a/b/c",
        ),
        (
            autoscaler("apps/v1", "Deployment"),
            "ScalingActive",
            "the HPA was unable to compute the replica count: unable to get metric qps: unable to fetch metrics from custom metrics API: no custom metrics API (custom.metrics.k8s.io) registered",
        ),
    ] {
        let plan = trial.round(&world(own, Vec::new()), NOW).await;
        assert_eq!(condition(&plan, type_).1, said);
        assert_eq!((plan.again, plan.failure.is_none()), (Some(SYNC), true));
    }
    trial.controller.plan(&key(), &World::default(), NOW);
    assert!(
        trial.controller.known.lock().expect("not poisoned").is_empty(),
        "nothing is kept of what is gone"
    );
}

#[tokio::test]
async fn objects_have_their_metrics_where_upstream_looks_for_them() {
    let trial = Trial::new(Fake { versions: vec!["v1", "v1beta1"], ..Fake::default() });
    let object = |api_version: &str, kind: &str| {
        let metric = MetricIdentifier { name: "qps".to_owned(), selector: None };
        let described_object = reference(api_version, kind);
        let own = Box::new(ObjectMetricSource { described_object, target: average("10"), metric });
        MetricSpec { type_: "Object".to_owned(), object: Some(own), ..MetricSpec::default() }
    };
    let mut own = autoscaler("apps/v1", "Deployment");
    own.spec.metrics =
        vec![object("networking.k8s.io/v1", "Ingress"), object("v1", "Namespace"), object("v1", "Toy")];
    trial.round(&world(own, Vec::new()), NOW).await;
    let custom = "/apis/custom.metrics.k8s.io/v1beta1/namespaces/shop";
    assert_eq!(
        trial.fake.asked()[1..],
        [format!("{custom}/ingresses.networking.k8s.io/web/qps"), format!("{custom}/metrics/qps")]
    );
}

#[tokio::test(start_paused = true)]
async fn who_does_not_answer_holds_up_nobody_for_long() {
    let trial = Trial::new(Fake { versions: vec!["v1beta1"], silent: true, ..Fake::default() });
    let plan = trial.round(&world(autoscaler("apps/v1", "Deployment"), Vec::new()), NOW).await;
    let said = condition(&plan, "ScalingActive").1;
    assert!(said.ends_with("from custom metrics API: context deadline exceeded"), "{said}");
}
