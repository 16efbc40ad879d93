//! The audit log, as the flags want it.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use base::metrics::Source;
use base::random::SystemRandom;
use base::time::Clock;
use bytes::Bytes;
use cli::arguments::{AuditFormat, AuditMode};
use cli::config::AuditConfig;
use cli::config::audit::{AuditLog, AuditWebhook, Delivery};
use client::BoxFuture;
use client_remote::kubeconfig;
use server_audit::{
    Auditor, Batch, Form, Lines, Log, Metrics, Mode, Options, Policy, Rate, Receiver, Retention, Sink,
    Truncate, Webhook, Writer,
};

/// Reads the policy and opens the log; answers who logs, and who counts what is logged.
pub fn open(config: &AuditConfig, clock: Arc<dyn Clock>) -> anyhow::Result<(Arc<Auditor>, Arc<dyn Source>)> {
    let shown = config.policy.display();
    let text =
        std::fs::read(&config.policy).with_context(|| format!("the audit policy {shown} cannot be read"))?;
    let (policy, unknown) = Policy::read(&text).with_context(|| format!("the audit policy {shown}"))?;
    for remark in unknown {
        tracing::warn!(path = %shown, remark, "audit.policy");
    }
    let metrics = Arc::new(Metrics::default());
    let log = config.log.as_ref().map(|own| log(own, &clock, &metrics)).transpose()?;
    let webhook = config.webhook.as_ref().map(|own| webhook(own, &clock, &metrics)).transpose()?;
    let sinks = log.into_iter().chain(webhook).collect();
    let auditor = Auditor::new(policy, sinks, Arc::clone(&metrics), clock);
    let counted: Arc<dyn Source> = metrics;
    Ok((auditor, counted))
}

fn log(config: &AuditLog, clock: &Arc<dyn Clock>, metrics: &Arc<Metrics>) -> anyhow::Result<Sink> {
    let writer = match &config.path {
        Some(path) => {
            let kept = Retention { days: config.days, files: config.files, megabytes: config.megabytes };
            let log = Log::open(path, kept, Arc::clone(clock));
            let log = log.with_context(|| format!("the audit log {} cannot be written", path.display()))?;
            Writer::to(log, Arc::clone(metrics))
        }
        None => Writer::to(Stdout, Arc::clone(metrics)),
    };
    let writer = Arc::new(writer.context("no thread for the audit log")?);
    let form = match config.format {
        AuditFormat::Json => Form::Json,
        AuditFormat::Legacy => Form::Legacy,
    };
    let options = options(form, &config.delivery, false);
    Ok(Sink::to(writer, options, Arc::clone(clock), Arc::clone(metrics)))
}

fn webhook(config: &AuditWebhook, clock: &Arc<dyn Clock>, metrics: &Arc<Metrics>) -> anyhow::Result<Sink> {
    let shown = config.kubeconfig.display();
    let endpoint = kubeconfig::endpoint(&config.kubeconfig).context("the audit webhook")?;
    let receiver = server_webhook::Receiver::of(&endpoint, Arc::clone(clock));
    let receiver =
        receiver.map_err(|why| anyhow::anyhow!("the audit webhook of {shown} cannot be reached: {why}"))?;
    let first_wait = Duration::from_nanos(u64::try_from(config.first_wait.nanos).unwrap_or_default());
    let webhook = Webhook::new(
        Arc::new(Posted(receiver)),
        first_wait,
        Arc::clone(clock),
        Arc::new(SystemRandom),
        Arc::clone(metrics),
    );
    let options = options(Form::Item, &config.delivery, true);
    Ok(Sink::to(Arc::new(webhook), options, Arc::clone(clock), Arc::clone(metrics)))
}

/// `alongside`: whether a batch goes while others are on their way.
fn options(form: Form, delivery: &Delivery, alongside: bool) -> Options {
    let (batch, truncate) = (&delivery.batch, &delivery.truncate);
    let mode = match delivery.mode {
        AuditMode::Blocking => Mode::Blocking,
        AuditMode::BlockingStrict => Mode::BlockingStrict,
        AuditMode::Batch => Mode::Batch(Batch {
            buffer: batch.buffer as usize,
            most: batch.most as usize,
            wait: Duration::from_nanos(u64::try_from(batch.wait.nanos).unwrap_or_default()),
            rate: batch.throttled.then(|| Rate { per_second: batch.rate.per_second(), burst: batch.burst }),
            alongside,
        }),
    };
    let truncate = truncate.enabled.then_some(Truncate {
        event_bytes: truncate.event_bytes as usize,
        batch_bytes: truncate.batch_bytes as usize,
    });
    Options { form, truncate, mode }
}

/// The log of a path that is `-`.
struct Stdout;

impl Lines for Stdout {
    fn write(&mut self, lines: &[u8]) -> std::io::Result<()> {
        std::io::stdout().lock().write_all(lines)
    }
}

/// A webhook over the network.
struct Posted(server_webhook::Receiver);

impl Receiver for Posted {
    fn post(&self, body: Bytes) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(self.0.post(body))
    }
}
