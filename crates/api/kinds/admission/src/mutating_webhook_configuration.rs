//! Webhooks that are asked before something is written: mutating ones.

use api_kind::{Column, Ctx, Kind};
use api_meta::field::ErrorList;
use api_types::admissionregistration::v1::MutatingWebhookConfiguration;

use crate::webhook::{self, Webhook};
use crate::{defaults, static_names};

/// The row.
pub const KIND: Kind<MutatingWebhookConfiguration> = Kind::<MutatingWebhookConfiguration>::of(
    "admissionregistration.k8s.io",
    "v1",
    "mutatingwebhookconfigurations",
)
.generation()
.conditional_update()
.defaults(|_, own| defaults::fill(own))
.validate(validate)
.warnings(|ctx, own, old| static_names::warnings(ctx, &own.metadata.name, old.is_some()))
.columns(&[
    Column::<MutatingWebhookConfiguration>::name(),
    Column::<MutatingWebhookConfiguration>::number(
        "Webhooks",
        "Webhooks indicates the number of webhooks registered in this configuration",
        |own, _| (own.webhooks.len() as i64).into(),
    ),
    Column::<MutatingWebhookConfiguration>::age(),
]);

fn validate(
    ctx: &Ctx<'_>,
    own: &MutatingWebhookConfiguration,
    old: Option<&MutatingWebhookConfiguration>,
    errors: &mut ErrorList,
) {
    webhook::validate(errors, &all(own), old.map(all).as_deref());
    static_names::check(ctx, errors, &own.metadata.name);
}

fn all(of: &MutatingWebhookConfiguration) -> Vec<Webhook<'_>> {
    of.webhooks.iter().map(Webhook::from).collect()
}

#[cfg(test)]
mod tests {
    use api_kind::trial::create;

    use super::*;

    #[test]
    fn a_service_has_both_names_and_the_policy_is_known() {
        let made = |client: &str, policy: &str| {
            let hook = "name: a.b.c, sideEffects: None, admissionReviewVersions: [v1]";
            let text = format!(
                "webhooks: [{{{hook}, reinvocationPolicy: {policy}, clientConfig: {{service: {{{client}}}}}}}]"
            );
            create(&KIND, &text).errors
        };
        assert_eq!(made("name: s, namespace: shop", "IfNeeded"), [""; 0]);
        // Upstream has the two names the wrong way round.
        for (client, place) in [("name: s", "name"), ("namespace: shop", "namespace")] {
            assert_eq!(
                made(client, "Never"),
                [format!("webhooks[0].clientConfig.service.{place}: Required value")]
            );
        }
        assert_eq!(
            made("name: s, namespace: shop", "Always"),
            [
                "webhooks[0].reinvocationPolicy: Unsupported value: \"Always\": supported values: \"IfNeeded\", \"Never\""
            ]
        );
    }
}
