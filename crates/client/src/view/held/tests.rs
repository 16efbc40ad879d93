//! What stays decoded, and that nobody can tell.

use api_types::core::v1::{ContainerStatus, Pod};

use super::*;
use crate::Revision;
use crate::view::limits::{LEAST_DECODED, MOST_DECODED};
use crate::view::{Change, Follower, Messages, Publisher, RawView, Snapshot, channel, channel_beside};

fn pod(number: usize) -> Arc<dyn Record> {
    let mut pod = Pod::default();
    pod.metadata.namespace = "shop".into();
    pod.metadata.name = format!("pod-{number:06}");
    pod.metadata.uid = format!("u{number}");
    pod.metadata.labels.insert("app".into(), if number.is_multiple_of(2) { "web" } else { "db" }.into());
    pod.spec.node_name = format!("node-{}", number % 7);
    pod.spec.node_selector.insert("disk".into(), String::new());
    pod.status.phase = "Running".into();
    pod.status.container_statuses = vec![ContainerStatus { ready: true, ..ContainerStatus::default() }];
    Arc::new(pod)
}

/// A view that was shown this many pods, one after the other.
fn shown(pods: usize) -> (Publisher, RawView) {
    let (mut publisher, view) = channel();
    publisher.replace([], Revision(1));
    for number in 0..pods {
        publisher.put(pod(number));
        publisher.advance(Revision(2));
    }
    (publisher, view)
}

/// What keeps the pods, all but every third, as they are at revision 2.
struct Keeper;

impl Messages for Keeper {
    fn message(&self, object: &dyn Record) -> Option<Bytes> {
        let mut bare = object.downcast_ref::<Pod>()?.clone();
        let number: usize = bare.metadata.uid[1..].parse().ok()?;
        let is_kept = bare.metadata.resource_version == "2" && !number.is_multiple_of(3);
        bare.metadata.resource_version.clear();
        is_kept.then(|| proto::encode_message(&bare).into())
    }
}

fn pod_at(number: usize, version: &str) -> Arc<dyn Record> {
    let mut pod = pod(number).downcast_ref::<Pod>().expect("a pod").clone();
    pod.metadata.resource_version = version.into();
    Arc::new(pod)
}

#[test]
fn what_is_kept_anyway_is_not_kept_twice_and_read_as_it_was() {
    let (mut publisher, view) = channel_beside(Some(Arc::new(Keeper)));
    let pods = LEAST_DECODED + MORE;
    publisher.replace([], Revision(1));
    for number in 0..pods {
        publisher.put(pod_at(number, "2"));
        publisher.advance(Revision(2));
    }
    let mut follower = Follower::new(view.clone());
    follower.catch_up();
    let snapshot = view.snapshot();
    for (number, held) in snapshot.objects.values().enumerate().take(MORE) {
        let is_kept = matches!(held.message, Some(Message::Kept { .. }));
        assert_eq!(is_kept, !number.is_multiple_of(3), "{number}");
        assert_eq!(Glance(held).text(&["metadata", "name"]), format!("pod-{number:06}"));
        assert!(*held.glimpsed() == *pod_at(number, "2"), "{number}");
    }
    // A new list shows the same but for one. (Of decoded objects others, though equal, are taken for changed.)
    let listed = (0..pods).map(|number| pod_at(number, if number == 1 { "3" } else { "2" }));
    publisher.replace(listed, Revision(3));
    let changes = follower.catch_up().1;
    assert_eq!(changes.len(), 1 + LEAST_DECODED);
    assert!(changes[0].after().is_some_and(|after| **after == *pod_at(1, "3")));
}

fn is_decoded(snapshot: &Snapshot, number: usize) -> bool {
    snapshot.objects.values().nth(number).is_some_and(|held| held.object.get().is_some())
}

fn decoded(snapshot: &Snapshot) -> usize {
    snapshot.objects.values().filter(|held| held.object.get().is_some()).count()
}

/// What has just come, and what is looked at next.
const MORE: usize = 100;

#[test]
fn what_has_come_long_ago_is_kept_as_its_message_and_read_as_it_was() {
    let (_publisher, view) = shown(LEAST_DECODED + MORE);
    let snapshot = view.snapshot();
    assert_eq!(decoded(&snapshot), LEAST_DECODED);
    assert!(!is_decoded(&snapshot, 0) && is_decoded(&snapshot, MORE));
    let first = snapshot.get("shop", "pod-000000").expect("it is there");
    assert!(**first == *pod(0) && is_decoded(&snapshot, 0));
    assert!(snapshot.glimpses(Some("shop")).zip(0..).all(|(object, number)| *object == *pod(number)));
    assert_eq!(decoded(&snapshot), LEAST_DECODED + 1, "a look leaves nothing behind");
}

#[test]
fn what_is_read_stays_decoded_and_is_let_go_when_all_is_quiet() {
    let (mut publisher, view) = shown(LEAST_DECODED);
    for number in LEAST_DECODED..LEAST_DECODED + MORE {
        view.snapshot().get("shop", "pod-000005").expect("it is there");
        publisher.put(pod(number));
        publisher.advance(Revision(3));
    }
    let snapshot = view.snapshot();
    assert!(is_decoded(&snapshot, 5) && !is_decoded(&snapshot, 4) && !is_decoded(&snapshot, 6));
    assert_eq!(snapshot.iter().count(), LEAST_DECODED + MORE);
    assert_eq!(decoded(&snapshot), LEAST_DECODED + MORE);
    publisher.advance(Revision(4));
    assert_eq!(decoded(&view.snapshot()), LEAST_DECODED + MORE, "all of it was read just now");
    publisher.advance(Revision(5));
    assert_eq!(decoded(&view.snapshot()), LEAST_DECODED);
}

#[test]
fn who_has_an_object_keeps_it() {
    let (mut publisher, view) = shown(LEAST_DECODED);
    let snapshot = view.snapshot();
    let first = snapshot.get("shop", "pod-000000").expect("it is there");
    let second = Arc::clone(snapshot.get("shop", "pod-000001").expect("it is there"));
    for number in LEAST_DECODED..2 * LEAST_DECODED + MORE {
        publisher.put(pod(number));
        publisher.advance(Revision(3));
    }
    assert!(!is_decoded(&view.snapshot(), 0) && !is_decoded(&view.snapshot(), 1));
    assert!(**first == *pod(0) && *second == *pod(1));
}

#[test]
fn packing_is_no_change() {
    let (mut publisher, view) = shown(LEAST_DECODED + MORE);
    let mut behind = Follower::new(view.clone());
    let all = behind.catch_up().1.len();
    assert_eq!(all, LEAST_DECODED + MORE);
    publisher.advance(Revision(3));
    publisher.advance(Revision(4));
    assert_eq!(decoded(&view.snapshot()), LEAST_DECODED, "who was told of all has not read it");
    let told = |changes: Vec<Change>| -> Vec<String> {
        let name = |object: &Arc<dyn Record>| object_meta(&**object).map(|meta| meta.name.clone());
        changes.iter().filter_map(|change| name(change.after()?)).collect()
    };
    assert_eq!(told(behind.catch_up().1), Vec::<String>::new());
    let mut listed: Vec<_> = (0..LEAST_DECODED + MORE).map(pod).collect();
    let mut other = Pod::default();
    other.metadata.namespace = "shop".into();
    other.metadata.name = "pod-000000".into();
    listed[0] = Arc::new(other);
    let recent = view.snapshot().get("shop", "pod-001050").cloned().expect("it is there");
    listed[1050] = recent;
    listed.drain(1051..);
    publisher.replace(listed, Revision(9));
    let (snapshot, changes) = behind.catch_up();
    let gone = LEAST_DECODED + MORE - 1051;
    let kept = snapshot.objects.values().filter(|held| held.message.is_some()).count();
    assert_eq!(kept, MORE - 1, "what is listed as it was is kept as it was");
    assert_eq!(changes.iter().filter(|change| change.new.is_none()).count(), gone);
    assert!(told(changes).contains(&"pod-000000".to_owned()));
}

#[test]
fn single_fields_are_the_same_either_way() {
    let (_publisher, view) = shown(LEAST_DECODED + 1);
    let snapshot = view.snapshot();
    let web = Selector::parse("app=web", &api_meta::field::Path::NONE).expect("it is a selector");
    let seen = |glance: Glance<'_>| {
        let paths = [["spec", "nodeName"], ["status", "phase"], ["status", "reason"]];
        let texts = paths.map(|path| glance.text(&path).to_owned());
        (
            texts,
            glance.label("app").map(str::to_owned),
            glance.label("none").is_none(),
            glance.is_picked_by(&web),
        )
    };
    let first = snapshot.glances().next().expect("it is there");
    assert!(!is_decoded(&snapshot, 0));
    let packed = seen(first);
    assert!(!is_decoded(&snapshot, 0), "nothing was decoded for that");
    first.object();
    assert_eq!(packed, seen(first));
    assert_eq!(packed.0, ["node-0", "Running", ""]);
    assert_eq!((packed.1.as_deref(), packed.2, packed.3), (Some("web"), true, true));
    assert_eq!(
        snapshot.glances_in("shop").filter(|glance| glance.is_picked_by(&web)).count(),
        LEAST_DECODED / 2 + 1
    );
    assert_eq!(snapshot.glances_in("sho").count() + snapshot.glances_in("shop2").count(), 0);
}

#[test]
fn nodes_stay_decoded() {
    let (mut publisher, view) = channel();
    publisher.replace([], Revision(1));
    for number in 0..LEAST_DECODED + MORE {
        let mut node = Node::default();
        node.metadata.name = format!("node-{number}");
        publisher.put(Arc::new(node));
        publisher.advance(Revision(2));
    }
    publisher.advance(Revision(3));
    assert_eq!(decoded(&view.snapshot()), LEAST_DECODED + MORE);
}

#[tokio::test]
async fn a_list_that_is_too_large_is_kept_as_messages_and_readers_do_not_fill_the_memory() {
    let (mut publisher, view) = channel();
    publisher.begin_list();
    publisher.replace((0..MOST_DECODED + MORE).map(pod), Revision(1));
    let count = decoded(&view.snapshot());
    assert!((MOST_DECODED - 1..=MOST_DECODED).contains(&count), "{count} are decoded");
    publisher.advance(Revision(2));
    assert_eq!(decoded(&view.snapshot()), LEAST_DECODED);
    for object in view.snapshot().iter() {
        assert!(object_meta(&**object).is_some());
    }
    publisher.crowded().await;
    publisher.advance(Revision(2));
    publisher.advance(Revision(2));
    assert_eq!(decoded(&view.snapshot()), LEAST_DECODED);
}
