//! What is wrong with a job's status. What was wrong before and has not changed is let pass, so that whoever mends the rest can.

use std::collections::BTreeSet;

use api_kind::checks::{non_negative, shown};
use api_meta::field::{BadValue, ErrorList, FieldError, Path};
use api_types::batch::v1::{Job, UncountedTerminatedPods};

use super::indexes;

/// Whether a condition holds.
pub(super) fn holds(job: &Job, type_: &str) -> bool {
    job.status.conditions.iter().any(|own| own.type_ == type_ && own.status == "True")
}

fn is_finished(job: &Job) -> bool {
    holds(job, "Complete") || holds(job, "Failed")
}

fn is_indexed(job: &Job) -> bool {
    job.spec.completion_mode.as_deref() == Some("Indexed")
}

/// Says what is wrong with a status, which takes the place of another.
pub(super) fn check(errors: &mut ErrorList, job: &Job, old: Option<&Job>) {
    let Some(old) = old else { return };
    let path = Path::new("status");
    counts(errors, &path, job);
    let changed = |type_: &str| holds(old, type_) != holds(job, type_);
    conditions(errors, &path, job, &changed);
    completion(errors, &path, job, old, &changed);
    finish(errors, &path, job, old);
    index_sets(errors, &path, job, old);
    ends(errors, &path, job, old);
    transitions(errors, &path, job, old);
}

fn counts(errors: &mut ErrorList, path: &Path, job: &Job) {
    let status = &job.status;
    for (name, count) in [
        ("active", Some(status.active)),
        ("succeeded", Some(status.succeeded)),
        ("failed", Some(status.failed)),
        ("ready", status.ready),
        ("terminating", status.terminating),
    ] {
        if let Some(count) = count {
            non_negative(errors, &path.child(name), count.into());
        }
    }
    let Some(UncountedTerminatedPods { succeeded, failed }) = status.uncounted_terminated_pods.as_deref()
    else {
        return;
    };
    let at = path.child("uncountedTerminatedPods");
    let mut seen = BTreeSet::new();
    for (name, uids) in [("succeeded", succeeded), ("failed", failed)] {
        for (number, uid) in uids.iter().enumerate() {
            let at = at.child(name).index(number);
            if uid.is_empty() {
                errors.push(FieldError::invalid(&at, uid, "must not be empty"));
            } else if !seen.insert(uid) {
                errors.push(FieldError::duplicate(&at, uid));
            }
        }
    }
}

fn conditions(errors: &mut ErrorList, path: &Path, job: &Job, changed: &dyn Fn(&str) -> bool) {
    let at = path.child("conditions");
    let (complete, failed) = (holds(job, "Complete"), holds(job, "Failed"));
    let ended = changed("Complete") || changed("Failed");
    if complete && failed && ended {
        let why = "cannot set Complete=True and Failed=true conditions";
        errors.push(FieldError::invalid(&at, BadValue::OMITTED, why));
    }
    if complete && holds(job, "FailureTarget") && (changed("Complete") || changed("FailureTarget")) {
        let why = "cannot set Complete=True and FailureTarget=true conditions";
        errors.push(FieldError::invalid(&at, BadValue::OMITTED, why));
    }
}

fn completion(errors: &mut ErrorList, path: &Path, job: &Job, old: &Job, changed: &dyn Fn(&str) -> bool) {
    let (at, status, complete) = (path.child("completionTime"), &job.status, holds(job, "Complete"));
    let time = status.completion_time;
    let moved = old.status.completion_time != time;
    if changed("Complete") || moved {
        if time.is_some() && !complete {
            let why = "cannot set completionTime when there is no Complete=True condition";
            errors.push(FieldError::invalid(&at, time, why));
        }
        if time.is_none() && complete {
            errors.push(FieldError::required(&at, "completionTime is required for Complete jobs"));
        }
    }
    let restarted = old.status.start_time != status.start_time;
    if (restarted || moved) && status.start_time.is_some() && time.is_some() && time < status.start_time {
        errors.push(FieldError::invalid(&at, time, "must be equal to or after `startTime`"));
    }
    let at = path.child("conditions");
    let failing = changed("Failed") || old.status.failed_indexes != status.failed_indexes;
    if failing && holds(job, "Failed") && !holds(job, "FailureTarget") {
        let why = "cannot set Failed=True condition without the FailureTarget=true condition";
        errors.push(FieldError::invalid(&at, BadValue::OMITTED, why));
    }
    let succeeding = changed("Complete") || changed("SuccessCriteriaMet");
    if succeeding && complete && !holds(job, "SuccessCriteriaMet") {
        let why = "cannot set Complete=True condition without the SuccessCriteriaMet=true condition";
        errors.push(FieldError::invalid(&at, BadValue::OMITTED, why));
    }
}

fn finish(errors: &mut ErrorList, path: &Path, job: &Job, old: &Job) {
    let (status, before) = (&job.status, &old.status);
    if !is_finished(job) {
        return;
    }
    let ended = !is_finished(old);
    if (ended || status.active != before.active) && status.active > 0 {
        let why = "active>0 is invalid for finished job";
        errors.push(FieldError::invalid(&path.child("active"), status.active, why));
    }
    let is_nothing = job.spec.suspend == Some(true) && job.spec.completions == Some(0);
    let started = ended || status.start_time != before.start_time;
    if started && !is_nothing && status.start_time.is_none() {
        let why = "startTime is required for finished job";
        errors.push(FieldError::required(&path.child("startTime"), why));
    }
    if (ended || status.uncounted_terminated_pods != before.uncounted_terminated_pods)
        && let Some(uncounted) = &status.uncounted_terminated_pods
        && !(uncounted.succeeded.is_empty() && uncounted.failed.is_empty())
    {
        let at = path.child("uncountedTerminatedPods");
        errors.push(FieldError::invalid(&at, shown(&**uncounted), "must be empty for finished job"));
    }
}

fn index_sets(errors: &mut ErrorList, path: &Path, job: &Job, old: &Job) {
    let (status, completions) = (&job.status, job.spec.completions);
    let (done, broken) = (&status.completed_indexes, status.failed_indexes.as_deref());
    let done_moved = *done != old.status.completed_indexes;
    let broken_moved = status.failed_indexes != old.status.failed_indexes;
    let (done_at, broken_at) = (path.child("completedIndexes"), path.child("failedIndexes"));
    if done_moved && let Some(why) = completions.and_then(|many| indexes::count(done, many).err()) {
        let why = format!("error parsing completedIndexes: {why}");
        errors.push(FieldError::invalid(&done_at, done, why));
    }
    let per_index = job.spec.backoff_limit_per_index.is_some();
    if broken_moved
        && per_index
        && let (Some(many), Some(broken)) = (completions, broken)
        && let Err(why) = indexes::count(broken, many)
    {
        let why = format!("error parsing failedIndexes: {why}");
        errors.push(FieldError::invalid(&broken_at, broken, why));
    }
    if done_moved && !done.is_empty() && !is_indexed(job) {
        let why = "cannot set non-empty completedIndexes when non-indexed completion mode";
        errors.push(FieldError::invalid(&done_at, done, why));
    }
    if let Some(broken) = broken {
        if broken_moved && !per_index {
            let why = "cannot set non-null failedIndexes when backoffLimitPerIndex is null";
            errors.push(FieldError::invalid(&broken_at, broken, why));
        }
        if (broken_moved || done_moved)
            && let Some(index) = completions.and_then(|many| indexes::overlap(done, broken, many))
        {
            let why = format!("failedIndexes and completedIndexes overlap at index: {index}");
            errors.push(FieldError::invalid(&broken_at, broken, why));
        }
    }
}

fn ends(errors: &mut ErrorList, path: &Path, job: &Job, old: &Job) {
    let (status, before) = (&job.status, &old.status);
    let ended = is_finished(job) != is_finished(old);
    if let Some(terminating) = status.terminating.filter(|many| *many > 0 && is_finished(job))
        && (ended || status.terminating != before.terminating)
    {
        let why = "terminating>0 is invalid for finished job";
        errors.push(FieldError::invalid(&path.child("terminating"), terminating, why));
    }
    if let Some(ready) = status.ready.filter(|ready| *ready > status.active)
        && (status.ready != before.ready || status.active != before.active)
    {
        let why = "cannot set more ready pods than active";
        errors.push(FieldError::invalid(&path.child("ready"), ready, why));
    }
    let mut wrong = |why| errors.push(FieldError::invalid(&path.child("conditions"), BadValue::OMITTED, why));
    let met = holds(job, "SuccessCriteriaMet");
    if met && holds(job, "Failed") {
        wrong("cannot set SuccessCriteriaMet=True and Failed=true conditions");
    }
    if met && holds(job, "FailureTarget") {
        wrong("cannot set SuccessCriteriaMet=True and FailureTarget=true conditions");
    }
    if job.spec.success_policy.is_some() && !met && holds(job, "Complete") {
        wrong("cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True");
    }
}

fn transitions(errors: &mut ErrorList, path: &Path, job: &Job, old: &Job) {
    let (status, before, at) = (&job.status, &old.status, path.child("conditions"));
    for type_ in ["Failed", "Complete", "FailureTarget"] {
        if holds(old, type_) && !holds(job, type_) {
            let why = format!("cannot disable the terminal {type_}=True condition");
            errors.push(FieldError::invalid(&at, BadValue::OMITTED, why));
        }
    }
    if status.failed < before.failed {
        let why = "cannot decrease the failed counter";
        errors.push(FieldError::invalid(&path.child("failed"), status.failed, why));
    }
    // An indexed job that is made smaller forgets indexes.
    let may_shrink = is_indexed(job) && job.spec.completions == job.spec.parallelism;
    if status.succeeded < before.succeeded && !may_shrink {
        let why = "cannot decrease the succeeded counter";
        errors.push(FieldError::invalid(&path.child("succeeded"), status.succeeded, why));
    }
    let (end, end_before) = (status.completion_time, before.completion_time);
    if end.is_some() && end_before.is_some() && end != end_before {
        errors.push(FieldError::invalid(&path.child("completionTime"), end, "field is immutable"));
    }
    let resumed = holds(old, "Suspended")
        && status.conditions.iter().any(|own| own.type_ == "Suspended" && own.status == "False");
    let suspended = job.spec.suspend == Some(true);
    if before.start_time.is_some() && before.start_time != status.start_time && !resumed && !suspended {
        let why = "field is immutable for unsuspended job once set";
        errors.push(FieldError::invalid(&path.child("startTime"), status.start_time, why));
    }
    let (met_before, met) = (holds(old, "SuccessCriteriaMet"), holds(job, "SuccessCriteriaMet"));
    if met_before && !met {
        let why = "cannot disable the SuccessCriteriaMet=True condition";
        errors.push(FieldError::invalid(&at, BadValue::OMITTED, why));
    }
    if holds(old, "Complete") && !met_before && met {
        let why = "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions";
        errors.push(FieldError::invalid(&at, BadValue::OMITTED, why));
    }
}
