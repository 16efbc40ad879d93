//! Worlds of a job and the plans that they lead to.

mod indexed;
mod policies;

use std::time::Duration;

use api_meta::Status;
use api_types::batch::v1::{JobCondition, JobStatus};
use api_types::core::v1::{ContainerState, ContainerStateTerminated, ContainerStatus};
use api_types::meta::v1::LabelSelector;
use client::reconcile::{Failure, Op};
use client::{Revision, Verb};

use super::*;

const NOW: i64 = 1000;

fn at(seconds: i64) -> Time {
    Time::from_unix_seconds(seconds)
}

fn job(parallelism: i32, completions: Option<i32>) -> Job {
    let mut job = Job::default();
    job.metadata.name = "sum".into();
    job.metadata.namespace = "lab".into();
    job.metadata.uid = "job".into();
    job.spec.parallelism = Some(parallelism);
    job.spec.completions = completions;
    job.spec.backoff_limit = Some(6);
    job.spec.completion_mode = Some("NonIndexed".into());
    job.spec.template.spec.restart_policy = "Never".into();
    job.spec.template.metadata.labels.insert("job".into(), "sum".into());
    let match_labels = job.spec.template.metadata.labels.clone();
    job.spec.selector = Some(Box::new(LabelSelector { match_labels, ..LabelSelector::default() }));
    job
}

fn orphan(name: &str, phase: &str) -> Pod {
    let mut pod = Pod::default();
    pod.metadata.name = name.into();
    pod.metadata.namespace = "lab".into();
    pod.metadata.uid = name.into();
    pod.metadata.labels.insert("job".into(), "sum".into());
    pod.metadata.creation_timestamp = Some(at(10).into());
    pod.status.phase = phase.into();
    pod.spec.node_name = "n1".into();
    pod
}

/// A pod of the job that is not counted yet.
fn pod(name: &str, phase: &str) -> Pod {
    let mut pod = counted(name, phase);
    pod.metadata.finalizers.push(FINALIZER.into());
    pod
}

/// A pod of the job that nothing waits for any more.
fn counted(name: &str, phase: &str) -> Pod {
    let mut pod = orphan(name, phase);
    pod.metadata.owner_references.push(owners::controller_reference(&job(1, None).metadata, KIND));
    pod
}

fn ended(mut pod: Pod, seconds: i64, exit_code: i32) -> Pod {
    let terminated = ContainerStateTerminated {
        exit_code,
        finished_at: Some(at(seconds).into()),
        ..ContainerStateTerminated::default()
    };
    pod.status.container_statuses.push(ContainerStatus {
        name: "main".into(),
        state: ContainerState { terminated: Some(Box::new(terminated)), ..ContainerState::default() },
        ..ContainerStatus::default()
    });
    pod
}

fn going(mut pod: Pod) -> Pod {
    pod.metadata.deletion_timestamp = Some(at(NOW - 1).into());
    pod
}

fn world(job: Job, pods: Vec<Pod>) -> World {
    World::default().with([job], Revision(1)).with(pods, Revision(1))
}

fn plan_of(world: &World) -> Plan {
    Jobs.plan(&Key::Job("lab".into(), "sum".into()), world, at(NOW))
}

/// The writes, stage by stage, and what the status says then.
fn shown(plan: &Plan) -> Vec<String> {
    let line = |write: &Write| match write.object::<Job>() {
        Some(job) => format!("status {}", told(&job.status)),
        None => write.describe(),
    };
    plan.stages.iter().map(|stage| stage.iter().map(line).collect::<Vec<_>>().join(", ")).collect()
}

fn told(status: &JobStatus) -> String {
    let mut words = vec![
        format!("active {}", status.active),
        format!("succeeded {}", status.succeeded),
        format!("failed {}", status.failed),
    ];
    if let Some(uncounted) = &status.uncounted_terminated_pods {
        for (name, uids) in [("+", &uncounted.succeeded), ("-", &uncounted.failed)] {
            words.extend(uids.iter().map(|uid| format!("{name}{uid}")));
        }
    }
    words
        .extend((!status.completed_indexes.is_empty()).then(|| format!("done {}", status.completed_indexes)));
    words.extend(status.failed_indexes.as_ref().map(|indexes| format!("broken {indexes}")));
    let holding = status.conditions.iter().filter(|own| own.status == "True");
    words.extend(holding.map(|own| format!("{}:{}", own.type_, own.reason)));
    words.join(" ")
}

fn status_of(plan: &Plan) -> JobStatus {
    let found = plan.writes().find_map(|write| write.object::<Job>());
    found.expect("the status is written").status.clone()
}

/// The job after a plan.
fn after(mut job: Job, plan: &Plan) -> Job {
    job.status = status_of(plan);
    job
}

fn started(mut job: Job, seconds: i64) -> Job {
    job.status.start_time = Some(at(seconds).into());
    job
}

#[test]
fn a_job_is_run_and_counted() {
    let first = plan_of(&world(job(1, Some(1)), vec![]));
    assert_eq!(shown(&first), ["create pods lab/", "status active 1 succeeded 0 failed 0"]);
    let made: &Pod = first.stages[0][0].object().expect("a pod");
    assert_eq!(
        (made.metadata.generate_name.as_str(), &made.metadata.finalizers[..]),
        ("sum-", &[FINALIZER.into()][..])
    );

    let running = after(job(1, Some(1)), &first);
    assert_eq!(running.status.start_time, Some(at(NOW).into()));
    assert!(plan_of(&world(running.clone(), vec![pod("a", "Running")])).stages.is_empty());

    let second = plan_of(&world(running.clone(), vec![pod("a", "Succeeded")]));
    let met = "SuccessCriteriaMet:CompletionsReached";
    assert_eq!(
        shown(&second),
        [format!("status active 0 succeeded 0 failed 0 +a {met}").as_str(), "patch pods lab/a"]
    );
    // Nothing is said of the end before the finalizer is gone.
    let counting = after(running, &second);
    assert_eq!(shown(&plan_of(&world(counting.clone(), vec![pod("a", "Succeeded")]))), ["patch pods lab/a"]);
    let last = plan_of(&world(counting.clone(), vec![counted("a", "Succeeded")]));
    let complete = format!("status active 0 succeeded 1 failed 0 {met} Complete:CompletionsReached");
    assert_eq!(shown(&last), [complete.as_str()]);
    let telling = last.stages[0][0].telling.clone().and_then(|it| it.done);
    assert_eq!(telling.map(|note| (note.reason, note.message)), Some(("Completed", "Job completed".into())));
    assert_eq!(status_of(&last).completion_time, Some(at(NOW).into()));
    assert!(plan_of(&world(after(counting, &last), vec![counted("a", "Succeeded")])).stages.is_empty());
}

#[test]
fn no_more_pods_are_made_than_are_missing() {
    for (parallelism, completions, pods, made) in [
        (3, Some(5), vec![], 3),
        (3, Some(2), vec![], 2),
        (3, Some(5), vec![pod("a", "Running"), pod("b", "Succeeded")], 2),
        (2, None, vec![pod("a", "Running")], 1),
        (2, None, vec![pod("a", "Running"), pod("b", "Succeeded")], 0),
        (0, Some(1), vec![], 0),
    ] {
        let plan = plan_of(&world(job(parallelism, completions), pods));
        let creations = plan.writes().filter(|write| matches!(write.op, Op::Create(_))).count();
        assert_eq!(creations, made, "{parallelism} {completions:?}");
    }
}

#[test]
fn pods_that_are_too_many_go_without_being_counted() {
    let mut pending = pod("pending", "Pending");
    pending.spec.node_name.clear();
    let plan = plan_of(&world(job(1, Some(5)), vec![pod("a", "Running"), pending]));
    assert_eq!(
        shown(&plan),
        ["patch pods lab/pending", "delete pods lab/pending", "status active 1 succeeded 0 failed 0"]
    );
    assert_eq!(status_of(&plan).terminating, Some(1));
}

#[test]
fn failures_hold_up_new_pods() {
    let failed = |name: &str, seconds| ended(counted(name, "Failed"), seconds, 1);
    for (pods, wait) in [
        (vec![failed("a", 995)], Some(5)),
        (vec![failed("a", 900), failed("b", 995)], Some(15)),
        (vec![failed("a", 900), failed("b", 970)], None),
        // A success makes up for what was before.
        (vec![failed("a", 900), ended(counted("c", "Succeeded"), 950, 0), failed("b", 995)], Some(5)),
        // Pods that this controller deletes are no failures.
        (vec![going(counted("a", "Running"))], None),
    ] {
        let plan = plan_of(&world(job(1, Some(3)), pods));
        assert_eq!(plan.again, wait.map(Duration::from_secs));
        assert_eq!(plan.writes().any(|write| matches!(write.op, Op::Create(_))), wait.is_none());
    }
}

#[test]
fn a_job_with_too_many_failures_fails() {
    let mut limited = started(job(2, Some(3)), 1);
    limited.spec.backoff_limit = Some(0);
    let first = plan_of(&world(limited.clone(), vec![pod("a", "Failed"), pod("b", "Running")]));
    let target = "FailureTarget:BackoffLimitExceeded";
    assert_eq!(
        shown(&first),
        [
            "delete pods lab/b",
            &format!("status active 0 succeeded 0 failed 0 -a -b {target}"),
            "patch pods lab/a, patch pods lab/b"
        ]
    );
    let failing = after(limited, &first);
    let waiting =
        plan_of(&world(failing.clone(), vec![counted("a", "Failed"), going(counted("b", "Running"))]));
    assert_eq!(shown(&waiting), [format!("status active 0 succeeded 0 failed 2 {target}")]);
    let last = plan_of(&world(after(failing, &waiting), vec![counted("a", "Failed")]));
    assert_eq!(
        shown(&last),
        [format!("status active 0 succeeded 0 failed 2 {target} Failed:BackoffLimitExceeded")]
    );
    let told =
        last.stages[0][0].telling.clone().and_then(|it| it.done).map(|note| (note.reason, note.message));
    assert_eq!(told, Some(("BackoffLimitExceeded", "Job has reached the specified backoff limit".into())));
}

#[test]
fn restarts_in_place_count_as_well() {
    let mut limited = job(1, Some(1));
    limited.spec.backoff_limit = Some(2);
    limited.spec.template.spec.restart_policy = "OnFailure".into();
    for (restarts, fails) in [(1, false), (2, true)] {
        let mut running = pod("a", "Running");
        running
            .status
            .container_statuses
            .push(ContainerStatus { restart_count: restarts, ..ContainerStatus::default() });
        let status = status_of(&plan_of(&world(limited.clone(), vec![running])));
        assert_eq!(status.conditions.iter().any(|own| own.type_ == "FailureTarget"), fails);
    }
}

#[test]
fn a_job_has_so_much_time() {
    let mut hasty = started(job(1, Some(1)), NOW - 10);
    hasty.spec.active_deadline_seconds = Some(30);
    assert_eq!(
        plan_of(&world(hasty.clone(), vec![pod("a", "Running")])).again,
        Some(Duration::from_secs(20))
    );
    hasty.spec.active_deadline_seconds = Some(10);
    let plan = plan_of(&world(hasty, vec![pod("a", "Running")]));
    assert_eq!(shown(&plan)[1], "status active 0 succeeded 0 failed 0 -a FailureTarget:DeadlineExceeded");
}

#[test]
fn a_suspended_job_has_no_pods_and_begins_anew() {
    let mut resting = started(job(1, Some(1)), 1);
    resting.spec.suspend = Some(true);
    let plan = plan_of(&world(resting.clone(), vec![pod("a", "Running")]));
    assert_eq!(
        shown(&plan),
        [
            "patch pods lab/a",
            "delete pods lab/a",
            "status active 0 succeeded 0 failed 0 Suspended:JobSuspended"
        ]
    );
    assert_eq!((status_of(&plan).start_time, plan.events[0].reason), (None, "Suspended"));
    let mut resumed = after(resting, &plan);
    resumed.spec.suspend = Some(false);
    let plan = plan_of(&world(resumed, vec![going(counted("a", "Running"))]));
    assert_eq!(shown(&plan), ["create pods lab/", "status active 1 succeeded 0 failed 0"]);
    let status = status_of(&plan);
    assert_eq!((status.start_time, plan.events[0].reason), (Some(at(NOW).into()), "Resumed"));
    assert_eq!(status.conditions[0].status, "False");
}

#[test]
fn pods_that_are_going_are_replaced_as_the_policy_says() {
    let mut patient = job(1, Some(1));
    patient.spec.pod_replacement_policy = Some("Failed".into());
    let plan = plan_of(&world(patient, vec![going(pod("a", "Running"))]));
    assert_eq!(shown(&plan), ["status active 0 succeeded 0 failed 0"]);
    let mut gone_long_ago = pod("a", "Running");
    gone_long_ago.metadata.deletion_timestamp = Some(at(900).into());
    let plan = plan_of(&world(job(1, Some(1)), vec![gone_long_ago]));
    assert_eq!(
        shown(&plan),
        ["create pods lab/", "status active 1 succeeded 0 failed 0 -a", "patch pods lab/a"]
    );
}

#[test]
fn what_is_there_is_adopted_with_the_finalizer() {
    let mut stranger = pod("stranger", "Running");
    stranger.metadata.labels.clear();
    let plan = plan_of(&world(job(1, Some(1)), vec![orphan("a", "Running"), stranger]));
    assert_eq!(shown(&plan).len(), 1);
    let patches: Vec<String> = plan.stages[0]
        .iter()
        .filter_map(|write| match &write.op {
            Op::Patch(_, patch) => Some(patch["metadata"].to_string()),
            _ => None,
        })
        .collect();
    assert!(patches[0].contains("$deleteFromPrimitiveList/finalizers"), "{}", patches[0]);
    assert!(patches[1].contains(r#""finalizers":["batch.kubernetes.io/job-tracking"]"#), "{}", patches[1]);
}

#[test]
fn what_can_be_said_is_said_before_what_failed_is_tried_again() {
    let failure = Failure {
        status: Status::internal_error("no room"),
        write: Some((Verb::Create, resource_of::<Pod>().clone())),
    };
    let world = world(started(job(3, Some(3)), 1), vec![pod("a", "Succeeded"), pod("b", "Running")]);
    let plan = plan_of(&world.after(Some(failure)));
    assert_eq!(
        shown(&plan),
        ["status active 1 succeeded 0 failed 0 +a", "patch pods lab/a", "create pods lab/"]
    );
}

#[test]
fn pods_without_a_job_that_counts_them_lose_the_finalizer() {
    let key = Key::Stray("lab".into(), "a".into());
    let over = |type_: &str| {
        let mut job = job(1, Some(1));
        job.status.conditions.push(JobCondition {
            type_: type_.into(),
            status: "True".into(),
            ..JobCondition::default()
        });
        job
    };
    let mut elsewhere = over("Complete");
    elsewhere.spec.managed_by = Some("example.com/queue".into());
    let mut other = over("Complete");
    other.metadata.uid = "another".into();
    for (job, pod, patched, guards) in [
        (over("Failed"), pod("a", "Running"), true, 0),
        (over("SuccessCriteriaMet"), pod("a", "Running"), false, 0),
        (elsewhere, pod("a", "Running"), false, 0),
        (other, pod("a", "Running"), true, 1),
        (job(1, None), counted("a", "Running"), false, 0),
    ] {
        let plan = Jobs.plan(&key, &world(job, vec![pod]), at(NOW));
        let writes: Vec<&Write> = plan.writes().collect();
        assert_eq!(
            writes.iter().map(|write| write.guards.len()).collect::<Vec<_>>(),
            vec![guards; usize::from(patched)]
        );
    }
}

#[test]
fn what_others_manage_is_left_alone() {
    let mut elsewhere = job(1, Some(1));
    elsewhere.spec.managed_by = Some("example.com/queue".into());
    assert!(plan_of(&world(elsewhere, vec![])).stages.is_empty());
    let mut own = job(1, Some(1));
    own.spec.managed_by = Some(CONTROLLER.into());
    assert_eq!(plan_of(&world(own, vec![])).stages.len(), 2);
}

#[test]
fn a_job_that_is_being_deleted_lets_its_pods_go() {
    let mut ending = started(job(2, Some(2)), 1);
    ending.metadata.deletion_timestamp = Some(at(NOW).into());
    let plan = plan_of(&world(ending, vec![pod("a", "Running")]));
    assert_eq!(shown(&plan), ["status active 1 succeeded 0 failed 0", "patch pods lab/a"]);
}
