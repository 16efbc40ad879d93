//! What clients leave out of webhooks and policies (`pkg/apis/admissionregistration/v1/defaults.go`).

use api_kind::each;
use api_record::Record;
use api_types::admissionregistration::v1::{
    MatchResources, MutatingAdmissionPolicySpec, MutatingWebhook, Rule, ServiceReference,
    ValidatingAdmissionPolicySpec, ValidatingWebhook,
};

fn text(field: &mut Option<String>, default: &str) {
    field.get_or_insert_with(|| default.to_owned());
}

/// Fills in whatever of it an object holds.
pub fn fill(object: &mut dyn Record) {
    each::<ValidatingWebhook>(object, &|webhook| {
        text(&mut webhook.failure_policy, "Fail");
        text(&mut webhook.match_policy, "Equivalent");
        webhook.namespace_selector.get_or_insert_default();
        webhook.object_selector.get_or_insert_default();
        webhook.timeout_seconds.get_or_insert(10);
    });
    each::<MutatingWebhook>(object, &|webhook| {
        text(&mut webhook.failure_policy, "Fail");
        text(&mut webhook.match_policy, "Equivalent");
        webhook.namespace_selector.get_or_insert_default();
        webhook.object_selector.get_or_insert_default();
        webhook.timeout_seconds.get_or_insert(10);
        text(&mut webhook.reinvocation_policy, "Never");
    });
    each::<Rule>(object, &|rule| text(&mut rule.scope, "*"));
    each::<ServiceReference>(object, &|service| {
        service.port.get_or_insert(443);
    });
    each::<ValidatingAdmissionPolicySpec>(object, &|spec| text(&mut spec.failure_policy, "Fail"));
    each::<MutatingAdmissionPolicySpec>(object, &|spec| text(&mut spec.failure_policy, "Fail"));
    each::<MatchResources>(object, &|resources| {
        text(&mut resources.match_policy, "Equivalent");
        resources.namespace_selector.get_or_insert_default();
        resources.object_selector.get_or_insert_default();
    });
}
