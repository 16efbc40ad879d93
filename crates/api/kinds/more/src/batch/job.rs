//! Jobs.

use api_kind::checks::{immutable, non_negative, shown, supported};
use api_kind::{Column, Ctx, Kind, age, span};
use api_kinds_core::template;
use api_meta::field::{BadValue, ErrorList, FieldError, Path};
use api_meta::labels::{Selector, SelectorLeniency, validate_label_selector};
use api_types::batch::v1::{Job, JobSpec};
use api_types::meta::v1::LabelSelector;
use base::time::Time;

const UID: &str = "batch.kubernetes.io/controller-uid";
const NAME: &str = "batch.kubernetes.io/job-name";

/// The row.
pub const KIND: Kind<Job> = Kind::<Job>::of("batch", "v1", "jobs")
    .generation()
    .defaults(defaults)
    .prepare(prepare)
    .validate(validate)
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
    if job.metadata.labels.is_empty() {
        job.metadata.labels.clone_from(&spec.template.metadata.labels);
    }
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
fn prepare(_: &Ctx<'_>, job: &mut Job, old: Option<&Job>) {
    if old.is_some() || job.spec.manual_selector == Some(true) {
        return;
    }
    let meta = &job.metadata;
    let labels = &mut job.spec.template.metadata.labels;
    for (key, value) in
        [("controller-uid", &meta.uid), ("job-name", &meta.name), (UID, &meta.uid), (NAME, &meta.name)]
    {
        labels.entry(key.to_owned()).or_insert_with(|| value.clone());
    }
    let selector = job.spec.selector.get_or_insert_default();
    selector.match_labels.entry(UID.to_owned()).or_insert_with(|| meta.uid.clone());
}

fn validate(ctx: &Ctx<'_>, job: &Job, old: Option<&Job>, errors: &mut ErrorList) {
    if ctx.subresource == "status" {
        let path = Path::new("status");
        for (name, count) in [
            ("active", job.status.active),
            ("succeeded", job.status.succeeded),
            ("failed", job.status.failed),
        ] {
            non_negative(errors, &path.child(name), count.into());
        }
        return;
    }
    let (path, spec_) = (Path::new("spec"), &job.spec);
    match &spec_.selector {
        None => errors.push(FieldError::required(&path.child("selector"), "")),
        Some(selector) => {
            let at = path.child("selector");
            errors.extend(validate_label_selector(Some(selector), SelectorLeniency::default(), &at));
            let labels = &spec_.template.metadata.labels;
            if Selector::from_api(Some(selector)).is_ok_and(|selector| !selector.matches(labels)) {
                let at = path.child("template").child("metadata").child("labels");
                let why = "`selector` does not match template `labels`";
                errors.push(FieldError::invalid(&at, api_kind::checks::labels(labels), why));
            }
        }
    }
    spec(errors, &path, spec_);
    if let Some(old) = old {
        changes(errors, &path, spec_, &old.spec);
    }
}

/// What is wrong with a job's spec besides its selector; templates of jobs share it.
pub(super) fn spec(errors: &mut ErrorList, path: &Path, spec: &JobSpec) {
    for (name, value) in [
        ("parallelism", spec.parallelism.map(i64::from)),
        ("completions", spec.completions.map(i64::from)),
        ("activeDeadlineSeconds", spec.active_deadline_seconds),
        ("backoffLimit", spec.backoff_limit.map(i64::from)),
        ("ttlSecondsAfterFinished", spec.ttl_seconds_after_finished.map(i64::from)),
        ("backoffLimitPerIndex", spec.backoff_limit_per_index.map(i64::from)),
        ("maxFailedIndexes", spec.max_failed_indexes.map(i64::from)),
    ] {
        if let Some(value) = value {
            non_negative(errors, &path.child(name), value);
        }
    }
    let indexed = spec.completion_mode.as_deref() == Some("Indexed");
    if let Some(mode) = &spec.completion_mode {
        supported(errors, &path.child("completionMode"), mode, &["NonIndexed", "Indexed"]);
    }
    if indexed && spec.completions.is_none() {
        errors.push(FieldError::required(&path.child("completions"), "when completion mode is Indexed"));
    }
    if !indexed && spec.backoff_limit_per_index.is_some() {
        let at = path.child("backoffLimitPerIndex");
        errors.push(FieldError::invalid(
            &at,
            spec.backoff_limit_per_index,
            "requires indexed completion mode",
        ));
    }
    let at = path.child("template");
    template::validate(errors, &at, &spec.template);
    let policy = spec.template.spec.restart_policy.as_str();
    if !matches!(policy, "OnFailure" | "Never") {
        let at = at.child("spec").child("restartPolicy");
        let why = "valid values: \"OnFailure\", \"Never\"";
        if policy == "Always" {
            errors.push(FieldError::not_supported(&at, policy, &["OnFailure", "Never"]));
        } else if policy.is_empty() {
            errors.push(FieldError::required(&at, why));
        }
    } else if spec.pod_failure_policy.is_some() && policy != "Never" {
        let at = at.child("spec").child("restartPolicy");
        let why = "only \"Never\" is supported when podFailurePolicy is specified";
        errors.push(FieldError::invalid(&at, policy, why));
    }
}

fn changes(errors: &mut ErrorList, path: &Path, new: &JobSpec, old: &JobSpec) {
    let elastic = new.completion_mode.as_deref() == Some("Indexed")
        && new.completions == new.parallelism
        && new.completions.is_some();
    if !elastic {
        immutable(errors, &path.child("completions"), new.completions == old.completions, new.completions);
    }
    let selector = new.selector.as_deref().map_or_else(BadValue::null, |selector| shown(selector));
    immutable(errors, &path.child("selector"), new.selector == old.selector, selector);
    let suspended = old.suspend == Some(true);
    let (mut new_template, mut old_template) = (new.template.clone(), old.template.clone());
    if suspended {
        // A job that has not started yet may be told where its pods are to run.
        for template in [&mut new_template, &mut old_template] {
            template.spec.node_selector.clear();
            template.spec.tolerations.clear();
            template.spec.scheduling_gates.clear();
            template.spec.affinity = None;
            template.metadata.labels.clear();
            template.metadata.annotations.clear();
        }
    }
    immutable(errors, &path.child("template"), new_template == old_template, shown(&new.template));
    let mode = new.completion_mode.as_deref();
    immutable(errors, &path.child("completionMode"), new.completion_mode == old.completion_mode, mode);
}

#[cfg(test)]
mod tests {
    use api_kind::trial::{create, update};

    use super::*;

    const JOB: &str = "{metadata: {uid: u}, spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}}";

    #[test]
    fn a_job_knows_its_pods() {
        let made = create(&KIND, JOB);
        assert_eq!(made.errors, [""; 0]);
        assert_eq!(made.cells(&KIND), "x|Running|0/1||<unknown>|c|i|batch.kubernetes.io/controller-uid=u");
        let body = made.body();
        for part in [
            r#""backoffLimit":6"#,
            r#""completionMode":"NonIndexed""#,
            r#""batch.kubernetes.io/job-name":"x""#,
        ] {
            assert!(body.contains(part), "{part} in {body}");
        }
        assert_eq!(
            create(&KIND, &JOB.replace("restartPolicy: Never, ", "")).errors,
            [
                r#"spec.template.spec.restartPolicy: Unsupported value: "Always": supported values: "OnFailure", "Never""#
            ]
        );
    }

    #[test]
    fn the_number_of_completions_stays() {
        let manual = "{spec: {manualSelector: true, completions: 2, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}}";
        let changed = update(&KIND, "", manual, &manual.replace("completions: 2", "completions: 3"));
        assert_eq!(changed.errors, ["spec.completions: Invalid value: 3: field is immutable"]);
    }
}
