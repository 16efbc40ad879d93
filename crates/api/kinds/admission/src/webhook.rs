//! What webhooks of either sort have in common.

use api_kind::checks::supported;
use api_kind::webhook::Service;
use api_meta::field::{BadValue, ErrorList, FieldError, Path};
use api_meta::labels::{SelectorLeniency, validate_label_selector};
use api_meta::names::{is_dns1035_label, is_fully_qualified_name};
use api_types::admissionregistration::v1::{
    MatchCondition, MutatingWebhook, RuleWithOperations, ValidatingWebhook, WebhookClientConfig,
};
use api_types::meta::v1::LabelSelector;

use crate::expression;
use crate::matching::{self, FAILURE_POLICIES, MATCH_POLICIES};

/// The versions of reviews that the server speaks.
const REVIEWS: [&str; 2] = ["v1", "v1beta1"];
const REINVOCATION_POLICIES: [&str; 2] = ["IfNeeded", "Never"];
const SIDE_EFFECTS: [&str; 4] = ["None", "NoneOnDryRun", "Some", "Unknown"];

/// A webhook of either sort.
pub(crate) struct Webhook<'a> {
    pub(crate) name: &'a str,
    pub(crate) client: &'a WebhookClientConfig,
    pub(crate) rules: &'a [RuleWithOperations],
    pub(crate) failure_policy: Option<&'a str>,
    pub(crate) match_policy: Option<&'a str>,
    pub(crate) namespaces: Option<&'a LabelSelector>,
    pub(crate) objects: Option<&'a LabelSelector>,
    pub(crate) side_effects: Option<&'a str>,
    pub(crate) timeout_seconds: Option<i32>,
    pub(crate) reviews: &'a [String],
    pub(crate) conditions: &'a [MatchCondition],
    /// Of mutating ones alone.
    pub(crate) reinvocation_policy: Option<&'a str>,
}

/// Makes one of what both sorts have.
macro_rules! common {
    ($own:expr) => {
        Webhook {
            name: &$own.name,
            client: &$own.client_config,
            rules: &$own.rules,
            failure_policy: $own.failure_policy.as_deref(),
            match_policy: $own.match_policy.as_deref(),
            namespaces: $own.namespace_selector.as_deref(),
            objects: $own.object_selector.as_deref(),
            side_effects: $own.side_effects.as_deref(),
            timeout_seconds: $own.timeout_seconds,
            reviews: &$own.admission_review_versions,
            conditions: &$own.match_conditions,
            reinvocation_policy: None,
        }
    };
}

impl<'a> From<&'a ValidatingWebhook> for Webhook<'a> {
    fn from(own: &'a ValidatingWebhook) -> Webhook<'a> {
        common!(own)
    }
}

impl<'a> From<&'a MutatingWebhook> for Webhook<'a> {
    fn from(own: &'a MutatingWebhook) -> Webhook<'a> {
        Webhook { reinvocation_policy: own.reinvocation_policy.as_deref(), ..common!(own) }
    }
}

/// What was good in the old configuration may stay as it is.
struct Leniency {
    conditions: bool,
    side_effects: bool,
    reviews: bool,
    names: bool,
    selectors: bool,
}

impl Leniency {
    fn of(old: Option<&[Webhook<'_>]>, new: &[Webhook<'_>]) -> Leniency {
        let Some(old) = old else {
            return Leniency {
                conditions: false,
                side_effects: false,
                reviews: false,
                names: false,
                selectors: false,
            };
        };
        let same = |old: &Webhook<'_>, new: &Webhook<'_>| {
            old.conditions.len() == new.conditions.len()
                && old.conditions.iter().zip(new.conditions).all(|(old, new)| api_record::equal(old, new))
        };
        let repeats = |index: usize| old[..index].iter().any(|before| before.name == old[index].name);
        Leniency {
            conditions: old.len() == new.len() && old.iter().zip(new).all(|(old, new)| same(old, new)),
            side_effects: old.iter().any(|hook| !matches!(hook.side_effects, Some("None" | "NoneOnDryRun"))),
            reviews: old.iter().any(|hook| !hook.reviews.is_empty() && !speaks(hook.reviews)),
            names: (0..old.len()).any(repeats),
            selectors: old.iter().any(|hook| {
                let mut errors = ErrorList::new();
                selectors(&mut errors, &Path::NONE, hook, SelectorLeniency::default());
                !errors.is_empty()
            }),
        }
    }
}

fn speaks(versions: &[String]) -> bool {
    versions.iter().any(|version| REVIEWS.contains(&version.as_str()))
}

/// The webhooks of a configuration.
pub(crate) fn validate(errors: &mut ErrorList, new: &[Webhook<'_>], old: Option<&[Webhook<'_>]>) {
    let lenient = Leniency::of(old, new);
    for (index, hook) in new.iter().enumerate() {
        let path = Path::new("webhooks").index(index);
        one(errors, &path, hook, &lenient);
        reviews(errors, &path.child("admissionReviewVersions"), hook.reviews, !lenient.reviews);
        let repeated = new[..index].iter().any(|before| before.name == hook.name);
        if !lenient.names && !hook.name.is_empty() && repeated {
            errors.push(FieldError::duplicate(&path.child("name"), hook.name));
        }
    }
}

fn one(errors: &mut ErrorList, path: &Path, hook: &Webhook<'_>, lenient: &Leniency) {
    errors.extend(is_fully_qualified_name(&path.child("name"), hook.name));
    for (index, rule) in hook.rules.iter().enumerate() {
        matching::rule(errors, &path.child("rules").index(index), rule);
    }
    if let Some(policy) = hook.failure_policy {
        supported(errors, &path.child("failurePolicy"), policy, &FAILURE_POLICIES);
    }
    if let Some(policy) = hook.match_policy {
        supported(errors, &path.child("matchPolicy"), policy, &MATCH_POLICIES);
    }
    let allowed = if lenient.side_effects { &SIDE_EFFECTS[..] } else { &SIDE_EFFECTS[..2] };
    match hook.side_effects {
        Some(effects) => supported(errors, &path.child("sideEffects"), effects, allowed),
        None => {
            let why = format!("must specify one of {}", allowed.join(", "));
            errors.push(FieldError::required(&path.child("sideEffects"), why));
        }
    }
    if let Some(seconds) = hook.timeout_seconds.filter(|seconds| !(1..=30).contains(seconds)) {
        let why = "the timeout value must be between 1 and 30 seconds";
        errors.push(FieldError::invalid(&path.child("timeoutSeconds"), seconds, why));
    }
    let leniency = SelectorLeniency { invalid_values: lenient.selectors, ..SelectorLeniency::default() };
    selectors(errors, path, hook, leniency);
    if let Some(policy) = hook.reinvocation_policy {
        supported(errors, &path.child("reinvocationPolicy"), policy, &REINVOCATION_POLICIES);
    }
    client(errors, &path.child("clientConfig"), hook.client);
    if !lenient.conditions {
        expression::conditions(errors, &path.child("matchConditions"), hook.conditions, false);
    }
}

fn selectors(errors: &mut ErrorList, path: &Path, hook: &Webhook<'_>, lenient: SelectorLeniency) {
    for (name, selector) in [("namespaceSelector", hook.namespaces), ("objectSelector", hook.objects)] {
        errors.extend(validate_label_selector(selector, lenient, &path.child(name)));
    }
}

fn reviews(errors: &mut ErrorList, path: &Path, versions: &[String], one_is_known: bool) {
    if versions.is_empty() {
        errors.push(FieldError::required(path, format!("must specify one of {}", REVIEWS.join(", "))));
        return;
    }
    for (index, version) in versions.iter().enumerate() {
        let path = path.index(index);
        if versions[..index].contains(version) {
            errors.push(FieldError::invalid(&path, version.as_str(), "duplicate version"));
            continue;
        }
        for message in is_dns1035_label(version) {
            errors.push(FieldError::invalid(&path, version.as_str(), message));
        }
    }
    if one_is_known && !speaks(versions) {
        let all: Vec<String> = versions.iter().map(|version| format!("{version:?}")).collect();
        let why = format!("must include at least one of {}", REVIEWS.join(", "));
        errors.push(FieldError::invalid(path, BadValue::json(format!("[{}]", all.join(","))), why));
    }
}

fn client(errors: &mut ErrorList, path: &Path, own: &WebhookClientConfig) {
    match (&own.url, &own.service) {
        (Some(url), None) => api_kind::webhook::url(errors, &path.child("url"), url),
        (None, Some(own)) => {
            // Upstream hands the two over the other way round, so that a service that lacks one is told to lack the other.
            let service = Service {
                namespace: &own.name,
                name: &own.namespace,
                path: own.path.as_deref(),
                port: own.port,
            };
            service.check(errors, &path.child("service"));
        }
        _ => errors.push(FieldError::required(path, "exactly one of url or service is required")),
    }
}
