//! Jobs whose pods have an index each.

use super::super::indexes::INDEX;
use super::*;

const FAILURES: &str = "batch.kubernetes.io/job-index-failure-count";

fn indexed(parallelism: i32, completions: i32) -> Job {
    let mut job = started(job(parallelism, Some(completions)), 1);
    job.spec.completion_mode = Some("Indexed".into());
    job.spec.template.spec.containers.push(api_types::core::v1::Container::default());
    job
}

fn per_index(parallelism: i32, completions: i32, limit: i32) -> Job {
    let mut job = indexed(parallelism, completions);
    job.spec.backoff_limit = Some(i32::MAX);
    job.spec.backoff_limit_per_index = Some(limit);
    job
}

fn of_index(mut pod: Pod, index: i64) -> Pod {
    pod.metadata.annotations.insert(INDEX.into(), index.to_string());
    pod
}

fn made(plan: &Plan) -> Vec<&Pod> {
    plan.writes().filter_map(|write| write.object::<Pod>()).collect()
}

fn indexes(plan: &Plan) -> Vec<&str> {
    made(plan).iter().map(|pod| pod.metadata.annotations[INDEX].as_str()).collect()
}

#[test]
fn each_index_has_a_pod() {
    let pods = vec![of_index(pod("a", "Running"), 1), of_index(pod("b", "Succeeded"), 0)];
    let plan = plan_of(&world(indexed(3, 5), pods));
    assert_eq!(indexes(&plan), ["2", "3"]);
    assert_eq!(shown(&plan)[1..], ["status active 3 succeeded 1 failed 0 done 0", "patch pods lab/b"]);
    let pod = made(&plan)[0];
    assert_eq!((pod.spec.hostname.as_str(), pod.metadata.generate_name.as_str()), ("sum-2", "sum-2-"));
    assert_eq!(pod.metadata.labels[INDEX], "2");
    let variable = &pod.spec.containers[0].env[0];
    let field = variable.value_from.as_ref().and_then(|from| from.field_ref.as_ref()).expect("a field");
    assert_eq!(variable.name, "JOB_COMPLETION_INDEX");
    assert_eq!(field.field_path, "metadata.labels['batch.kubernetes.io/job-completion-index']");
}

#[test]
fn an_index_is_counted_once() {
    let mut job = indexed(2, 2);
    job.status.completed_indexes = "0".into();
    job.status.succeeded = 1;
    let pods = vec![of_index(pod("again", "Succeeded"), 0), of_index(pod("far", "Succeeded"), 7)];
    let plan = plan_of(&world(job, pods));
    assert_eq!(indexes(&plan), ["1"]);
    assert_eq!(status_of(&plan).succeeded, 1);
}

#[test]
fn pods_of_the_same_index_or_of_none_go() {
    let pods = vec![
        of_index(pod("a", "Running"), 0),
        of_index(pod("b", "Pending"), 0),
        of_index(pod("far", "Running"), 9),
        pod("none", "Running"),
    ];
    let plan = plan_of(&world(indexed(3, 3), pods));
    let mut gone: Vec<&str> = plan.stages[1].iter().map(|write| write.target.name.as_str()).collect();
    gone.sort_unstable();
    assert_eq!(gone, ["b", "far", "none"]);
}

#[test]
fn a_job_that_grows_or_shrinks_knows_its_indexes() {
    let mut shrunk = indexed(2, 2);
    shrunk.status.completed_indexes = "1,3".into();
    shrunk.status.succeeded = 2;
    let plan = plan_of(&world(shrunk, vec![of_index(pod("a", "Running"), 0)]));
    assert_eq!(shown(&plan), ["status active 1 succeeded 1 failed 0 done 1"]);
}

#[test]
fn each_index_has_failures_of_its_own() {
    let failed = of_index(ended(pod("a", "Failed"), 900, 1), 0);
    let plan = plan_of(&world(per_index(2, 2, 2), vec![failed.clone(), of_index(pod("b", "Running"), 1)]));
    // The pod stays until its successor has taken over its count.
    assert_eq!(shown(&plan), ["create pods lab/", "status active 2 succeeded 0 failed 0 broken "]);
    let next = made(&plan)[0].clone();
    assert_eq!(next.metadata.annotations[FAILURES], "1");
    let mut next = of_index(pod("c", "Running"), 0);
    next.metadata.annotations.insert(FAILURES.into(), "1".into());
    let plan = plan_of(&world(per_index(2, 2, 2), vec![failed, of_index(pod("b", "Running"), 1), next]));
    assert_eq!(shown(&plan), ["status active 2 succeeded 0 failed 0 -a broken ", "patch pods lab/a"]);
}

#[test]
fn an_index_waits_after_a_failure() {
    let failed = of_index(ended(pod("a", "Failed"), 993, 1), 0);
    let plan = plan_of(&world(per_index(1, 1, 2), vec![failed]));
    assert_eq!((made(&plan).len(), plan.again), (0, Some(Duration::from_secs(3))));
}

#[test]
fn a_job_fails_when_all_is_done_and_some_indexes_have_failed() {
    let mut last = of_index(ended(pod("a", "Failed"), 900, 1), 0);
    last.metadata.annotations.insert(FAILURES.into(), "1".into());
    let pods = vec![last, of_index(pod("b", "Succeeded"), 1)];
    let plan = plan_of(&world(per_index(2, 2, 1), pods.clone()));
    let status = "status active 0 succeeded 1 failed 0 -a done 1 broken 0 FailureTarget:FailedIndexes";
    assert_eq!(shown(&plan), [status, "patch pods lab/a, patch pods lab/b"]);
    let mut strict = per_index(2, 5, 1);
    strict.spec.max_failed_indexes = Some(0);
    let plan = plan_of(&world(strict, pods));
    assert!(told(&status_of(&plan)).ends_with("FailureTarget:MaxFailedIndexesExceeded"));
}
