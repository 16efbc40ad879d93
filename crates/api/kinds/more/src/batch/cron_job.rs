//! Cron jobs.

use api_cron::Zone;
use api_kind::checks::{non_negative, one_of, required};
use api_kind::{Column, Ctx, Kind, age};
use api_kinds_core::template;
use api_meta::field::{ErrorList, FieldError, Path};
use api_types::batch::v1::{CronJob, CronJobSpec};

use super::job;

/// A job's name is the cron job's with eleven characters more, and must be a label.
const NAME_BYTES: usize = 52;
/// How long each part of a time zone's name may be.
const ZONE_PART_BYTES: usize = 14;

/// The row.
pub const KIND: Kind<CronJob> = Kind::<CronJob>::of("batch", "v1", "cronjobs")
    .generation()
    .defaults(defaults)
    .own_gates(template::OWN_GATES)
    .prepare(|ctx, own, old| {
        let old = old.map(|old| &old.spec.job_template.spec.template);
        template::prepare(ctx, &mut own.spec.job_template.spec.template, old);
    })
    .validate(validate)
    .warnings(warnings)
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
    schedule(errors, &path.child("schedule"), spec, old.map(|old| &old.spec));
    if old.is_none_or(|old| old.spec.time_zone != spec.time_zone) {
        time_zone(errors, &path.child("timeZone"), spec.time_zone.as_deref());
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
    one_of(
        errors,
        &path.child("concurrencyPolicy"),
        &spec.concurrency_policy,
        &["Allow", "Forbid", "Replace"],
    );
    let at = path.child("jobTemplate").child("spec");
    job::spec::check(errors, &at, &spec.job_template.spec);
    job::spec::unselected(errors, &at, &spec.job_template.spec);
    if old.is_none() && own.metadata.name.len() > NAME_BYTES {
        let at = Path::new("metadata").child("name");
        let why = format!("must be no more than {NAME_BYTES} characters");
        errors.push(FieldError::invalid(&at, &own.metadata.name, why));
    }
}

/// A zone before the schedule is let pass only where there was one already.
fn schedule(errors: &mut ErrorList, path: &Path, spec: &CronJobSpec, old: Option<&CronJobSpec>) {
    let text = &spec.schedule;
    if !required(errors, path, text) {
        return;
    }
    if let Err(why) = api_cron::parse(text) {
        errors.push(FieldError::invalid(path, text, why));
    }
    if !text.contains("TZ") {
        return;
    }
    let why = match old.is_some_and(|old| old.schedule.contains("TZ")) {
        false => "cannot use TZ or CRON_TZ in schedule, use timeZone field instead",
        true if spec.time_zone.is_some() => "cannot use both timeZone field and TZ or CRON_TZ in schedule",
        true => return,
    };
    errors.push(FieldError::invalid(path, text, why));
}

fn time_zone(errors: &mut ErrorList, path: &Path, name: Option<&str>) {
    let Some(name) = name else { return };
    if name.is_empty() {
        errors.push(FieldError::invalid(path, name, "timeZone must be nil or non-empty string"));
        return;
    }
    let is_fine = |part: &str| {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b".-_+".contains(&byte);
        !matches!(part, "." | "..")
            && !part.starts_with('-')
            && (1..=ZONE_PART_BYTES).contains(&part.len())
            && part.bytes().all(known)
    };
    if !name.split('/').all(is_fine) {
        errors.push(FieldError::invalid(path, name, format!("unknown time zone {name}")));
        return;
    }
    if name.eq_ignore_ascii_case("Local") {
        let why = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones";
        errors.push(FieldError::invalid(path, name, why));
    }
    // Go knows the zone of its machine by this name, which is none of the database.
    if name != "Local"
        && let Err(why) = Zone::named(name)
    {
        errors.push(FieldError::invalid(path, name, why));
    }
}

fn warnings(ctx: &Ctx<'_>, own: &CronJob, old: Option<&CronJob>) -> Vec<String> {
    if !ctx.subresource.is_empty() {
        return Vec::new();
    }
    let path = Path::new("spec").child("jobTemplate").child("spec");
    let mut said = Vec::new();
    if old.is_none_or(|old| old.metadata.generation != own.metadata.generation) {
        said = job::warnings(&own.metadata.name, old.is_some(), &path, &own.spec.job_template.spec);
    }
    if old.is_some() && own.spec.schedule.contains("TZ") {
        said.push("cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details".to_owned());
    }
    said
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

    #[test]
    fn schedules_and_zones_are_those_of_upstream() {
        let text = |schedule: &str, zone: &str| {
            format!(
                "{{spec: {{schedule: '{schedule}', timeZone: {zone}, jobTemplate: {{spec: {{template: {{spec: {{restartPolicy: Never, containers: [{{name: c, image: i}}]}}}}}}}}}}}}"
            )
        };
        for (schedule, zone, error) in [
            ("@daily", "Europe/Oslo", ""),
            (
                "TZ=UTC 0 0 * * *",
                "null",
                r#"spec.schedule: Invalid value: "TZ=UTC 0 0 * * *": cannot use TZ or CRON_TZ in schedule, use timeZone field instead"#,
            ),
            (
                "0 0 * * *",
                "Europe/Atlantis",
                r#"spec.timeZone: Invalid value: "Europe/Atlantis": unknown time zone Europe/Atlantis"#,
            ),
            (
                "0 0 * * *",
                "local",
                r#"spec.timeZone: Invalid value: "local": timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones|spec.timeZone: Invalid value: "local": unknown time zone local"#,
            ),
            ("0 0 * * *", "a//b", r#"spec.timeZone: Invalid value: "a//b": unknown time zone a//b"#),
        ] {
            assert_eq!(create(&KIND, &text(schedule, zone)).errors.join("|"), error, "{schedule} {zone}");
        }
    }
}
