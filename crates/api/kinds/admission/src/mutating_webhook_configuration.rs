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
