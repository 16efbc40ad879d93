//! Conditions: finding one by its type, setting one without moving its transition time for nothing.
//!
//! Upstream sets conditions in two ways, kept apart because clients see the difference: [`set`] changes in place (metav1
//! conditions, pods, nodes), [`set_unless_same_reason`] ignores all but a new status or reason and moves the condition
//! to the end (Deployments, ReplicaSets and their kin).

use api_record::scalar::Time;
use api_types::apps::v1::{
    DaemonSetCondition, DeploymentCondition, ReplicaSetCondition, StatefulSetCondition,
};
use api_types::autoscaling::v2::HorizontalPodAutoscalerCondition;
use api_types::batch::v1::JobCondition;
use api_types::core::v1::{
    NamespaceCondition, NodeCondition, PersistentVolumeClaimCondition, PodCondition,
    ReplicationControllerCondition,
};
use api_types::meta::v1;

use crate::field::{BadValue, ErrorList, FieldError, Path};
use crate::labels::validate_label_name;
use crate::limits::{CONDITION_MESSAGE_BYTES, CONDITION_REASON_BYTES};
use crate::names::regex_error;

/// The condition holds.
pub const TRUE: &str = "True";
/// The condition does not hold.
pub const FALSE: &str = "False";
/// It is not known whether the condition holds.
pub const UNKNOWN: &str = "Unknown";

/// A kind's condition.
pub trait Condition: Clone + PartialEq {
    /// What it is about.
    fn type_(&self) -> &str;
    /// [`TRUE`], [`FALSE`] or [`UNKNOWN`].
    fn status(&self) -> &str;
    /// Why, in one word.
    fn reason(&self) -> &str;
    /// When the status last changed.
    fn last_transition_time(&mut self) -> &mut Option<Time>;
}

macro_rules! conditions {
    ($($type:ty),* $(,)?) => {$(
        impl Condition for $type {
            fn type_(&self) -> &str {
                &self.type_
            }
            fn status(&self) -> &str {
                &self.status
            }
            fn reason(&self) -> &str {
                &self.reason
            }
            fn last_transition_time(&mut self) -> &mut Option<Time> {
                &mut self.last_transition_time
            }
        }
    )*};
}

conditions!(
    v1::Condition,
    DaemonSetCondition,
    DeploymentCondition,
    HorizontalPodAutoscalerCondition,
    JobCondition,
    NamespaceCondition,
    NodeCondition,
    PersistentVolumeClaimCondition,
    PodCondition,
    ReplicaSetCondition,
    ReplicationControllerCondition,
    StatefulSetCondition,
);

/// The condition of this type.
pub fn find<'a, C: Condition>(conditions: &'a [C], type_: &str) -> Option<&'a C> {
    conditions.iter().find(|condition| condition.type_() == type_)
}

/// Whether the condition of this type is there with this status.
pub fn is<C: Condition>(conditions: &[C], type_: &str, status: &str) -> bool {
    find(conditions, type_).is_some_and(|condition| condition.status() == status)
}

/// Whether the condition of this type is there and holds.
pub fn is_true<C: Condition>(conditions: &[C], type_: &str) -> bool {
    is(conditions, type_, TRUE)
}

/// Whether the condition of this type is there and does not hold.
pub fn is_false<C: Condition>(conditions: &[C], type_: &str) -> bool {
    is(conditions, type_, FALSE)
}

/// Adds or replaces a condition, in place, and says whether anything changed.
///
/// The transition time stays while the status does; otherwise it is the one given, or `now` if none is.
pub fn set<C: Condition>(conditions: &mut Vec<C>, mut new: C, now: Time) -> bool {
    let Some(old) = conditions.iter_mut().find(|condition| condition.type_() == new.type_()) else {
        new.last_transition_time().get_or_insert(now);
        conditions.push(new);
        return true;
    };
    if old.status() == new.status() {
        *new.last_transition_time() = *old.last_transition_time();
    } else {
        new.last_transition_time().get_or_insert(now);
    }
    let changed = *old != new;
    *old = new;
    changed
}

/// Adds or replaces a condition, at the end, if there is none with its status and reason; says whether it did.
///
/// The transition time stays while the status does; otherwise it is the one given, or `now` if none is.
pub fn set_unless_same_reason<C: Condition>(conditions: &mut Vec<C>, mut new: C, now: Time) -> bool {
    let old = conditions.iter_mut().find(|condition| condition.type_() == new.type_());
    match old {
        Some(old) if old.status() == new.status() && old.reason() == new.reason() => return false,
        Some(old) if old.status() == new.status() => {
            *new.last_transition_time() = *old.last_transition_time()
        }
        _ => {
            new.last_transition_time().get_or_insert(now);
        }
    }
    conditions.retain(|condition| condition.type_() != new.type_());
    conditions.push(new);
    true
}

/// Removes the conditions of this type and says whether there were any.
pub fn remove<C: Condition>(conditions: &mut Vec<C>, type_: &str) -> bool {
    let before = conditions.len();
    conditions.retain(|condition| condition.type_() != type_);
    conditions.len() != before
}

/// What is wrong with a reason, if anything.
pub fn reason_fault(reason: &str) -> Option<String> {
    let last_fits = reason.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    let fits = reason.starts_with(|c: char| c.is_ascii_alphabetic())
        && last_fits
        && reason.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b',' | b':'));
    (!fits).then(|| {
        regex_error(
            "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric character or '_'",
            "[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?",
            &["my_name", "MY_NAME", "MyName", "ReasonA,ReasonB", "ReasonA:ReasonB"],
        )
    })
}

/// What is wrong with metav1 conditions.
pub fn validate(conditions: &[v1::Condition], path: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    for (index, condition) in conditions.iter().enumerate() {
        let at = path.index(index);
        if conditions[..index].iter().any(|earlier| earlier.type_ == condition.type_) {
            errors.push(FieldError::duplicate(&at, &condition.type_));
        }
        errors.extend(validate_one(condition, &at));
    }
    errors
}

fn validate_one(condition: &v1::Condition, path: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    if condition.type_.is_empty() {
        errors.push(FieldError::required(&path.child("type"), "is required"));
    } else {
        errors.extend(validate_label_name(&condition.type_, &path.child("type")));
    }
    let statuses = [FALSE, TRUE, UNKNOWN];
    if condition.status.is_empty() {
        errors.push(FieldError::required(&path.child("status"), ""));
    } else if !statuses.contains(&condition.status.as_str()) {
        errors.push(FieldError::not_supported(&path.child("status"), &condition.status, &statuses));
    }
    if condition.observed_generation < 0 {
        let value = BadValue::from(condition.observed_generation);
        let detail = "must be greater than or equal to zero";
        errors.push(FieldError::invalid(&path.child("observedGeneration"), value, detail));
    }
    if condition.last_transition_time.is_none() {
        errors.push(FieldError::required(&path.child("lastTransitionTime"), ""));
    }
    let reason = path.child("reason");
    if condition.reason.is_empty() {
        errors.push(FieldError::required(&reason, ""));
    } else {
        let fault = reason_fault(&condition.reason);
        errors.extend(fault.map(|fault| FieldError::invalid(&reason, &condition.reason, fault)));
        if condition.reason.len() > CONDITION_REASON_BYTES {
            errors.push(FieldError::too_long(&reason, CONDITION_REASON_BYTES));
        }
    }
    if condition.message.len() > CONDITION_MESSAGE_BYTES {
        errors.push(FieldError::too_long(&path.child("message"), CONDITION_MESSAGE_BYTES));
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Time {
        Time { seconds }
    }

    fn condition(type_: &str, status: &str, reason: &str) -> v1::Condition {
        v1::Condition {
            type_: type_.into(),
            status: status.into(),
            reason: reason.into(),
            ..Default::default()
        }
    }

    #[test]
    fn transition_times_move_with_the_status_only() {
        let mut all = vec![condition("Other", TRUE, "X")];
        assert!(set(&mut all, condition("Ready", TRUE, "A"), at(1)));
        assert!(!set(&mut all, condition("Ready", TRUE, "A"), at(2)));
        assert!(set(&mut all, condition("Ready", TRUE, "B"), at(3)));
        assert_eq!(find(&all, "Ready").and_then(|c| c.last_transition_time), Some(at(1)));
        assert!(set(&mut all, condition("Ready", FALSE, "B"), at(4)));
        assert_eq!(find(&all, "Ready").and_then(|c| c.last_transition_time), Some(at(4)));
        assert!(is_false(&all, "Ready") && is_true(&all, "Other") && !is_true(&all, "Absent"));
        assert_eq!(all[0].type_, "Other");
        assert!(remove(&mut all, "Ready") && !remove(&mut all, "Ready"));
    }

    #[test]
    fn deployments_ignore_new_messages_and_move_conditions_to_the_end() {
        let new = |status: &str, reason: &str, message: &str| DeploymentCondition {
            type_: "Progressing".into(),
            status: status.into(),
            reason: reason.into(),
            message: message.into(),
            ..Default::default()
        };
        let mut all = Vec::new();
        assert!(set_unless_same_reason(&mut all, new(TRUE, "A", "one"), at(1)));
        all.push(DeploymentCondition { type_: "Available".into(), ..Default::default() });
        assert!(!set_unless_same_reason(&mut all, new(TRUE, "A", "two"), at(2)));
        assert!(set_unless_same_reason(&mut all, new(TRUE, "B", "two"), at(3)));
        assert_eq!((all[1].type_.as_str(), all[1].last_transition_time), ("Progressing", Some(at(1))));
        assert!(set_unless_same_reason(&mut all, new(FALSE, "B", ""), at(4)));
        assert_eq!(all[1].last_transition_time, Some(at(4)));
    }

    #[test]
    fn metav1_conditions_are_validated() {
        let mut bad = condition("-", "true", ":x");
        bad.observed_generation = -1;
        let errors = validate(&[bad.clone(), bad], &Path::new("conditions"));
        let shown: Vec<String> = errors.iter().map(|e| format!("{} {}", e.field, e.kind)).collect();
        assert_eq!(
            shown[..5],
            [
                "conditions[0].type Invalid value",
                "conditions[0].status Unsupported value",
                "conditions[0].observedGeneration Invalid value",
                "conditions[0].lastTransitionTime Required value",
                "conditions[0].reason Invalid value",
            ]
        );
        assert_eq!(shown[5], "conditions[1] Duplicate value");
    }
}
