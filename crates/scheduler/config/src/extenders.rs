//! Extenders as configurations name them: whoever runs the scheduler makes connections of this.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use api_record::Bytes;

use crate::types;

/// How long an extender has for an answer that is not given a time (upstream's `DefaultExtenderTimeout`).
pub const TIMEOUT: Duration = Duration::from_secs(5);

/// A program that has a say in where pods go. It is asked by POST at `<url_prefix>/<verb>`; it has no part in what it has no verb for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extender {
    /// Where it is.
    pub url_prefix: String,
    /// For which nodes would do.
    pub filter_verb: String,
    /// For how good nodes are.
    pub prioritize_verb: String,
    /// For whom to evict.
    pub preempt_verb: String,
    /// For binding pods: then nobody else does.
    pub bind_verb: String,
    /// What its priorities are multiplied by.
    pub weight: i64,
    /// How long it has for an answer.
    pub timeout: Duration,
    /// Whether it knows the nodes and is told their names only.
    pub is_node_cache_capable: bool,
    /// It is asked about pods that ask for one of these resources; about all, if there are none.
    pub managed_resources: BTreeSet<String>,
    /// Whether pods are placed without it where it does not answer.
    pub is_ignorable: bool,
    /// Who it has to be, and what is shown to it, where the URL is of HTTPS.
    pub tls: Tls,
}

/// Who an extender has to be, and what is shown to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// It may be anybody.
    pub insecure: bool,
    /// The name in its certificate; empty for the host of the URL.
    pub server_name: String,
    /// Who vouches for it; nothing for the authorities of the machine.
    pub authority: Material,
    /// What this end shows of itself.
    pub certificate: Material,
    /// Its key.
    pub key: Material,
}

/// Something in PEM, given or in a file. What is given counts.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Material {
    /// The file's path, if any.
    pub file: String,
    /// What is given, if anything.
    pub data: Bytes,
}

impl Material {
    /// Whether there is anything.
    pub fn is_none(&self) -> bool {
        self.file.is_empty() && self.data.is_empty()
    }
}

/// Without what is given: that may be a key.
impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Material").field("file", &self.file).finish_non_exhaustive()
    }
}

/// Extenders in the order in which they are asked: those that may be ignored come last.
pub(crate) fn all(told: &[types::Extender]) -> Vec<Extender> {
    let mut all: Vec<Extender> = told.iter().map(extender).collect();
    all.sort_by_key(|extender| extender.is_ignorable);
    all
}

/// The resources that only extenders look after; upstream lets them take the place of the ignored ones of profiles.
pub(crate) fn ignored(told: &[types::Extender]) -> Vec<String> {
    let managed = told.iter().flat_map(|extender| &extender.managed_resources);
    managed.filter(|resource| resource.ignored_by_scheduler).map(|resource| resource.name.clone()).collect()
}

fn extender(told: &types::Extender) -> Extender {
    let told_seconds = told.http_timeout.map(|timeout| timeout.nanos).unwrap_or_default();
    let timeout = u64::try_from(told_seconds).ok().filter(|nanoseconds| *nanoseconds > 0);
    Extender {
        url_prefix: told.url_prefix.clone(),
        filter_verb: told.filter_verb.clone(),
        prioritize_verb: told.prioritize_verb.clone(),
        preempt_verb: told.preempt_verb.clone(),
        bind_verb: told.bind_verb.clone(),
        weight: told.weight,
        timeout: timeout.map_or(TIMEOUT, Duration::from_nanos),
        is_node_cache_capable: told.node_cache_capable,
        managed_resources: told.managed_resources.iter().map(|resource| resource.name.clone()).collect(),
        is_ignorable: told.ignorable,
        tls: tls(told),
    }
}

fn tls(told: &types::Extender) -> Tls {
    let of = told.tls_config.as_deref().cloned().unwrap_or_default();
    let material = |file: String, data: Bytes| Material { file, data };
    let authority = material(of.ca_file, of.ca_data);
    Tls {
        // HTTPS is enabled before it is known who vouches for the extender, and upstream takes anybody then.
        insecure: of.insecure || (told.enable_https && authority.is_none()),
        server_name: of.server_name,
        authority,
        certificate: material(of.cert_file, of.cert_data),
        key: material(of.key_file, of.key_data),
    }
}
