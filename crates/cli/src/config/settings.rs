//! What a server or an agent runs with, by the names of its flags: what its record says to those who come later. Pure.
//!
//! Deliberately absent: the token, which is nobody else's to read, and where the configuration came from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use clap::ValueEnum;

use super::audit::{AuditConfig, AuditLog, AuditWebhook, Delivery};
use super::{AgentConfig, Cluster, NodeConfig, REGISTRIES_FILE, ServerConfig, Verbosity};

/// Values as text by their flags' long names; empty for what is not set.
pub type Settings = BTreeMap<String, String>;

/// A flag that was given and is not what runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The flag's long name.
    pub flag: String,
    /// What was asked for.
    pub asked: String,
    /// What runs.
    pub runs: String,
}

/// What was asked for by flags of these names and differs from what runs. A record of a release that did not write down what it
/// runs with differs in nothing.
pub fn differences(given: &BTreeSet<String>, asked: &Settings, runs: &Settings) -> Vec<Difference> {
    let pairs = given.iter().filter_map(|flag| Some((flag, asked.get(flag)?, runs.get(flag)?)));
    pairs
        .filter(|(_, asked, runs)| asked != runs)
        .map(|(flag, asked, runs)| Difference {
            flag: flag.clone(),
            asked: asked.clone(),
            runs: runs.clone(),
        })
        .collect()
}

impl ServerConfig {
    /// What it runs with.
    pub fn settings(&self) -> Settings {
        let disabled = self.disable.iter().filter_map(clap::ValueEnum::to_possible_value);
        let disabled: Vec<String> = disabled.map(|part| part.get_name().to_owned()).collect();
        let own = [
            ("bind-address", self.bind_address.to_string()),
            ("https-listen-port", self.https_listen_port.to_string()),
            ("advertise-address", self.advertise_address.map_or_else(String::new, |ip| ip.to_string())),
            ("advertise-port", self.advertise_port.to_string()),
            ("tls-san", self.tls_san.join(",")),
            ("cluster-cidr", self.cluster_cidr.to_string()),
            ("service-cidr", self.service_cidr.to_string()),
            ("service-node-port-range", self.service_node_port_range.to_string()),
            ("cluster-dns", self.cluster_dns.to_string()),
            ("cluster-domain", self.cluster_domain.clone()),
            ("write-kubeconfig", self.place.kubeconfig.display().to_string()),
            ("write-kubeconfig-mode", format!("{:o}", self.kubeconfig_mode)),
            ("disable", disabled.join(",")),
            ("disable-agent", self.disable_agent.to_string()),
            ("disable-scheduler", self.disable_scheduler.to_string()),
            ("disable-controller-manager", self.disable_controller_manager.to_string()),
            ("runtime-config", self.runtime_config.clone()),
            ("feature-gates", self.feature_gates.clone()),
        ];
        named(own).chain(of_audit(self.audit.as_ref())).chain(of_node(&self.node, self.verbosity)).collect()
    }
}

impl AgentConfig {
    /// What it runs with.
    pub fn settings(&self) -> Settings {
        let cluster = match &self.cluster {
            Cluster::Join { server, .. } => vec![("server", server.to_string())],
            Cluster::Known { kubeconfig, cluster_cidr, service_cidr, cluster_dns, cluster_domain } => vec![
                ("kubeconfig", kubeconfig.display().to_string()),
                ("cluster-cidr", cluster_cidr.to_string()),
                ("service-cidr", service_cidr.to_string()),
                ("cluster-dns", cluster_dns.map_or_else(String::new, |ip| ip.to_string())),
                ("cluster-domain", cluster_domain.clone()),
            ],
        };
        named(cluster).chain(of_node(&self.node, self.verbosity)).collect()
    }
}

fn of_audit(audit: Option<&AuditConfig>) -> impl Iterator<Item = (String, String)> {
    let (log, webhook) = (audit.and_then(|own| own.log.as_ref()), audit.and_then(|own| own.webhook.as_ref()));
    let of_log = |tell: fn(&AuditLog) -> String| log.map(tell).unwrap_or_default();
    let of_webhook = |tell: fn(&AuditWebhook) -> String| webhook.map(tell).unwrap_or_default();
    let own = [
        ("audit-policy-file", audit.map(|own| own.policy.display().to_string()).unwrap_or_default()),
        ("audit-log-path", of_log(|own| own.path.as_deref().unwrap_or(Path::new("-")).display().to_string())),
        ("audit-log-maxage", of_log(|own| own.days.to_string())),
        ("audit-log-maxbackup", of_log(|own| own.files.to_string())),
        ("audit-log-maxsize", of_log(|own| own.megabytes.to_string())),
        ("audit-log-format", of_log(|own| chosen(&own.format))),
        ("audit-webhook-config-file", of_webhook(|own| own.kubeconfig.display().to_string())),
        ("audit-webhook-initial-backoff", of_webhook(|own| own.first_wait.to_string())),
    ];
    let deliveries = [("log", log.map(|own| &own.delivery)), ("webhook", webhook.map(|own| &own.delivery))];
    let deliveries = deliveries.map(|(plugin, own)| of_delivery(plugin, own));
    named(own).chain(deliveries.into_iter().flatten())
}

fn of_delivery(plugin: &str, delivery: Option<&Delivery>) -> [(String, String); 10] {
    let tell = |flag: &str, tell: fn(&Delivery) -> String| {
        (format!("audit-{plugin}-{flag}"), delivery.map(tell).unwrap_or_default())
    };
    [
        tell("mode", |own| chosen(&own.mode)),
        tell("batch-buffer-size", |own| own.batch.buffer.to_string()),
        tell("batch-max-size", |own| own.batch.most.to_string()),
        tell("batch-max-wait", |own| own.batch.wait.to_string()),
        tell("batch-throttle-enable", |own| own.batch.throttled.to_string()),
        tell("batch-throttle-qps", |own| own.batch.rate.to_string()),
        tell("batch-throttle-burst", |own| own.batch.burst.to_string()),
        tell("truncate-enabled", |own| own.truncate.enabled.to_string()),
        tell("truncate-max-batch-size", |own| own.truncate.batch_bytes.to_string()),
        tell("truncate-max-event-size", |own| own.truncate.event_bytes.to_string()),
    ]
}

/// A choice by its name.
fn chosen(choice: &impl ValueEnum) -> String {
    choice.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

fn of_node(node: &NodeConfig, verbosity: Verbosity) -> impl Iterator<Item = (String, String)> {
    let labels = node.labels.iter().map(|label| format!("{}={}", label.key, label.value));
    let taints = node.taints.iter().map(|taint| format!("{}={}:{}", taint.key, taint.value, taint.effect));
    let addresses = node.addresses.iter().map(ToString::to_string);
    named([
        ("debug", (verbosity >= Verbosity(4)).to_string()),
        ("v", verbosity.0.to_string()),
        ("node-name", node.name.to_string()),
        ("node-ip", addresses.collect::<Vec<_>>().join(",")),
        ("node-label", labels.collect::<Vec<_>>().join(",")),
        ("node-taint", taints.collect::<Vec<_>>().join(",")),
        ("resolv-conf", node.resolv_conf.display().to_string()),
        (
            "private-registry",
            node.private_registry.as_deref().unwrap_or(Path::new(REGISTRIES_FILE)).display().to_string(),
        ),
        ("kubelet-port", node.port.to_string()),
        (
            "kubelet-arg",
            node.eviction_hard.as_ref().map_or_else(String::new, |text| format!("eviction-hard={text}")),
        ),
    ])
}

fn named(values: impl IntoIterator<Item = (&'static str, String)>) -> impl Iterator<Item = (String, String)> {
    values.into_iter().map(|(flag, value)| (flag.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::{ServerFlags, command};
    use crate::config::{Defaults, server};

    fn config(flags: &ServerFlags) -> ServerConfig {
        let defaults = Defaults { current_dir: "/".into(), host_name: "box".to_owned() };
        server(flags, None, &defaults).expect("good flags")
    }

    #[test]
    fn every_flag_of_a_server_is_told_but_secrets_and_sources() {
        let command = command();
        let server = command.find_subcommand("server").expect("it is there");
        let shown = server.get_arguments().filter(|argument| !argument.is_hide_set());
        let flags: BTreeSet<&str> = shown.filter_map(clap::Arg::get_long).collect();
        let silent = BTreeSet::from(["config", "data-dir", "token", "token-file"]);
        let settings = config(&ServerFlags::default()).settings();
        let told: BTreeSet<&str> = settings.keys().map(String::as_str).collect();
        assert_eq!(told, &flags - &silent);
    }

    #[test]
    fn what_was_given_and_differs_is_found() {
        let runs =
            config(&ServerFlags { https_listen_port: Some(7443), ..ServerFlags::default() }).settings();
        let asked = config(&ServerFlags {
            cluster_domain: Some("example.test".to_owned()),
            disable_agent: Some(false),
            ..ServerFlags::default()
        });
        let given = ["cluster-domain", "disable-agent", "token"].map(str::to_owned).into();
        let expected = Difference {
            flag: "cluster-domain".to_owned(),
            asked: "example.test".to_owned(),
            runs: "cluster.local".to_owned(),
        };
        assert_eq!(differences(&given, &asked.settings(), &runs), [expected], "the port was not given");
        assert_eq!(differences(&given, &asked.settings(), &Settings::new()), []);
    }
}
