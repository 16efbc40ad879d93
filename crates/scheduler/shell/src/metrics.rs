//! What the scheduler counts, under upstream's names (`pkg/scheduler/metrics`): attempts, preemptions, and who waits.
//!
//! Pods that their gates hold back are in no queue here, and so are not counted among those that wait.

use std::sync::{Mutex, PoisonError};

use base::metrics::{Source, Text, Type};
use base::time::Time;

use scheduler::{Action, FailureReason, Waiting};

#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    scheduled: u64,
    unschedulable: u64,
    errors: u64,
    preemptions: u64,
    waiting: Waiting,
}

/// The counters of one scheduler.
#[derive(Debug, Default)]
pub struct Metrics(Mutex<Counted>);

impl Metrics {
    /// Counts what was decided, and what came of bindings.
    pub(crate) fn count(&self, actions: &[Action]) {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for action in actions {
            match action {
                Action::Scheduled { .. } => counted.scheduled += 1,
                Action::Preempt { .. } => counted.preemptions += 1,
                Action::Failed(failure) => match failure.reason {
                    FailureReason::Unschedulable => counted.unschedulable += 1,
                    FailureReason::SchedulerError => counted.errors += 1,
                },
                Action::Ask(_)
                | Action::Bind { .. }
                | Action::BindVolumes { .. }
                | Action::BindDevices { .. }
                | Action::Unreserve { .. }
                | Action::Deallocate { .. }
                | Action::Unnominate { .. } => {}
            }
        }
    }

    /// Notes who waits now.
    pub(crate) fn wait(&self, waiting: Waiting) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).waiting = waiting;
    }
}

impl Source for Metrics {
    fn collect(&self, text: &mut Text, _: Time) {
        let counted = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let help = "Number of attempts to schedule pods, by the result. 'unschedulable' means a pod could not be scheduled, while 'error' means an internal scheduler problem.";
        let mut family = text.family("scheduler_schedule_attempts_total", Type::Counter, help);
        let results = [
            ("error", counted.errors),
            ("scheduled", counted.scheduled),
            ("unschedulable", counted.unschedulable),
        ];
        for (result, count) in results {
            family.sample(&[("profile", "default-scheduler"), ("result", result)], count as f64);
        }
        let help = "Number of pending pods, by the queue type. 'active' means number of pods in activeQ; 'backoff' means number of pods in backoffQ; 'unschedulable' means number of pods in unschedulablePods that the scheduler attempted to schedule and failed; 'gated' is the number of unschedulable pods that the scheduler never attempted to schedule because they are gated.";
        let mut family = text.family("scheduler_pending_pods", Type::Gauge, help);
        let Waiting { active, back_off, unschedulable } = counted.waiting;
        for (queue, count) in [("active", active), ("backoff", back_off), ("unschedulable", unschedulable)] {
            family.sample(&[("queue", queue)], count as f64);
        }
        let help = "Total preemption attempts in the cluster till now";
        text.family("scheduler_preemption_attempts_total", Type::Counter, help)
            .sample(&[], counted.preemptions as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scheduler::{Failure, Nomination, PodRef};

    #[test]
    fn attempts_are_counted_by_what_came_of_them() {
        let pod = || PodRef {
            uid: "u".into(),
            namespace: "a".into(),
            name: "b".into(),
            scheduler_name: "c".into(),
        };
        let failed = |reason| {
            let (message, plugins) = (String::new(), Vec::new());
            Action::Failed(Failure { pod: pod(), reason, message, plugins, nomination: Nomination::Keep })
        };
        let metrics = Metrics::default();
        metrics.count(&[
            Action::Bind { pod: pod(), node: "n".into() },
            Action::Scheduled { pod: pod(), node: "n".into() },
            failed(FailureReason::Unschedulable),
            failed(FailureReason::Unschedulable),
            failed(FailureReason::SchedulerError),
        ]);
        metrics.wait(Waiting { active: 1, back_off: 2, unschedulable: 3 });
        let mut text = Text::default();
        metrics.collect(&mut text, Time::EPOCH);
        let text = text.into_string();
        for line in [
            "attempts_total{profile=\"default-scheduler\",result=\"scheduled\"} 1\n",
            "attempts_total{profile=\"default-scheduler\",result=\"unschedulable\"} 2\n",
            "attempts_total{profile=\"default-scheduler\",result=\"error\"} 1\n",
            "pending_pods{queue=\"backoff\"} 2\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
    }
}
