//! How often webhooks are called, how long they take, and what comes of it (`apiserver/pkg/admission/metrics`).

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::metrics::{Histogram, Source, Text, Type};
use base::time::Time;

use crate::expression::Conditions;

const BOUNDS: &[f64] = &[0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 10.0, 25.0];

const DURATIONS: &str = "Admission webhook latency histogram in seconds, identified by name and broken out for each operation and API resource and type (validate or admit).";
const REJECTIONS: &str = "Admission webhook rejection count, identified by name and broken out for each admission type (validating or admit) and operation. Additional labels specify an error type (calling_webhook_error or apiserver_internal_error if an error occurred; no_error otherwise) and optionally a non-zero rejection code if the webhook rejects the request with an HTTP status code (honored by the apiserver when the code is greater or equal to 400). Codes greater than 600 are truncated to 600, to keep the metrics cardinality bounded.";
const OPEN: &str = "Admission webhook fail open count, identified by name and broken out for each admission type (validating or admit).";
const REQUESTS: &str = "Admission webhook request total, identified by name and broken out for each admission type (validating or admit) and operation. Additional labels specify whether the request was rejected or not and an HTTP status code. Codes greater than 600 are truncated to 600, to keep the metrics cardinality bounded.";

/// What a webhook is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// To change the object.
    Admit,
    /// To refuse it.
    Validate,
}

impl Step {
    pub(super) fn name(self) -> &'static str {
        match self {
            Step::Admit => "admit",
            Step::Validate => "validating",
        }
    }
}

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The webhook said so.
    None,
    /// It could not be asked.
    Calling,
    /// The server could not go on.
    Internal,
}

impl Cause {
    fn name(self) -> &'static str {
        match self {
            Cause::None => "no_error",
            Cause::Calling => "calling_webhook_error",
            Cause::Internal => "apiserver_internal_error",
        }
    }
}

/// A webhook's name, the step, the operation.
type Of = (String, &'static str, &'static str);

#[derive(Default)]
struct Counts {
    durations: BTreeMap<(Of, bool), Histogram>,
    requests: BTreeMap<(Of, i32, bool), u64>,
    rejections: BTreeMap<(Of, &'static str, i32), u64>,
    open: BTreeMap<(String, &'static str), u64>,
}

/// Counts the calls of webhooks, and what match conditions come to.
#[derive(Default)]
pub struct Metrics {
    counts: Mutex<Counts>,
    /// Of policies, too.
    pub(crate) conditions: Conditions,
}

impl Metrics {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn call(
        &self,
        name: &str,
        step: Step,
        operation: &'static str,
        rejected: bool,
        code: i32,
        took: Duration,
    ) {
        let of = (name.to_owned(), step.name(), operation);
        let mut counts = self.counts();
        *counts.requests.entry((of.clone(), code.min(600), rejected)).or_default() += 1;
        let durations = counts.durations.entry((of, rejected)).or_insert_with(|| Histogram::new(BOUNDS));
        durations.observe(took.as_secs_f64());
    }

    pub(super) fn rejection(&self, name: &str, step: Step, operation: &'static str, cause: Cause, code: i32) {
        let of = (name.to_owned(), step.name(), operation);
        *self.counts().rejections.entry((of, cause.name(), code.min(600))).or_default() += 1;
    }

    pub(super) fn fail_open(&self, name: &str, step: Step) {
        *self.counts().open.entry((name.to_owned(), step.name())).or_default() += 1;
    }
}

impl Source for Metrics {
    fn collect(&self, text: &mut Text, _: Time) {
        self.conditions.collect(text);
        let counts = self.counts();
        let word = |yes: bool| if yes { "true" } else { "false" };
        if !counts.durations.is_empty() {
            let name = "apiserver_admission_webhook_admission_duration_seconds";
            let mut family = text.family(name, Type::Histogram, DURATIONS);
            for (((name, step, operation), rejected), histogram) in &counts.durations {
                let rejected = ("rejected", word(*rejected));
                let labels = [("name", name.as_str()), ("operation", *operation), rejected, ("type", *step)];
                family.histogram(&labels, histogram);
            }
        }
        if !counts.open.is_empty() {
            let mut family = text.family("apiserver_admission_webhook_fail_open_count", Type::Counter, OPEN);
            for ((name, step), count) in &counts.open {
                family.sample(&[("name", name.as_str()), ("type", *step)], *count as f64);
            }
        }
        if !counts.rejections.is_empty() {
            let name = "apiserver_admission_webhook_rejection_count";
            let mut family = text.family(name, Type::Counter, REJECTIONS);
            for (((name, step, operation), cause, code), count) in &counts.rejections {
                let code = code.to_string();
                let labels = [
                    ("error_type", *cause),
                    ("name", name.as_str()),
                    ("operation", *operation),
                    ("rejection_code", code.as_str()),
                    ("type", *step),
                ];
                family.sample(&labels, *count as f64);
            }
        }
        if !counts.requests.is_empty() {
            let name = "apiserver_admission_webhook_request_total";
            let mut family = text.family(name, Type::Counter, REQUESTS);
            for (((name, step, operation), code, rejected), count) in &counts.requests {
                let (code, rejected) = (code.to_string(), word(*rejected));
                let labels = [
                    ("code", code.as_str()),
                    ("name", name.as_str()),
                    ("operation", *operation),
                    ("rejected", rejected),
                    ("type", *step),
                ];
                family.sample(&labels, *count as f64);
            }
        }
    }
}
