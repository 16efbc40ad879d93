//! Flags of the audit log, which are those of kube-apiserver (`k8s.io/apiserver/pkg/server/options/audit.go`).

use std::path::PathBuf;

use api_record::scalar::Duration;
use clap::Args;

use super::value::{self, Rate};

/// What is logged, and to where.
#[derive(Clone, Debug, Default, Args)]
pub struct AuditFlags {
    /// Policy that says which requests are logged how, as Kubernetes' documentation describes it; needs --audit-log-path or --audit-webhook-config-file
    #[arg(long, value_name = "FILE")]
    pub audit_policy_file: Option<PathBuf>,
    /// Flags of the log.
    #[command(flatten)]
    pub log: AuditLogFlags,
    /// Flags of the webhook.
    #[command(flatten)]
    pub webhook: AuditWebhookFlags,
}

/// Flags of the log.
#[derive(Clone, Debug, Default, Args)]
pub struct AuditLogFlags {
    /// File that requests are logged to, or - for standard output; needs --audit-policy-file
    #[arg(long, value_name = "FILE")]
    pub audit_log_path: Option<PathBuf>,
    /// How many days older files of the log are kept; 0 for ever [default: 366]
    #[arg(long, value_name = "DAYS")]
    pub audit_log_maxage: Option<u32>,
    /// How many older files of the log are kept; 0 for all [default: 100]
    #[arg(long, value_name = "FILES")]
    pub audit_log_maxbackup: Option<u32>,
    /// How large a file of the log becomes before the next is begun, in megabytes; 0 for any size [default: 100]
    #[arg(long, value_name = "MEGABYTES")]
    pub audit_log_maxsize: Option<u32>,
    /// How events look in the log [default: json]
    #[arg(long, value_name = "FORMAT")]
    pub audit_log_format: Option<AuditFormat>,
    /// Whether requests wait until their events are with the log, or events gather [default: blocking]
    #[arg(long, value_name = "MODE")]
    pub audit_log_mode: Option<AuditMode>,
    /// How many events gather before more are dropped; in batch mode [default: 10000]
    #[arg(long, value_name = "EVENTS", value_parser = clap::value_parser!(u32).range(1..))]
    pub audit_log_batch_buffer_size: Option<u32>,
    /// How many events go at once; in batch mode [default: 1]
    #[arg(long, value_name = "EVENTS", value_parser = clap::value_parser!(u32).range(1..))]
    pub audit_log_batch_max_size: Option<u32>,
    /// How long events gather before they go; in batch mode [default: 0s]
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    pub audit_log_batch_max_wait: Option<Duration>,
    /// Whether batches go at a bounded rate; in batch mode [default: false]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", hide_possible_values = true)]
    pub audit_log_batch_throttle_enable: Option<bool>,
    /// How many batches go a second, on average; in batch mode
    #[arg(long, value_name = "BATCHES", value_parser = value::rate)]
    pub audit_log_batch_throttle_qps: Option<Rate>,
    /// How many batches go at once after a rest; in batch mode
    #[arg(long, value_name = "BATCHES", value_parser = clap::value_parser!(u32).range(1..))]
    pub audit_log_batch_throttle_burst: Option<u32>,
    /// Whether large events lose their objects, and larger ones are dropped [default: false]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", hide_possible_values = true)]
    pub audit_log_truncate_enabled: Option<bool>,
    /// How large a batch becomes where events are truncated, in bytes [default: 10485760]
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(1..))]
    pub audit_log_truncate_max_batch_size: Option<u32>,
    /// How large an event may be where they are truncated, in bytes [default: 102400]
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(1..))]
    pub audit_log_truncate_max_event_size: Option<u32>,
}

/// Flags of the webhook.
#[derive(Clone, Debug, Default, Args)]
pub struct AuditWebhookFlags {
    /// Kubeconfig of a webhook that events are sent to; needs --audit-policy-file
    #[arg(long, value_name = "FILE")]
    pub audit_webhook_config_file: Option<PathBuf>,
    /// How long to wait before what the webhook has not taken is sent again [default: 10s]
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    pub audit_webhook_initial_backoff: Option<Duration>,
    /// The name that --audit-webhook-initial-backoff had before
    #[arg(long, value_name = "DURATION", value_parser = value::duration, hide = true)]
    pub audit_webhook_batch_initial_backoff: Option<Duration>,
    /// Whether requests wait until their events are with the webhook, or events gather [default: batch]
    #[arg(long, value_name = "MODE")]
    pub audit_webhook_mode: Option<AuditMode>,
    /// How many events gather before more are dropped; in batch mode [default: 10000]
    #[arg(long, value_name = "EVENTS", value_parser = clap::value_parser!(u32).range(1..))]
    pub audit_webhook_batch_buffer_size: Option<u32>,
    /// How many events go at once; in batch mode [default: 400]
    #[arg(long, value_name = "EVENTS", value_parser = clap::value_parser!(u32).range(1..))]
    pub audit_webhook_batch_max_size: Option<u32>,
    /// How long events gather before they go; in batch mode [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    pub audit_webhook_batch_max_wait: Option<Duration>,
    /// Whether batches go at a bounded rate; in batch mode [default: true]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", hide_possible_values = true)]
    pub audit_webhook_batch_throttle_enable: Option<bool>,
    /// How many batches go a second, on average; in batch mode [default: 10]
    #[arg(long, value_name = "BATCHES", value_parser = value::rate)]
    pub audit_webhook_batch_throttle_qps: Option<Rate>,
    /// How many batches go at once after a rest; in batch mode [default: 15]
    #[arg(long, value_name = "BATCHES", value_parser = clap::value_parser!(u32).range(1..))]
    pub audit_webhook_batch_throttle_burst: Option<u32>,
    /// Whether large events lose their objects, and larger ones are dropped [default: false]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", hide_possible_values = true)]
    pub audit_webhook_truncate_enabled: Option<bool>,
    /// How large a batch becomes where events are truncated, in bytes [default: 10485760]
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(1..))]
    pub audit_webhook_truncate_max_batch_size: Option<u32>,
    /// How large an event may be where they are truncated, in bytes [default: 102400]
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(1..))]
    pub audit_webhook_truncate_max_event_size: Option<u32>,
}

/// Who waits for events to be written or sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum AuditMode {
    /// Nobody: they gather, and are dropped and counted when there are too many
    Batch,
    /// Requests wait
    Blocking,
    /// Requests wait, and are refused when it cannot be logged that they were received
    BlockingStrict,
}

/// How events look in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum AuditFormat {
    /// A line of text each
    Legacy,
    /// A line of JSON each
    Json,
}
