//! Webhooks as they are configured, ready to be called, in the order in which they are.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use api_cel::{Program, Type};
use api_kinds_admission::expression::Uses;
use api_record::Record;
use api_types::admissionregistration::v1::{
    MatchCondition, MutatingWebhook, MutatingWebhookConfiguration, RuleWithOperations, ValidatingWebhook,
    ValidatingWebhookConfiguration,
};
use api_types::meta::v1::LabelSelector;
use arc_swap::ArcSwap;
use client::view::Snapshot;
use server_webhook::{Hook, limits};

/// A webhook of either sort.
pub(crate) struct Webhook {
    pub(crate) name: String,
    /// The name of its configuration.
    pub(crate) configuration: String,
    /// Tells it from others, of which some may have the same name.
    pub(crate) uid: String,
    /// Whom to ask, or why nobody can be.
    pub(crate) hook: Result<Hook, String>,
    pub(crate) rules: Vec<RuleWithOperations>,
    /// Only what the rules name themselves will do.
    pub(crate) exact: bool,
    pub(crate) namespaces: Option<LabelSelector>,
    pub(crate) objects: Option<LabelSelector>,
    pub(crate) own_conditions: Vec<MatchCondition>,
    pub(crate) conditions: Result<Vec<Program>, String>,
    pub(crate) side_effects: Option<String>,
    pub(crate) timeout: Duration,
    pub(crate) reviews: Vec<String>,
    /// A call that fails is as good as none.
    pub(crate) ignores_failure: bool,
    /// It wants to see what others change after it.
    pub(crate) again: bool,
}

/// Makes one of what both sorts have.
macro_rules! common {
    ($own:expr, $names:expr, $again:expr) => {
        Webhook {
            name: $own.name.clone(),
            configuration: $names.configuration.to_owned(),
            uid: $names.uid(&$own.name),
            hook: Hook::try_from(&$own.client_config),
            rules: $own.rules.clone(),
            exact: $own.match_policy.as_deref() == Some("Exact"),
            namespaces: $own.namespace_selector.as_deref().cloned(),
            objects: $own.object_selector.as_deref().cloned(),
            own_conditions: $own.match_conditions.clone(),
            conditions: compiled(&$own.match_conditions),
            side_effects: $own.side_effects.clone(),
            timeout: timeout($own.timeout_seconds),
            reviews: $own.admission_review_versions.to_vec(),
            ignores_failure: $own.failure_policy.as_deref() == Some("Ignore"),
            again: $again,
        }
    };
}

fn mutating(own: &MutatingWebhook, names: &mut Names<'_>) -> Webhook {
    common!(own, names, own.reinvocation_policy.as_deref() == Some("IfNeeded"))
}

fn validating(own: &ValidatingWebhook, names: &mut Names<'_>) -> Webhook {
    common!(own, names, false)
}

fn timeout(seconds: Option<i32>) -> Duration {
    let given = seconds.and_then(|seconds| u64::try_from(seconds).ok());
    given.map_or(limits::CALL, Duration::from_secs)
}

/// Conditions were compiled when they were written; those that somebody else wrote may not be so lucky.
fn compiled(conditions: &[MatchCondition]) -> Result<Vec<Program>, String> {
    let uses = Uses { params: false, authorizer: true, ..Uses::default() };
    conditions.iter().map(|own| uses.compile(own.expression.trim(), &[Type::Bool])).collect()
}

/// A configuration with its webhooks.
struct Configuration {
    source: Arc<dyn Record>,
    webhooks: Vec<Arc<Webhook>>,
}

/// All of one sort: by the names of the configurations, and within each as it says.
#[derive(Default)]
pub(crate) struct Configured {
    configurations: ArcSwap<Vec<Arc<Configuration>>>,
    webhooks: ArcSwap<Vec<Arc<Webhook>>>,
}

impl Configured {
    /// All of them now.
    pub(crate) fn webhooks(&self) -> Arc<Vec<Arc<Webhook>>> {
        self.webhooks.load_full()
    }

    /// Takes over what a view shows; configurations that are still the same are not read again.
    pub(crate) fn update(&self, snapshot: &Snapshot) {
        let before = self.configurations.load_full();
        let configurations: Vec<Arc<Configuration>> = snapshot
            .iter()
            .map(|source| {
                let same = before.iter().find(|known| Arc::ptr_eq(&known.source, source));
                same.cloned().unwrap_or_else(|| {
                    let webhooks = read(&**source).into_iter().map(Arc::new).collect();
                    Arc::new(Configuration { source: Arc::clone(source), webhooks })
                })
            })
            .collect();
        let all = configurations.iter().flat_map(|configuration| configuration.webhooks.iter().cloned());
        self.webhooks.store(Arc::new(all.collect()));
        self.configurations.store(Arc::new(configurations));
    }
}

fn read(source: &dyn Record) -> Vec<Webhook> {
    if let Some(own) = source.downcast_ref::<MutatingWebhookConfiguration>() {
        let mut names = Names::of(&own.metadata.name);
        return own.webhooks.iter().map(|hook| mutating(hook, &mut names)).collect();
    }
    if let Some(own) = source.downcast_ref::<ValidatingWebhookConfiguration>() {
        let mut names = Names::of(&own.metadata.name);
        return own.webhooks.iter().map(|hook| validating(hook, &mut names)).collect();
    }
    Vec::new()
}

/// How often each name has been used in a configuration: old ones may repeat them.
struct Names<'a> {
    configuration: &'a str,
    used: BTreeMap<String, usize>,
}

impl Names<'_> {
    fn of(configuration: &str) -> Names<'_> {
        Names { configuration, used: BTreeMap::new() }
    }

    fn uid(&mut self, name: &str) -> String {
        let used = self.used.entry(name.to_owned()).or_default();
        let uid = format!("{}/{name}/{used}", self.configuration);
        *used += 1;
        uid
    }
}
