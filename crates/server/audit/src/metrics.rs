//! What is counted of the audit log, under upstream's names. (`apiserver/pkg/audit/metrics.go`.)

use std::sync::atomic::{AtomicU64, Ordering};

use base::metrics::{Source, Text, Type};
use base::time::Time;
use client::trail::Level;

/// Counters of events, and of what became of them.
#[derive(Default)]
pub struct Metrics {
    events: AtomicU64,
    levels: [AtomicU64; 4],
    lost: [AtomicU64; 4],
    rejected: AtomicU64,
}

/// Where an event can be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// There was no room for it.
    Buffered,
    /// It could not be written.
    Log,
    /// It was too large.
    Truncate,
    /// No webhook took it.
    Webhook,
}

impl Loss {
    const ALL: [(Loss, &'static str); 4] = [
        (Loss::Buffered, "buffered"),
        (Loss::Log, "log"),
        (Loss::Truncate, "truncate"),
        (Loss::Webhook, "webhook"),
    ];
}

impl Metrics {
    pub(crate) fn event(&self) {
        self.events.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn level(&self, level: Level) {
        self.levels[level as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn rejected(&self) {
        self.rejected.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn lost(&self, loss: Loss, events: usize) {
        self.lost[loss as usize].fetch_add(events as u64, Ordering::Relaxed);
    }
}

fn count(counter: &AtomicU64) -> f64 {
    counter.load(Ordering::Relaxed) as f64
}

impl Source for Metrics {
    fn collect(&self, text: &mut Text, _: Time) {
        let help = "Counter of audit events generated and sent to the audit backend.";
        text.family("apiserver_audit_event_total", Type::Counter, help).sample(&[], count(&self.events));
        let help = "Counter of audit events that failed to be audited properly. Plugin identifies the plugin affected by the error.";
        let mut family = text.family("apiserver_audit_error_total", Type::Counter, help);
        for (loss, plugin) in Loss::ALL {
            let lost = count(&self.lost[loss as usize]);
            if lost > 0.0 {
                family.sample(&[("plugin", plugin)], lost);
            }
        }
        let help = "Counter of policy levels for audit events (1 per request).";
        let mut family = text.family("apiserver_audit_level_total", Type::Counter, help);
        for level in Level::ALL {
            let asked = count(&self.levels[level as usize]);
            if asked > 0.0 {
                family.sample(&[("level", level.name())], asked);
            }
        }
        let help = "Counter of apiserver requests rejected due to an error in audit logging backend.";
        let mut family = text.family("apiserver_audit_requests_rejected_total", Type::Counter, help);
        family.sample(&[], count(&self.rejected));
    }
}
