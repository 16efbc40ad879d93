//! The conditions of a job: what is decided, and what has come of it.

use api_types::batch::v1::{Job, JobCondition};
use base::time::Time;

pub(super) const COMPLETE: &str = "Complete";
pub(super) const FAILED: &str = "Failed";
pub(super) const SUSPENDED: &str = "Suspended";
/// The job will fail once its pods have ended.
pub(super) const FAILURE_TARGET: &str = "FailureTarget";
/// The job will be complete once its pods have ended.
pub(super) const SUCCESS_CRITERIA_MET: &str = "SuccessCriteriaMet";

/// The condition with which a job is over.
pub(crate) fn finished(job: &Job) -> Option<&JobCondition> {
    let over = |own: &&JobCondition| matches!(own.type_.as_str(), COMPLETE | FAILED) && own.status == "True";
    job.status.conditions.iter().find(over)
}

/// Whether a job is over and has succeeded.
pub(crate) fn is_complete(job: &Job) -> bool {
    job.status.conditions.iter().any(|own| own.type_ == COMPLETE && own.status == "True")
}

/// The condition of a type, if it holds.
pub(super) fn holding<'a>(conditions: &'a [JobCondition], type_: &str) -> Option<&'a JobCondition> {
    conditions.iter().find(|own| own.type_ == type_).filter(|own| own.status == "True")
}

/// A condition that holds.
pub(super) fn new(type_: &str, reason: &str, message: impl Into<String>, now: Time) -> JobCondition {
    JobCondition {
        type_: type_.into(),
        status: "True".into(),
        last_probe_time: Some(now.into()),
        last_transition_time: Some(now.into()),
        reason: reason.into(),
        message: message.into(),
    }
}

/// Puts a condition in place of the one of its type, and says whether that changed anything; one that does not hold is not
/// added.
pub(super) fn ensure(conditions: &mut Vec<JobCondition>, new: JobCondition) -> bool {
    match conditions.iter_mut().find(|own| own.type_ == new.type_) {
        Some(own) if own.status == new.status && own.reason == new.reason && own.message == new.message => {
            false
        }
        Some(own) => {
            *own = new;
            true
        }
        None if new.status == "False" => false,
        None => {
            conditions.push(new);
            true
        }
    }
}
