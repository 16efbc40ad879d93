//! Cron jobs.

use api_kind::checks::{non_negative, required, supported};
use api_kind::{Column, Ctx, Kind, age};
use api_kinds_core::template;
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::names;
use api_types::batch::v1::CronJob;

use super::job;

/// A job's name is the cron job's with eleven characters more, and must be a label.
const NAME_BYTES: usize = 52;

/// The row.
pub const KIND: Kind<CronJob> = Kind::<CronJob>::of("batch", "v1", "cronjobs")
    .generation()
    .defaults(defaults)
    .validate(validate)
    .columns(&[
        Column::<CronJob>::name(),
        Column::<CronJob>::text(
            "Schedule",
            "The schedule in Cron format, see https://en.wikipedia.org/wiki/Cron.",
            |own, _| own.spec.schedule.as_str().into(),
        ),
        Column::<CronJob>::text("Timezone", "The time zone name for the given schedule.", |own, _| {
            own.spec.time_zone.as_deref().unwrap_or("<none>").into()
        }),
        Column::<CronJob>::boolean(
            "Suspend",
            "This flag tells the controller to suspend subsequent executions.",
            |own, _| match own.spec.suspend {
                Some(true) => "True".into(),
                Some(false) => "False".into(),
                None => "<unset>".into(),
            },
        ),
        Column::<CronJob>::number("Active", "A list of pointers to currently running jobs.", |own, _| {
            i32::try_from(own.status.active.len()).unwrap_or(i32::MAX).into()
        }),
        Column::<CronJob>::text(
            "Last Schedule",
            "Information when was the last time the job was successfully scheduled.",
            |own, now| match own.status.last_schedule_time {
                None => "<none>".into(),
                time => age(time, now),
            },
        ),
        Column::<CronJob>::age(),
        Column::<CronJob>::text("Containers", "Names of each container in the template.", |own, _| {
            template::container_names(Some(&own.spec.job_template.spec.template))
        })
        .wide(),
        Column::<CronJob>::text(
            "Images",
            "Images referenced by each container in the template.",
            |own, _| template::container_images(Some(&own.spec.job_template.spec.template)),
        )
        .wide(),
        Column::<CronJob>::text(
            "Selector",
            "A label query over pods that should match the pod count.",
            |own, _| job::shown_selector(own.spec.job_template.spec.selector.as_deref()).into(),
        )
        .wide(),
    ]);

fn defaults(_: &Ctx<'_>, own: &mut CronJob) {
    let spec = &mut own.spec;
    if spec.concurrency_policy.is_empty() {
        "Allow".clone_into(&mut spec.concurrency_policy);
    }
    spec.suspend.get_or_insert(false);
    spec.successful_jobs_history_limit.get_or_insert(3);
    spec.failed_jobs_history_limit.get_or_insert(1);
    job::default_spec(&mut spec.job_template.spec);
}

fn validate(ctx: &Ctx<'_>, own: &CronJob, old: Option<&CronJob>, errors: &mut ErrorList) {
    if ctx.subresource == "status" {
        return;
    }
    let (path, spec) = (Path::new("spec"), &own.spec);
    if old.is_none() && own.metadata.name.len() > NAME_BYTES {
        let at = Path::new("metadata").child("name");
        errors.push(FieldError::invalid(&at, &own.metadata.name, names::max_len_error(NAME_BYTES)));
    }
    let at = path.child("schedule");
    if required(errors, &at, &spec.schedule) && !spec.schedule.starts_with('@') {
        let fields = spec.schedule.split_whitespace().filter(|field| !field.contains('=')).count();
        if fields != 5 {
            let why = format!("expected exactly 5 fields, found {fields}: [{}]", spec.schedule);
            errors.push(FieldError::invalid(&at, &spec.schedule, why));
        }
    }
    if spec.schedule.contains("TZ=") && old.is_none_or(|old| old.spec.schedule != spec.schedule) {
        let why = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead";
        errors.push(FieldError::invalid(&at, &spec.schedule, why));
    }
    for (name, value) in [
        ("startingDeadlineSeconds", spec.starting_deadline_seconds),
        ("successfulJobsHistoryLimit", spec.successful_jobs_history_limit.map(i64::from)),
        ("failedJobsHistoryLimit", spec.failed_jobs_history_limit.map(i64::from)),
    ] {
        if let Some(value) = value {
            non_negative(errors, &path.child(name), value);
        }
    }
    supported(
        errors,
        &path.child("concurrencyPolicy"),
        &spec.concurrency_policy,
        &["Allow", "Forbid", "Replace"],
    );
    job::spec(errors, &path.child("jobTemplate").child("spec"), &spec.job_template.spec);
}

#[cfg(test)]
mod tests {
    use api_kind::trial::create;

    use super::*;

    #[test]
    fn a_cron_job_is_filled_in_and_shown() {
        let text = "spec: {schedule: '*/5 * * * *', jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}}}";
        let made = create(&KIND, text);
        assert_eq!(made.errors, [""; 0]);
        assert_eq!(made.cells(&KIND), "x|*/5 * * * *|<none>|False|0|<none>|<unknown>|c|i|<none>");
        let bad = create(&KIND, &text.replace("*/5 * * * *", "* *"));
        assert_eq!(
            bad.errors,
            [r#"spec.schedule: Invalid value: "* *": expected exactly 5 fields, found 2: [* *]"#]
        );
    }
}
