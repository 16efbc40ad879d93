//! Match conditions: whether they hold, and how often they do not (`plugin/webhook/matchconditions`, `apiserver/pkg/admission/metrics`).

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use api_cel::{Program, Value};
use api_types::admissionregistration::v1::MatchCondition;
use base::metrics::{Histogram, Text, Type};
use base::time::Clock;

use super::{Spending, Values, in_error};
use crate::limits::MATCH_BUDGET;

const BOUNDS: &[f64] = &[0.001, 0.005, 0.01, 0.025, 0.1, 0.2, 0.25];

const SECONDS: &str = "Admission match condition evaluation time in seconds, identified by name and broken out for each kind containing matchConditions (webhook or policy), operation and type (validate or admit).";
const ERRORS: &str = "Admission match condition evaluation errors count, identified by name of resource containing the match condition and broken out for each kind containing matchConditions (webhook or policy), operation and admission type (validate or admit).";
const EXCLUSIONS: &str = "Admission match condition evaluation exclusions count, identified by name of resource containing the match condition and broken out for each kind containing matchConditions (webhook or policy), operation and admission type (validate or admit).";

/// Whose conditions they are, and of which request.
#[derive(Clone, Copy)]
pub(crate) struct About<'a> {
    /// The webhook's or the policy's name.
    pub(crate) name: &'a str,
    /// `webhook` or `policy`.
    pub(crate) kind: &'static str,
    /// What it does, as metrics name it.
    pub(crate) step: &'static str,
    pub(crate) operation: &'static str,
}

/// The values of the labels `kind`, `name`, `operation` and `type`.
type Of = [String; 4];

impl About<'_> {
    fn labels(&self) -> Of {
        [self.kind, self.name, self.operation, self.step].map(str::to_owned)
    }
}

#[derive(Default)]
struct Counts {
    seconds: BTreeMap<Of, Histogram>,
    errors: BTreeMap<Of, u64>,
    exclusions: BTreeMap<Of, u64>,
}

/// Evaluates conditions, and counts.
#[derive(Default)]
pub(crate) struct Conditions(Mutex<Counts>);

impl Conditions {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether conditions hold. One that does not hold decides, whatever went wrong with others. How long it took is kept where they do
    /// not all hold, as upstream has it.
    pub(crate) fn hold(
        &self,
        about: About<'_>,
        clock: &dyn Clock,
        programs: &[Program],
        own: &[MatchCondition],
        values: &Values,
    ) -> Result<bool, String> {
        let begun = clock.now();
        let mut budget = Spending::new(MATCH_BUDGET, values);
        let (mut failed, mut excluded) = (Vec::new(), false);
        for (program, own) in programs.iter().zip(own) {
            match budget.evaluate(program) {
                Ok(Value::Bool(true)) => {}
                Ok(_) => {
                    excluded = true;
                    break;
                }
                Err(error) => failed.push(in_error(&own.expression, &error)),
            }
        }
        if failed.is_empty() && !excluded {
            return Ok(true);
        }
        let took = clock.now().since(begun);
        let mut counts = self.counts();
        let seconds = counts.seconds.entry(about.labels()).or_insert_with(|| Histogram::new(BOUNDS));
        seconds.observe(took.as_secs_f64());
        if !failed.is_empty() {
            *counts.errors.entry(about.labels()).or_default() += failed.len() as u64;
        }
        match failed.len() {
            _ if excluded => Ok(false),
            1 => Err(failed.remove(0)),
            _ => Err(format!("[{}]", failed.join(", "))),
        }
    }

    /// Counts a request that conditions keep from somebody.
    pub(crate) fn exclude(&self, about: About<'_>) {
        *self.counts().exclusions.entry(about.labels()).or_default() += 1;
    }

    pub(crate) fn collect(&self, text: &mut Text) {
        let counts = self.counts();
        let names = ["kind", "name", "operation", "type"];
        let labels = |of: &Of| -> Vec<(&'static str, String)> { names.into_iter().zip(of.clone()).collect() };
        if !counts.seconds.is_empty() {
            let name = "apiserver_admission_match_condition_evaluation_seconds";
            let mut family = text.family(name, Type::Histogram, SECONDS);
            for (of, histogram) in &counts.seconds {
                let labels = labels(of);
                let labels: Vec<(&str, &str)> =
                    labels.iter().map(|(name, of)| (*name, of.as_str())).collect();
                family.histogram(&labels, histogram);
            }
        }
        for (name, help, all) in [
            ("apiserver_admission_match_condition_evaluation_errors_total", ERRORS, &counts.errors),
            ("apiserver_admission_match_condition_exclusions_total", EXCLUSIONS, &counts.exclusions),
        ] {
            if all.is_empty() {
                continue;
            }
            let mut family = text.family(name, Type::Counter, help);
            for (of, count) in all {
                let labels = labels(of);
                let labels: Vec<(&str, &str)> =
                    labels.iter().map(|(name, of)| (*name, of.as_str())).collect();
                family.sample(&labels, *count as f64);
            }
        }
    }
}
