//! How requests are logged: upstream's defaults and rules (`k8s.io/apiserver/pkg/server/options/audit.go`).

use std::path::{Path, PathBuf};

use api_record::scalar::Duration;

use super::{ConfigError, Defaults, absolute};
use crate::arguments::audit::{AuditFlags, AuditFormat, AuditLogFlags, AuditMode, AuditWebhookFlags};
use crate::arguments::value::Rate;

/// How requests are logged: to a log, to a webhook, or to both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditConfig {
    /// What says which.
    pub policy: PathBuf,
    /// The log.
    pub log: Option<AuditLog>,
    /// The webhook.
    pub webhook: Option<AuditWebhook>,
}

/// A log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditLog {
    /// Where to; none for standard output.
    pub path: Option<PathBuf>,
    /// How many days older files are kept; zero for ever.
    pub days: u32,
    /// How many older files are kept; zero for all.
    pub files: u32,
    /// How large a file becomes; zero for any size.
    pub megabytes: u32,
    /// How events look.
    pub format: AuditFormat,
    /// How they come there.
    pub delivery: Delivery,
}

/// A webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditWebhook {
    /// Where it is.
    pub kubeconfig: PathBuf,
    /// How long to wait before something is sent again.
    pub first_wait: Duration,
    /// How events come there.
    pub delivery: Delivery,
}

/// How events come to where they go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Who waits.
    pub mode: AuditMode,
    /// How events gather, in batch mode.
    pub batch: Batch,
    /// How large they may be.
    pub truncate: Truncate,
}

/// How events gather.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// How many, before more are dropped.
    pub buffer: u32,
    /// How many go at once.
    pub most: u32,
    /// How long the first waits for the last.
    pub wait: Duration,
    /// Whether they go at a bounded rate.
    pub throttled: bool,
    /// Which.
    pub rate: Rate,
    /// How many batches go at once after a rest.
    pub burst: u32,
}

/// How large events may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Truncate {
    /// Whether that is bounded.
    pub enabled: bool,
    /// A batch, in bytes.
    pub batch_bytes: u32,
    /// An event, in bytes.
    pub event_bytes: u32,
}

const TRUNCATE: Truncate = Truncate { enabled: false, batch_bytes: 10 << 20, event_bytes: 100 << 10 };

/// Upstream's of the log: what is written is written at once, and a batch's rate is bounded by nothing unless it is said.
const LOG: Delivery = Delivery {
    mode: AuditMode::Blocking,
    batch: Batch {
        buffer: 10_000,
        most: 1,
        wait: Duration { nanos: 0 },
        throttled: false,
        rate: Rate::new(0.0),
        burst: 0,
    },
    truncate: TRUNCATE,
};

const WEBHOOK: Delivery = Delivery {
    mode: AuditMode::Batch,
    batch: Batch {
        buffer: 10_000,
        most: 400,
        wait: Duration { nanos: 30_000_000_000 },
        throttled: true,
        rate: Rate::new(10.0),
        burst: 15,
    },
    truncate: TRUNCATE,
};

/// Makes the audit log's configuration of its flags.
pub(super) fn audit(flags: &AuditFlags, defaults: &Defaults) -> Result<Option<AuditConfig>, ConfigError> {
    let log = flags.log.audit_log_path.as_deref().map(|path| log(&flags.log, path, defaults)).transpose()?;
    let webhook = flags.webhook.audit_webhook_config_file.as_deref();
    let webhook = webhook.map(|path| self::webhook(&flags.webhook, path, defaults)).transpose()?;
    let Some(policy) = &flags.audit_policy_file else {
        return match (log, webhook) {
            (None, None) => Ok(None),
            (Some(_), _) => Err(ConfigError::HalfAudited("--audit-log-path", "--audit-policy-file")),
            (None, Some(_)) => {
                Err(ConfigError::HalfAudited("--audit-webhook-config-file", "--audit-policy-file"))
            }
        };
    };
    if log.is_none() && webhook.is_none() {
        let wanted = "--audit-log-path or --audit-webhook-config-file";
        return Err(ConfigError::HalfAudited("--audit-policy-file", wanted));
    }
    Ok(Some(AuditConfig { policy: absolute(policy, defaults), log, webhook }))
}

fn log(flags: &AuditLogFlags, path: &Path, defaults: &Defaults) -> Result<AuditLog, ConfigError> {
    Ok(AuditLog {
        path: (path != Path::new("-")).then(|| absolute(path, defaults)),
        days: flags.audit_log_maxage.unwrap_or(366),
        files: flags.audit_log_maxbackup.unwrap_or(100),
        megabytes: flags.audit_log_maxsize.unwrap_or(100),
        format: flags.audit_log_format.unwrap_or(AuditFormat::Json),
        delivery: delivery(
            Given {
                plugin: "log",
                mode: flags.audit_log_mode,
                buffer: flags.audit_log_batch_buffer_size,
                most: flags.audit_log_batch_max_size,
                wait: flags.audit_log_batch_max_wait,
                throttled: flags.audit_log_batch_throttle_enable,
                rate: flags.audit_log_batch_throttle_qps,
                burst: flags.audit_log_batch_throttle_burst,
                truncated: flags.audit_log_truncate_enabled,
                batch_bytes: flags.audit_log_truncate_max_batch_size,
                event_bytes: flags.audit_log_truncate_max_event_size,
            },
            &LOG,
        )?,
    })
}

fn webhook(flags: &AuditWebhookFlags, path: &Path, defaults: &Defaults) -> Result<AuditWebhook, ConfigError> {
    let first_wait = flags.audit_webhook_initial_backoff.or(flags.audit_webhook_batch_initial_backoff);
    Ok(AuditWebhook {
        kubeconfig: absolute(path, defaults),
        first_wait: first_wait.unwrap_or(Duration { nanos: 10_000_000_000 }),
        delivery: delivery(
            Given {
                plugin: "webhook",
                mode: flags.audit_webhook_mode,
                buffer: flags.audit_webhook_batch_buffer_size,
                most: flags.audit_webhook_batch_max_size,
                wait: flags.audit_webhook_batch_max_wait,
                throttled: flags.audit_webhook_batch_throttle_enable,
                rate: flags.audit_webhook_batch_throttle_qps,
                burst: flags.audit_webhook_batch_throttle_burst,
                truncated: flags.audit_webhook_truncate_enabled,
                batch_bytes: flags.audit_webhook_truncate_max_batch_size,
                event_bytes: flags.audit_webhook_truncate_max_event_size,
            },
            &WEBHOOK,
        )?,
    })
}

/// What the flags of either say.
struct Given {
    plugin: &'static str,
    mode: Option<AuditMode>,
    buffer: Option<u32>,
    most: Option<u32>,
    wait: Option<Duration>,
    throttled: Option<bool>,
    rate: Option<Rate>,
    burst: Option<u32>,
    truncated: Option<bool>,
    batch_bytes: Option<u32>,
    event_bytes: Option<u32>,
}

fn delivery(given: Given, unless: &Delivery) -> Result<Delivery, ConfigError> {
    let plugin = given.plugin;
    let batch = Batch {
        buffer: given.buffer.unwrap_or(unless.batch.buffer),
        most: given.most.unwrap_or(unless.batch.most),
        wait: given.wait.unwrap_or(unless.batch.wait),
        throttled: given.throttled.unwrap_or(unless.batch.throttled),
        rate: given.rate.unwrap_or(unless.batch.rate),
        burst: given.burst.unwrap_or(unless.batch.burst),
    };
    let truncate = Truncate {
        enabled: given.truncated.unwrap_or(unless.truncate.enabled),
        batch_bytes: given.batch_bytes.unwrap_or(unless.truncate.batch_bytes),
        event_bytes: given.event_bytes.unwrap_or(unless.truncate.event_bytes),
    };
    let mode = given.mode.unwrap_or(unless.mode);
    if mode == AuditMode::Batch && batch.throttled {
        let missing = if batch.rate.per_second() == 0.0 {
            Some(("throttle QPS", "0"))
        } else {
            (batch.burst == 0).then_some(("throttle burst", "0"))
        };
        if let Some((what, value)) = missing {
            return Err(ConfigError::Audit(format!(
                "invalid audit batch {plugin} {what} {value}, must be a positive number"
            )));
        }
    }
    if truncate.batch_bytes < truncate.event_bytes {
        return Err(ConfigError::Audit(format!(
            "invalid audit truncate {plugin} max batch size {}, must be greater than max event size ({})",
            truncate.batch_bytes, truncate.event_bytes
        )));
    }
    Ok(Delivery { mode, batch, truncate })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(change: impl FnOnce(&mut AuditFlags)) -> Result<Option<AuditConfig>, String> {
        let mut flags = AuditFlags { audit_policy_file: Some("policy.yaml".into()), ..AuditFlags::default() };
        flags.webhook.audit_webhook_config_file = Some("hook.yaml".into());
        flags.log.audit_log_path = Some("-".into());
        change(&mut flags);
        let defaults = Defaults { current_dir: "/etc".into(), host_name: "box".to_owned() };
        audit(&flags, &defaults).map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_are_upstreams() {
        let config = config(|_| {}).unwrap().unwrap();
        assert_eq!(config.policy, Path::new("/etc/policy.yaml"));
        let (log, webhook) = (config.log.unwrap(), config.webhook.unwrap());
        assert_eq!((log.days, log.files, log.megabytes, log.format), (366, 100, 100, AuditFormat::Json));
        assert_eq!((log.path, log.delivery), (None, LOG));
        assert_eq!(webhook.kubeconfig, Path::new("/etc/hook.yaml"));
        assert_eq!((webhook.first_wait.to_string().as_str(), webhook.delivery), ("10s", WEBHOOK));
    }

    #[test]
    fn what_is_half_said_or_contradicts_itself_is_refused() {
        let row = |change: fn(&mut AuditFlags), wanted: &str| {
            let said = config(change).expect_err(wanted);
            assert!(said.contains(wanted), "{said}");
        };
        row(|flags| flags.audit_policy_file = None, "--audit-log-path needs --audit-policy-file");
        row(
            |flags| (flags.log.audit_log_path, flags.audit_policy_file) = (None, None),
            "--audit-webhook-config-file needs --audit-policy-file",
        );
        row(
            |flags| (flags.log.audit_log_path, flags.webhook.audit_webhook_config_file) = (None, None),
            "--audit-policy-file needs --audit-log-path or --audit-webhook-config-file",
        );
        row(
            |flags| {
                flags.log.audit_log_mode = Some(AuditMode::Batch);
                flags.log.audit_log_batch_throttle_enable = Some(true);
            },
            "invalid audit batch log throttle QPS 0, must be a positive number",
        );
        row(
            |flags| flags.webhook.audit_webhook_truncate_max_event_size = Some(20 << 20),
            "invalid audit truncate webhook max batch size 10485760, must be greater than max event size (20971520)",
        );
    }
}
