//! Bootstrap tokens that have run out go. Upstream: `pkg/controller/bootstrap/tokencleaner.go`.

use api_types::core::v1::Secret;
use base::time::Time;
use client::reconcile::{Controller, Name, Plan, Wires, World, Write, name};

use super::bootstrap_token::{NAMESPACE, end, is_token};

/// The cleaner of bootstrap tokens.
pub struct TokenCleaner;

impl Controller for TokenCleaner {
    const NAME: &'static str = "token-cleaner";
    type Key = Name;

    fn wire(&self, wires: &mut Wires<Name>) {
        wires.maps::<Secret>(|secret, _| {
            is_token(secret).then(|| name(NAMESPACE, &secret.metadata.name)).into_iter().collect()
        });
    }

    fn plan(&self, (namespace, name): &Name, world: &World, now: Time) -> Plan {
        let mut plan = Plan::default();
        let secret = world.get::<Secret>(namespace, name).filter(|own| is_token(own));
        let Some((secret, end)) = secret.and_then(|own| Some((own, end(own)?))) else { return plan };
        if end > now {
            plan.again_in(end.since(now));
        } else {
            plan.stage([Write::delete(secret)]);
        }
        plan
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use client::Revision;

    use super::*;

    #[test]
    fn a_token_goes_when_its_time_is_over() {
        let plan = |expiration: Option<&str>| {
            let mut secret = Secret::default();
            secret.metadata.name = "bootstrap-token-abcdef".into();
            secret.metadata.namespace = NAMESPACE.into();
            secret.type_ = "bootstrap.kubernetes.io/token".into();
            let text = expiration.map(|text| ("expiration".to_owned(), text.as_bytes().to_vec().into()));
            secret.data.extend(text);
            let world = World::default().with([secret], Revision(1));
            TokenCleaner.plan(&name(NAMESPACE, "bootstrap-token-abcdef"), &world, Time::from_unix_seconds(60))
        };
        let gone = ["delete secrets kube-system/bootstrap-token-abcdef"];
        assert_eq!(plan(Some("1970-01-01T00:01:00Z")).describe(), gone);
        assert_eq!(plan(Some("soon")).describe(), gone);
        let left = plan(Some("1970-01-01T00:02:00Z"));
        assert_eq!((left.stages.len(), left.again), (0, Some(Duration::from_mins(1))));
        let endless = plan(None);
        assert_eq!((endless.stages.len(), endless.again), (0, None));
    }
}
