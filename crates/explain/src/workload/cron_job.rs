//! CronJobs: when the next job is made, or why none is.

use api_kind::span;
use api_types::batch::v1::{CronJob, Job};
use client::reconcile::{Controller as _, Severity};
use control_workload::CronJobs;

use crate::evidence::Evidence;
use crate::finding::{Finding, Named, few};
use crate::limits::SHOWN;

/// How it is, in a few words.
pub(crate) fn state(own: &CronJob) -> String {
    let zone = own.spec.time_zone.as_deref().map_or_else(String::new, |zone| format!(" in {zone}"));
    let suspended = if own.spec.suspend == Some(true) { ", suspended" } else { "" };
    format!("{}{zone}{suspended}", own.spec.schedule)
}

/// What it waits for.
pub(crate) fn explain(own: &CronJob, evidence: &Evidence) -> Vec<Finding> {
    let mut findings = Vec::new();
    if own.spec.suspend == Some(true) {
        findings.push(Finding::new("Suspended", "it is suspended (spec.suspend): no jobs are made"));
    }
    let meta = &own.metadata;
    let key = (meta.namespace.clone(), meta.name.clone());
    let plan = CronJobs.plan(&key, &evidence.world, evidence.now);
    findings.extend(
        plan.events
            .iter()
            .filter(|note| note.severity == Severity::Warning)
            .map(|note| Finding::new(note.reason, note.message.clone())),
    );
    let last = own.status.last_schedule_time;
    if let (Some(wait), false) = (plan.again, own.spec.suspend == Some(true)) {
        let wait = i64::try_from(wait.as_secs()).unwrap_or(i64::MAX);
        findings.push(Finding::new("Next", format!("the next job is due in {}", span(wait))));
    }
    findings.push(match last {
        None => Finding::new("Last", "no job has been made by schedule yet"),
        Some(last) => Finding::new("Last", "a job was last made by schedule").since(Some(last)),
    });
    findings.extend(busy(own));
    findings.extend(last_failed(own, evidence));
    findings
}

fn busy(own: &CronJob) -> Option<Finding> {
    let active: Vec<&str> = own.status.active.iter().map(|of| of.name.as_str()).collect();
    if active.is_empty() {
        return None;
    }
    let then = match own.spec.concurrency_policy.as_str() {
        "Forbid" => "; while it is, no other is made (concurrencyPolicy Forbid)",
        "Replace" => "; the next one replaces it (concurrencyPolicy Replace)",
        _ => "",
    };
    Some(Finding::new("Active", format!("at work: {}{then}", few(active, SHOWN))))
}

fn last_failed(own: &CronJob, evidence: &Evidence) -> Option<Finding> {
    let jobs = evidence.world.owned_by::<Job>(&own.metadata.uid);
    let last = jobs.max_by_key(|job| job.metadata.creation_timestamp)?;
    let failed =
        api_meta::conditions::find(&last.status.conditions, "Failed").filter(|said| said.status == "True")?;
    let named = Named::new("batch/v1", "Job", &last.metadata.namespace, &last.metadata.name);
    let finding = Finding::new(&failed.reason, format!("was the last, and has failed: {}", failed.message));
    Some(finding.since(failed.last_transition_time).about(named))
}
