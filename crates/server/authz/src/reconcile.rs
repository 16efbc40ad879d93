//! Bringing a role or binding to what a policy wants, without taking anything away.
//!
//! The server calls [`Reconcile::reconcile`] for each object of [`crate::bootstrap::policy`] and does what it says; the
//! same serves `kubectl auth reconcile`. Answers to `component-helpers/auth/rbac/reconciliation`: missing rules, subjects,
//! labels and annotations are added, extra ones stay, an existing value of a label or annotation wins.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use api_types::meta::v1::{LabelSelector, ObjectMeta};
use api_types::rbac::v1::{
    AggregationRule, ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, Subject,
};

use crate::bootstrap::AUTO_UPDATE;
use crate::rbac::covers;

/// What must be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Action<T> {
    /// Nothing.
    Nothing,
    /// Create it: there is none yet.
    Create(T),
    /// Store this over the existing one.
    Update(T),
    /// Delete the existing one (with its uid as a precondition) and create this: the role that a binding refers to cannot
    /// be changed.
    Recreate(T),
    /// Nothing, although something is missing: the existing one is annotated `autoupdate: "false"`. Worth a warning.
    Protected,
}

/// The kinds that can be reconciled.
pub trait Reconcile: Sized {
    /// What must be done to an existing object, or for want of one, to have what is wanted.
    fn reconcile(existing: Option<&Self>, wanted: &Self) -> Action<Self>;
}

impl Reconcile for ClusterRole {
    fn reconcile(existing: Option<&Self>, wanted: &Self) -> Action<Self> {
        let Some(existing) = existing else { return Action::Create(wanted.clone()) };
        let mut merged = existing.clone();
        merge_meta(&mut merged.metadata, &wanted.metadata);
        add_rules(&mut merged.rules, &wanted.rules);
        merge_aggregation(&mut merged.aggregation_rule, wanted.aggregation_rule.as_deref());
        settle(&existing.metadata, existing != &merged, Action::Update(merged))
    }
}

impl Reconcile for Role {
    fn reconcile(existing: Option<&Self>, wanted: &Self) -> Action<Self> {
        let Some(existing) = existing else { return Action::Create(wanted.clone()) };
        let mut merged = existing.clone();
        merge_meta(&mut merged.metadata, &wanted.metadata);
        add_rules(&mut merged.rules, &wanted.rules);
        settle(&existing.metadata, existing != &merged, Action::Update(merged))
    }
}

impl Reconcile for ClusterRoleBinding {
    fn reconcile(existing: Option<&Self>, wanted: &Self) -> Action<Self> {
        let Some(existing) = existing else { return Action::Create(wanted.clone()) };
        if existing.role_ref != wanted.role_ref {
            return settle(&existing.metadata, true, Action::Recreate(wanted.clone()));
        }
        let mut merged = existing.clone();
        merge_meta(&mut merged.metadata, &wanted.metadata);
        add_subjects(&mut merged.subjects, &wanted.subjects);
        settle(&existing.metadata, existing != &merged, Action::Update(merged))
    }
}

impl Reconcile for RoleBinding {
    fn reconcile(existing: Option<&Self>, wanted: &Self) -> Action<Self> {
        let Some(existing) = existing else { return Action::Create(wanted.clone()) };
        if existing.role_ref != wanted.role_ref {
            return settle(&existing.metadata, true, Action::Recreate(wanted.clone()));
        }
        let mut merged = existing.clone();
        merge_meta(&mut merged.metadata, &wanted.metadata);
        add_subjects(&mut merged.subjects, &wanted.subjects);
        settle(&existing.metadata, existing != &merged, Action::Update(merged))
    }
}

fn settle<T>(existing: &ObjectMeta, differs: bool, action: Action<T>) -> Action<T> {
    let protected = existing.annotations.get(AUTO_UPDATE).is_some_and(|value| value == "false");
    match (differs, protected) {
        (false, _) => Action::Nothing,
        (true, true) => Action::Protected,
        (true, false) => action,
    }
}

fn merge_meta(meta: &mut ObjectMeta, wanted: &ObjectMeta) {
    let merge = |existing: &mut BTreeMap<String, String>, wanted: &BTreeMap<String, String>| {
        for (key, value) in wanted {
            existing.entry(key.clone()).or_insert_with(|| value.clone());
        }
    };
    merge(&mut meta.annotations, &wanted.annotations);
    merge(&mut meta.labels, &wanted.labels);
}

fn add_rules(rules: &mut api_record::Slice<PolicyRule>, wanted: &[PolicyRule]) {
    let missing = covers(rules, wanted);
    rules.extend(missing);
}

fn add_subjects(subjects: &mut Vec<Subject>, wanted: &[Subject]) {
    for subject in wanted {
        if !subjects.contains(subject) {
            subjects.push(subject.clone());
        }
    }
}

/// A role that should not be aggregated stops being so; selectors are only ever added.
fn merge_aggregation(rule: &mut Option<Box<AggregationRule>>, wanted: Option<&AggregationRule>) {
    let Some(wanted) = wanted else {
        *rule = None;
        return;
    };
    let held = |rule: &AggregationRule, wanted: &LabelSelector| rule.cluster_role_selectors.contains(wanted);
    let existing = rule.as_deref().cloned().unwrap_or_default();
    let missing: Vec<_> =
        wanted.cluster_role_selectors.iter().filter(|selector| !held(&existing, selector)).cloned().collect();
    if !missing.is_empty() {
        rule.get_or_insert_default().cluster_role_selectors.extend(missing);
    }
}
