//! How objects become those of another version: only their `apiVersion` changes, or a webhook says what becomes of them.

use api_custom::conversion::REVIEWS;
use api_kind::webhook::{self, Service};
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::names::is_dns1035_label;
use api_types::apiextensions::v1::{
    CustomResourceConversion, CustomResourceDefinitionSpec, WebhookClientConfig,
};

pub(super) fn check(
    path: &Path,
    spec: &CustomResourceDefinitionSpec,
    old: Option<&CustomResourceDefinitionSpec>,
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
        client(&config, own.and_then(|own| own.client_config.as_deref()), errors);
        let before = old.and_then(|old| old.conversion.as_deref());
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

fn client(path: &Path, config: Option<&WebhookClientConfig>, errors: &mut ErrorList) {
    let Some(config) = config else {
        errors.push(FieldError::required(path, "required when strategy is set to Webhook"));
        return;
    };
    match (&config.url, &config.service) {
        (Some(url), None) => webhook::url(errors, &path.child("url"), url),
        (None, Some(own)) => {
            let service = Service {
                namespace: &own.namespace,
                name: &own.name,
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
