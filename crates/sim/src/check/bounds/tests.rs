//! The promise of available pods, on a Deployment of two pods and a set that has said of so many that they are.

use api_codec::proto;
use api_meta::owners;
use api_record::Typed;
use api_types::apps::v1::RollingUpdateDeployment;
use api_types::core::v1::PodCondition;
use api_types::meta::v1::{ObjectMeta, OwnerReference};
use api_types::{GroupVersionKind, object_meta};
use client::reconcile::resource_of;
use store::{KeyRange, MemoryStore, Revision, Store as _, Txn};

use super::*;
use crate::history::served;

struct World {
    store: MemoryStore,
    history: History,
    check: Availability,
}

impl World {
    fn new(said: i32) -> World {
        let store = MemoryStore::new();
        let history = History::new(store.watch(KeyRange::all(), Revision::NONE));
        let mut world = World { store, history, check: Availability::new(&Profile::default()) };
        let mut space = Namespace::default();
        space.metadata.name = "shop".into();
        assert_eq!(world.write(&space), Ok(()));
        let mut deployment = Deployment::default();
        place(&mut deployment.metadata, "web");
        deployment.spec.replicas = Some(2);
        deployment.spec.strategy.rolling_update = Some(Box::new(RollingUpdateDeployment {
            max_surge: Some(IntOrString::Int(1)),
            max_unavailable: Some(IntOrString::Int(0)),
        }));
        let mut set = ReplicaSet::default();
        place(&mut set.metadata, "web-1");
        set.metadata.owner_references = owned(&deployment.metadata, "Deployment");
        set.status.available_replicas = said;
        assert_eq!(world.write(&deployment), Ok(()));
        assert_eq!(world.write(&set), Ok(()));
        for name in ["a", "b"] {
            assert_eq!(world.write(&pod(name, &set.metadata)), Ok(()));
        }
        world
    }

    /// What the check says when an object is written.
    fn write<T: Typed>(&mut self, object: &T) -> Result<(), String> {
        let meta = object_meta(object).expect("an object of a store");
        let key = key::<T>(&meta.namespace, &meta.name);
        let value = proto::encode(object, &kind::<T>());
        self.store.commit_now(Txn::default().put(key, value)).expect("written");
        self.look()
    }

    /// What it says when a pod is gone.
    fn lose(&mut self, name: &str) -> Result<(), String> {
        self.store.commit_now(Txn::default().delete(key::<Pod>("shop", name))).expect("deleted");
        self.look()
    }

    fn look(&mut self) -> Result<(), String> {
        let changes = self.history.catch_up(Time::from_unix_seconds(1_000));
        changes.iter().try_for_each(|change| self.check.changed(&self.history, change))
    }
}

fn key<T: Typed>(namespace: &str, name: &str) -> String {
    let prefix = &served(resource_of::<T>()).prefix;
    if namespace.is_empty() { format!("{prefix}{name}") } else { format!("{prefix}{namespace}/{name}") }
}

fn kind<T: Typed>() -> GroupVersionKind<'static> {
    served(resource_of::<T>()).hub.kind.gvk()
}

fn place(meta: &mut ObjectMeta, name: &str) {
    (meta.namespace, meta.name, meta.uid) = ("shop".into(), name.into(), format!("{name}-uid"));
}

fn owned(meta: &ObjectMeta, kind: &'static str) -> Vec<OwnerReference> {
    vec![owners::controller_reference(meta, GroupVersionKind { group: "apps", version: "v1", kind })]
}

fn pod(name: &str, set: &ObjectMeta) -> Pod {
    let mut pod = Pod::default();
    place(&mut pod.metadata, name);
    pod.metadata.owner_references = owned(set, "ReplicaSet");
    let ready = PodCondition { type_: "Ready".into(), status: "True".into(), ..Default::default() };
    pod.status.conditions = vec![ready];
    pod
}

#[test]
fn a_pod_that_its_set_has_told_of_is_promised() {
    let mut world = World::new(2);
    assert_eq!(world.lose("a"), Err("web has 1 available pods, and 2 at least are promised".to_owned()));
}

#[test]
fn of_those_that_nobody_has_heard_of_one_may_go_and_no_more() {
    let mut world = World::new(1);
    assert_eq!(world.lose("a"), Ok(()));
    assert_eq!(world.lose("b"), Err("web has 0 available pods, and 1 at least are promised".to_owned()));
}
