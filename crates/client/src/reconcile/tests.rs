//! The queue's rules, step by step.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use api_types::core::v1::Pod;
use base::time::Time;

use super::core::{BackOff, Core, Finished, Input, Output};
use super::witness::{Object, Witness};
use super::{Failure, World, resource_of};
use crate::view::channel;
use crate::{Resource, Revision, Status};

const KEY: &str = "a";

fn at(millis: i64) -> Time {
    Time::from_unix_nanos(millis * 1_000_000)
}

fn changed(key: &'static str) -> Input<&'static str> {
    Input::Changed { key, why: Arc::from("it changed") }
}

fn finished(how: Finished) -> Input<&'static str> {
    Input::Finished { key: KEY, how }
}

fn failed() -> Finished {
    let failure = Failure { status: Status::internal_error("boom"), write: None };
    Finished { failure: Some(failure), ..Finished::default() }
}

fn planned(outputs: Vec<Output<&'static str>>) -> Vec<&'static str> {
    let key = |output| match output {
        Output::Plan(key, _) => Some(key),
        Output::Relist(_) => None,
    };
    outputs.into_iter().filter_map(key).collect()
}

fn pod(uid: &str, going: bool) -> Pod {
    let mut pod = Pod::default();
    pod.metadata.name = "p".into();
    pod.metadata.uid = uid.into();
    pod.metadata.deletion_timestamp = going.then(Default::default);
    pod
}

#[test]
fn a_key_is_planned_once_however_often_it_changes() {
    let (mut core, world) = (Core::new(2, BackOff::USUAL), World::default());
    assert_eq!(planned(core.step(changed("a"), &world, at(0))), ["a"]);
    for _ in 0..3 {
        assert!(core.step(changed("a"), &world, at(0)).is_empty(), "never twice at once");
    }
    assert_eq!(planned(core.step(changed("b"), &world, at(0))), ["b"]);
    assert!(core.step(changed("c"), &world, at(0)).is_empty(), "all workers are busy");
    let done = core.step(finished(Finished::default()), &world, at(1));
    assert_eq!(planned(done), ["c"], "what waits longest comes first");
    let explained = core.explain();
    assert_eq!((explained.depth, explained.running), (1, 2));
    assert_eq!(&*explained.runs["\"a\""].why, "it changed");
}

#[test]
fn failures_back_off_and_success_forgets_them() {
    let (mut core, world) = (Core::new(1, BackOff::USUAL), World::default());
    let mut now = 0;
    core.step(changed(KEY), &world, at(now));
    for wait in [5, 10, 20, 40] {
        assert!(core.step(finished(failed()), &world, at(now)).is_empty());
        assert_eq!(core.wake_at(), Some(at(now + wait)));
        assert!(core.step(Input::Ticked, &world, at(now + wait - 1)).is_empty());
        now += wait;
        let outputs = core.step(Input::Ticked, &world, at(now));
        assert!(
            matches!(&outputs[..], [Output::Plan(KEY, Some(failure))] if failure.status.message.contains("boom"))
        );
    }
    core.step(finished(Finished::default()), &world, at(now));
    assert!(core.is_idle());
    core.step(changed(KEY), &world, at(now));
    core.step(finished(failed()), &world, at(now));
    assert_eq!(core.wake_at(), Some(at(now + 5)));
}

#[test]
fn back_off_ends_at_its_bound() {
    let own = BackOff { first: Duration::from_secs(1), longest: Duration::from_secs(60) };
    for (back_off, first, longest) in [(BackOff::USUAL, 5, 1_000_000), (own, 1_000, 60_000)] {
        let (mut core, world) = (Core::new(1, back_off), World::default());
        let mut now = at(0);
        core.step(changed(KEY), &world, now);
        core.step(finished(failed()), &world, now);
        assert_eq!(core.wake_at(), Some(at(first)));
        for _ in 0..40 {
            now = core.wake_at().expect("it tries again");
            core.step(Input::Ticked, &world, now);
            core.step(finished(failed()), &world, now);
        }
        assert_eq!(core.wake_at(), Some(now + Duration::from_millis(longest)));
    }
}

#[test]
fn a_key_is_planned_again_when_it_asked_to_be() {
    let (mut core, world) = (Core::new(1, BackOff::USUAL), World::default());
    core.step(changed(KEY), &world, at(0));
    let how = Finished { again: Some(Duration::from_secs(1)), ..Finished::default() };
    core.step(finished(how), &world, at(0));
    assert_eq!(core.wake_at(), Some(at(1000)));
    assert_eq!(planned(core.step(changed(KEY), &world, at(10))), [KEY], "changes do not wait");
    core.step(finished(Finished::default()), &world, at(20));
    assert!(core.is_idle(), "a newer plan replaces the older wish");
}

#[test]
fn a_key_waits_until_the_views_show_what_it_wrote() {
    let pods = resource_of::<Pod>().clone();
    let mut core = Core::new(1, BackOff::USUAL);
    let old = World::default().with([pod("u1", false)], Revision(3));
    core.step(changed(KEY), &old, at(0));
    let object =
        Object { resource: pods.clone(), namespace: String::new(), name: "p".into(), uid: "u1".into() };
    let witnesses = vec![Witness::Revision(pods.clone(), Revision(5)), Witness::Going(object)];
    core.step(finished(Finished { witnesses, ..Finished::default() }), &old, at(0));
    assert!(core.step(changed(KEY), &old, at(1)).is_empty(), "withheld");
    assert_eq!(core.explain().withheld, 1);
    let newer = World::default().with([pod("u1", false)], Revision(5));
    assert!(core.step(Input::Shown, &newer, at(2)).is_empty(), "the pod is still there");
    let newest = World::default().with([pod("u1", true)], Revision(6));
    assert_eq!(planned(core.step(Input::Shown, &newest, at(3))), [KEY]);
    core.step(finished(Finished::default()), &newest, at(4));
    assert!(core.is_idle() && core.wake_at().is_none(), "nothing is left of the witnesses");
}

#[test]
fn what_no_view_shows_is_not_waited_for() {
    let pods = resource_of::<Pod>().clone();
    let (mut core, world) = (Core::new(1, BackOff::USUAL), World::new(BTreeMap::new()));
    core.step(changed(KEY), &world, at(0));
    let witnesses = vec![Witness::Revision(pods, Revision(5))];
    core.step(finished(Finished { witnesses, ..Finished::default() }), &world, at(0));
    assert_eq!(planned(core.step(changed(KEY), &world, at(1))), [KEY]);
}

#[test]
fn another_object_of_the_name_is_not_the_one_that_was_deleted() {
    let object = |uid: &str| Object {
        resource: resource_of::<Pod>().clone(),
        namespace: String::new(),
        name: "p".into(),
        uid: uid.into(),
    };
    let world = World::default().with([pod("u2", false)], Revision(5));
    assert!(Witness::Going(object("u1")).is_shown(&world));
    assert!(!Witness::Going(object("u2")).is_shown(&world));
    assert!(!Witness::Bound(object("u2")).is_shown(&world));
    let mut bound = pod("u2", false);
    bound.spec.node_name = "n".into();
    assert!(Witness::Bound(object("u2")).is_shown(&World::default().with([bound], Revision(6))));
}

#[test]
fn a_write_that_never_shows_forces_a_new_list() {
    let pods = resource_of::<Pod>().clone();
    let world = World::default().with([pod("u1", false)], Revision(3));
    let mut core = Core::new(1, BackOff::USUAL);
    core.step(changed(KEY), &world, at(0));
    let witnesses =
        vec![Witness::Revision(pods.clone(), Revision(5)), Witness::Revision(pods.clone(), Revision(6))];
    core.step(finished(Finished { witnesses, ..Finished::default() }), &world, at(0));
    assert_eq!(core.wake_at(), Some(at(30_000)));
    let outputs = core.step(Input::Ticked, &world, at(30_000));
    assert_eq!(
        outputs,
        [Output::Relist(pods.clone())],
        "once, and nothing is planned on a view that is so late"
    );
    assert_eq!(core.explain().overdue, 2);
    relisted(&mut core, &pods, at(30_001));
}

#[test]
fn when_nobody_knows_what_was_written_the_view_is_listed_anew() {
    let pods = resource_of::<Pod>().clone();
    let world = World::default().with([pod("u1", false)], Revision(3));
    let mut core = Core::new(1, BackOff::USUAL);
    core.step(changed(KEY), &world, at(0));
    let how = Finished { witnesses: vec![Witness::Unsure(pods.clone())], ..failed() };
    assert_eq!(core.step(finished(how), &world, at(0)), [Output::Relist(pods.clone())]);
    relisted(&mut core, &pods, at(1000));
}

/// A list that was begun before it was asked for does not do; the next one sets the key free.
fn relisted(core: &mut Core<&'static str>, pods: &Resource, now: Time) {
    let (mut publisher, view) = channel();
    publisher.begin_list();
    let request = view.relist();
    let world = |snapshot| World::new(BTreeMap::from([(pods.clone(), snapshot)]));
    publisher.replace([], Revision(9));
    let relisting = Input::Relisting { resource: pods.clone(), request };
    assert!(core.step(relisting, &world(view.snapshot()), now).is_empty());
    assert!(core.step(Input::Shown, &world(view.snapshot()), now).is_empty(), "it was begun before");
    publisher.begin_list();
    publisher.replace([], Revision(10));
    let outputs = core.step(Input::Shown, &world(view.snapshot()), now);
    assert!(matches!(&outputs[..], [Output::Plan(KEY, _)]));
}
