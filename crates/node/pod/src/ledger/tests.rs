//! A node with two CPUs, and who gets them.

use api_types::core::v1::{Container, ResourceRequirements};

use super::*;

const NOW: Time = Time::from_unix_seconds(1000);

fn list(text: &str) -> ResourceList {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.parse().expect("a quantity"))).collect()
}

fn pod(uid: &str, cpu: &str, priority: i32) -> Arc<Pod> {
    let mut pod = Pod::default();
    pod.metadata.uid = uid.into();
    pod.metadata.generation = 1;
    pod.spec.priority = Some(priority);
    let resources = ResourceRequirements { requests: list(&format!("cpu={cpu}")), ..Default::default() };
    pod.spec.containers = vec![Container { name: "c".into(), resources, ..Container::default() }].into();
    Arc::new(pod)
}

fn ledger() -> Ledger {
    let mut ledger = Ledger::default();
    ledger.set_allocatable(list("cpu=2,memory=1Gi,pods=10"));
    ledger
}

fn has(ledger: &Ledger, uid: &str) -> String {
    let given = ledger.given(uid).expect("taken in");
    let pending = given.pending.as_ref().map_or("", |pending| pending.reason.as_str());
    format!("{} {pending}", given.allocation.containers["c"].requests["cpu"]).trim_end().to_owned()
}

#[test]
fn a_pod_without_room_is_refused_in_kubelets_words() {
    let mut ledger = ledger();
    assert_eq!(ledger.admit(&pod("a", "1500m", 0)), Ok(false));
    let refused = ledger.admit(&pod("b", "1", 0)).expect_err("no room");
    assert_eq!(refused.reason, "OutOfcpu");
    assert_eq!(
        refused.message,
        "Pod was rejected: Node didn't have enough resource: cpu, requested: 1000, used: 1500, capacity: 2000"
    );
    assert!(ledger.given("b").is_none());
    assert_eq!(ledger.admit(&pod("a", "9", 0)), Ok(false), "who is in stays in");
    assert!(ledger.release("a"));
    assert_eq!(ledger.admit(&pod("b", "1", 0)), Ok(false));
}

#[test]
fn a_resize_waits_until_there_is_room() {
    let mut ledger = ledger();
    ledger.admit(&pod("a", "1", 0)).expect("room");
    ledger.admit(&pod("b", "1", 0)).expect("room");
    assert!(ledger.see(&pod("a", "1500m", 0)));
    assert!(ledger.retry(NOW));
    assert_eq!(has(&ledger, "a"), "1 Deferred");
    let pending = ledger.given("a").and_then(|given| given.pending.clone()).expect("pending");
    assert_eq!(
        pending.message,
        "Node didn't have enough resource: cpu, requested: 1500, used: 1000, capacity: 2000"
    );
    assert_eq!((pending.generation, pending.since_nanos), (1, NOW.unix_nanos()));
    let later = Time::from_unix_seconds(2000);
    assert!(!ledger.retry(later), "nothing new");
    assert!(ledger.see(&pod("b", "250m", 0)));
    assert!(ledger.retry(later));
    assert_eq!((has(&ledger, "a"), has(&ledger, "b")), ("1500m".into(), "250m".into()));
}

#[test]
fn a_resize_that_is_taken_back_waits_no_more() {
    let mut ledger = ledger();
    ledger.admit(&pod("a", "1", 0)).expect("room");
    ledger.see(&pod("a", "3", 0));
    ledger.retry(NOW);
    assert_eq!(has(&ledger, "a"), "1 Deferred");
    assert!(ledger.see(&pod("a", "1", 0)));
    assert_eq!(has(&ledger, "a"), "1");
    assert!(!ledger.see(&pod("a", "1", 0)));
}

#[test]
fn the_more_important_pod_grows_first_and_who_shrinks_before_all() {
    let mut ledger = ledger();
    for (uid, priority) in [("low", 0), ("high", 9), ("late", 0)] {
        ledger.admit(&pod(uid, "500m", priority)).expect("room");
    }
    ledger.see(&pod("low", "1", 0));
    ledger.see(&pod("high", "1", 9));
    ledger.retry(NOW);
    assert_eq!((has(&ledger, "low"), has(&ledger, "high")), ("500m Deferred".into(), "1".into()));
    ledger.see(&pod("late", "100m", 0));
    ledger.see(&pod("high", "1400m", 9));
    ledger.retry(NOW);
    assert_eq!((has(&ledger, "late"), has(&ledger, "high")), ("100m".into(), "1400m".into()));
    assert_eq!(has(&ledger, "low"), "500m Deferred");
}

#[test]
fn who_was_given_something_before_keeps_it() {
    let mut ledger = ledger();
    let given = Given { allocation: Allocation::of(&pod("a", "1500m", 0)), ..Given::default() };
    ledger.restore(&pod("a", "100m", 0), given);
    assert_eq!(ledger.admit(&pod("b", "1", 0)).map_err(|verdict| verdict.reason), Err("OutOfcpu".into()));
    assert!(ledger.retry(NOW), "it asks for less by now");
    assert_eq!(has(&ledger, "a"), "100m");
    assert_eq!(ledger.admit(&pod("b", "1", 0)), Ok(false));
}

#[test]
fn others_make_room_for_a_critical_pod() {
    const CRITICAL: i32 = 2_000_000_000;
    let mut ledger = ledger();
    ledger.admit(&pod("small", "500m", 0)).expect("room");
    ledger.admit(&pod("large", "1500m", 0)).expect("room");
    assert_eq!(ledger.admit(&pod("needed", "1", CRITICAL)), Ok(true));
    let preempted = |ledger: &Ledger, uid: &str| ledger.given(uid).is_some_and(|given| given.preempted);
    assert_eq!((preempted(&ledger, "small"), preempted(&ledger, "large")), (false, true));
    let refused = ledger.admit(&pod("never", "9", CRITICAL)).expect_err("no room");
    assert_eq!(refused.reason, "UnexpectedAdmissionError");
    assert!(refused.message.starts_with("Pod was rejected: Unexpected error while attempting to recover"));
}
