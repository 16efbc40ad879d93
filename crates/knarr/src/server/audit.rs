//! The audit log, as the flags want it.

use std::io::Write as _;
use std::sync::Arc;

use anyhow::Context as _;
use base::metrics::Source;
use base::time::Clock;
use cli::arguments::AuditMode;
use cli::config::AuditConfig;
use server_audit::{Auditor, Kept, Lines, Log, Metrics, Mode, Policy, Queue};

/// Reads the policy and opens the log; answers who logs, and who counts what is logged.
pub fn open(config: &AuditConfig, clock: Arc<dyn Clock>) -> anyhow::Result<(Arc<Auditor>, Arc<dyn Source>)> {
    let shown = config.policy.display();
    let text =
        std::fs::read(&config.policy).with_context(|| format!("the audit policy {shown} cannot be read"))?;
    let (policy, unknown) = Policy::read(&text).with_context(|| format!("the audit policy {shown}"))?;
    for remark in unknown {
        tracing::warn!(path = %shown, remark, "audit.policy");
    }
    let mode = match config.mode {
        AuditMode::Blocking => Mode::Blocking,
        AuditMode::Batch => Mode::Batch,
    };
    let metrics = Arc::new(Metrics::default());
    let queue = match &config.path {
        Some(path) => {
            let kept = Kept { days: config.days, files: config.files, megabytes: config.megabytes };
            let log = Log::open(path, kept, Arc::clone(&clock));
            let log = log.with_context(|| format!("the audit log {} cannot be written", path.display()))?;
            Queue::to(log, mode, Arc::clone(&metrics))
        }
        None => Queue::to(Stdout, mode, Arc::clone(&metrics)),
    };
    let auditor =
        Auditor::new(policy, queue.context("no thread for the audit log")?, Arc::clone(&metrics), clock);
    let counted: Arc<dyn Source> = metrics;
    Ok((auditor, counted))
}

/// The log of a path that is `-`.
struct Stdout;

impl Lines for Stdout {
    fn write(&mut self, lines: &[u8]) -> std::io::Result<()> {
        std::io::stdout().lock().write_all(lines)
    }
}
