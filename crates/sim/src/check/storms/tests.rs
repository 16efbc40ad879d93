//! Somebody who is refused, and asks again.

use api_types::core::v1::Pod;
use client::reconcile::resource_of;
use client::{Caller, Request, Target, Verb};

use super::*;

/// What is said when the same is refused so often, with so long in between.
fn refused(times: usize, between: Duration) -> Result<(), String> {
    let target = Target {
        resource: resource_of::<Pod>().clone(),
        namespace: "shop".into(),
        name: "a".into(),
        subresource: String::new(),
    };
    let asked = Asked::of(&Caller::new("somebody", &[]), &Request::new(Verb::Create, target));
    let (mut storms, mut now) = (Storms::default(), Time::from_unix_seconds(1_000));
    (0..times).try_for_each(|_| {
        now = now + between;
        storms.answered(now, &asked, &Err(Status::service_unavailable("not now")))
    })
}

#[test]
fn who_is_refused_waits() {
    assert_eq!(refused(REFUSALS, Duration::ZERO), Ok(()));
    let storm = refused(REFUSALS + 1, Duration::ZERO).expect_err("it is too often");
    assert!(storm.contains("was refused 61 times within 10 s, the last time with not now"), "{storm}");
    assert_eq!(refused(10 * REFUSALS, Duration::from_secs(1)), Ok(()));
}
