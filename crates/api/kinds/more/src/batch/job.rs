//! Jobs.
//!
//! Upstream: `pkg/registry/batch/job`, `pkg/apis/batch/{v1,validation}`.

mod indexes;
mod policies;
pub(super) mod spec;
mod status;
#[cfg(test)]
mod tests;
mod update;

use api_kind::{Column, Ctx, Kind, age, span};
use api_kinds_core::template;
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::labels::{Labels, Selector};
use api_meta::names;
use api_types::batch::v1::{Job, JobSpec};
use api_types::meta::v1::LabelSelector;
use base::time::Time;

const UID: &str = "batch.kubernetes.io/controller-uid";
const NAME: &str = "batch.kubernetes.io/job-name";
const OLD_UID: &str = "controller-uid";
const OLD_NAME: &str = "job-name";

/// From how many completions on, and how many pods at once, there may be more indexes than a status can name.
const MANY_COMPLETIONS: i32 = 100_000;
const MUCH_PARALLELISM: i32 = 10_000;

/// The row.
pub const KIND: Kind<Job> = Kind::<Job>::of("batch", "v1", "jobs")
    .generation()
    .orphans()
    .defaults(defaults)
    .own_gates(template::OWN_GATES)
    .prepare(prepare)
    .validate(validate)
    .warnings(|ctx, job, old| {
        let (changed, old) =
            (old.is_none_or(|old| old.metadata.generation != job.metadata.generation), old.is_some());
        let said = if changed {
            warnings(&job.metadata.name, old, &Path::new("spec"), &job.spec)
        } else {
            Vec::new()
        };
        if ctx.subresource.is_empty() { said } else { Vec::new() }
    })
    .columns(&[
        Column::<Job>::name(),
        Column::<Job>::text("Status", "Status of the job.", |job, _| status(job).into()),
        Column::<Job>::text("Completions", "The number of pods which reached phase Succeeded.", |job, _| {
            completions(job).into()
        }),
        Column::<Job>::text("Duration", "Time required to complete the job.", |job, now| {
            duration(job, now).into()
        }),
        Column::<Job>::age(),
        Column::<Job>::text("Containers", "Names of each container in the template.", |job, _| {
            template::container_names(Some(&job.spec.template))
        })
        .wide(),
        Column::<Job>::text("Images", "Images referenced by each container in the template.", |job, _| {
            template::container_images(Some(&job.spec.template))
        })
        .wide(),
        Column::<Job>::text(
            "Selector",
            "A label query over pods that should match the pod count.",
            |job, _| shown_selector(job.spec.selector.as_deref()).into(),
        )
        .wide(),
    ])
    .selectable(&[("status.successful", |job| job.status.succeeded.to_string().into())]);

pub(super) fn shown_selector(selector: Option<&LabelSelector>) -> String {
    match Selector::from_api(selector) {
        Ok(selector) if selector.is_everything() || selector.is_nothing() => "<none>".to_owned(),
        Ok(selector) => selector.to_string(),
        Err(_) => "<error>".to_owned(),
    }
}

fn status(job: &Job) -> &'static str {
    let is = |type_: &str| job.status.conditions.iter().any(|c| c.type_ == type_ && c.status == "True");
    if is("Complete") {
        "Complete"
    } else if is("Failed") {
        "Failed"
    } else if job.metadata.deletion_timestamp.is_some() {
        "Terminating"
    } else if is("Suspended") {
        "Suspended"
    } else if is("FailureTarget") {
        "FailureTarget"
    } else if is("SuccessCriteriaMet") {
        "SuccessCriteriaMet"
    } else {
        "Running"
    }
}

fn completions(job: &Job) -> String {
    let done = job.status.succeeded;
    match (job.spec.completions, job.spec.parallelism.unwrap_or(0)) {
        (Some(wanted), _) => format!("{done}/{wanted}"),
        (None, many @ 2..) => format!("{done}/1 of {many}"),
        (None, _) => format!("{done}/1"),
    }
}

fn duration(job: &Job, now: Time) -> String {
    let Some(start) = job.status.start_time else { return String::new() };
    match job.status.completion_time {
        Some(end) => span(end.seconds - start.seconds),
        None => match age(Some(start), now) {
            api_kind::Cell::Text(text) => text,
            _ => String::new(),
        },
    }
}

fn defaults(_: &Ctx<'_>, job: &mut Job) {
    default_spec(&mut job.spec);
    let spec = &mut job.spec;
    if spec.completions.is_none() && spec.parallelism.is_none() {
        spec.completions = Some(1);
    }
    spec.parallelism.get_or_insert(1);
    let limit = if spec.backoff_limit_per_index.is_some() { i32::MAX } else { 6 };
    spec.backoff_limit.get_or_insert(limit);
    spec.completion_mode.get_or_insert_with(|| "NonIndexed".into());
    spec.suspend.get_or_insert(false);
    spec.manual_selector.get_or_insert(false);
    let replace = if spec.pod_failure_policy.is_some() { "Failed" } else { "TerminatingOrFailed" };
    spec.pod_replacement_policy.get_or_insert_with(|| replace.into());
}

/// What a job's spec gets even in a template of jobs.
pub(super) fn default_spec(spec: &mut JobSpec) {
    template::default(&mut spec.template);
    let policies = spec.pod_failure_policy.iter_mut().flat_map(|policy| policy.rules.iter_mut());
    for pattern in policies.flat_map(|rule| rule.on_pod_conditions.iter_mut()) {
        if pattern.status.is_empty() {
            "True".clone_into(&mut pattern.status);
        }
    }
}

/// A job's pods are told by labels with its own uid, unless its author takes care of the selector.
fn prepare(ctx: &Ctx<'_>, job: &mut Job, old: Option<&Job>) {
    template::prepare(ctx, &mut job.spec.template, old.map(|old| &old.spec.template));
    if old.is_none() && job.spec.manual_selector != Some(true) {
        select(job);
    }
    // Upstream's defaults share the template's map, so that what is added to that is the job's, too.
    if job.metadata.labels.is_empty() {
        job.metadata.labels.clone_from(&job.spec.template.metadata.labels);
    }
}

fn select(job: &mut Job) {
    let meta = &mut job.metadata;
    let labels = &mut job.spec.template.metadata.labels;
    for (key, value) in [(OLD_UID, &meta.uid), (OLD_NAME, &meta.name), (UID, &meta.uid), (NAME, &meta.name)] {
        labels.entry(key.to_owned()).or_insert_with(|| value.clone());
    }
    let selector = job.spec.selector.get_or_insert_default();
    selector.match_labels.entry(UID.to_owned()).or_insert_with(|| meta.uid.clone());
}

/// What is unwise about a job, or about the jobs of a template.
pub(super) fn warnings(name: &str, is_old: bool, path: &Path, spec: &JobSpec) -> Vec<String> {
    let named = template::name_warning(name, "Pod names and hostnames").filter(|_| !is_old);
    let indexed = spec.completion_mode.as_deref() == Some("Indexed");
    let many =
        spec.completions.unwrap_or(0) > MANY_COMPLETIONS && spec.parallelism.unwrap_or(0) > MUCH_PARALLELISM;
    let tracked = (indexed && many).then(|| {
        format!("{path}: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes fail")
    });
    named
        .into_iter()
        .chain(tracked)
        .chain(template::warnings(&path.child("template"), &spec.template))
        .collect()
}

fn validate(ctx: &Ctx<'_>, job: &Job, old: Option<&Job>, errors: &mut ErrorList) {
    if ctx.subresource == "status" {
        return status::check(errors, job, old);
    }
    let path = Path::new("spec");
    match old {
        None => {
            generated(errors, job);
            spec::check(errors, &path, &job.spec);
            spec::selector(errors, &path, &job.spec);
        }
        Some(old) => {
            spec::check(errors, &path, &job.spec);
            spec::selector(errors, &path, &job.spec);
            update::check(errors, &path, job, old);
        }
    }
    if job.spec.completion_mode.as_deref() == Some("Indexed")
        && let Some(completions) = job.spec.completions.filter(|many| *many > 0)
    {
        let name = &job.metadata.name;
        let longest = format!("{name}-{}", completions - 1);
        if !names::is_dns1123_label(&longest).is_empty() {
            let why = format!("will not able to create pod with invalid DNS label: {longest}");
            errors.push(FieldError::invalid(&Path::new("metadata").child("name"), name, why));
        }
    }
}

/// That the labels and the selector are those that were to be made.
fn generated(errors: &mut ErrorList, job: &Job) {
    if job.spec.manual_selector == Some(true) {
        return;
    }
    let Some(own) = &job.spec.selector else { return };
    let meta = &job.metadata;
    if meta.uid.is_empty() {
        errors.push(FieldError::required(&Path::new("metadata").child("uid"), ""));
    }
    let at = Path::new("spec").child("template").child("metadata").child("labels");
    let labels = &job.spec.template.metadata.labels;
    let expected = [(OLD_UID, &meta.uid), (OLD_NAME, &meta.name), (UID, &meta.uid), (NAME, &meta.name)];
    for (key, value) in expected {
        let why = format!("must be '{value}'");
        match labels.get(key) {
            None => errors.push(FieldError::required(&at.key(key), why)),
            Some(own) if own != value => {
                errors.push(FieldError::invalid(&at.key(key), api_kind::checks::labels(labels), why));
            }
            Some(_) => {}
        }
    }
    let expected: Labels = expected.map(|(key, value)| (key.to_owned(), value.clone())).into();
    if Selector::from_api(Some(own)).is_ok_and(|selector| !selector.matches(&expected)) {
        let at = Path::new("spec").child("selector");
        errors.push(FieldError::invalid(
            &at,
            api_kind::checks::shown(&**own),
            "`selector` not auto-generated",
        ));
    }
}
