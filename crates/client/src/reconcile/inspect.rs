//! Why each key last ran and what came of it, for `/debug`, and how much there is to do, for `/metrics`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use base::metrics::{Histogram, Source, Text, Type};
use base::time::Time;

/// The state of one controller's queue.
#[derive(Clone, Debug, Default)]
pub struct Explained {
    /// Keys that wait for a worker.
    pub depth: usize,
    /// Keys that are being worked on.
    pub running: usize,
    /// Keys that wait for a point in time.
    pub delayed: usize,
    /// Keys that wait for their own writes to show.
    pub withheld: usize,
    /// How many writes did not show in time.
    pub overdue: u64,
    /// What has been counted since the start.
    pub counts: Counts,
    /// Since when each key that is worked on is.
    pub running_since: Vec<Time>,
    /// What was done last about each key.
    pub runs: BTreeMap<String, LastRun>,
}

/// What a queue counts: client-go's workqueue metrics.
#[derive(Clone, Debug)]
pub struct Counts {
    /// How often a key came to be wanted.
    pub adds: u64,
    /// How often a key failed and is tried again.
    pub retries: u64,
    /// How long keys waited.
    pub queue_seconds: Histogram,
    /// How long they were worked on.
    pub work_seconds: Histogram,
}

/// client-go's buckets: from ten nanoseconds, each ten times the one before.
const SECONDS: [f64; 12] = [1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0, 1000.0];

impl Default for Counts {
    fn default() -> Self {
        let (queue_seconds, work_seconds) = (Histogram::new(&SECONDS), Histogram::new(&SECONDS));
        Counts { adds: 0, retries: 0, queue_seconds, work_seconds }
    }
}

/// The last time that a key was planned.
#[derive(Clone, Debug)]
pub struct LastRun {
    /// When that was.
    pub at: Time,
    /// What had changed.
    pub why: Arc<str>,
    /// What was decided, one line a write.
    pub decided: Vec<String>,
    /// What went wrong.
    pub failure: Option<String>,
}

type Asking = Arc<dyn Fn() -> Explained + Send + Sync>;

/// Where running controllers can be asked.
#[derive(Default)]
pub struct Inspector {
    running: Mutex<BTreeMap<&'static str, Asking>>,
}

impl Inspector {
    pub(super) fn register(&self, name: &'static str, ask: Asking) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(name, ask);
    }

    /// The names of the controllers.
    pub fn names(&self) -> Vec<&'static str> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }

    /// The state of a controller.
    pub fn explain(&self, name: &str) -> Option<Explained> {
        let ask = self.running.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()?;
        Some(ask())
    }
}

/// client-go's metrics of its work queues, each named after its controller.
impl Source for Inspector {
    fn collect(&self, text: &mut Text, now: Time) {
        let all: Vec<(&str, Explained)> =
            self.names().into_iter().filter_map(|name| Some((name, self.explain(name)?))).collect();
        let seconds = |own: &Explained| -> Vec<f64> {
            own.running_since.iter().map(|since| now.since(*since).as_secs_f64()).collect()
        };
        let mut numbers = |name, type_, help: &str, number: &dyn Fn(&Explained) -> f64| {
            let mut family = text.family(name, type_, help);
            for (controller, own) in &all {
                family.sample(&[("name", controller)], number(own));
            }
        };
        numbers("workqueue_adds_total", Type::Counter, "Total number of adds handled by workqueue", &|own| {
            own.counts.adds as f64
        });
        numbers("workqueue_depth", Type::Gauge, "Current depth of workqueue", &|own| own.depth as f64);
        let help = "How many seconds has the longest running processor for workqueue been running.";
        numbers("workqueue_longest_running_processor_seconds", Type::Gauge, help, &|own| {
            seconds(own).into_iter().fold(0.0, f64::max)
        });
        numbers(
            "workqueue_retries_total",
            Type::Counter,
            "Total number of retries handled by workqueue",
            &|own| own.counts.retries as f64,
        );
        let help = "How many seconds of work has done that is in progress and hasn't been observed by work_duration. Large values indicate stuck threads. One can deduce the number of stuck threads by observing the rate at which this increases.";
        numbers("workqueue_unfinished_work_seconds", Type::Gauge, help, &|own| seconds(own).iter().sum());
        let help = "How long in seconds an item stays in workqueue before being requested.";
        let mut family = text.family("workqueue_queue_duration_seconds", Type::Histogram, help);
        for (controller, own) in &all {
            family.histogram(&[("name", controller)], &own.counts.queue_seconds);
        }
        let help = "How long in seconds processing an item from workqueue takes.";
        let mut family = text.family("workqueue_work_duration_seconds", Type::Histogram, help);
        for (controller, own) in &all {
            family.histogram(&[("name", controller)], &own.counts.work_seconds);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::core::{BackOff, Core, Finished, Input};
    use super::super::{Failure, World};
    use super::*;
    use crate::Status;

    #[test]
    fn queues_count_as_client_go_counts() {
        let mut core = Core::new(1, BackOff::USUAL);
        let world = World::default();
        let at = |seconds| Time::EPOCH + Duration::from_secs(seconds);
        let changed = |key| Input::Changed { key, why: Arc::from("test") };
        for key in ["a", "b", "b"] {
            core.step(changed(key), &world, at(1));
        }
        core.step(changed("a"), &world, at(2));
        let failure = Some(Failure { status: Status::internal_error("no"), write: None });
        let how = Finished { failure, ..Finished::default() };
        core.step(Input::Finished { key: "a", how }, &world, at(4));
        let inspector = Inspector::default();
        let explained = core.explain();
        inspector.register("test-controller", Arc::new(move || explained.clone()));
        let mut text = Text::default();
        inspector.collect(&mut text, at(9));
        let text = text.into_string();
        let sample = |name: &str, value: &str| {
            let line = format!("workqueue_{name}{{name=\"test-controller\"}} {value}\n");
            assert!(text.contains(&line), "{line}{text}");
        };
        sample("adds_total", "3");
        sample("retries_total", "1");
        sample("depth", "1");
        // `b` has been at it since `a` was done.
        sample("unfinished_work_seconds", "5");
        sample("longest_running_processor_seconds", "5");
        sample("queue_duration_seconds_sum", "3");
        sample("work_duration_seconds_sum", "3");
    }
}
