//! Admission policies and webhooks follow what is written of them.

use std::sync::Arc;

use base::random::Random;
use base::time::Clock;
use client::{RawView, Resource, Revision, Scope};
use server_admission::{
    Asking, Authorizer, BINDINGS, Chain, Checks, MUTATING, MUTATING_BINDINGS, MUTATING_POLICIES, Metrics,
    MutatingPolicies, MutatingWebhooks, POLICIES, ParamRights, Parts, Plugin, PolicyParts, Stored,
    VALIDATING, ValidatingPolicies, ValidatingWebhooks,
};
use server_local::Local;
use server_webhook::{Endpoints, Webhooks};

/// What the cluster's users have a say in admission by.
pub struct Policies {
    /// Who counts calls of admission's.
    pub metrics: Arc<Metrics>,
    /// Who counts what policies say, those that change objects first.
    pub checks: [Arc<Checks>; 2],
    rights: Arc<ParamRights>,
    changing: Arc<MutatingPolicies>,
    policies: Arc<ValidatingPolicies>,
    mutating: Arc<MutatingWebhooks>,
    validating: Arc<ValidatingWebhooks>,
}

impl Policies {
    /// Nothing is known yet of what they say: [`Policies::follow`] brings it.
    pub fn new(
        stored: Arc<Stored>,
        authorizer: Authorizer,
        webhooks: Arc<dyn Webhooks>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Policies {
        let metrics = Arc::new(Metrics::default());
        let asking = Asking {
            webhooks,
            lookup: stored.clone(),
            versions: stored.clone(),
            authorizer: Arc::clone(&authorizer),
            clock: Arc::clone(&clock),
            random,
            metrics: Arc::clone(&metrics),
        };
        let checks = [Checks::mutating(), Checks::validating()].map(Arc::new);
        let [of_changing, of_refusing] = checks.clone();
        let changing = PolicyParts {
            lookup: stored.clone(),
            versions: stored,
            authorizer,
            clock,
            checks: of_changing,
            metrics: Arc::clone(&metrics),
        };
        let PolicyParts { lookup, versions, authorizer, .. } = changing.clone();
        let refusing = PolicyParts { checks: of_refusing, ..changing.clone() };
        Policies {
            metrics,
            checks,
            rights: Arc::new(ParamRights::new(lookup, versions, authorizer)),
            changing: Arc::new(MutatingPolicies::new(changing)),
            policies: Arc::new(ValidatingPolicies::new(refusing)),
            mutating: Arc::new(MutatingWebhooks::new(asking.clone())),
            validating: Arc::new(ValidatingWebhooks::new(asking)),
        }
    }

    /// The built-in plugins with these behind them, in upstream's order.
    pub fn chain(&self, parts: Parts) -> Chain {
        Chain::standard(parts)
            .after(Arc::clone(&self.rights) as Arc<dyn Plugin>)
            .then(Arc::clone(&self.changing) as Arc<dyn Plugin>)
            .then(Arc::clone(&self.mutating) as Arc<dyn Plugin>)
            .then(Arc::clone(&self.policies) as Arc<dyn Plugin>)
            .then(Arc::clone(&self.validating) as Arc<dyn Plugin>)
    }

    /// Starts following them, once all that are there are known: nothing that they refuse is taken before.
    pub async fn follow(self, local: &Local) {
        // Webhooks behind services are found by these.
        for resource in Endpoints::RESOURCES {
            known(local, resource).await;
        }
        let [own, bindings] = [known(local, MUTATING_POLICIES).await, known(local, MUTATING_BINDINGS).await];
        tokio::spawn(self.changing.follow(own, bindings));
        let [own, bindings] = [known(local, POLICIES).await, known(local, BINDINGS).await];
        tokio::spawn(self.policies.follow(own, bindings));
        tokio::spawn(self.mutating.follow(known(local, MUTATING).await));
        tokio::spawn(self.validating.follow(known(local, VALIDATING).await));
    }
}

/// A view that shows all that there is.
async fn known(local: &Local, resource: Resource) -> RawView {
    let view = local.shared_view(Scope::all(resource));
    view.reached(Revision(0)).await;
    view
}
