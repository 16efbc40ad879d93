//! Jobs that a CronJob should not make.

use serde_json::{Value, json};

use super::*;
use crate::check::trial::{Trial, meta};

fn trial(policy: &str) -> Trial {
    let mut trial = Trial::of(Schedules::new(&Profile::default()));
    let spec = json!({"schedule": "* * * * *", "concurrencyPolicy": policy, "startingDeadlineSeconds": 120});
    assert_eq!(trial.write::<CronJob>(&json!({"metadata": meta("tick", None), "spec": spec})), Ok(()));
    trial
}

/// A Job for a time of 1970's first hour: the sixteenth minute is the last that has begun.
fn job(name: &str, minute: u32) -> Value {
    let mut meta = meta(name, Some(("CronJob", "tick")));
    meta["annotations"] = json!({SCHEDULED: format!("1970-01-01T00:{minute:02}:00Z")});
    json!({"metadata": meta})
}

#[test]
fn a_time_gets_one_job() {
    let mut trial = trial("Allow");
    assert_eq!(trial.write::<Job>(&job("a", 16)), Ok(()));
    let second = trial.write::<Job>(&job("b", 16));
    assert_eq!(second, Err("there was one for that time already, of uid a-uid".to_owned()));
}

#[test]
fn a_job_is_neither_early_nor_late() {
    let early = trial("Allow").write::<Job>(&job("a", 17));
    assert_eq!(early, Err("the job is for a time to come".to_owned()));
    let late = trial("Allow").write::<Job>(&job("a", 13));
    assert_eq!(late, Err("the job was to begin within 120 s of its time".to_owned()));
}

#[test]
fn the_policy_says_whether_two_may_run() {
    for (policy, second) in
        [("Allow", Ok(())), ("Forbid", Err("a is not over")), ("Replace", Err("a is not over"))]
    {
        let mut trial = trial(policy);
        assert_eq!(trial.write::<Job>(&job("a", 15)), Ok(()));
        assert_eq!(trial.write::<Job>(&job("b", 16)), second.map_err(str::to_owned), "{policy}");
    }
}
