//! Worlds and the plans that they lead to.

use api_meta::conditions;
use api_types::core::v1::{ConfigMap, Pod};
use client::Revision;
use client::reconcile::resource_of;

use super::*;
use control_base::resources::built_in;

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

/// Another API server, which says what it is told to say.
struct Harbour {
    unknown: Vec<String>,
    answer: Result<Vec<(client::Resource, usize)>, String>,
}

impl Others for Harbour {
    fn are_there(&self) -> bool {
        true
    }

    fn unknown(&self) -> Vec<String> {
        self.unknown.clone()
    }

    fn empty<'a>(
        &'a self,
        who: &'a client::Caller,
        namespace: &'a str,
    ) -> client::BoxFuture<'a, Result<Vec<(client::Resource, usize)>, String>> {
        assert_eq!(who.name, "system:serviceaccount:kube-system:namespace-controller");
        assert_eq!(namespace, "shop");
        Box::pin(std::future::ready(self.answer.clone()))
    }
}

/// The plan once the other server has been asked.
async fn beside(harbour: Harbour) -> Plan {
    let controller = Namespaces::new(&built_in()).beside(Some(Arc::new(harbour)));
    let world = World::default().with([namespace(true)], Revision(1));
    let (key, now) = ("shop".to_owned(), Time::from_unix_seconds(60));
    let first = controller.plan(&key, &world, now);
    assert_eq!((first.asks.len(), first.again), (1, Some(Duration::ZERO)));
    assert!(!first.describe().iter().any(|line| line.contains("finalize")));
    (first.asks[0].work)().await.expect("asking fails nobody");
    let then = controller.plan(&key, &world, now);
    assert!(then.asks.is_empty());
    assert_eq!(controller.plan(&key, &world, now + AGAIN).asks.len(), 1, "an answer counts for a while");
    then
}

#[tokio::test]
async fn what_other_servers_keep_keeps_the_namespace() {
    let berths = client::Resource::of("harbour.example.com", "v1", "berths");
    let is_let_go = |plan: &Plan| plan.describe().iter().any(|line| line.contains("finalize"));
    let empty = beside(Harbour { unknown: vec![], answer: Ok(vec![]) }).await;
    assert!(is_let_go(&empty));
    let left = beside(Harbour { unknown: vec![], answer: Ok(vec![(berths, 2)]) }).await;
    assert_eq!(
        message(&left, "NamespaceContentRemaining"),
        "Some resources are remaining: berths.harbour.example.com has 2 resource instances"
    );
    let refused = beside(Harbour { unknown: vec![], answer: Err("no".into()) }).await;
    assert_eq!(
        message(&refused, "NamespaceDeletionContentFailure"),
        "Failed to delete all resource types, 1 remaining: no"
    );
    let unknown = vec!["harbour.example.com/v1".to_owned()];
    let silent = beside(Harbour { unknown, answer: Ok(vec![]) }).await;
    assert_eq!(
        message(&silent, "NamespaceDeletionDiscoveryFailure"),
        "Discovery failed for some groups, 1 failing: unable to retrieve the complete list of server APIs: harbour.example.com/v1: stale GroupVersion discovery: harbour.example.com/v1"
    );
    for plan in [&left, &refused, &silent] {
        assert!(!is_let_go(plan) && plan.again.is_some());
    }
}
