//! Worlds of a cron job and the plans that they lead to.

use std::time::Duration;

use api_types::batch::v1::JobCondition;
use client::Revision;
use client::reconcile::name;

use super::*;

/// 2026-11-29T10:00:00Z, a Sunday.
const TEN: i64 = 1_795_946_400;
const HOUR: i64 = 3_600;

fn at(seconds: i64) -> Time {
    Time::from_unix_seconds(seconds)
}

fn cron(schedule: &str, made: i64) -> CronJob {
    let mut own = CronJob::default();
    own.metadata.name = "tick".into();
    own.metadata.namespace = "lab".into();
    own.metadata.uid = "cron".into();
    own.metadata.creation_timestamp = Some(at(made).into());
    own.spec.schedule = schedule.into();
    own.spec.concurrency_policy = "Allow".into();
    own.spec.successful_jobs_history_limit = Some(3);
    own.spec.failed_jobs_history_limit = Some(1);
    own
}

fn job_for(own: &CronJob, time: i64) -> Job {
    let mut job = Job::default();
    job.metadata.name = job_name(own, at(time));
    job.metadata.namespace = "lab".into();
    job.metadata.uid = format!("j{time}");
    let stamp = api_record::scalar::Time { seconds: time }.to_string();
    job.metadata.annotations.insert(SCHEDULED.into(), stamp);
    job.metadata.owner_references.push(owners::controller_reference(&own.metadata, KIND));
    job.status.start_time = Some(at(time).into());
    job
}

fn over(mut job: Job, type_: &str) -> Job {
    job.status.conditions.push(JobCondition {
        type_: type_.into(),
        status: "True".into(),
        ..JobCondition::default()
    });
    job.status.completion_time = job.status.start_time.filter(|_| type_ == "Complete");
    job
}

fn running(own: &mut CronJob, time: i64) -> Job {
    let job = job_for(own, time);
    own.status.active.push(reference(&job));
    own.status.last_schedule_time = Some(at(time).into());
    job
}

fn plan(own: CronJob, jobs: Vec<Job>, now: i64) -> Plan {
    let world = World::default().with([own], Revision(1)).with(jobs, Revision(1));
    CronJobs.plan(&name("lab", "tick"), &world, at(now))
}

fn shown(plan: &Plan) -> Vec<String> {
    let line = |write: &Write| match write.object::<CronJob>() {
        Some(own) => {
            let last = own.status.last_schedule_time.map_or(0, |time| time.seconds - TEN);
            let active: Vec<&str> = own.status.active.iter().map(|own| own.uid.as_str()).collect();
            format!("status {last} [{}]", active.join(" "))
        }
        None => write.describe(),
    };
    plan.writes().map(line).collect()
}

fn reasons(plan: &Plan) -> Vec<&str> {
    plan.events.iter().map(|note| note.reason).collect()
}

#[test]
fn a_job_is_made_when_its_time_has_come() {
    let own = cron("0 * * * *", TEN - HOUR / 2);
    let early = plan(own.clone(), vec![], TEN - 60);
    assert_eq!((shown(&early).len(), early.again), (0, Some(Duration::from_millis(60_100))));
    let due = plan(own.clone(), vec![], TEN + 1);
    let minute = TEN / 60;
    assert_eq!(shown(&due), [format!("create jobs.batch lab/tick-{minute}"), "status 0 []".into()]);
    assert_eq!(due.again, Some(Duration::from_millis(3_599_100)));
    let made: &Job = due.stages[0][0].object().expect("a job");
    assert_eq!(made.metadata.annotations[SCHEDULED], "2026-11-29T10:00:00Z");
    assert!(owners::is_controlled_by(&made.metadata, &own.metadata));

    let mut noted = own;
    noted.status.last_schedule_time = Some(at(TEN).into());
    let job = job_for(&noted, TEN);
    let next = plan(noted.clone(), vec![job.clone()], TEN + 2);
    assert_eq!((shown(&next), reasons(&next)), (vec![format!("status 0 [j{TEN}]")], vec![]));
    noted.status.active.push(reference(&job));
    let done = plan(noted, vec![over(job, "Complete")], TEN + 3);
    assert_eq!((shown(&done), reasons(&done)), (vec!["status 0 []".into()], vec!["SawCompletedJob"]));
    let status = &done.stages[0][0].object::<CronJob>().expect("the status").status;
    assert_eq!(status.last_successful_time, Some(at(TEN).into()));
}

#[test]
fn a_job_is_stamped_in_its_zone() {
    let mut own = cron("30 15 * * *", TEN - HOUR);
    own.spec.time_zone = Some("Asia/Kolkata".into());
    let due = plan(own.clone(), vec![], TEN + 1);
    let made: &Job = due.stages[0][0].object().expect("a job");
    assert_eq!(made.metadata.annotations[SCHEDULED], "2026-11-29T15:30:00+05:30");
    own.spec.time_zone = Some("Asia/Atlantis".into());
    let unknown = plan(own, vec![], TEN + 1);
    assert_eq!((shown(&unknown).len(), reasons(&unknown)), (0, vec!["UnknownTimeZone"]));
}

#[test]
fn jobs_that_overlap_are_dealt_with_as_the_policy_says() {
    let (minute, before) = (TEN / 60, (TEN - HOUR) / 60);
    for (policy, lines) in [
        (
            "Allow",
            vec![format!("create jobs.batch lab/tick-{minute}"), format!("status 0 [j{}]", TEN - HOUR)],
        ),
        ("Forbid", vec![]),
        (
            "Replace",
            vec![
                format!("delete jobs.batch lab/tick-{before}"),
                format!("create jobs.batch lab/tick-{minute}"),
                "status 0 []".into(),
            ],
        ),
    ] {
        let mut own = cron("0 * * * *", TEN - 2 * HOUR);
        own.spec.concurrency_policy = policy.into();
        let job = running(&mut own, TEN - HOUR);
        let plan = plan(own, vec![job], TEN + 1);
        assert_eq!(shown(&plan), lines, "{policy}");
        assert_eq!(reasons(&plan).contains(&"JobAlreadyActive"), policy == "Forbid");
    }
}

#[test]
fn starts_that_were_missed_are_made_up_for_once() {
    let mut own = cron("0 * * * *", TEN - 10 * HOUR);
    let late = plan(own.clone(), vec![], TEN + 60);
    assert_eq!(shown(&late)[0], format!("create jobs.batch lab/tick-{}", TEN / 60));
    assert_eq!(reasons(&late), [""; 0]);
    own.metadata.creation_timestamp = Some(at(TEN - 200 * HOUR).into());
    assert_eq!(reasons(&plan(own.clone(), vec![], TEN + 60)), ["TooManyMissedTimes"]);
    own.spec.starting_deadline_seconds = Some(30);
    let missed = plan(own.clone(), vec![], TEN + 60);
    assert_eq!((shown(&missed).len(), reasons(&missed).len()), (0, 0));
    own.spec.suspend = Some(true);
    assert_eq!(plan(own, vec![], TEN + 1).again, None);
}

#[test]
fn a_schedule_without_times_is_told() {
    let never = plan(cron("59 23 31 2 *", TEN), vec![], TEN + 1);
    assert_eq!((reasons(&never), never.again), (vec!["InvalidSchedule"], None));
    let broken = plan(cron("soon", TEN), vec![], TEN + 1);
    assert_eq!(reasons(&broken), ["UnparseableSchedule"]);
}

#[test]
fn so_many_jobs_are_kept() {
    let mut own = cron("0 0 1 1 *", TEN - HOUR);
    own.spec.successful_jobs_history_limit = Some(1);
    own.spec.failed_jobs_history_limit = Some(0);
    own.status.last_schedule_time = Some(at(TEN).into());
    let jobs = vec![
        over(job_for(&own, TEN - 120), "Complete"),
        over(job_for(&own, TEN - 60), "Complete"),
        over(job_for(&own, TEN), "Failed"),
    ];
    let plan = plan(own, jobs, TEN + 1);
    let gone: Vec<String> =
        [TEN - 120, TEN].map(|time| format!("delete jobs.batch lab/tick-{}", time / 60)).to_vec();
    assert_eq!(shown(&plan)[..2], gone);
    let Op::Delete { propagation, .. } = &plan.stages[0][0].op else { panic!("a deletion") };
    assert_eq!(*propagation, Some(Propagation::Background));
}

#[test]
fn strangers_are_told_of_and_the_missing_forgotten() {
    let mut own = cron("0 0 1 1 *", TEN - HOUR);
    running(&mut own, TEN);
    let mut manual = job_for(&own, TEN - 600);
    manual.metadata.name = "by-hand".into();
    let plan = plan(own, vec![manual], TEN + 1);
    assert_eq!(reasons(&plan), ["UnexpectedJob", "MissingJob"]);
    assert_eq!(shown(&plan), ["status 0 []"]);
    assert!(matches!(&plan.stages[0][0].guards[..], [Guard::Absent(_, uid)] if *uid == format!("j{TEN}")));
}
