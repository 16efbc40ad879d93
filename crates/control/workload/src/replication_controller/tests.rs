//! What is a ReplicationController's own: its kind, its status, its template that may be missing.

use api_meta::{Status, owners};
use api_types::core::v1::{Pod, PodCondition};
use client::reconcile::{Failure, name, resource_of};
use client::{Revision, Verb};

use super::*;

fn at(seconds: i64) -> Time {
    Time::from_unix_seconds(seconds)
}

fn controller(replicas: i32) -> ReplicationController {
    let mut controller = ReplicationController::default();
    controller.metadata.name = "web".into();
    controller.metadata.namespace = "shop".into();
    controller.metadata.uid = "rc".into();
    controller.metadata.generation = 2;
    controller.spec.replicas = Some(replicas);
    controller.spec.selector = [("app".to_owned(), "web".to_owned())].into();
    let mut template = PodTemplateSpec::default();
    template.metadata.labels.clone_from(&controller.spec.selector);
    controller.spec.template = Some(Box::new(template));
    controller
}

fn pod(name: &str) -> Pod {
    let mut pod = Pod::default();
    pod.metadata.name = name.into();
    pod.metadata.namespace = "shop".into();
    pod.metadata.uid = name.into();
    pod.metadata.labels = controller(0).spec.selector;
    pod.status.phase = "Running".into();
    pod.status.conditions =
        vec![PodCondition { type_: "Ready".into(), status: "True".into(), ..Default::default() }];
    pod
}

fn owned(name: &str) -> Pod {
    let mut pod = pod(name);
    let reference = owners::controller_reference(&controller(0).metadata, ReplicationController::KIND);
    pod.metadata.owner_references.push(reference);
    pod
}

fn world(controller: ReplicationController, pods: Vec<Pod>) -> World {
    World::default().with([controller], Revision(1)).with(pods, Revision(1))
}

fn plan(world: &World) -> Plan {
    ReplicationControllers.plan(&name("shop", "web"), world, at(1000))
}

#[test]
fn its_pods_name_it_as_their_controller() {
    let plan = plan(&world(controller(1), vec![]));
    assert_eq!(plan.describe(), ["create pods shop/", "update replicationcontrollers/status shop/web"]);
    let pod: &Pod = plan.stages[0][0].object().expect("a pod");
    let owner = owners::controller_of(&pod.metadata).expect("an owner");
    assert_eq!((owner.api_version.as_str(), owner.kind.as_str()), ("v1", "ReplicationController"));
    assert_eq!((owner.uid.as_str(), owner.block_owner_deletion), ("rc", Some(true)));
}

#[test]
fn pods_are_adopted_and_released() {
    let mut stranger = owned("stranger");
    stranger.metadata.labels.clear();
    let plan = plan(&world(controller(1), vec![pod("adopted"), stranger]));
    assert_eq!(
        plan.describe(),
        [
            "patch pods shop/stranger",
            "patch pods shop/adopted",
            "update replicationcontrollers/status shop/web"
        ]
    );
}

#[test]
fn one_that_is_as_wanted_leads_to_nothing_though_pods_are_ending() {
    let mut ending = owned("ending");
    ending.metadata.deletion_timestamp = Some(at(990).into());
    let first = plan(&world(controller(1), vec![owned("a"), ending.clone()]));
    let written: ReplicationController = first.stages[0][0].object().cloned().expect("a status");
    let status = &written.status;
    assert_eq!(
        (status.replicas, status.fully_labeled_replicas, status.ready_replicas, status.available_replicas),
        (1, 1, 1, 1)
    );
    assert_eq!(status.observed_generation, 2);
    assert!(plan(&world(written, vec![owned("a"), ending])).stages.is_empty());
}

#[test]
fn a_failure_is_a_condition_until_it_is_over() {
    let failure = Failure {
        status: Status::internal_error("quota"),
        write: Some((Verb::Create, resource_of::<Pod>().clone())),
    };
    let failed = plan(&world(controller(1), vec![]).after(Some(failure)));
    let written: ReplicationController = failed.stages[0][0].object().cloned().expect("a status");
    let condition = &written.status.conditions[0];
    assert_eq!(
        (condition.type_.as_str(), condition.status.as_str(), condition.reason.as_str()),
        ("ReplicaFailure", "True", "FailedCreate")
    );
    let over = plan(&world(written, vec![owned("a")]));
    let cured: &ReplicationController = over.stages[0][0].object().expect("a status");
    assert!(cured.status.conditions.is_empty());
}

#[test]
fn without_a_template_nothing_is_made() {
    let mut bare = controller(2);
    bare.spec.template = None;
    assert_eq!(plan(&world(bare, vec![])).describe(), ["update replicationcontrollers/status shop/web"]);
}
