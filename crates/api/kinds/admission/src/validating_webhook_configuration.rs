//! Webhooks that are asked before something is written: validating ones.

use api_kind::{Column, Ctx, Kind};
use api_meta::field::ErrorList;
use api_types::admissionregistration::v1::ValidatingWebhookConfiguration;

use crate::webhook::{self, Webhook};
use crate::{defaults, static_names};

/// The row.
pub const KIND: Kind<ValidatingWebhookConfiguration> = Kind::<ValidatingWebhookConfiguration>::of(
    "admissionregistration.k8s.io",
    "v1",
    "validatingwebhookconfigurations",
)
.generation()
.conditional_update()
.defaults(|_, own| defaults::fill(own))
.validate(validate)
.warnings(|ctx, own, old| static_names::warnings(ctx, &own.metadata.name, old.is_some()))
.columns(&[
    Column::<ValidatingWebhookConfiguration>::name(),
    Column::<ValidatingWebhookConfiguration>::number(
        "Webhooks",
        "Webhooks indicates the number of webhooks registered in this configuration",
        |own, _| (own.webhooks.len() as i64).into(),
    ),
    Column::<ValidatingWebhookConfiguration>::age(),
]);

fn validate(
    ctx: &Ctx<'_>,
    own: &ValidatingWebhookConfiguration,
    old: Option<&ValidatingWebhookConfiguration>,
    errors: &mut ErrorList,
) {
    webhook::validate(errors, &all(own), old.map(all).as_deref());
    static_names::check(ctx, errors, &own.metadata.name);
}

fn all(of: &ValidatingWebhookConfiguration) -> Vec<Webhook<'_>> {
    of.webhooks.iter().map(Webhook::from).collect()
}

#[cfg(test)]
mod tests {
    use api_kind::trial::create;

    use super::*;

    #[test]
    fn a_webhook_is_defaulted_and_checked() {
        let rules = "rules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods, pods/exec]}]";
        let made = create(
            &KIND,
            &format!(
                "webhooks: [{{name: a.example.com, {rules}, sideEffects: None, admissionReviewVersions: [v1], clientConfig: {{service: {{name: s, namespace: shop, path: /a}}}}}}]"
            ),
        );
        assert_eq!(made.errors, [""; 0]);
        assert_eq!(made.cells(&KIND), "x|1|<unknown>");
        let made = create(
            &KIND,
            "webhooks: [{name: a, rules: [{apiGroups: ['*', x], apiVersions: [''], operations: [GET], resources: ['*', pods, '*/x', y/x]}], sideEffects: Some, timeoutSeconds: 31, admissionReviewVersions: [v2], clientConfig: {url: 'http://u@/x?y#z'}, matchConditions: [{name: m, expression: '1'}]}]",
        );
        let places: Vec<&str> =
            made.errors.iter().map(|error| error.split(": ").next().unwrap_or_default()).collect();
        assert_eq!(
            places,
            [
                "webhooks[0].name",
                "webhooks[0].rules[0].operations[0]",
                "webhooks[0].rules[0].apiGroups",
                "webhooks[0].rules[0].apiVersions[0]",
                "webhooks[0].rules[0].resources[3]",
                "webhooks[0].rules[0].resources",
                "webhooks[0].sideEffects",
                "webhooks[0].timeoutSeconds",
                "webhooks[0].clientConfig.url",
                "webhooks[0].clientConfig.url",
                "webhooks[0].clientConfig.url",
                "webhooks[0].clientConfig.url",
                "webhooks[0].clientConfig.url",
                "webhooks[0].matchConditions[0].expression",
                "webhooks[0].admissionReviewVersions",
            ],
            "{:#?}",
            made.errors
        );
    }
}
