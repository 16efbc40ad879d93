//! What may change in a job: how many completions an indexed one has, and where the pods of a suspended one are to run, with what.

use api_kind::checks::{immutable, shown};
use api_meta::field::{BadValue, ErrorList, FieldError, Path};
use api_types::batch::v1::{Job, JobSpec};
use api_types::core::v1::{Affinity, Container, PodTemplateSpec};

use super::status;

/// Says what has changed that may not.
pub(super) fn check(errors: &mut ErrorList, path: &Path, job: &Job, old: &Job) {
    let (new, before) = (&job.spec, &old.spec);
    completions(errors, &path.child("completions"), new, before);
    let selector = new.selector.as_deref().map_or_else(BadValue::null, |selector| shown(selector));
    immutable(errors, &path.child("selector"), new.selector == before.selector, selector);
    template(errors, path, job, old);
    let mode = new.completion_mode.as_deref();
    immutable(errors, &path.child("completionMode"), new.completion_mode == before.completion_mode, mode);
    let policy = new.pod_failure_policy.as_deref().map_or_else(BadValue::null, |policy| shown(policy));
    immutable(
        errors,
        &path.child("podFailurePolicy"),
        new.pod_failure_policy == before.pod_failure_policy,
        policy,
    );
    let (limit, same) =
        (new.backoff_limit_per_index, new.backoff_limit_per_index == before.backoff_limit_per_index);
    immutable(errors, &path.child("backoffLimitPerIndex"), same, limit);
    let manager = new.managed_by.as_deref();
    immutable(errors, &path.child("managedBy"), new.managed_by == before.managed_by, manager);
    let policy = new.success_policy.as_deref().map_or_else(BadValue::null, |policy| shown(policy));
    immutable(errors, &path.child("successPolicy"), new.success_policy == before.success_policy, policy);
}

fn completions(errors: &mut ErrorList, path: &Path, new: &JobSpec, old: &JobSpec) {
    let same = new.completions == old.completions;
    if new.completion_mode.as_deref() != Some("Indexed") {
        return immutable(errors, path, same, new.completions);
    }
    if !same && new.completions.is_some() && new.completions != new.parallelism {
        let why = "can only be modified in tandem with spec.parallelism";
        errors.push(FieldError::invalid(path, new.completions, why));
    }
}

/// A job without pods, because it is suspended: it has not begun, or its suspension is known.
fn rests(job: &Job) -> bool {
    let known = job.status.start_time.is_none() || status::holds(job, "Suspended");
    job.spec.suspend == Some(true) && known && job.status.active == 0
}

fn template(errors: &mut ErrorList, path: &Path, job: &Job, old: &Job) {
    let (new, mut before) = (&job.spec.template, old.spec.template.clone());
    if !rests(old) {
        return immutable(errors, &path.child("template"), *new == before, shown(new));
    }
    replace_directives(&mut before, new);
    replace_resources(&mut before.spec.containers, &new.spec.containers);
    replace_resources(&mut before.spec.init_containers, &new.spec.init_containers);
    immutable(errors, &path.child("template.spec"), new.spec == before.spec, shown(&new.spec));
}

/// Takes over what says where pods are to run.
fn replace_directives(before: &mut PodTemplateSpec, new: &PodTemplateSpec) {
    let new = &new.spec;
    let wanted = new.affinity.as_ref().and_then(|affinity| affinity.node_affinity.clone());
    let spec = &mut before.spec;
    match (&new.affinity, &mut spec.affinity) {
        (_, Some(affinity)) => affinity.node_affinity = wanted,
        (Some(_), none) => {
            *none = Some(Box::new(Affinity { node_affinity: wanted, ..Affinity::default() }));
        }
        (None, None) => {}
    }
    if new.affinity.is_none() && spec.affinity.as_deref() == Some(&Affinity::default()) {
        spec.affinity = None;
    }
    spec.node_selector.clone_from(&new.node_selector);
    spec.tolerations.clone_from(&new.tolerations);
    spec.scheduling_gates.clone_from(&new.scheduling_gates);
}

/// Takes over how much containers of the same names ask for.
fn replace_resources(before: &mut [Container], new: &[Container]) {
    if before.len() != new.len() {
        return;
    }
    for (before, new) in before.iter_mut().zip(new).filter(|(before, new)| before.name == new.name) {
        before.resources = new.resources.clone();
    }
}
