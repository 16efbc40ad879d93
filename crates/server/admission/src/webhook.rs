//! Webhooks: programs of the cluster's users that change what is written, or refuse it.
//! (`apiserver/pkg/admission/plugin/webhook`.)
//!
//! Configurations are followed by views, so that a request costs nothing where there are none; a configuration takes effect soon after it is
//! written, as upstream's does. What they annotate, whether they changed something, and
//! which of them failed without consequence is noted for the audit log.

mod configured;
mod exchange;
mod metrics;
mod mutating;
mod review;
#[cfg(test)]
mod tests;
mod validating;

use std::sync::Arc;

use base::random::Random;
use base::time::Clock;
use client::{RawView, Resource};
use server_webhook::Webhooks;
use tokio::sync::watch;

use crate::{Authorizer, Lookup, Versions};

pub(crate) use exchange::note;
pub use metrics::Metrics;
pub use mutating::MutatingWebhooks;
pub use validating::ValidatingWebhooks;

/// Configurations of webhooks that change objects.
pub const MUTATING: Resource =
    Resource::of("admissionregistration.k8s.io", "v1", "mutatingwebhookconfigurations");
/// Configurations of webhooks that refuse objects.
pub const VALIDATING: Resource =
    Resource::of("admissionregistration.k8s.io", "v1", "validatingwebhookconfigurations");

/// What webhooks are asked with.
#[derive(Clone)]
pub struct Asking {
    /// Who asks them.
    pub webhooks: Arc<dyn Webhooks>,
    /// How namespaces are looked up.
    pub lookup: Arc<dyn Lookup>,
    /// How objects are shown to them.
    pub versions: Arc<dyn Versions>,
    /// Whom the expressions of conditions ask.
    pub authorizer: Authorizer,
    /// By which calls are measured.
    pub clock: Arc<dyn Clock>,
    /// Where the ids of reviews come from.
    pub random: Arc<dyn Random>,
    /// Who counts calls.
    pub metrics: Arc<Metrics>,
}

/// Calls `update` with what a view shows, whenever that changes, until the view ends.
async fn follow(mut changed: watch::Receiver<u64>, view: RawView, update: impl Fn(&client::view::Snapshot)) {
    while changed.changed().await.is_ok() {
        changed.mark_unchanged();
        update(&view.snapshot());
    }
}
