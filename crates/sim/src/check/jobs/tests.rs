//! Pods that a Job should not make, and counts that are wrong.

use serde_json::{Value, json};

use super::*;
use crate::check::trial::{Trial, meta};

fn job(spec: &Value, status: &Value) -> Value {
    json!({"metadata": meta("sum", None), "spec": spec, "status": status})
}

fn pod(name: &str, index: &str, phase: &str) -> Value {
    let mut meta = meta(name, Some(("Job", "sum")));
    meta["finalizers"] = json!([FINALIZER]);
    meta["annotations"] = json!({INDEX: index});
    json!({"metadata": meta, "status": {"phase": phase}})
}

fn making(spec: &Value, status: &Value) -> Trial {
    let mut trial = Trial::of(Making::new(&Profile::default()));
    assert_eq!(trial.write::<Job>(&job(spec, status)), Ok(()));
    trial
}

fn counting(phase: &str) -> Trial {
    let mut trial = Trial::of(Counting::default());
    assert_eq!(trial.write::<Pod>(&pod("a", "0", phase)), Ok(()));
    assert_eq!(trial.write::<Job>(&job(&plain(), &json!({}))), Ok(()));
    trial
}

fn plain() -> Value {
    json!({"parallelism": 1, "completions": 2, "backoffLimit": 1})
}

fn ended(name: &str) -> Value {
    json!([{"type": name, "status": "True"}])
}

#[test]
fn there_are_no_more_active_pods_than_are_wanted() {
    let mut trial = making(&plain(), &json!({}));
    assert_eq!(trial.write::<Pod>(&pod("a", "0", "Running")), Ok(()));
    let second = trial.write::<Pod>(&pod("b", "1", "Pending"));
    assert_eq!(second, Err("the job has 2 active pods, and never wanted more than 1".to_owned()));
}

#[test]
fn a_pod_is_kept_until_it_is_counted() {
    let mut free = pod("a", "0", "Pending");
    free["metadata"]["finalizers"] = json!([]);
    let made = making(&plain(), &json!({})).write::<Pod>(&free);
    assert_eq!(made, Err("nothing keeps the pod until it is counted".to_owned()));
}

#[test]
fn a_job_that_is_over_or_has_failed_too_often_makes_no_pods() {
    let over =
        making(&plain(), &json!({"conditions": ended("Failed")})).write::<Pod>(&pod("a", "0", "Pending"));
    assert_eq!(over, Err("the job is over".to_owned()));
    let failed = making(&plain(), &json!({"failed": 2})).write::<Pod>(&pod("a", "0", "Pending"));
    assert_eq!(failed, Err("2 pods have failed, and 1 may".to_owned()));
}

#[test]
fn an_index_is_done_by_one_pod_and_once() {
    let spec = json!({"parallelism": 2, "completions": 2, "completionMode": "Indexed"});
    let mut trial = making(&spec, &json!({"succeeded": 1, "completedIndexes": "0"}));
    let again = trial.write::<Pod>(&pod("a", "0", "Pending"));
    assert_eq!(again, Err("the index 0 is over".to_owned()));
    let mut trial = making(&spec, &json!({}));
    assert_eq!(trial.write::<Pod>(&pod("a", "1", "Running")), Ok(()));
    let twice = trial.write::<Pod>(&pod("b", "1", "Pending"));
    assert_eq!(twice, Err("two pods are active for the index 1".to_owned()));
    let beyond = making(&spec, &json!({})).write::<Pod>(&pod("a", "2", "Pending"));
    assert_eq!(beyond, Err("the job never had an index 2".to_owned()));
}

#[test]
fn no_pod_is_counted_twice() {
    let mut trial = counting("Succeeded");
    let named = json!({"uncountedTerminatedPods": {"succeeded": ["a-uid"]}});
    assert_eq!(trial.write::<Job>(&job(&plain(), &named)), Ok(()));
    assert_eq!(trial.write::<Job>(&job(&plain(), &json!({"succeeded": 1}))), Ok(()));
    let again = json!({"succeeded": 1, "uncountedTerminatedPods": {"succeeded": ["a-uid"]}});
    let again = trial.write::<Job>(&job(&plain(), &again));
    assert_eq!(again, Err("the pod of uid a-uid is counted again".to_owned()));
}

#[test]
fn no_more_is_counted_than_there_was() {
    let succeeded = counting("Succeeded").write::<Job>(&job(&plain(), &json!({"succeeded": 2})));
    assert_eq!(succeeded, Err("2 pods are counted as succeeded, and 1 have".to_owned()));
    let failed = counting("Succeeded").write::<Job>(&job(&plain(), &json!({"failed": 1})));
    assert_eq!(failed, Err("1 pods are counted as failed, and 0 can have".to_owned()));
}

#[test]
fn a_job_that_is_over_has_no_pod_that_goes_on_and_has_counted_all() {
    let over = json!({"conditions": ended("Complete")});
    let goes_on = counting("Running").write::<Job>(&job(&plain(), &over));
    assert_eq!(goes_on, Err("it is over, and a is active".to_owned()));
    let uncounted = counting("Succeeded").write::<Job>(&job(&plain(), &over));
    assert_eq!(uncounted, Err("0 succeeded and 0 failed, of 1 pods".to_owned()));
}
