//! How objects become those of another version: only their `apiVersion` changes, or a webhook says what becomes of them.

use api_custom::conversion::REVIEWS;
use api_kind::webhook::{self, Service};
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::names::is_dns1035_label;
use api_types::apiextensions::v1::{
    CustomResourceConversion, CustomResourceDefinition, CustomResourceDefinitionSpec, WebhookClientConfig,
};

use super::{ca_bundle, is_true};

pub(super) fn check(
    path: &Path,
    spec: &CustomResourceDefinitionSpec,
    old: Option<&CustomResourceDefinition>,
    errors: &mut ErrorList,
) {
    let Some(conversion) = &spec.conversion else { return };
    let at = path.child("strategy");
    if spec.preserve_unknown_fields && conversion.strategy != "None" {
        let why = "must be None if spec.preserveUnknownFields is true";
        errors.push(FieldError::invalid(&at, conversion.strategy.as_str(), why));
    }
    api_kind::checks::one_of(errors, &at, &conversion.strategy, &["None", "Webhook"]);
    // Upstream names the fields as it keeps them.
    let (config, versions) = (path.child("webhookClientConfig"), path.child("conversionReviewVersions"));
    let own = conversion.webhook.as_deref();
    let known = own.map(|own| &own.conversion_review_versions[..]).unwrap_or_default();
    if conversion.strategy == "Webhook" {
        let client_config = own.and_then(|own| own.client_config.as_deref());
        client(&config, client_config, errors);
        if let Some(own) = client_config.and_then(|own| own.ca_bundle.as_ref())
            && !own.is_empty()
            && !may_be_broken(old)
            && let Some(fault) = ca_bundle::fault(own)
        {
            errors.push(FieldError::invalid(&config.child("caBundle"), own, fault));
        }
        let before = old.and_then(|old| old.spec.conversion.as_deref());
        reviews(&versions, known, before.is_none_or(speaks_or_is_silent), errors);
        return;
    }
    let why = "should not be set when strategy is not set to Webhook";
    if own.is_some_and(|own| own.client_config.is_some()) {
        errors.push(FieldError::forbidden(&config, why));
    }
    if !known.is_empty() {
        errors.push(FieldError::forbidden(&versions, why));
    }
}

/// Whether a bundle may hold no certificate: a definition that is not established yet never is with such a one (its condition says why), and
/// whoever has had one may change something else.
fn may_be_broken(old: Option<&CustomResourceDefinition>) -> bool {
    old.is_none_or(|old| !is_true(old, "Established") || ca_bundle_fault(old).is_some())
}

/// What is wrong with the certificates by which a definition's webhook is known, in upstream's words. No certificates at all are fine.
pub fn ca_bundle_fault(definition: &CustomResourceDefinition) -> Option<String> {
    let webhook = definition.spec.conversion.as_deref()?.webhook.as_deref()?;
    let bundle = webhook.client_config.as_deref()?.ca_bundle.as_ref()?;
    if bundle.is_empty() { None } else { ca_bundle::fault(bundle) }
}

fn client(path: &Path, config: Option<&WebhookClientConfig>, errors: &mut ErrorList) {
    let Some(config) = config else {
        errors.push(FieldError::required(path, "required when strategy is set to Webhook"));
        return;
    };
    match (&config.url, &config.service) {
        (Some(url), None) => webhook::url(errors, &path.child("url"), url),
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

fn speaks(versions: &[String]) -> bool {
    versions.iter().any(|version| REVIEWS.contains(&version.as_str()))
}

fn speaks_or_is_silent(conversion: &CustomResourceConversion) -> bool {
    let known = conversion.webhook.as_deref().map(|own| &own.conversion_review_versions[..]);
    known.is_none_or(|known| known.is_empty() || speaks(known))
}

fn reviews(path: &Path, versions: &[String], one_is_known: bool, errors: &mut ErrorList) {
    if versions.is_empty() {
        errors.push(FieldError::required(path, ""));
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
        let why = format!("must include at least one of {}", REVIEWS.join(", "));
        errors.push(FieldError::invalid(path, versions, why));
    }
}
