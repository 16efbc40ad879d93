//! Worlds and the plans that they lead to.

use api_meta::conditions;
use api_types::core::v1::{ConfigMap, Pod};
use client::Revision;
use client::reconcile::resource_of;

use super::*;
use crate::resources::built_in;

fn namespace(going: bool) -> Namespace {
    let mut namespace = Namespace::default();
    namespace.metadata.name = "shop".into();
    namespace.metadata.uid = "u".into();
    namespace.metadata.deletion_timestamp = going.then(Default::default);
    namespace.spec.finalizers = vec!["kubernetes".into()];
    namespace
}

fn pod(going: bool) -> Pod {
    let mut pod = Pod::default();
    pod.metadata.name = "p".into();
    pod.metadata.namespace = "shop".into();
    pod.metadata.finalizers = vec!["example.com/held".into()];
    pod.metadata.deletion_timestamp = going.then(Default::default);
    pod
}

fn map() -> ConfigMap {
    let mut map = ConfigMap::default();
    map.metadata.name = "c".into();
    map.metadata.namespace = "shop".into();
    map
}

fn plan(namespace: Namespace, pods: Vec<Pod>, maps: Vec<ConfigMap>) -> Plan {
    let world =
        World::default().with([namespace], Revision(1)).with(pods, Revision(1)).with(maps, Revision(1));
    Namespaces::new(&built_in()).plan(&"shop".to_owned(), &world, Time::EPOCH)
}

fn message(plan: &Plan, type_: &str) -> String {
    let namespace: &Namespace = plan.stages[0][0].object().expect("a namespace");
    conditions::find(&namespace.status.conditions, type_).map(|it| it.message.clone()).unwrap_or_default()
}

#[test]
fn a_living_namespace_is_left_alone() {
    assert!(plan(namespace(false), vec![pod(false)], vec![]).stages.is_empty());
}

#[test]
fn pods_go_before_all_else() {
    let first = plan(namespace(true), vec![pod(false)], vec![map()]);
    assert_eq!(first.describe(), ["update namespaces/status shop", "deletecollection pods shop/"]);
    assert_eq!(
        message(&first, "NamespaceContentRemaining"),
        "Some resources are remaining: configmaps. has 1 resource instances, pods. has 1 resource instances"
    );
    assert_eq!(
        message(&first, "NamespaceFinalizersRemaining"),
        "Some content in the namespace has finalizers remaining: example.com/held in 1 resource instances"
    );
    let waiting = plan(namespace(true), vec![pod(true)], vec![map()]);
    assert_eq!(waiting.describe(), ["update namespaces/status shop"]);
    let then = plan(namespace(true), vec![], vec![map()]);
    assert_eq!(then.describe(), ["update namespaces/status shop", "deletecollection configmaps shop/"]);
}

#[test]
fn an_empty_namespace_is_let_go_if_it_truly_is_empty() {
    let plan = plan(namespace(true), vec![], vec![]);
    assert_eq!(plan.describe().last().map(String::as_str), Some("update namespaces/finalize shop"));
    let last = plan.writes().last().expect("the last write");
    assert_eq!(last.object::<Namespace>().map(|it| it.spec.finalizers.len()), Some(0));
    let pods = resource_of::<Pod>();
    assert!(
        last.guards.iter().any(|guard| matches!(guard, Guard::Empty(target) if target.resource == *pods))
    );
    assert_eq!(message(&plan, "NamespaceContentRemaining"), "All content successfully removed");
}
