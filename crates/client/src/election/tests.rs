//! Who leads, and when another may.

use super::*;

fn at(seconds: i64) -> Time {
    Time::from_unix_seconds(seconds)
}

fn stored(mut lease: Lease, version: &str) -> Lease {
    lease.metadata.resource_version = version.into();
    lease
}

#[test]
fn a_lease_that_is_renewed_is_left_to_its_holder() {
    let (mut first, mut second) = (Elector::new("a"), Elector::new("b"));
    let mut lease = stored(first.claim(None, at(0)).expect("nobody leads"), "1");
    for second_now in 1..60 {
        assert!(second.claim(Some(&lease), at(second_now)).is_none());
        lease = stored(first.claim(Some(&lease), at(second_now)).expect("it leads"), "2");
    }
    assert_eq!(lease.spec.acquire_time, Some(at(0).into()));
    assert_eq!((lease.spec.renew_time, lease.spec.lease_transitions), (Some(at(59).into()), Some(0)));
}

#[test]
fn a_silent_leader_is_waited_for_by_the_own_clock() {
    let (mut first, mut second) = (Elector::new("a"), Elector::new("b"));
    // The leader's clock is a day behind.
    let lease = stored(first.claim(None, at(-86_400)).expect("nobody leads"), "1");
    assert!(second.claim(Some(&lease), at(100)).is_none());
    assert!(second.claim(Some(&lease), at(114)).is_none());
    let taken = second.claim(Some(&lease), at(115)).expect("it has been silent for long enough");
    assert_eq!(taken.spec.holder_identity.as_deref(), Some("b"));
    assert_eq!(taken.spec.lease_transitions, Some(1));
}

#[test]
fn a_released_lease_is_taken_at_once() {
    let mut lease = stored(Lease::default(), "1");
    lease.spec.holder_identity = Some(String::new());
    lease.spec.lease_duration_seconds = Some(1);
    assert!(Elector::new("b").claim(Some(&lease), at(0)).is_some());
}
