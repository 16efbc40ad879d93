//! Worlds and the plans that they lead to.

use api_meta::{Status, owners};
use api_types::core::v1::{Pod, PodCondition};
use api_types::meta::v1::LabelSelector;
use client::reconcile::{Failure, Guard, Op, name, resource_of};
use client::{Revision, Verb};

use super::*;

fn at(seconds: i64) -> Time {
    Time::from_unix_seconds(seconds)
}

fn labels() -> std::collections::BTreeMap<String, String> {
    [("app".to_owned(), "web".to_owned())].into()
}

fn set(replicas: i32) -> ReplicaSet {
    let mut set = ReplicaSet::default();
    set.metadata.name = "web".into();
    set.metadata.namespace = "shop".into();
    set.metadata.uid = "set".into();
    set.metadata.generation = 1;
    set.spec.replicas = Some(replicas);
    set.spec.selector = Some(Box::new(LabelSelector { match_labels: labels(), ..Default::default() }));
    set.spec.template = PodTemplateSpec::default();
    set.spec.template.metadata.labels = labels();
    set
}

fn orphan(name: &str) -> Pod {
    let mut pod = Pod::default();
    pod.metadata.name = name.into();
    pod.metadata.namespace = "shop".into();
    pod.metadata.uid = name.into();
    pod.metadata.labels = labels();
    pod.metadata.creation_timestamp = Some(at(10).into());
    pod.status.phase = "Running".into();
    pod.spec.node_name = "n1".into();
    pod
}

fn owned(name: &str) -> Pod {
    let mut pod = orphan(name);
    pod.metadata.owner_references.push(owners::controller_reference(&set(0).metadata, ReplicaSet::KIND));
    pod
}

fn ready(mut pod: Pod, since: i64) -> Pod {
    pod.status.conditions.push(PodCondition {
        type_: "Ready".into(),
        status: "True".into(),
        last_transition_time: Some(at(since).into()),
        ..Default::default()
    });
    pod
}

fn world(set: ReplicaSet, pods: Vec<Pod>) -> World {
    World::default().with([set], Revision(1)).with(pods, Revision(1))
}

fn plan(world: &World) -> Plan {
    ReplicaSets.plan(&name("shop", "web"), world, at(1000))
}

fn shown(plan: &Plan) -> Vec<String> {
    let mut lines = Vec::new();
    for (number, stage) in plan.stages.iter().enumerate() {
        lines.extend(stage.iter().map(|write| format!("{number} {}", write.describe())));
    }
    lines
}

#[test]
fn missing_pods_are_created_then_the_status_is_written() {
    let plan = plan(&world(set(2), vec![]));
    assert_eq!(
        shown(&plan),
        ["0 create pods shop/", "0 create pods shop/", "1 update replicasets.apps/status shop/web"]
    );
    let pod: &Pod = plan.stages[0][0].object().expect("a pod");
    assert_eq!(pod.metadata.generate_name, "web-");
    assert_eq!(owners::controller_of(&pod.metadata).map(|it| it.uid.as_str()), Some("set"));
    let telling = plan.stages[0][0].telling.clone().expect("people hear of it");
    assert_eq!(telling.done.map(|note| note.message), Some("Created pod: {name}".into()));
}

#[test]
fn a_set_that_is_as_wanted_leads_to_nothing() {
    let mut set = set(1);
    set.status.replicas = 1;
    set.status.fully_labeled_replicas = 1;
    set.status.ready_replicas = 1;
    set.status.available_replicas = 1;
    set.status.terminating_replicas = Some(0);
    set.status.observed_generation = 1;
    assert_eq!(shown(&plan(&world(set, vec![ready(owned("a"), 1)]))), Vec::<String>::new());
}

#[test]
fn orphans_are_adopted_and_strangers_released() {
    let mut stranger = owned("stranger");
    stranger.metadata.labels.clear();
    let mut other = orphan("other");
    other.metadata.labels.clear();
    let plan = plan(&world(set(1), vec![orphan("adopted"), other, stranger]));
    assert_eq!(
        shown(&plan)[..2],
        ["0 patch pods shop/stranger", "0 patch pods shop/adopted"],
        "{:?}",
        shown(&plan)
    );
    assert!(
        matches!(&plan.stages[0][1].guards[..], [Guard::Alive(target, uid)] if target.name == "web" && uid == "set")
    );
    let Op::Patch(_, patch) = &plan.stages[0][0].op else { panic!("a patch") };
    assert_eq!(patch["metadata"]["ownerReferences"][0]["$patch"], "delete");
    assert_eq!(plan.stages[1][0].object::<ReplicaSet>().map(|set| set.status.replicas), Some(1));
}

#[test]
fn a_set_that_is_being_deleted_only_reports() {
    let mut set = set(3);
    set.metadata.deletion_timestamp = Some(at(1).into());
    let plan = plan(&world(set, vec![orphan("a"), owned("b")]));
    assert_eq!(shown(&plan), ["0 update replicasets.apps/status shop/web"]);
    assert_eq!(plan.stages[0][0].object::<ReplicaSet>().map(|set| set.status.replicas), Some(1));
}

#[test]
fn pods_that_matter_least_go_first() {
    let mut unassigned = owned("unassigned");
    unassigned.spec.node_name.clear();
    let mut pending = owned("pending");
    pending.status.phase = "Pending".into();
    let mut cheap = ready(owned("cheap"), 100);
    cheap.metadata.annotations.insert("controller.kubernetes.io/pod-deletion-cost".into(), "-5".into());
    let unready = owned("unready");
    let mut alone = ready(owned("alone"), 100);
    alone.spec.node_name = "n2".into();
    let (old, young) = (ready(owned("old"), 100), ready(owned("young"), 990));
    let pods = vec![alone, old, young, cheap, unready, pending, unassigned];
    for (kept, gone) in [
        (6, "unassigned"),
        (5, "pending"),
        (4, "unready"),
        (3, "cheap"),
        (2, "young"),
        (1, "old"),
        (0, "alone"),
    ] {
        let plan = plan(&world(set(kept), pods.clone()));
        let mut names: Vec<&str> = plan.stages[0].iter().map(|write| write.target.name.as_str()).collect();
        assert_eq!(names.len(), 7 - usize::try_from(kept).expect("small"));
        if kept == 0 {
            names.sort_by_key(|name| *name == gone);
        }
        assert_eq!(names.last(), Some(&gone));
    }
}

#[test]
fn a_failure_is_reported_before_it_is_tried_again() {
    let failure = Failure {
        status: Status::internal_error("no room"),
        write: Some((Verb::Create, resource_of::<Pod>().clone())),
    };
    let first = world(set(1), vec![]).after(Some(failure.clone()));
    let plan = plan(&first);
    assert_eq!(shown(&plan), ["0 update replicasets.apps/status shop/web", "1 create pods shop/"]);
    let reported: &ReplicaSet = plan.stages[0][0].object().expect("a set");
    let condition = &reported.status.conditions[0];
    assert_eq!((condition.type_.as_str(), condition.reason.as_str()), ("ReplicaFailure", "FailedCreate"));
    assert!(condition.message.contains("no room"));
    let again = super::ReplicaSets.plan(
        &name("shop", "web"),
        &world(reported.clone(), vec![]).after(Some(failure)),
        at(1001),
    );
    assert_eq!(shown(&again), ["0 create pods shop/"]);
    let over = world(reported.clone(), vec![owned("a")]);
    let cured = super::ReplicaSets.plan(&name("shop", "web"), &over, at(1001));
    assert_eq!(cured.stages[0][0].object::<ReplicaSet>().map(|set| set.status.conditions.len()), Some(0));
}

#[test]
fn pods_become_available_with_time() {
    let mut set = set(2);
    set.spec.min_ready_seconds = 30;
    let plan = plan(&world(set, vec![ready(owned("a"), 990), ready(owned("b"), 970)]));
    let status = plan.stages[0][0].object::<ReplicaSet>().expect("a set").status.clone();
    assert_eq!((status.ready_replicas, status.available_replicas), (2, 1));
    assert_eq!(plan.again, Some(std::time::Duration::from_secs(20)));
}
