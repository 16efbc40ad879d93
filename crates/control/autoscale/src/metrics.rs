//! What autoscaling counts of itself. Upstream: `pkg/controller/podautoscaler/monitor`.
//!
//! A round takes from its questions to its decision. All that it asks for is asked for at once, so that each of its metrics takes as long as the
//! round.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base::metrics::{Histogram, Labels, Source, Text, Type};
use base::time::Time;
use client::reconcile::Name;

/// From a millisecond, each twice the one before.
const BOUNDS: &[f64] = &[
    0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048, 4.096, 8.192, 16.384,
];

/// What was done, or was called for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Action {
    ScaleDown,
    ScaleUp,
    None,
}

impl Action {
    /// From the number of replicas there are to the number there shall be.
    pub(crate) fn of(from: i32, to: i32) -> Action {
        match to.cmp(&from) {
            std::cmp::Ordering::Less => Action::ScaleDown,
            std::cmp::Ordering::Equal => Action::None,
            std::cmp::Ordering::Greater => Action::ScaleUp,
        }
    }

    fn label(self) -> &'static str {
        match self {
            Action::ScaleDown => "scale_down",
            Action::ScaleUp => "scale_up",
            Action::None => "none",
        }
    }
}

/// Where the first error lay, if there was one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Failed {
    #[default]
    Not,
    /// In what the autoscaler asks for.
    Spec,
    /// Elsewhere.
    Internal,
}

impl Failed {
    fn label(self) -> &'static str {
        match self {
            Failed::Not => "none",
            Failed::Spec => "spec",
            Failed::Internal => "internal",
        }
    }
}

/// What came of one of an autoscaler's metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Computed {
    pub(crate) type_: String,
    pub(crate) action: Action,
    pub(crate) failed: Failed,
}

/// What autoscaling counts; a source of metrics.
#[derive(Default)]
pub struct Metrics(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    all: BTreeSet<Name>,
    desired: BTreeMap<Name, i32>,
    rounds: BTreeMap<(Action, Failed), Histogram>,
    computed: BTreeMap<(Action, Failed, String), Histogram>,
}

impl Metrics {
    fn locked<T>(&self, act: impl FnOnce(&mut Counts) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// An autoscaler is there, or is not any more.
    pub(crate) fn follow(&self, key: &Name, is_there: bool) {
        self.locked(|counts| {
            if is_there {
                counts.all.insert(key.clone());
            } else {
                counts.all.remove(key);
                counts.desired.remove(key);
            }
        });
    }

    /// A round is over.
    pub(crate) fn round(&self, action: Action, failed: Failed, took: Duration) {
        self.locked(|counts| {
            let own = counts.rounds.entry((action, failed));
            own.or_insert_with(|| Histogram::new(BOUNDS)).observe(took.as_secs_f64());
        });
    }

    /// Metrics were looked at.
    pub(crate) fn computed(&self, all: Vec<Computed>, took: Duration) {
        self.locked(|counts| {
            for Computed { type_, action, failed } in all {
                let own = counts.computed.entry((action, failed, type_));
                own.or_insert_with(|| Histogram::new(BOUNDS)).observe(took.as_secs_f64());
            }
        });
    }

    /// An autoscaler wants so many replicas.
    pub(crate) fn desire(&self, key: &Name, replicas: i32) {
        self.locked(|counts| counts.desired.insert(key.clone(), replicas));
    }
}

impl Source for Metrics {
    fn collect(&self, text: &mut Text, _: Time) {
        self.locked(|counts| counts.write(text));
    }
}

impl Counts {
    fn write(&self, text: &mut Text) {
        let help = "How many autoscalers there are.";
        let name = "horizontal_pod_autoscaler_controller_num_horizontal_pod_autoscalers";
        text.family(name, Type::Gauge, help).sample(&[], self.all.len() as f64);
        let help = "How many replicas an autoscaler wants.";
        let mut family =
            text.family("horizontal_pod_autoscaler_controller_desired_replicas", Type::Gauge, help);
        for ((namespace, name), replicas) in &self.desired {
            family.sample(&[("namespace", namespace), ("hpa_name", name)], f64::from(*replicas));
        }
        let rounds: Vec<([(&str, &str); 2], &Histogram)> = self
            .rounds
            .iter()
            .map(|((action, failed), own)| ([("action", action.label()), ("error", failed.label())], own))
            .collect();
        let help = "How many rounds there were, by what was done and where the first error lay.";
        let name = "horizontal_pod_autoscaler_controller_reconciliations_total";
        write(text, name, Type::Counter, help, &rounds);
        let help = "How many seconds rounds took.";
        let name = "horizontal_pod_autoscaler_controller_reconciliation_duration_seconds";
        write(text, name, Type::Histogram, help, &rounds);
        let computed: Vec<([(&str, &str); 3], &Histogram)> = self
            .computed
            .iter()
            .map(|((action, failed, type_), own)| {
                let labels =
                    [("action", action.label()), ("error", failed.label()), ("metric_type", type_.as_str())];
                (labels, own)
            })
            .collect();
        let help = "How many metrics were looked at, by what they called for and where the first error lay.";
        let name = "horizontal_pod_autoscaler_controller_metric_computation_total";
        write(text, name, Type::Counter, help, &computed);
        let help = "How many seconds it took to look at metrics.";
        let name = "horizontal_pod_autoscaler_controller_metric_computation_duration_seconds";
        write(text, name, Type::Histogram, help, &computed);
    }
}

/// One metric, by its labels: how often, or how long.
fn write<const N: usize>(
    text: &mut Text,
    name: &'static str,
    type_: Type,
    help: &str,
    all: &[([(&str, &str); N], &Histogram)],
) {
    let mut family = text.family(name, type_, help);
    for (labels, own) in all {
        let labels: Labels<'_> = labels;
        match type_ {
            Type::Histogram => family.histogram(labels, own),
            Type::Counter | Type::Gauge => family.sample(labels, own.count() as f64),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn autoscalers_are_counted_as_dashboards_look_for_them() {
        let metrics = Metrics::default();
        let key = ("shop".to_owned(), "web".to_owned());
        metrics.follow(&key, true);
        metrics.desire(&key, 3);
        metrics.round(Action::of(2, 3), Failed::Not, Duration::from_millis(3));
        let computed =
            Computed { type_: "Resource".into(), action: Action::of(2, 2), failed: Failed::Internal };
        metrics.computed(vec![computed], Duration::from_millis(3));
        let shown = || {
            let mut text = Text::default();
            metrics.collect(&mut text, Time::EPOCH);
            text.into_string()
        };
        for line in [
            "num_horizontal_pod_autoscalers 1",
            "desired_replicas{namespace=\"shop\",hpa_name=\"web\"} 3",
            "reconciliations_total{action=\"scale_up\",error=\"none\"} 1",
            "reconciliation_duration_seconds_bucket{action=\"scale_up\",error=\"none\",le=\"0.004\"} 1",
            "metric_computation_total{action=\"none\",error=\"internal\",metric_type=\"Resource\"} 1",
        ] {
            let line = format!("horizontal_pod_autoscaler_controller_{line}");
            assert!(shown().lines().any(|own| own == line), "{line} in\n{}", shown());
        }
        metrics.follow(&key, false);
        assert!(!shown().contains("hpa_name"), "{}", shown());
    }
}
