//! Every verb of a stored resource, against the store in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use api_codec::limits::Limits;
use api_codec::{json, proto};
use api_kind::Gates;
use api_meta::{Status, fields, labels};
use api_record::Record;
use api_types::core::v1::{ConfigMap, Event as CoreEvent, Namespace, ReplicationController};
use api_types::{object_meta, object_meta_mut};
use base::random::SystemRandom;
use base::time::SystemClock;
use client::{
    BoxFuture, Caller, DeleteOptions, Event, ListOptions, Precondition, Propagation, VersionMatch,
    WriteOptions,
};
use futures_util::StreamExt as _;
use server_registry::admit::{Admission, Attributes};
use server_registry::{Catalog, Deleted, From, Registry, Served, Shared};
use store::{MemoryStore, Revision, Store, Txn};

/// Admission that has no opinion, so that the registry alone is looked at.
struct Open;

impl Admission for Open {
    fn mutate<'a>(
        &'a self,
        _: &'a Attributes<'a>,
        _: &'a mut dyn Record,
        _: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(std::future::ready(Ok(())))
    }
    fn validate<'a>(
        &'a self,
        _: &'a Attributes<'a>,
        _: Option<&'a dyn Record>,
        _: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

struct World {
    registry: Registry,
    store: Arc<MemoryStore>,
    maps: Arc<Served>,
    who: Caller,
}

impl World {
    fn new() -> World {
        let store = Arc::new(MemoryStore::new());
        let shared = Shared {
            store: Arc::clone(&store) as Arc<dyn Store>,
            catalog: Catalog::new(),
            gates: Gates::default(),
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
        };
        let registry = Registry::new(Arc::new(shared), Arc::new(Open));
        let maps =
            Arc::clone(registry.catalog().find("", "v1", "configmaps").expect("config maps are served"));
        World { registry, store, maps, who: Caller::default() }
    }

    async fn create(&self, object: ConfigMap) -> Result<Arc<dyn Record>, Status> {
        let write = WriteOptions::default();
        let created = self.registry.create(&self.maps, &self.who, "default", Box::new(object), &write).await;
        created.map(|written| written.object)
    }

    async fn change(
        &self,
        name: &str,
        change: impl Fn(&mut ConfigMap) + Send + Sync,
    ) -> Result<Arc<dyn Record>, Status> {
        let change = |current: Option<&dyn Record>| -> Result<Box<dyn Record>, Status> {
            let mut map: ConfigMap =
                current.and_then(|current| current.downcast_ref()).cloned().expect("it exists");
            change(&mut map);
            Ok(Box::new(map))
        };
        let (precondition, write) = (Precondition::default(), WriteOptions::default());
        let registry = &self.registry;
        let written = registry
            .update(&self.maps, &self.who, "default", name, "", &change, &precondition, &write)
            .await?;
        Ok(written.object)
    }

    async fn delete(&self, name: &str, options: DeleteOptions) -> Result<Deleted, Status> {
        self.registry.delete(&self.maps, &self.who, "default", name, &options, false).await
    }
}

fn map(name: &str) -> ConfigMap {
    let mut map = ConfigMap::default();
    map.metadata.name = name.into();
    map
}

fn version(object: &dyn Record) -> u64 {
    object_meta(object).and_then(|meta| meta.resource_version.parse().ok()).expect("a revision")
}

fn names(items: &[Arc<dyn Record>]) -> Vec<&str> {
    items.iter().filter_map(|item| object_meta(&**item)).map(|meta| meta.name.as_str()).collect()
}

#[tokio::test]
async fn what_was_created_is_read_with_the_system_fields_filled_in() {
    let world = World::new();
    let created = world.create(map("a")).await.expect("created");
    let meta = object_meta(&*created).expect("metadata");
    assert_eq!((meta.namespace.as_str(), meta.uid.len()), ("default", 36));
    assert!(meta.creation_timestamp.is_some() && version(&*created) == 2);
    let read = world.registry.get(&world.maps, "default", "a").await.expect("read");
    assert!(*read == *created);
    let again = world.create(map("a")).await.expect_err("it is there already");
    assert_eq!(again.message, "configmaps \"a\" already exists");
    let missing = world.registry.get(&world.maps, "default", "b").await.expect_err("it is not there");
    assert_eq!(missing.message, "configmaps \"b\" not found");
}

/// A dry run does not reach the store, which is what looks at it in upstream.
#[tokio::test]
async fn an_object_that_is_made_has_no_version_but_in_a_dry_run() {
    let world = World::new();
    let mut stale = map("web");
    stale.metadata.resource_version = "7".into();
    let refused = world.create(stale.clone()).await.map(drop).expect_err("it says a version");
    assert_eq!(
        (refused.code, &*refused.message),
        (500, "resourceVersion should not be set on objects to be created")
    );
    let write = WriteOptions { dry_run: true, ..WriteOptions::default() };
    let tried =
        world.registry.create(&world.maps, &world.who, "default", Box::new(stale.clone()), &write).await;
    assert!(tried.is_ok());
    stale.metadata.resource_version = "0".into();
    world.create(stale).await.expect("0 is no version");
}

#[tokio::test]
async fn a_generated_name_has_a_random_end() {
    let world = World::new();
    let mut object = ConfigMap::default();
    object.metadata.generate_name = "part-".into();
    let created = world.create(object).await.expect("created");
    let name = &object_meta(&*created).expect("metadata").name;
    assert!(name.starts_with("part-") && name.len() == 10, "{name}");
}

#[tokio::test]
async fn a_write_based_on_an_old_version_is_refused_and_an_unchanged_one_is_not_kept() {
    let world = World::new();
    let first = version(&*world.create(map("a")).await.expect("created"));
    let changed =
        world.change("a", |map| drop(map.data.insert("k".into(), "v".into()))).await.expect("changed");
    assert!(version(&*changed) > first);
    let same = world.change("a", |_| {}).await.expect("unchanged");
    assert_eq!(version(&*same), version(&*changed));
    let stale = world.change("a", |map| map.metadata.resource_version = first.to_string()).await;
    assert!(stale.is_err_and(|status| status.is_conflict()));
}

#[tokio::test]
async fn a_change_that_lost_a_race_is_made_again_of_what_is_there_then() {
    let world = World::new();
    world.create(map("a")).await.expect("created");
    let key = "/registry/configmaps/default/a";
    let first = AtomicBool::new(true);
    // Like a patch: it keeps the resource version of the object that it was given.
    let changed = world.change("a", |map| {
        if first.swap(false, Ordering::Relaxed) {
            let entry = world.store.get_now(key.as_bytes()).expect("it is there");
            let again = Txn::update(key, entry.value, entry.modified);
            world.store.commit_now(again).expect("somebody else writes in between");
        }
        map.data.insert("k".into(), "v".into());
    });
    let changed = changed.await.expect("it is tried again");
    assert_eq!(version(&*changed), 4);
}

#[tokio::test]
async fn lists_go_on_at_the_revision_they_began_at() {
    let world = World::new();
    for name in ["a", "b", "c", "d"] {
        world.create(map(name)).await.expect("created");
    }
    let options = ListOptions { limit: 2, ..ListOptions::default() };
    let first = world.registry.list(&world.maps, "default", &options).await.expect("a page");
    assert_eq!((names(&first.items), first.remaining), (vec!["a", "b"], Some(2)));
    world.create(map("bb")).await.expect("created in between");
    let options = ListOptions { limit: 2, continue_: first.continue_, ..ListOptions::default() };
    let second = world.registry.list(&world.maps, "default", &options).await.expect("a page");
    assert_eq!(names(&second.items), ["c", "d"]);
    assert_eq!((second.revision, second.continue_.as_str()), (first.revision, ""));
}

#[tokio::test]
async fn lists_are_selected_by_label_and_field() {
    let world = World::new();
    let mut labelled = map("a");
    labelled.metadata.labels.insert("app".into(), "web".into());
    world.create(labelled).await.expect("created");
    world.create(map("b")).await.expect("created");
    let list = |labels: &str, fields: &str| {
        let options = ListOptions { labels: labels.into(), fields: fields.into(), ..ListOptions::default() };
        let world = &world;
        async move { world.registry.list(&world.maps, "", &options).await }
    };
    assert_eq!(names(&list("app=web", "").await.expect("a list").items), ["a"]);
    assert_eq!(names(&list("", "metadata.name=b").await.expect("a list").items), ["b"]);
    let unknown = list("", "spec.x=y").await.err().expect("no such field");
    assert!(unknown.is_bad_request(), "{unknown}");
}

#[tokio::test]
async fn a_version_has_its_own_names_for_what_field_selectors_name() {
    let world = World::new();
    let served =
        |group: &str| world.registry.catalog().find(group, "v1", "events").expect("events are served");
    let mut event = CoreEvent::default();
    event.metadata.name = "one".into();
    event.involved_object.namespace = "default".into();
    event.reporting_controller = "scheduler".into();
    let write = WriteOptions::default();
    let core = served("");
    world.registry.create(core, &world.who, "default", Box::new(event), &write).await.expect("created");
    for (group, field, found) in [
        ("", "reportingComponent=scheduler", Some(1)),
        ("", "reportingComponent=other", Some(0)),
        ("", "reportingController=scheduler", None),
        ("events.k8s.io", "reportingController=scheduler", Some(1)),
        ("events.k8s.io", "regarding.namespace=default", Some(1)),
        ("events.k8s.io", "regarding.namespace=other", Some(0)),
        ("events.k8s.io", "involvedObject.namespace=default", None),
    ] {
        let options = ListOptions { fields: field.into(), ..ListOptions::default() };
        let list = world.registry.list(served(group), "default", &options).await;
        assert_eq!(list.ok().map(|list| list.items.len()), found, "{group} {field}");
    }
}

#[tokio::test]
async fn an_exact_list_is_of_that_moment_until_it_is_compacted_away() {
    let world = World::new();
    let first = version(&*world.create(map("a")).await.expect("created"));
    world.create(map("b")).await.expect("created");
    let options = ListOptions {
        version: first.to_string(),
        version_match: Some(VersionMatch::Exact),
        ..ListOptions::default()
    };
    let then = world.registry.list(&world.maps, "", &options).await.expect("a list");
    assert_eq!(names(&then.items), ["a"]);
    world.store.compact(Revision(first + 1)).await.expect("compacted");
    let gone = world.registry.list(&world.maps, "", &options).await.err().expect("forgotten");
    assert!(gone.is_resource_expired() && gone.code == 410);
}

#[tokio::test]
async fn a_list_whose_moment_is_forgotten_goes_on_at_the_present_one() {
    let world = World::new();
    for name in ["a", "b"] {
        world.create(map(name)).await.expect("created");
    }
    let list = async |token: &str| {
        let options = ListOptions { limit: 1, continue_: token.to_owned(), ..ListOptions::default() };
        world.registry.list(&world.maps, "", &options).await
    };
    let first = list("").await.expect("a page");
    let last = version(&*world.create(map("c")).await.expect("created"));
    world.store.compact(Revision(last)).await.expect("compacted");
    let gone = list(&first.continue_).await.err().expect("forgotten");
    assert!(
        gone.is_resource_expired() && gone.message.starts_with("The provided continue parameter is too old")
    );
    let second = list(&gone.metadata.continue_).await.expect("the next page");
    assert_eq!((names(&second.items), second.remaining), (vec!["b"], Some(1)));
    assert!(second.revision.0 >= last, "as things are now");
    let third = list(&second.continue_).await.expect("the last page");
    assert_eq!((names(&third.items), third.continue_.as_str()), (vec!["c"], ""));
}

#[tokio::test]
async fn finalizers_keep_a_deleted_object_until_they_are_taken_off() {
    let world = World::new();
    let mut held = map("a");
    held.metadata.finalizers.push("example.com/hold".into());
    world.create(held).await.expect("created");
    let going = world.delete("a", DeleteOptions::default()).await.expect("marked");
    assert!(matches!(going, Deleted::Going(_)));
    world.change("a", |map| map.metadata.finalizers.clear()).await.expect("released");
    let gone = world.registry.get(&world.maps, "default", "a").await;
    assert!(gone.is_err_and(|status| status.is_not_found()));
}

#[tokio::test]
async fn propagation_leaves_its_finalizer_and_preconditions_hold() {
    let world = World::new();
    let created = world.create(map("a")).await.expect("created");
    let precondition = Precondition { uid: Some("another".into()), version: None };
    let options = DeleteOptions { precondition, ..DeleteOptions::default() };
    let refused = world.delete("a", options).await.err().expect("another object was meant");
    let uid = &object_meta(&*created).expect("metadata").uid;
    let why = format!("Precondition failed: UID in precondition: another, UID in object meta: {uid}");
    assert!(refused.message.ends_with(&why), "{}", refused.message);
    let options = DeleteOptions { propagation: Some(Propagation::Foreground), ..DeleteOptions::default() };
    let Ok(Deleted::Going(object)) = world.delete("a", options).await else { panic!("it waits") };
    assert_eq!(object_meta(&*object).expect("metadata").finalizers, ["foregroundDeletion"]);
}

#[tokio::test]
async fn some_kinds_leave_what_they_own_unless_told_otherwise() {
    let world = World::new();
    let controllers =
        world.registry.catalog().find("", "v1", "replicationcontrollers").expect("they are served");
    let delete = async |propagation| {
        let mut rc = ReplicationController::default();
        let text =
            br#"{"metadata": {"name": "web"}, "spec": {"template": {"metadata": {"labels": {"a": "b"}},
            "spec": {"containers": [{"name": "c", "image": "i"}]}}}}"#;
        json::decode(text, &mut rc, None, Limits::REQUEST).expect("a controller");
        let write = WriteOptions::default();
        let made = world.registry.create(controllers, &world.who, "default", Box::new(rc), &write).await;
        made.expect("it is made");
        let options = DeleteOptions { propagation, ..DeleteOptions::default() };
        world.registry.delete(controllers, &world.who, "default", "web", &options, false).await
    };
    assert!(matches!(delete(Some(Propagation::Background)).await, Ok(Deleted::Gone(_))));
    let Ok(Deleted::Going(left)) = delete(None).await else { panic!("it waits for its orphans") };
    assert_eq!(object_meta(&*left).map(|meta| &meta.finalizers[..]), Some(&["orphan".to_owned()][..]));
}

#[tokio::test]
async fn a_namespace_that_goes_has_the_time_alone() {
    let world = World::new();
    let namespaces = world.registry.catalog().find("", "v1", "namespaces").expect("they are served");
    let mut namespace = Namespace::default();
    "team".clone_into(&mut namespace.metadata.name);
    let write = WriteOptions::default();
    let made = world.registry.create(namespaces, &world.who, "", Box::new(namespace), &write).await;
    made.expect("it is made");
    for _ in 0..2 {
        let options = DeleteOptions { grace_seconds: Some(-3), ..DeleteOptions::default() };
        let deleted = world.registry.delete(namespaces, &world.who, "", "team", &options, false).await;
        let Ok(Deleted::Going(left)) = deleted else { panic!("its finalizer holds it") };
        let meta = object_meta(&*left).expect("metadata");
        assert!(meta.deletion_timestamp.is_some());
        assert_eq!(meta.deletion_grace_period_seconds, None);
    }
}

#[tokio::test]
async fn a_watch_sees_objects_come_into_its_scope_change_and_leave_it() {
    let world = World::new();
    let selector = labels::Selector::parse("on", &api_meta::field::Path::NONE).expect("a selector");
    let everything = fields::Selector::everything();
    let mut feed = world
        .registry
        .watch(&world.maps, "default", selector, everything, From::NowMarked, true)
        .await
        .expect("a watch");
    assert!(matches!(feed.next().await, Some(Ok(Event::Bookmark { initial_end: true, .. }))));
    world.create(map("a")).await.expect("created");
    world.change("a", |map| drop(map.metadata.labels.insert("on".into(), String::new()))).await.expect("in");
    world.change("a", |map| drop(map.data.insert("k".into(), "v".into()))).await.expect("changed");
    let out = world.change("a", |map| map.metadata.labels.clear()).await.expect("out");
    let mut kinds = Vec::new();
    for _ in 0..3 {
        match feed.next().await {
            Some(Ok(Event::Added(_))) => kinds.push("added"),
            Some(Ok(Event::Modified(_))) => kinds.push("modified"),
            Some(Ok(Event::Deleted(object))) => {
                kinds.push("deleted");
                assert_eq!(version(&*object), version(&*out), "it shows the revision of its leaving");
            }
            _ => kinds.push("something else"),
        }
    }
    assert_eq!(kinds, ["added", "modified", "deleted"]);
}

#[tokio::test]
async fn a_watch_of_a_forgotten_revision_says_so() {
    let world = World::new();
    for name in ["a", "b", "c"] {
        world.create(map(name)).await.expect("created");
    }
    world.store.compact(Revision(4)).await.expect("compacted");
    let (labels, fields) = (labels::Selector::everything(), fields::Selector::everything());
    let mut feed =
        world.registry.watch(&world.maps, "", labels, fields, From::After(1), false).await.expect("a watch");
    let Some(Err(status)) = feed.next().await else { panic!("the history is gone") };
    assert_eq!(status.code, 410);
    assert!(feed.next().await.is_none(), "an error ends the watch");
}

#[tokio::test]
async fn cluster_objects_are_kept_without_a_namespace() {
    let world = World::new();
    let served = world.registry.catalog().find("", "v1", "namespaces").expect("namespaces are served");
    let mut object = Namespace::default();
    object.metadata.name = "team".into();
    let write = WriteOptions::default();
    world.registry.create(served, &world.who, "", Box::new(object), &write).await.expect("created");
    let entry = world.store.get("/registry/namespaces/team".into()).await.expect("read").expect("kept");
    assert!(entry.value.starts_with(b"k8s\0"));
}

#[tokio::test]
async fn stored_objects_are_counted() {
    let world = World::new();
    for name in ["a", "b"] {
        world.create(map(name)).await.expect("created");
    }
    let counts = world.registry.counts().await;
    let of = |plural: &str| counts.iter().filter(|own| own.resource == plural).collect::<Vec<_>>();
    assert_eq!((of("configmaps").len(), of("configmaps")[0].count), (1, Some(2)));
    assert_eq!((of("pods").len(), of("pods")[0].count), (1, Some(0)));
    assert!(of("componentstatuses").is_empty());
}

#[tokio::test]
async fn views_find_the_messages_of_objects_as_they_are_now() {
    let world = World::new();
    let messages = world.registry.messages(&world.maps).expect("they are kept as they are shown");
    let mut map = ConfigMap::default();
    map.metadata.name = "a".into();
    let made = world.create(map).await.expect("it is made");
    let mut bare = made.boxed_clone();
    object_meta_mut(&mut *bare).expect("an object").resource_version.clear();
    assert_eq!(messages.message(&*made).as_deref(), Some(&*proto::encode_message(&*bare)));
    let changed = world.change("a", |map| _ = map.data.insert("k".into(), "v".into())).await;
    let changed = changed.expect("it is changed");
    assert_eq!(messages.message(&*made), None, "it is another by now");
    assert!(messages.message(&*changed).is_some());
    let scales = world.registry.catalog().resolve("autoscaling", "v1", "horizontalpodautoscalers");
    assert!(world.registry.messages(&scales.expect("they are served")).is_none(), "kept in another version");
}
