//! How objects become those of another version. There is one way: only their `apiVersion` changes.

use api_meta::field::{ErrorList, FieldError, Path};
use api_types::apiextensions::v1::CustomResourceDefinitionSpec;

pub(super) fn check(path: &Path, spec: &CustomResourceDefinitionSpec, errors: &mut ErrorList) {
    let Some(conversion) = &spec.conversion else { return };
    let at = path.child("strategy");
    if conversion.strategy == "Webhook" {
        // Never taken for None: objects of other versions would be wrong without a word.
        errors.push(FieldError::forbidden(&at, "conversion by webhooks is not supported by this server"));
        return;
    }
    api_kind::checks::one_of(errors, &at, &conversion.strategy, &["None", "Webhook"]);
    let Some(webhook) = &conversion.webhook else { return };
    let why = "should not be set when strategy is not set to Webhook";
    if webhook.client_config.is_some() {
        errors.push(FieldError::forbidden(&path.child("webhookClientConfig"), why));
    }
    if !webhook.conversion_review_versions.is_empty() {
        errors.push(FieldError::forbidden(&path.child("conversionReviewVersions"), why));
    }
}
