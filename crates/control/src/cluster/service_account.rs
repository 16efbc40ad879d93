//! Every active namespace has a service account `default`. Upstream: `pkg/controller/serviceaccount`.

use api_types::core::v1::{Namespace, ServiceAccount};
use base::time::Time;
use client::reconcile::{Controller, Plan, Wires, World, Write};

const DEFAULT: &str = "default";

/// The controller of default service accounts.
pub struct ServiceAccounts;

impl Controller for ServiceAccounts {
    const NAME: &'static str = "service-account-controller";
    type Key = String;

    fn wire(&self, wires: &mut Wires<String>) {
        wires.maps::<Namespace>(|namespace, _| vec![namespace.metadata.name.clone()]);
        wires.maps::<ServiceAccount>(|account, _| match account.metadata.name.as_str() {
            DEFAULT => vec![account.metadata.namespace.clone()],
            _ => Vec::new(),
        });
    }

    fn plan(&self, key: &String, world: &World, _: Time) -> Plan {
        let mut plan = Plan::default();
        let active =
            world.get::<Namespace>("", key).is_some_and(|namespace| namespace.status.phase == "Active");
        if active && world.get::<ServiceAccount>(key, DEFAULT).is_none() {
            let mut account = ServiceAccount::default();
            account.metadata.name = DEFAULT.into();
            account.metadata.namespace.clone_from(key);
            plan.stage([Write::create(account).or_exists()]);
        }
        plan
    }
}

#[cfg(test)]
mod tests {
    use client::Revision;

    use super::*;

    fn namespace(phase: &str) -> Namespace {
        let mut namespace = Namespace::default();
        namespace.metadata.name = "shop".into();
        namespace.status.phase = phase.into();
        namespace
    }

    #[test]
    fn only_active_namespaces_without_one_get_one() {
        let mut account = ServiceAccount::default();
        account.metadata.name = DEFAULT.into();
        account.metadata.namespace = "shop".into();
        for (phase, accounts, expected) in [
            ("Active", vec![], vec!["create serviceaccounts shop/default"]),
            ("Terminating", vec![], vec![]),
            ("Active", vec![account], vec![]),
        ] {
            let world = World::default().with([namespace(phase)], Revision(1)).with(accounts, Revision(1));
            let plan = ServiceAccounts.plan(&"shop".to_owned(), &world, Time::EPOCH);
            assert_eq!(plan.describe(), expected);
        }
    }
}
