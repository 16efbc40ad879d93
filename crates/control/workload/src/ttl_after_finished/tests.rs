//! Jobs and when they are deleted.

use api_types::batch::v1::JobCondition;
use client::Revision;
use client::reconcile::name;

use super::*;

fn job(ttl: Option<i32>, over_at: Option<i64>) -> Job {
    let mut job = Job::default();
    job.metadata.name = "sum".into();
    job.metadata.namespace = "lab".into();
    job.metadata.resource_version = "7".into();
    job.spec.ttl_seconds_after_finished = ttl;
    job.status.conditions.extend(over_at.map(|seconds| JobCondition {
        type_: "Failed".into(),
        status: "True".into(),
        last_transition_time: Some(Time::from_unix_seconds(seconds).into()),
        ..JobCondition::default()
    }));
    job
}

fn plan(job: Job) -> Plan {
    let world = World::default().with([job], Revision(1));
    TtlAfterFinished.plan(&name("lab", "sum"), &world, Time::from_unix_seconds(1000))
}

#[test]
fn a_job_goes_when_its_time_is_over() {
    let due = plan(job(Some(10), Some(990)));
    let [write] = &due.stages[0][..] else { panic!("one deletion") };
    assert!(matches!(
        &write.op,
        Op::Delete { propagation: Some(Propagation::Foreground), version: Some(version), .. } if version == "7"
    ));
    let early = plan(job(Some(10), Some(995)));
    assert_eq!((early.stages.len(), early.again), (0, Some(Duration::from_secs(5))));
}

#[test]
fn a_job_stays_that_is_not_over_or_does_not_ask_or_goes_already() {
    let mut going = job(Some(1), Some(990));
    going.metadata.deletion_timestamp = Some(Time::from_unix_seconds(999).into());
    for job in [job(Some(10), None), job(None, Some(1)), going] {
        let plan = plan(job);
        assert_eq!((plan.stages.len(), plan.again), (0, None));
    }
}
