//! How often the expressions of policies are evaluated, how long that takes, and what comes of it
//! (`plugin/policy/{validating,mutating}/metrics`).

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base::metrics::{Histogram, Source, Text, Type};
use base::time::Time;

const BOUNDS: &[f64] = &[0.000_000_5, 0.001, 0.01, 0.1, 1.0];

/// What is said when expressions have cost all that they may.
pub(super) const EXHAUSTED: &str =
    "validation failed due to running out of cost budget, no further validation rules will be run";

/// What comes of an evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outcome {
    /// An answer.
    Fine,
    /// It could not be compiled.
    Uncompiled,
    /// It had no value, or none of use.
    Invalid,
    /// It cost too much.
    Exhausted,
}

impl Outcome {
    fn name(self) -> &'static str {
        match self {
            Outcome::Fine => "no_error",
            Outcome::Uncompiled => "compile_error",
            Outcome::Invalid => "invalid_error",
            Outcome::Exhausted => "out_of_budget",
        }
    }
}

/// A policy, its binding, what came of it and, of policies that refuse, what followed.
type Of = (String, String, &'static str, Option<&'static str>);

/// Counts the evaluations of policies of one sort.
pub struct Checks {
    total: [&'static str; 2],
    durations: [&'static str; 2],
    all: Mutex<BTreeMap<Of, Histogram>>,
}

impl Checks {
    /// Of policies that change objects.
    pub fn mutating() -> Checks {
        Checks {
            total: [
                "apiserver_mutating_admission_policy_check_total",
                "Mutation admission policy check total, labeled by policy and further identified by binding.",
            ],
            durations: [
                "apiserver_mutating_admission_policy_check_duration_seconds",
                "Mutation admission latency for individual mutation expressions in seconds, labeled by policy and binding.",
            ],
            all: Mutex::default(),
        }
    }

    /// Of policies that refuse.
    pub fn validating() -> Checks {
        Checks {
            total: [
                "apiserver_validating_admission_policy_check_total",
                "Validation admission policy check total, labeled by policy and further identified by binding and enforcement action taken.",
            ],
            durations: [
                "apiserver_validating_admission_policy_check_duration_seconds",
                "Validation admission latency for individual validation expressions in seconds, labeled by policy and further including binding and enforcement action taken.",
            ],
            all: Mutex::default(),
        }
    }

    pub(super) fn observe(
        &self,
        policy: &str,
        binding: &str,
        outcome: Outcome,
        action: Option<&'static str>,
        took: Duration,
    ) {
        let of = (policy.to_owned(), binding.to_owned(), outcome.name(), action);
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(of).or_insert_with(|| Histogram::new(BOUNDS)).observe(took.as_secs_f64());
    }
}

impl Source for Checks {
    fn collect(&self, text: &mut Text, _: Time) {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if all.is_empty() {
            return;
        }
        let labels = |(policy, binding, error, action): &Of| {
            let mut labels = Vec::from([
                ("error_type", (*error).to_owned()),
                ("policy", policy.clone()),
                ("policy_binding", binding.clone()),
            ]);
            labels.extend(action.map(|action| ("enforcement_action", action.to_owned())));
            labels.sort();
            labels
        };
        let [name, help] = self.durations;
        let mut family = text.family(name, Type::Histogram, help);
        for (of, histogram) in all.iter() {
            let labels = labels(of);
            let labels: Vec<(&str, &str)> =
                labels.iter().map(|(name, value)| (*name, value.as_str())).collect();
            family.histogram(&labels, histogram);
        }
        let [name, help] = self.total;
        let mut family = text.family(name, Type::Counter, help);
        for (of, histogram) in all.iter() {
            let labels = labels(of);
            let labels: Vec<(&str, &str)> =
                labels.iter().map(|(name, value)| (*name, value.as_str())).collect();
            family.sample(&labels, histogram.count() as f64);
        }
    }
}
