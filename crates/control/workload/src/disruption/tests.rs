//! Budgets, pods and owners, and what they lead to.

use api_record::scalar::IntOrString;
use api_types::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};
use api_types::policy::v1::PodDisruptionBudgetStatus;
use client::reconcile::resource_of;
use client::{Resource, Revision};

use super::*;
use control_base::resources::Verbs;

fn at(seconds: i64) -> Time {
    Time::from_unix_seconds(seconds)
}

fn metadata(name: &str) -> ObjectMeta {
    ObjectMeta {
        name: name.into(),
        namespace: "shop".into(),
        uid: name.into(),
        generation: 1,
        labels: [("app".to_owned(), "web".to_owned())].into(),
        ..ObjectMeta::default()
    }
}

fn budget(available: Option<IntOrString>, unavailable: Option<IntOrString>) -> PodDisruptionBudget {
    let mut budget = PodDisruptionBudget { metadata: metadata("b"), ..PodDisruptionBudget::default() };
    let match_labels = metadata("").labels;
    budget.spec.selector = Some(Box::new(LabelSelector { match_labels, ..LabelSelector::default() }));
    budget.spec.min_available = available;
    budget.spec.max_unavailable = unavailable;
    budget
}

fn percent(text: &str) -> Option<IntOrString> {
    Some(IntOrString::String(text.into()))
}

fn number(number: i32) -> Option<IntOrString> {
    Some(IntOrString::Int(number))
}

fn owner(kind: &str, api_version: &str, name: &str) -> OwnerReference {
    OwnerReference {
        api_version: api_version.into(),
        kind: kind.into(),
        name: name.into(),
        uid: name.into(),
        controller: Some(true),
        ..OwnerReference::default()
    }
}

fn pod(name: &str, ready: bool, own: Option<OwnerReference>) -> Pod {
    let mut pod = Pod { metadata: metadata(name), ..Pod::default() };
    pod.metadata.owner_references.extend(own);
    pod.status.phase = "Running".into();
    if ready {
        let ready = PodCondition { type_: "Ready".into(), status: "True".into(), ..PodCondition::default() };
        pod.status.conditions.push(ready);
    }
    pod
}

fn of_set(name: &str, ready: bool) -> Pod {
    pod(name, ready, Some(owner("ReplicaSet", "apps/v1", "set")))
}

fn set(replicas: i32) -> ReplicaSet {
    let mut set = ReplicaSet { metadata: metadata("set"), ..ReplicaSet::default() };
    set.spec.replicas = Some(replicas);
    set
}

fn jobs() -> Served {
    Served {
        resource: Resource::of("batch", "v1", "jobs"),
        kind: "Job".into(),
        namespaced: true,
        verbs: Verbs { watch: true, delete: true, delete_collection: true },
        scale: None,
    }
}

fn world(budget: PodDisruptionBudget, pods: Vec<Pod>) -> World {
    World::default().with([budget], Revision(1)).with(pods, Revision(1)).with([set(4)], Revision(1))
}

fn plan(world: &World, now: i64) -> Plan {
    let served = [jobs(), Served { scale: Some(Scaled::Replicas), ..sets() }];
    Disruptions::new(&served).plan(&Key::Budget("shop".into(), "b".into()), world, at(now))
}

fn sets() -> Served {
    Served { resource: resource_of::<ReplicaSet>().clone(), kind: "ReplicaSet".into(), ..jobs() }
}

fn status(plan: &Plan) -> PodDisruptionBudgetStatus {
    let write = plan.writes().next().expect("a status is written");
    write.object::<PodDisruptionBudget>().expect("a budget").status.clone()
}

/// Allowed, healthy, desired, expected.
fn counts(plan: &Plan) -> (i32, i32, i32, i32) {
    let status = status(plan);
    (status.disruptions_allowed, status.current_healthy, status.desired_healthy, status.expected_pods)
}

fn condition(plan: &Plan) -> (String, String, String) {
    let condition = status(plan).conditions.remove(0);
    (condition.status, condition.reason, condition.message)
}

fn said(plan: &Plan) -> Vec<(&str, &str)> {
    plan.events.iter().map(|note| (note.reason, note.message.as_str())).collect()
}

#[test]
fn numbers_and_percentages_are_of_what_the_owners_want() {
    let pods = || vec![of_set("a", true), of_set("b", true), of_set("c", true), of_set("d", false)];
    for (available, unavailable, wanted) in [
        (number(2), None, (1, 3, 2, 4)),
        (number(3), None, (0, 3, 3, 4)),
        (percent("30%"), None, (1, 3, 2, 4)),
        (percent("100%"), None, (0, 3, 4, 4)),
        (None, number(2), (1, 3, 2, 4)),
        (None, percent("30%"), (1, 3, 2, 4)),
        (None, percent("100%"), (3, 3, 0, 4)),
        (None, None, (0, 3, 0, 0)),
    ] {
        let plan = plan(&world(budget(available.clone(), unavailable.clone()), pods()), 100);
        assert_eq!(counts(&plan), wanted, "{available:?} {unavailable:?}");
        let (holds, reason, _) = condition(&plan);
        let expected = if wanted.0 > 0 { ("True", "SufficientPods") } else { ("False", "InsufficientPods") };
        assert_eq!((holds.as_str(), reason.as_str()), expected);
        assert_eq!(status(&plan).observed_generation, 1);
    }
}

#[test]
fn what_is_written_is_not_written_again() {
    let first = plan(&world(budget(number(1), None), vec![of_set("a", true)]), 100);
    let mut written = budget(number(1), None);
    written.status = status(&first);
    assert!(plan(&world(written.clone(), vec![of_set("a", true)]), 200).stages.is_empty());
    written.metadata.generation = 2;
    assert_eq!(status(&plan(&world(written, vec![of_set("a", true)]), 200)).observed_generation, 2);
}

#[test]
fn a_deployments_pods_are_counted_by_the_deployment() {
    let mut old = set(1);
    old.metadata.owner_references.push(owner("Deployment", "apps/v1", "web"));
    let mut new = old.clone();
    new.metadata = ObjectMeta { owner_references: old.metadata.owner_references.clone(), ..metadata("new") };
    new.spec.replicas = Some(3);
    let mut deployment = Deployment { metadata: metadata("web"), ..Deployment::default() };
    deployment.spec.replicas = Some(3);
    let pods = vec![of_set("a", true), pod("b", true, Some(owner("ReplicaSet", "apps/v1", "new")))];
    let whole = world(budget(None, number(1)), pods).with([old, new], Revision(1));
    assert_eq!(counts(&plan(&whole.clone().with([deployment], Revision(1)), 1)), (0, 2, 2, 3));
    // Where the Deployment is gone, the sets say what they want.
    assert_eq!(counts(&plan(&whole, 1)), (0, 2, 3, 4));
}

#[test]
fn a_budget_that_cannot_be_worked_out_allows_nothing() {
    let mut allowing = budget(percent("50%"), None);
    allowing.status.disruptions_allowed = 3;
    for (own, why) in [
        (owner("Job", "batch/v1", "j"), "jobs.batch does not implement the scale subresource"),
        (owner("Boat", "sea/v1", "x"), "no matches for kind \"Boat\" in version \"sea/v1\""),
        (owner("ReplicaSet", "apps/v1", "gone"), "found no controllers for pod \"a\""),
    ] {
        let plan = plan(&world(allowing.clone(), vec![pod("a", true, Some(own))]), 1);
        assert_eq!(status(&plan).disruptions_allowed, 0);
        assert_eq!(condition(&plan), ("False".into(), "SyncFailed".into(), why.into()));
        let event = format!("Failed to calculate the number of expected pods: {why}");
        assert_eq!(said(&plan), [("CalculateExpectedPodCountFailed", event.as_str())]);
    }
}

#[test]
fn a_failed_budget_is_looked_at_when_a_workload_comes() {
    let mut failed = budget(percent("50%"), None);
    let lost = vec![pod("a", true, Some(owner("ReplicaSet", "apps/v1", "gone")))];
    failed.status = status(&plan(&world(failed.clone(), lost), 1));
    let mut wires = Wires::default();
    Disruptions::new(&[]).wire(&mut wires);
    let sources = wires.into_sources();
    let source = sources.iter().find(|source| source.resource() == resource_of::<ReplicaSet>());
    let keys =
        |budget| source.expect("sets are looked at").about(None, Some(&set(1)), &world(budget, vec![]));
    assert_eq!(keys(failed), [Key::Budget("shop".into(), "b".into())]);
    assert!(keys(budget(number(1), None)).is_empty());
}

#[test]
fn pods_without_owners_are_told_of() {
    let plan = plan(&world(budget(None, number(1)), vec![pod("a", true, None), of_set("b", true)]), 1);
    assert_eq!(counts(&plan), (0, 2, 3, 4));
    let (reason, message) = said(&plan)[0];
    assert_eq!(reason, "UnmanagedPods");
    let selector = "(selector: &LabelSelector{MatchLabels:map[string]string{app: web,},MatchExpressions:[]LabelSelectorRequirement{},})";
    assert!(message.contains(selector), "{message}");
}

#[test]
fn a_budget_without_pods_says_so() {
    let plan = plan(&world(budget(number(0), None), vec![]), 1);
    assert_eq!(said(&plan), [("NoPods", "No matching pods found")]);
    assert_eq!(counts(&plan), (0, 0, 0, 0));
}

#[test]
fn pods_that_were_let_go_count_again_after_a_while() {
    let mut own = budget(number(1), None);
    own.status.disrupted_pods =
        [("a", 100), ("gone", 100)].map(|(name, since)| (name.to_owned(), Some(at(since).into()))).into();
    let pods = vec![of_set("a", true), of_set("b", true)];
    let waiting = plan(&world(own.clone(), pods.clone()), 130);
    assert_eq!(counts(&waiting), (0, 1, 1, 2));
    assert_eq!(status(&waiting).disrupted_pods.keys().collect::<Vec<_>>(), ["a"]);
    assert_eq!(waiting.again, Some(Duration::from_secs(90)));
    let over = plan(&world(own, pods), 220);
    assert_eq!(counts(&over), (1, 2, 1, 2));
    assert!(status(&over).disrupted_pods.is_empty());
    let told = "Pod was expected by PDB shop/shop to be deleted but it wasn't";
    assert_eq!(said(&over), [("NotDeleted", told)]);
}

#[test]
fn one_of_several_budgets_tells_of_a_pod_that_is_torn() {
    let mut other = budget(number(1), None);
    other.metadata = metadata("c");
    let torn = world(budget(number(1), None), vec![of_set("a", true)])
        .with([budget(number(1), None), other], Revision(1));
    let message = "Pod \"shop\"/\"a\" matches multiple PodDisruptionBudgets.  Chose \"b\" arbitrarily.";
    assert_eq!(said(&plan(&torn, 1)), [("MultiplePodDisruptionBudgets", message)]);
    let second = Disruptions::new(&[]).plan(&Key::Budget("shop".into(), "c".into()), &torn, at(1));
    assert!(second.events.is_empty());
}

#[test]
fn a_custom_workload_says_what_it_wants_where_its_definition_says() {
    let resource = Resource::of("sea.example.com", "v1", "fleets");
    let fleets = Served {
        resource: resource.clone(),
        kind: "Fleet".into(),
        scale: Some(Scaled::Path(".spec.ships".into())),
        ..jobs()
    };
    let fleet = |spec: serde_json::Value| {
        let mut fleet = api_custom::CustomObject { metadata: metadata("f"), ..Default::default() };
        fleet.fields.insert("spec".to_owned(), spec);
        std::sync::Arc::new(fleet) as std::sync::Arc<dyn api_record::Record>
    };
    let own = vec![pod("a", true, Some(owner("Fleet", "sea.example.com/v1", "f")))];
    let plan = |spec| {
        let world = world(budget(None, number(1)), own.clone());
        let world = world.with_any(resource.clone(), [fleet(spec)], Revision(1));
        Disruptions::new(std::slice::from_ref(&fleets)).plan(
            &Key::Budget("shop".into(), "b".into()),
            &world,
            at(1),
        )
    };
    assert_eq!(counts(&plan(serde_json::json!({"ships": 1}))), (1, 1, 0, 1));
    let why = "Internal error occurred: the spec replicas field \".spec.ships\" does not exist";
    assert_eq!(condition(&plan(serde_json::json!({}))).2, why);
}

#[test]
fn a_disruption_that_does_not_come_is_taken_back() {
    let mut marked = pod("a", true, None);
    marked.metadata.generation = 3;
    let target = PodCondition {
        type_: "DisruptionTarget".into(),
        status: "True".into(),
        reason: "EvictionByEvictionAPI".into(),
        message: "Eviction API: evicting".into(),
        last_transition_time: Some(at(100).into()),
        ..PodCondition::default()
    };
    marked.status.conditions.push(target);
    let plan = |pod: Pod, now| {
        let world = World::default().with([pod], Revision(1));
        Disruptions::new(&[]).plan(&Key::Pod("shop".into(), "a".into()), &world, at(now))
    };
    let waiting = plan(marked.clone(), 160);
    assert_eq!((waiting.stages.len(), waiting.again), (0, Some(Duration::from_mins(1))));
    let over = plan(marked.clone(), 220);
    assert_eq!(over.describe(), ["update pods/status shop/a"]);
    let written: &Pod = over.stages[0][0].object().expect("a pod");
    let condition = conditions::find(&written.status.conditions, "DisruptionTarget").expect("it stays");
    assert_eq!(
        (condition.status.as_str(), condition.reason.as_str(), condition.observed_generation),
        ("False", "", 3)
    );
    marked.status.conditions[1].reason = "TerminationByKubelet".into();
    assert!(plan(marked, 1000).stages.is_empty());
}
